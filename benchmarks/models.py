"""The user of the floor: a phone number is a column of it, as in a site that knows nothing of this app."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class Member(AbstractUser):
    """Somebody with a number (E.164)."""

    phone = models.CharField(max_length=16, unique=True)
