"""A visitor at the WSGI door: cookies and hidden fields, without the work of a test client in the figures."""

import json
import re
from contextlib import nullcontext
from http.cookies import SimpleCookie
from io import BytesIO
from urllib.parse import urlencode

HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
JSON = "application/json"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Browser:
    """Asks the site, `around(step)` being entered for just as long as the site works."""

    def __init__(self, site, address="203.0.113.1", around=lambda step: nullcontext()):
        self.site, self.address, self.around = site, address, around
        self.cookies, self.fields, self.token = {}, {}, ""

    def get(self, step, path):
        """Load a page and keep the hidden fields of its forms. Raises RuntimeError unless it is there."""
        body = self._ask(step, self._environ("GET", path), "200")
        self.fields = dict(HIDDEN.findall(body))

    def post(self, step, path, **fields):
        """Send the form. Raises RuntimeError unless the site sends us on."""
        content = urlencode({**self.fields, **fields}).encode()
        self._ask(step, self._environ("POST", path, content), "302")

    def send(self, step, path, content):
        """Send JSON and return what is answered. Raises RuntimeError unless it is well."""
        environ = self._environ("POST", path, json.dumps(content).encode(), JSON)
        return json.loads(self._ask(step, environ, "200"))

    def _ask(self, step, environ, expected):
        head = []
        with self.around(step):
            response = self.site(environ, lambda *told: head.extend(told))
            body = b"".join(response)
            response.close()
        status, headers = head
        if not status.startswith(expected):
            raise RuntimeError(f"{step}: {status} where {expected} was expected")
        self._keep(headers)
        return body.decode()

    def _keep(self, headers):
        for name, value in headers:
            if name == "Set-Cookie":
                self.cookies.update({key: morsel.value for key, morsel in SimpleCookie(value).items()})

    def _environ(self, method, path, content=b"", kind="application/x-www-form-urlencoded"):
        api = {"HTTP_ACCEPT": JSON} if self.token or kind == JSON else {}
        if self.token:
            api["HTTP_AUTHORIZATION"] = f"Token {self.token}"
        return {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "site.example",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": self.address,
            "HTTP_HOST": "site.example",
            "HTTP_USER_AGENT": AGENT,
            "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "HTTP_ACCEPT_LANGUAGE": "en-US,en;q=0.5",
            "HTTP_COOKIE": "; ".join(f"{key}={value}" for key, value in self.cookies.items()),
            "CONTENT_TYPE": kind if content else "",
            "CONTENT_LENGTH": str(len(content)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(content),
            "wsgi.errors": BytesIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **api,
        }
