"""The site without the app."""

from django.conf import settings
from django.contrib import admin
from django.urls import path

from . import floor

CALLING = {"provider": settings.BENCHMARK_PROVIDER}

urlpatterns = [
    path("", floor.home, name="home"),
    path("admin/", admin.site.urls),
    path("bare/", floor.number),
    path("bare/code/", floor.code),
    path("calling/", floor.number, CALLING),
    path("calling/code/", floor.code, CALLING),
]
