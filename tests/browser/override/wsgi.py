"""What a web server does that gives a part of its addresses to Django."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application

django = get_wsgi_application()


def application(environ, start_response):
    path = environ["PATH_INFO"].removeprefix(settings.SCRIPT_NAME)
    return django({**environ, "SCRIPT_NAME": settings.SCRIPT_NAME, "PATH_INFO": path}, start_response)
