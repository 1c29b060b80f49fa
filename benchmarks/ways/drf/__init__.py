"""drfpasswordless: a token for a code sent to the phone, over JSON. There is no page to open before."""

PATH = "/passwordless/auth/"


def changes(wire):
    """Return the settings that its documentation names for this."""
    return {
        "ROOT_URLCONF": "benchmarks.ways.drf.urls",
        "EXTRA_APPS": [
            "rest_framework",
            "rest_framework.authtoken",
            "benchmarks.ways.drf",
            "drfpasswordless",
        ],
        "AUTH_USER_MODEL": "drf.Caller",
        "REST_FRAMEWORK": {
            "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"]
        },
        "PASSWORDLESS_AUTH": {
            "PASSWORDLESS_AUTH_TYPES": ["MOBILE"],
            "PASSWORDLESS_AUTH_PREFIX": "passwordless/auth/",
            "PASSWORDLESS_SMS_CALLBACK": "benchmarks.ways.drf.sending.send",
        },
        "BENCHMARK_PROVIDER": wire,
    }


def first(browser):
    """Ask for a code, which is the first thing that can be asked."""
    browser.send("POST number", f"{PATH}mobile/", {"mobile": "+14155550100"})


def people(numbers):
    """Make users with these numbers."""
    from ...people import in_chunks
    from .models import Caller

    for chunk in in_chunks(numbers):
        Caller.objects.bulk_create(Caller(username=f"u{one}", mobile=one, password="!") for one in chunk)


def stored(rows):
    """Make as many users who never come, each with a code that was used."""
    from drfpasswordless.models import CallbackToken

    from ...people import in_chunks, stranger
    from .models import Caller

    people(stranger(index) for index in range(rows))
    for chunk in in_chunks(Caller.objects.filter(username__startswith="u+1312").values_list("pk", "mobile")):
        CallbackToken.objects.bulk_create(
            CallbackToken(user_id=pk, to_alias=mobile, to_alias_type="MOBILE", type="AUTH", is_active=False)
            for pk, mobile in chunk
        )


def log_in(browser, number, wire):
    """Ask for a code, trade it for a token, and open the home page with that."""
    from .sending import SENT

    browser.send("POST number", f"{PATH}mobile/", {"mobile": number})
    given = browser.send("POST code", f"{PATH}token/", {"mobile": number, "token": SENT[number]})
    browser.token = given["token"]
    browser.get("GET home", "/")


def forget():
    """Forget the codes."""
    from .sending import SENT

    SENT.clear()
