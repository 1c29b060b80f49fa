"""Where to go after the code: only to a path of this site, and never back into the login itself."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote, urlsplit

from django.conf import global_settings
from django.conf import settings as django_settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import Resolver404, get_script_prefix, resolve
from django.utils.http import url_has_allowed_host_and_scheme

MAX_LENGTH = 512


def safe(request: HttpRequest, url: str) -> str:
    """Return `url` if it is a path of this site outside of the login, else an empty string."""
    if not url.startswith("/") or url.startswith("//") or len(url) > MAX_LENGTH or not url.isprintable():
        return ""
    hosts = {request.get_host()}
    if not url_has_allowed_host_and_scheme(url, allowed_hosts=hosts, require_https=request.is_secure()):
        return ""
    return "" if _is_ours(url) else url


def after_login(request: HttpRequest, wanted: str) -> str:
    """Return where a login ends: `wanted` if safe, LOGIN_REDIRECT_URL, or our own page if a site set none."""
    untouched = django_settings.LOGIN_REDIRECT_URL == global_settings.LOGIN_REDIRECT_URL
    return safe(request, wanted) or resolve_url(
        "passwordless:done" if untouched else django_settings.LOGIN_REDIRECT_URL
    )


def after_cancel() -> str:
    """Return where a visitor lands who gave up."""
    return resolve_url(django_settings.LOGOUT_REDIRECT_URL or "passwordless:login")


def _is_ours(url: str) -> bool:
    # As the server will see it: a browser undoes dots, the server percent signs, the script name and a
    # missing slash.
    bare = posixpath.normpath(unquote(urlsplit(url).path)).removeprefix(get_script_prefix().rstrip("/"))
    return any(_resolves_to_us(path) for path in (bare, f"{bare}/"))


def _resolves_to_us(path: str) -> bool:
    try:
        return "passwordless" in resolve(path).app_names
    except (Resolver404, ValueError):
        return False
