"""The pages of passwordless under a prefix, and those of the demo that lead there and show the codes."""

from django.urls import include, path

from example_project import phone, views

urlpatterns = [
    path("", views.home, name="home"),
    path("members/", include("passwordless.urls")),
    path("phone/", phone.phone, name="phone"),
    path("phone/switches/", phone.switch, name="switches"),
]
