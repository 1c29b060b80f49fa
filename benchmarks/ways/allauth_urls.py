"""The site with django-allauth."""

from django.urls import include, path

from ..bare_urls import urlpatterns as bare

urlpatterns = [*bare, path("accounts/", include("allauth.account.urls"))]
