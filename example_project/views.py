"""The home page: what a site does with somebody who signed in by phone."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from passwordless import phones
from passwordless.conf import settings


@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """Greet, and tell visitors which number they are signed in with."""
    phone = request.user.phone_numbers.first() if request.user.is_authenticated else None
    number = phones.display(phone.number) if phone else ""
    return render(request, "example_project/home.html", {"brand": settings.BRAND_NAME, "number": number})
