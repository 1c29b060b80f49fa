"""A site around the app: a home page, a page for those logged in, and the admin."""

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.urls import include, path


def home(request):
    return HttpResponse(f"home of {request.user}")


@login_required
def private(request):
    return HttpResponse(f"private page of {request.user.pk}")


urlpatterns = [
    path("", home, name="home"),
    path("private/", private, name="private"),
    path("admin/", admin.site.urls),
    path("", include("passwordless.urls")),
]
