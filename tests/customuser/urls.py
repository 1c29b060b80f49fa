"""Nothing but the app."""

from django.urls import include, path

urlpatterns = [path("", include("passwordless.urls"))]
