"""The numbers of users, which staff may link and unlink."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from .. import numbers as links
from .. import phones, sentences
from ..models import PhoneNumber, VerificationAttempt, tags
from ..states import EventKind
from . import related, searches
from .masked import NOTHING, Masked, linked, named, sees_users, spelled
from .paginator import capped, spoken

# Generic for the type checker only.
if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[PhoneNumber]
else:
    _ModelForm = forms.ModelForm


class PhoneNumberForm(_ModelForm):
    """Takes a number in any spelling; stored as typed it would never be found at login."""

    number = forms.CharField(label=_("number"), max_length=phones.MAX_LENGTH)
    refusal: Callable[[], str]

    def clean_number(self) -> str:
        """Return the number as E.164, or say why it gets no code.

        The answer tells whether somebody has the number, as a search does, and counts as one.
        """
        if told := self.refusal():
            raise forms.ValidationError(told, code="limited")
        try:
            return phones.parse(self.cleaned_data["number"])
        except phones.NumberRefused as refused:
            told = sentences.refusal(refused, phones.home())
            raise forms.ValidationError(told, code=refused.code) from None


@admin.register(PhoneNumber)
class PhoneNumberAdmin(Masked):
    """Links and unlinks numbers. Each of both is written down; a number is never edited into another."""

    form = PhoneNumberForm
    list_display = ("masked", "owner", "verified_at")
    raw_id_fields = ("user",)
    readonly_fields = ("owner", "person", "masked", "verified_at", "attempts")
    list_select_related = ("user",)
    search_fields = ("number",)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Return a form that knows who asks."""
        form: Any = super().get_form(request, *args, **kwargs)
        form.refusal = staticmethod(partial(searches.refusal, request))
        return form

    def get_fields(self, request: HttpRequest, obj: PhoneNumber | None = None) -> Any:
        """Ask for a number to link it; show one that is linked by its last digits."""
        if obj is None:
            return ["user", "number"]
        attempts = ["attempts"] if request.user.has_perm("passwordless.view_verificationattempt") else []
        return ["person" if sees_users(request) else "owner", "masked", "verified_at", *attempts]

    def has_change_permission(self, request: HttpRequest, obj: PhoneNumber | None = None) -> bool:
        """Return False: unlink and link again, so that both are on record."""
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PhoneNumber], search_term: str
    ) -> tuple[QuerySet[PhoneNumber], bool]:
        """Find nothing more: a number that was found has a page of its own."""
        return (queryset.none() if search_term.strip() else queryset), False

    def found(self, request: HttpRequest, term: str) -> str:
        """Return the address of the number's page, if somebody has it."""
        row = PhoneNumber.objects.filter(number=spelled(term) or NOTHING).first()
        page = "admin:passwordless_phonenumber_change"
        return reverse(page, args=[row.pk]) if row else f"?{SEARCH_VAR}={NOTHING}"

    @admin.display(description=_("user"))
    def owner(self, row: PhoneNumber) -> str:
        """Return whose it is."""
        return named(row.user)

    @admin.display(description=_("user"))
    def person(self, row: PhoneNumber) -> str:
        """Return whose it is, as a link to their page."""
        return linked(row.user)

    @admin.display(description=_("verification attempts"))
    def attempts(self, row: PhoneNumber) -> str:
        """Return how many there are for the number, as a link to them: by its tags, as the address of a search."""
        known = tags(row.number)
        rows = VerificationAttempt.objects.filter(number_tag__in=known)
        found = reverse("admin:passwordless_verificationattempt_changelist")
        told = spoken(capped(rows, related.MOST), related.MOST)
        return format_html('<a href="{}?{}={}">{}</a>', found, SEARCH_VAR, ".".join(known), told)

    def save_model(self, request: HttpRequest, obj: PhoneNumber, form: Any, change: bool) -> None:
        """Link, and write down who did it. Whoever links a number to a user may log in as that user."""
        mighty = getattr(obj.user, "is_staff", False) or getattr(obj.user, "is_superuser", False)
        if mighty and not request.user.is_superuser:
            raise PermissionDenied
        super().save_model(request, obj, form, change)
        links.note(EventKind.LINKED, obj, staff=request.user)

    def delete_model(self, request: HttpRequest, obj: PhoneNumber) -> None:
        """Unlink, and write down who did it."""
        links.unlink(obj, staff=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[PhoneNumber]) -> None:
        """Unlink one by one, so that each is written down."""
        for number in queryset:
            self.delete_model(request, number)
