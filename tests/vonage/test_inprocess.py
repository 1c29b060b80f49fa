"""A WSGI application in the place of the network."""

from wsgiref.validate import validator

import pytest

from passwordless.vonage.client import HttpError
from passwordless.vonage.dialect import Unavailable
from passwordless.vonage.inprocess import WsgiAdapter

from .wire import client_of

PATH = "/v2/verify/c11236f4-00bf-4b89-84ba-88b25df97315"


def answering(status="200 OK", body=b"{}", headers=(), seen=None):
    def application(environ, start_response):
        if seen is not None:
            seen.append(dict(environ, body=environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))))
        start_response(status, [("Content-Type", "application/json"), *headers])
        return [body]

    return application


def raising(error):
    def application(environ, start_response):
        raise error

    return application


def ask(application, method="POST", path=PATH, params=None, **options):
    client = client_of(adapter=WsgiAdapter(application))
    return client.answer(method, path, params, auth="basic", **options)


def dropped(base, **attributes):
    return type("Lost", (base,), attributes)()


class TestThere:
    def test_the_environ_tells_the_request(self):
        seen = []
        ask(answering(seen=seen), params={"code": "123456"})
        environ = seen[0]
        assert ("POST", PATH, "") == tuple(
            environ[k] for k in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING")
        )
        assert ("application/json", "18") == (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"])
        assert b'{"code": "123456"}' == environ["body"]
        assert environ["HTTP_AUTHORIZATION"].startswith("Basic ")
        assert ("https", "api.nexmo.com", "443") == tuple(
            environ[key] for key in ("wsgi.url_scheme", "SERVER_NAME", "SERVER_PORT")
        )

    def test_forms_and_queries(self):
        seen = []
        ask(answering(seen=seen), params={"a": "b c"}, form="form")
        ask(answering(seen=seen), "GET", "/verify/search/json", {"a": "b c"}, form="query_params")
        assert (b"a=b+c", "a=b+c") == (seen[0]["body"], seen[1]["QUERY_STRING"])

    def test_paths_are_unquoted_as_wsgi_has_it(self):
        seen = []
        ask(answering(seen=seen), path="/v2/%C3%A9%2Fx")
        assert "/v2/é/x".encode() == seen[0]["PATH_INFO"].encode("latin-1")

    def test_it_is_not_a_visitor_from_loopback(self):
        seen = []
        ask(answering(seen=seen))
        assert "REMOTE_ADDR" not in seen[0]

    @pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
    def test_it_speaks_wsgi_to_the_letter(self, method):
        def application(environ, start_response):
            environ["wsgi.input"].read(1)
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
            return [b"{}"]

        assert {} == ask(validator(application), method).body


class TestBack:
    def test_an_answer(self):
        answer = ask(answering("202 Accepted", b'{"request_id": "x"}'))
        assert (202, {"request_id": "x"}) == (answer.status, answer.body)

    def test_an_error(self):
        with pytest.raises(HttpError) as caught:
            ask(answering("429 Slow", b'{"title": "x"}', [("Retry-After", "5")]))
        assert (429, {"title": "x"}, 5) == (caught.value.status, caught.value.body, caught.value.retry_after)

    def test_an_empty_one(self):
        assert None is ask(answering("204 No Content", b"")).body

    def test_one_that_is_written_and_closed(self):
        closed = []

        class Parts:
            def __iter__(self):
                yield b"1}"

            def close(self):
                closed.append(True)

        def application(environ, start_response):
            start_response("200 OK", [])(b'{"a": ')
            return Parts()

        assert ({"a": 1}, [True]) == (ask(application).body, closed)

    def test_one_too_large(self):
        with pytest.raises(Unavailable):
            ask(answering(body=b'"' + b"x" * 70000 + b'"'))


class TestLost:
    @pytest.mark.parametrize(
        ("error", "sent"),
        [
            (dropped(ConnectionAbortedError, processed=True), True),
            (dropped(ConnectionAbortedError, processed=False), False),
            (ConnectionAbortedError(), True),
            (dropped(TimeoutError, processed=True), True),
            (dropped(TimeoutError, processed=False), True),
        ],
    )
    def test_whether_it_was_sent(self, error, sent):
        with pytest.raises(Unavailable) as caught:
            ask(raising(error))
        assert sent is caught.value.sent

    def test_it_is_called_once(self):
        calls = []

        def application(environ, start_response):
            calls.append(True)
            raise dropped(ConnectionAbortedError, processed=False)

        with pytest.raises(Unavailable):
            ask(application)
        assert [True] == calls

    def test_a_bug_of_the_application_is_not_hidden(self):
        with pytest.raises(ZeroDivisionError):
            ask(raising(ZeroDivisionError()))
