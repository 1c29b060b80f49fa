"""The user: drfpasswordless looks for the number in a column of this name."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class Caller(AbstractUser):
    """Somebody with a number (E.164)."""

    mobile = models.CharField(max_length=17, unique=True)
