"""A user model as a site may have it: no user name, and a phone column of its own."""

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class PersonManager(BaseUserManager):
    def get_by_phone(self, phone):
        return self.filter(phone=phone).first()


class Person(AbstractBaseUser):
    email = models.EmailField(unique=True, null=True)  # noqa: DJ001 - unique, and not everybody has one
    phone = models.CharField(max_length=16, unique=True, null=True)  # noqa: DJ001 - as above
    is_active = models.BooleanField(default=True)

    objects = PersonManager()
    USERNAME_FIELD = "email"

    class Meta:
        app_label = "customuser"
