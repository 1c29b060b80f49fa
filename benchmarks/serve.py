"""The site with the app as a server loads it; what it is told stands in BENCHMARK_SITE, as JSON."""

import gc
import json
import os
from time import process_time

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler

from . import site
from .ways import app

CALLS = 200

told = json.loads(os.environ["BENCHMARK_SITE"])
settings = {**app.changes(told["wire"])["PASSWORDLESS"], **told["settings"], "TRUSTED_PROXY_COUNT": 1}
site.configure({"default": told["database"]}, wire=told["wire"], PASSWORDLESS=settings)
wsgi, asgi = WSGIHandler(), ASGIHandler()
# As the README advises: the collector looks no more at what is loaded once, and less often at the rest.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 50)


def call_cost():
    """Return the CPU milliseconds of one call: asking whether a code is right."""
    from passwordless import gateway

    dialect, request_id = gateway.dialect(), "00000000-0000-4000-8000-000000000000"
    for _ in range(CALLS // 10):
        dialect.check(request_id, "123456")
    began = process_time()
    for _ in range(CALLS):
        if not dialect.check(request_id, "123456").request_id:
            raise RuntimeError("a right code was refused")
    return (process_time() - began) * 1000 / CALLS


if __name__ == "__main__":
    print(call_cost())
