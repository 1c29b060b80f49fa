"""The site with the app."""

from django.urls import include, path

from .bare_urls import urlpatterns as bare

urlpatterns = [*bare, path("", include("passwordless.urls"))]
