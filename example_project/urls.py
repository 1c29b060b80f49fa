"""The pages of the site: its own two, those of passwordless, and the admin."""

from django.contrib import admin
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path
from django.views.i18n import set_language

from . import phone, views

urlpatterns = [
    path("", views.home, name="home"),
    path("", include("passwordless.urls")),
    path("phone/", phone.phone, name="phone"),
    path("phone/switches/", phone.switch, name="switches"),
    path("language/", set_language, name="set_language"),
    path("admin/", admin.site.urls),
    *staticfiles_urlpatterns(),  # with DEBUG only
]
