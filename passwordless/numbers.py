"""Linking numbers to users and taking them away, each written down."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError
from django.utils import timezone

from .models import AttemptEvent, PhoneNumber, together
from .states import EventKind


class Taken(Exception):
    """The number belongs to another user."""


def link(user: Any, number: str, *, replace: bool = False, staff: Any = None) -> PhoneNumber:
    """Give `user` the number (E.164), with `replace` as their only one. Raises Taken.

    Linking twice changes nothing.
    """
    with together():
        row = _own(user, number, staff)
        if replace:
            for other in PhoneNumber.objects.filter(user=user).exclude(pk=row.pk):
                unlink(other, staff=staff)
    return row


def unlink(row: PhoneNumber, *, staff: Any = None) -> None:
    """Take a number away from its user, and end the sessions that it may have begun."""
    with together():
        note(EventKind.UNLINKED, row, staff=staff)
        row.delete()
        end_sessions(row.user)


def end_sessions(user: Any) -> None:
    """End all sessions of a user who has no password, by renewing what they are bound to.

    A real password is never touched: those sessions may have begun with it.
    """
    if not user.has_usable_password():
        user.set_unusable_password()
        user.save(update_fields=["password"])


def note(kind: EventKind, row: PhoneNumber, *, staff: Any = None) -> None:
    """Write down that a number was linked or unlinked, and by whom, where that is known."""
    AttemptEvent.objects.create(
        kind=kind, at=timezone.now(), staff=staff, detail=f"{row.masked}, user {row.user_id}"
    )


def _own(user: Any, number: str, staff: Any) -> PhoneNumber:
    """Return the row of this number, made now or theirs before. Writing first, so that SQLite need not wait."""
    try:
        with together():
            row = PhoneNumber.objects.create(user=user, number=number)
    except IntegrityError:
        row = PhoneNumber.objects.get(number=number)
        if row.user_id != user.pk:
            raise Taken from None
        return row
    note(EventKind.LINKED, row, staff=staff)
    return row
