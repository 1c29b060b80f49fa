"""Writers of this process take turns where the database lets one write at a time.

SQLite lets who finds it busy try again after ever longer pauses, so that threads overtake each other and the last of
them waits for a hundred times what a write takes. In a queue before it the next is let in as soon as one is done.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from django.db import connections, transaction

PATIENCE = 5.0
"""Seconds, as SQLite's own; after these it is asked without a turn, and says itself what is the matter."""

_queues: defaultdict[str, Lock] = defaultdict(Lock)
# A thread that held a turn in the parent process is not there in its child.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_queues.clear)


class Turn:
    """One thread's place in the queue of a database, or none where there is no queue."""

    def __init__(self, using: str) -> None:
        connection = connections[using]
        # Inside a transaction it is had already.
        queues = connection.vendor == "sqlite" and not connection.in_atomic_block
        self._queue = _queues[using] if queues else None

    def __enter__(self) -> Turn:
        if self._queue is not None and not self._queue.acquire(timeout=PATIENCE):
            self._queue = None
        return self

    def leave(self) -> None:
        """Let the next one in, if that has not been done."""
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.release()

    def __exit__(self, *error: object) -> None:
        self.leave()


@contextmanager
def atomic(using: str, *, durable: bool = False, savepoint: bool = True) -> Iterator[None]:
    """Open a transaction when it is its turn, or a part of the caller's, which without a `savepoint` fails with it.

    RuntimeError if it is to be `durable` and would be a part.
    """
    with Turn(using) as turn, transaction.atomic(using=using, durable=durable, savepoint=savepoint):
        # First of all at the commit: whoever is told of it may take long, or need a turn of their own.
        transaction.on_commit(turn.leave, using=using)
        yield
