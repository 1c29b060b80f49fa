"""Whose number it is, for sites whose user model has no phone column of its own."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .. import phones


class PhoneNumber(models.Model):
    """A number of a user. A user may have several; a number has one user."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="phone_numbers", verbose_name=_("user")
    )
    number = models.CharField(
        _("number"), max_length=16, unique=True, help_text=_("E.164, with the plus sign")
    )
    verified_at = models.DateTimeField(_("verified at"), null=True, blank=True)

    class Meta:
        verbose_name = _("phone number")
        verbose_name_plural = _("phone numbers")

    def __str__(self) -> str:
        return self.masked

    @property
    def masked(self) -> str:
        """Return the number as staff and logs may see it."""
        return phones.mask(self.number)
