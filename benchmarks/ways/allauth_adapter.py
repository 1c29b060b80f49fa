"""What django-allauth asks a site for: where the number of a user is, and how a code is sent."""

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings

from ..floor import tell
from ..models import Member

SENT = {}
"""The last code of each number."""


class Adapter(DefaultAccountAdapter):
    """Keeps the number in the column of the user."""

    def set_phone(self, user, phone, verified):
        """Write the number."""
        user.phone = phone
        user.save(update_fields=["phone"])

    def get_phone(self, user):
        """Return the number, and that it is verified."""
        return (user.phone, True) if user.phone else None

    def set_phone_verified(self, user, phone):
        """Do nothing: the column has no such mark."""

    def get_user_by_phone(self, phone):
        """Return whose number it is, or None."""
        return Member.objects.filter(phone=phone).first()

    def send_verification_code_sms(self, user, phone, code, **kwargs):
        """Keep the code; with a provider, tell it."""
        tell(settings.BENCHMARK_PROVIDER, {"to": phone, "code": code})
        SENT[phone] = code

    def send_unknown_account_sms(self, phone, **kwargs):
        """Send nothing."""

    def send_account_already_exists_sms(self, phone):
        """Send nothing."""
