"""What all lists of the desk share: numbers stay masked, rows stay as they are, and no list counts a table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.contrib.auth import get_permission_codename, get_user_model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from .. import phones
from ..models import tags
from . import searches
from .paginator import CappedPaginator

# Generic for the type checker only.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin

DIGITS = re.compile(r"\+?\d(?:[ ().\-]?\d){6,14}")
"""What may be a number inside the name of a user: some sites have it as the user name."""

NOTHING = "none"
"""A search that finds nothing, in the place of what is not to stand in an address."""


class Masked(_ModelAdmin):
    """No number in a page, a URL or a log: a search is posted, and goes on to an address that holds an HMAC.

    No question about a column but those of the filters: `?number__startswith=` would undo the mask.
    """

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50

    class Media:
        css = {"all": ["passwordless/admin.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Turn a search into the address of what it finds: of nothing, if it was one number too many."""
        term = request.POST.get(SEARCH_VAR, request.GET.get(SEARCH_VAR, "")).strip()
        number = spelled(term)
        if (SEARCH_VAR in request.POST or number) and self.has_view_permission(request):
            refusal = searches.refusal(request) if number else ""
            if refusal:
                self.message_user(request, refusal, messages.WARNING)
            return HttpResponseRedirect(self.found(request, NOTHING if refusal else term))
        page: HttpResponse = super().changelist_view(request, extra_context)
        return page

    def found(self, request: HttpRequest, term: str) -> str:
        """Return the address of what was searched for: a number in any spelling, or something else."""
        query = request.GET.copy()
        number = spelled(term)
        query[SEARCH_VAR] = ".".join(tags(number)) if number else self.printable(term)
        query.pop("p", None)
        return f"?{query.urlencode()}"

    def printable(self, term: str) -> str:
        """Return what of a term that is no number may stand in an address: a mistyped number may not, either."""
        return NOTHING if term else ""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Return whether a filter of ours asks that."""
        return lookup in {getattr(one, "parameter_name", None) for one in self.list_filter}


class ReadOnly(Masked):
    """Looks only: add, change and delete are refused to everybody, superusers and forged POSTs included."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False."""
        return False


def spelled(term: str) -> str:
    """Return a number in any usual spelling as E.164, or an empty string if it is none."""
    try:
        return phones.spell(term)
    except phones.NumberRefused:
        return ""


def named(user: Any) -> str:
    """Return what a user is called, with a number in it masked."""
    return DIGITS.sub(lambda found: phones.mask(found[0]), str(user)) if user is not None else ""


def sees_users(request: HttpRequest) -> bool:
    """Return whether the pages of users are open to this person, as they are to who may change them."""
    options = get_user_model()._meta
    names = [get_permission_codename(verb, options) for verb in ("view", "change")]
    return any(request.user.has_perm(f"{options.app_label}.{name}") for name in names)


def linked(user: Any) -> str:
    """Return the name of a user as a link to their page, where the admin has one."""
    if user is None:
        return ""
    options = type(user)._meta
    try:
        url = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[user.pk])
    except NoReverseMatch:
        return named(user)
    return format_html('<a href="{}">{}</a>', url, named(user))
