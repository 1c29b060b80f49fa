"""Statements and calls of a login, step by step: counted in logins that nobody times."""

import re
from contextlib import contextmanager

from .wire import WIRE

CONTROL = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b", re.IGNORECASE)


class Tally:
    """What each step asked of the database, without transaction control, and of the provider."""

    def __init__(self):
        self.statements, self.calls = {}, {}

    @contextmanager
    def __call__(self, step):
        """Count for as long as the step lasts."""
        from django.db import connection

        seen, calls = self.statements.setdefault(step, []), WIRE.calls
        with connection.execute_wrapper(_noting(seen)):
            yield
        self.calls[step] = WIRE.calls - calls


def _noting(seen):
    def note(execute, sql, params, many, context):
        if not CONTROL.match(sql):
            seen.append(sql)
        return execute(sql, params, many, context)

    return note
