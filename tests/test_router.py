"""A site that keeps users and attempts in a database of their own, by a router: what belongs together stays so."""

import json
import subprocess
import sys
from pathlib import Path

SITE = '''
import io, json, re, sys
from pathlib import Path
import django
from django.conf import settings
from django.urls import include, path

class Router:
    """Sends users, and all that has to do with them, elsewhere."""

    def db_for_read(self, model, **hints):
        return "people" if model._meta.app_label in ("auth", "contenttypes", "passwordless") else "default"

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **hints):
        return (db == "people") == (app_label in ("auth", "contenttypes", "passwordless"))

sqlite = {"ENGINE": "django.db.backends.sqlite3"}
settings.configure(
    SECRET_KEY="of a test", ALLOWED_HOSTS=["testserver"], ROOT_URLCONF="__main__", USE_TZ=True,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "passwordless"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={
        "default": {**sqlite, "NAME": Path(sys.argv[1]) / "default"},
        "people": {**sqlite, "NAME": Path(sys.argv[1]) / "people", "ATOMIC_REQUESTS": True},
    },
    DATABASE_ROUTERS=[Router()],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
        "context_processors": ["django.template.context_processors.request"],
    }}],
    AUTHENTICATION_BACKENDS=["passwordless.backends.PhoneBackend"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", STATIC_URL="static/",
    PASSWORDLESS={"EMULATOR": True, "LIMITS": {"sends_per_ip": "1/h"}},
)
django.setup()
urlpatterns = [path("", include("passwordless.urls"))]

from django.core.management import call_command
from django.test import Client
from passwordless import gateway
from passwordless.models import Counter, VerificationAttempt

for database in ("default", "people"):
    call_command("migrate", database=database, verbosity=0)
visitor, told = Client(), {}
visitor.post("/login/", {"number": "+14155550101"})
page = visitor.get("/login/code/").content.decode()
ticket = re.search('name="ticket" value="([^"]+)"', page)[1]
code = gateway.emulator().messages("+14155550101")[-1].code
told["home"] = visitor.post("/login/code/", {"ticket": ticket, "code": code}).status_code
told["user"] = visitor.session.get("_auth_user_id")
told["refused"] = Client().post("/login/", {"number": "+14155550102"}).status_code
rows = VerificationAttempt.objects.using("people").order_by("pk")
told["rows"] = [[row.status, row.number[-3:]] for row in rows]
told["counted"] = Counter.objects.using("people").filter(used__gt=1).count()
call_command("passwordless_prune", stdout=io.StringIO())
print(json.dumps(told))
'''


def test_what_is_refused_leaves_no_trace_in_another_database_either(tmp_path):
    (tmp_path / "shop.py").write_text(SITE)
    run = [sys.executable, "-W", "error", str(tmp_path / "shop.py"), str(tmp_path)]
    root = Path(__file__).parent.parent
    done = subprocess.run(
        run, capture_output=True, text=True, check=False, cwd=tmp_path, env={"PYTHONPATH": root}
    )
    assert (0, "") == (done.returncode, done.stderr)
    told = json.loads(done.stdout)
    assert (302, "1", 429) == (told["home"], told["user"], told["refused"])
    assert [["verified", "101"], ["refused", "102"]] == told["rows"]
    assert 0 == told["counted"]
