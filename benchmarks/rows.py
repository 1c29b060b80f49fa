"""`python -m benchmarks.rows`: a table of attempts as a site has it after half a year, made in minutes.

Without DATABASE_URL (PostgreSQL) or --file (SQLite) the database is thrown away at the end, and the run tells
how long it took and how large it was.
"""

import argparse
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from . import desk
from .stories import MEMBERS, Author

CHUNK = 50_000
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid::regclass::text = ANY(%s) AND contype IN ('f', 'u') ORDER BY contype
"""
INDEXES = """
    SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND indexname NOT IN
    (SELECT conname FROM pg_constraint WHERE conrelid::regclass::text = ANY(%s))
"""


def arguments(words=None):
    """Return what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rows", description=__doc__)
    parser.add_argument("--count", type=int, default=200_000, help="attempts (200000)")
    parser.add_argument("--database", choices=desk.KINDS, default="sqlite")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same people (1)")
    parser.add_argument("--file", type=Path, help="of SQLite, kept")
    return parser.parse_args(words)


def main():
    """Make the rows and say how many, how fast and how large."""
    wanted = arguments()
    with tempfile.TemporaryDirectory(prefix="passwordless-rows-") as folder:
        database = desk.entry(wanted.database, Path(folder), wanted.file)
        desk.configure({"default": database}, contrib=("auth", "contenttypes", "sessions"))
        desk.tables()
        told = fill(wanted.count, seed=wanted.seed)
        print(", ".join(f"{name}: {value}" for name, value in told.items()))
        from django.db import connections

        connections.close_all()
    return 0


def fill(count, *, seed=1, now=None):
    """Write that many attempts, their events and the counters into the default database; return what was done.

    Raises SystemExit where there are attempts already: nobody's audit is to be mixed with what is made up.
    """
    from django.conf import settings
    from django.db import connection
    from django.utils import timezone

    from passwordless.models import AttemptEvent, VerificationAttempt

    if VerificationAttempt.objects.exists():
        sys.exit("There are attempts in this database already.")
    began, models = time.monotonic(), (VerificationAttempt, AttemptEvent)
    members()
    names = [blanks(model) for model in models]
    author = Author(count, now or timezone.now(), settings.SECRET_KEY, *names, seed=seed)
    with bare(connection, [model._meta.db_table for model in models]):
        for first in range(0, count, CHUNK):
            rows = [author.attempt(index) for index in range(first, min(first + CHUNK, count))]
            write(connection, VerificationAttempt, names[0], [row for row, _events in rows])
            write(connection, AttemptEvent, names[1], [event for _row, events in rows for event in events])
    counters(count // 5)
    settle(connection, models)
    took = time.monotonic() - began
    return {
        "attempts": count, "events": author.events_written, "seconds": round(took, 1),
        "attempts a second": round(count / took), "megabytes": megabytes(connection),
    }  # fmt: skip


def blanks(model):
    """Return {column: what it holds where no story says anything}."""
    return {field.column: field.get_default() for field in model._meta.concrete_fields}


def members():
    """Make those who log in. Raises SystemExit where the first of them is not the first of all."""
    from django.contrib.auth import get_user_model

    model = get_user_model()
    known = model.objects.count()
    made = (model(username=f"row{n}", password="!") for n in range(known, MEMBERS))
    model.objects.bulk_create(made, batch_size=1000)
    if model.objects.order_by("pk").values_list("pk", flat=True)[0] != 1:
        sys.exit("The users of this database do not begin with 1.")


def counters(count):
    """Write running counts, as many as so many attempts leave."""
    from django.utils import timezone

    from passwordless.models import Counter

    ends = timezone.now().timestamp() + 86400
    for first in range(0, count, CHUNK):
        chunk = range(first, min(first + CHUNK, count))
        Counter.objects.bulk_create(
            Counter(key=f"{n * 2654435761 % 2**64:064x}", ends_at=ends) for n in chunk
        )


def write(connection, model, columns, rows):
    """Write rows in bulk: by COPY where there is one."""
    from django.db import transaction

    table, names = model._meta.db_table, ", ".join(f'"{name}"' for name in columns)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            lines = ("\t".join("\\N" if v is None else str(v) for v in row) for row in rows)
            with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
                copy.write("\n".join(lines))
        else:
            places = ", ".join(["%s"] * len(columns))
            cursor.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({places})', rows)  # noqa: S608


@contextmanager
def bare(connection, tables):
    """Take indexes and constraints away for as long as rows are written, as far as the database can."""
    with connection.cursor() as cursor:
        again = {"postgresql": bare_postgresql, "sqlite": bare_sqlite}[connection.vendor](cursor, tables)
    yield
    with connection.cursor() as cursor:
        for statement in again:
            cursor.execute(statement)


def bare_postgresql(cursor, tables):
    """Drop and return what makes them again."""
    cursor.execute("SET maintenance_work_mem = '1GB'")
    cursor.execute(CONSTRAINTS, [tables])
    constraints = cursor.fetchall()
    cursor.execute(INDEXES, [tables, tables])
    indexes = [line for line in cursor.fetchall() if not line[0].endswith("_pkey")]
    for table, name, _text in constraints:
        cursor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"')
    for name, _text in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    # Those that others refer to come first.
    unique = sorted(constraints, key=lambda line: line[2].startswith("FOREIGN"))
    made = [f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {text}' for table, name, text in unique]
    return [*(text for _name, text in indexes), *made]


def bare_sqlite(cursor, tables):
    """Drop and return what makes them again; what a column's own UNIQUE made stays."""
    cursor.execute("PRAGMA cache_size = -1000000")
    marks = ", ".join(["%s"] * len(tables))
    cursor.execute(
        f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOTNULL AND tbl_name IN ({marks})",  # noqa: S608
        tables,
    )
    indexes = cursor.fetchall()
    for name, _text in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    return [text for _name, text in indexes]


def settle(connection, models):
    """Let the sequences go on after the last row; on PostgreSQL do what autovacuum would have done by now."""
    from django.core.management.color import no_style

    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM (ANALYZE)")
            cursor.execute("CHECKPOINT")
        else:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def megabytes(connection):
    """Return how large the database is."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database())")
        else:
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        return round(cursor.fetchone()[0] / 1e6)


if __name__ == "__main__":
    sys.exit(main())
