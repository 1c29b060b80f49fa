"""django-allauth: its login by a code sent to the phone, with an adapter that sends nothing, or makes one call."""

from .members import people, stored

__all__ = ["changes", "first", "forget", "log_in", "people", "stored"]

PATH = "/accounts/login/code/"


def changes(wire):
    """Return the settings that its documentation names for this."""
    return {
        "ROOT_URLCONF": "benchmarks.ways.allauth_urls",
        "EXTRA_APPS": ["allauth", "allauth.account"],
        "EXTRA_MIDDLEWARE": ["allauth.account.middleware.AccountMiddleware"],
        "AUTHENTICATION_BACKENDS": [
            "django.contrib.auth.backends.ModelBackend",
            "allauth.account.auth_backends.AuthenticationBackend",
        ],
        "ACCOUNT_ADAPTER": "benchmarks.ways.allauth_adapter.Adapter",
        "ACCOUNT_LOGIN_METHODS": {"phone"},
        "ACCOUNT_SIGNUP_FIELDS": ["phone*"],
        "ACCOUNT_LOGIN_BY_CODE_ENABLED": True,
        "ACCOUNT_EMAIL_VERIFICATION": "none",
        "BENCHMARK_PROVIDER": wire,
    }


def first(browser):
    """Open the page that asks for the number."""
    browser.get("GET number", PATH)


def log_in(browser, number, wire):
    """Walk from the first page to the home page."""
    from .allauth_adapter import SENT

    browser.get("GET number", PATH)
    browser.post("POST number", PATH, phone=number)
    browser.get("GET code", f"{PATH}confirm/")
    browser.post("POST code", f"{PATH}confirm/", code=SENT[number])
    browser.get("GET home", "/")


def forget():
    """Forget the codes."""
    from .allauth_adapter import SENT

    SENT.clear()
