"""SQL whose text is made once. Django builds the text of a query anew each time, which costs a login more than
running it does; these are the few that every login needs. Values go in as parameters only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

M = TypeVar("M", bound=models.Model)
Given = Sequence[tuple[str, Any]]
"""Values in the order of the text that they go into, each with the name of its field."""

PLACE = "\x00"
AS_THEY_ARE = (models.CharField, models.IntegerField)


class Select(Generic[M]):
    """The one row for a value. `rows` returns the query set for a value, and must always return the same one."""

    def __init__(self, rows: Callable[[str], models.QuerySet[M]]) -> None:
        self._rows = rows

    def one(self, value: str, using: str) -> M | None:
        """Return the row for `value` from the database `using`, or None."""
        return self._compiled(connections[using]).one(value)

    def _compiled(self, connection: BaseDatabaseWrapper) -> Compiled[M]:
        # On the connection, which belongs to one thread: nothing of it may outlive it or be shared.
        made: dict[Select[M], Compiled[M]] = vars(connection).setdefault("_passwordless_selects", {})
        if self not in made:
            made[self] = Compiled(self._rows, connection)
        return made[self]


class Compiled(Generic[M]):
    """A query set as its compiler wrote it for one connection."""

    def __init__(self, rows: Callable[[str], models.QuerySet[M]], connection: BaseDatabaseWrapper) -> None:
        query = rows(PLACE)
        self._model, self._connection = query.model, connection
        self._compiler = compiler = query.query.get_compiler(using=connection.alias)
        self._text, self._parameters = compiler.as_sql()
        columns = [column for column, _sql, _alias in compiler.select]
        self._converters = compiler.get_converters(columns)
        self._fields = [columns[place].target.attname for place in compiler.klass_info["select_fields"]]
        self._extra = dict(compiler.annotation_col_map)

    def one(self, value: str) -> M | None:
        """Return the row for `value`, or None."""
        parameters = [value if one == PLACE else one for one in self._parameters]
        with self._connection.cursor() as cursor:
            cursor.execute(self._text, parameters)
            found = cursor.fetchmany(1)
        for row in self._compiler.apply_converters(found, self._converters):
            return self._instance(row)
        return None

    def _instance(self, row: list[Any]) -> M:
        instance = self._model.from_db(self._connection.alias, self._fields, row[: len(self._fields)])
        for name, place in self._extra.items():
            setattr(instance, name, row[place])
        return instance


def update(
    model: type[models.Model], values: Mapping[str, Any], where: str, given: Given, *, using: str
) -> int:
    """Run one conditional UPDATE and return how many rows it changed.

    `where` names columns in braces and has a %s for each of `given`, such as "{id} = %s AND {guesses} = %s".
    """
    connection = connections[using]
    text = _update_text(model, tuple(values), where, using)
    pairs = [*values.items(), *given]
    with connection.cursor() as cursor:
        cursor.execute(text, [_prepared(model, name, value, connection) for name, value in pairs])
        return int(cursor.rowcount)


def insert_one(instance: models.Model, *, using: str) -> None:
    """Insert a row and note its key on the instance, as save(force_insert=True) does but for signals of models."""
    connection = connections[using]
    if connection.vendor not in ("sqlite", "postgresql"):
        instance.save(force_insert=True, using=using)
        return
    text, row = _insertion(instance, connection)
    key = _quote(using)(type(instance)._meta.pk.column)
    with connection.cursor() as cursor:
        cursor.execute(f"{text} RETURNING {key}", row)
        (instance.pk,) = cursor.fetchone()
    instance._state.adding, instance._state.db = False, using


def insert(instances: Iterable[models.Model], *, using: str) -> None:
    """Insert rows one by one; their keys are not read back, and no signals of models are sent."""
    connection = connections[using]
    for instance in instances:
        with connection.cursor() as cursor:
            cursor.execute(*_insertion(instance, connection))


def _insertion(instance: models.Model, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
    names, text = _insert_text(type(instance), connection.alias)
    return text, [_prepared(type(instance), name, getattr(instance, name), connection) for name in names]


def _prepared(model: type[models.Model], name: str, value: Any, connection: BaseDatabaseWrapper) -> Any:
    field = _fields(model)[name]
    # Most of a row is what a driver takes as it is.
    if value is None or (type(value) in (str, int) and isinstance(field, AS_THEY_ARE)):
        return value
    plain = value.pk if isinstance(value, models.Model) else value
    return field.get_db_prep_save(plain, connection)


@lru_cache(maxsize=16)
def _fields(model: type[models.Model]) -> dict[str, models.Field[Any, Any]]:
    """Return fields by the names of the model and of its columns alike."""
    fields = model._meta.concrete_fields
    return {name: field for field in fields for name in (field.name, field.attname)}


# By database, since each quotes names in its own way.
@lru_cache(maxsize=256)
def _update_text(model: type[models.Model], names: tuple[str, ...], where: str, using: str) -> str:
    quote, columns = _quote(using), _fields(model)
    changes = ", ".join(f"{quote(columns[name].column)} = %s" for name in names)
    condition = where.format(**{name: quote(field.column) for name, field in columns.items()})
    return f"UPDATE {quote(model._meta.db_table)} SET {changes} WHERE {condition}"  # noqa: S608 - our own names


@lru_cache(maxsize=16)
def _insert_text(model: type[models.Model], using: str) -> tuple[tuple[str, ...], str]:
    quote = _quote(using)
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(quote(field.column) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    text = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({places})"  # noqa: S608 - our own names
    return tuple(field.attname for field in fields), text


def _quote(using: str) -> Callable[[Any], str]:
    return connections[using].ops.quote_name
