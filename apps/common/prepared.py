"""Statements whose planning costs more than their work: planned once a connection, then only carried out.

And those of which one follows the other, whatever the first one says: sent together, because a journey to the database
and back costs more than most of them.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

# A connection keeps so many; which ones there are follows from what the catalogue of rules holds.
KEPT = 72
# A plan made for a few ids is no plan for more than so many.
FEW = 200
# SQL with named parameters, and their values.
Statement = tuple[str, Mapping[str, Any]]
# Of the transaction alone. A plan for these very values would be made anew each time.
ONE_PLAN = "SET LOCAL plan_cache_mode = force_generic_plan"
APART = "coveris_apart"
_known: WeakKeyDictionary[Any, OrderedDict[str, None]] = WeakKeyDictionary()


class _Numbered(dict[str, Any]):
    """Turns %(name)s into $1, $2 … as a text is formatted with it."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []

    def __missing__(self, name: str) -> str:
        self.order.append(name)
        self[name] = f"${len(self.order)}"
        return self[name]


def fetch(sql: str, params: Mapping[str, Any]) -> list[Any]:
    """Return the rows of a statement with named parameters, planned once for all values.

    For statements that name a few subjects by id, whose plan is the same whoever they are. Outside a transaction, or
    with more subjects than a plan for a few is good for, it is planned as it comes.
    """
    return fetch_all((sql, params))[0]


def fetch_all(*statements: Statement, apart: bool = False) -> list[list[Any]]:
    """Return the rows of each of these statements, planned as by `fetch`, sent as one message and carried out in order.

    Each sees what was committed until it begins, as if it had come by itself: a lock may stand before the sum that
    needs it. `apart` undoes all of them where one fails, so that the transaction can go on; it needs a transaction.
    """
    if not statements:
        return []
    with connection.cursor() as cursor:
        if not connection.in_atomic_block or any(map(_is_about_many, statements)):
            if apart:
                with transaction.atomic():
                    return [_plain(cursor, statement) for statement in statements]
            return [_plain(cursor, statement) for statement in statements]
        worded = [_worded(*statement) for statement in statements]
        names = _known.setdefault(connection.connection, OrderedDict())
        if apart and any(name not in names for name, *_rest in worded):
            with transaction.atomic():
                return fetch_all(*statements)
        calls, values = [], []
        for name, text, types, used in worded:
            _prepare(cursor, names, name, text, types)
            arguments = ", ".join(f"%s::{kind}" for kind in types)
            calls.append(f"EXECUTE {name} ({arguments})" if used else f"EXECUTE {name}")
            values += used
        before, after = ((f"SAVEPOINT {APART}", ONE_PLAN), (f"RELEASE {APART}",)) if apart else ((ONE_PLAN,), ())
        try:
            cursor.execute("; ".join((*before, *calls, *after)), values or None)
        except DatabaseError:
            if apart:
                # Where the connection is gone, the error that says so is the one on its way.
                with suppress(InterfaceError, OperationalError):
                    cursor.execute(f"ROLLBACK TO {APART}; RELEASE {APART}")
            raise
        for _word in before[1:]:
            cursor.nextset()
        return [_next(cursor) for _call in calls]


def _next(cursor: Any) -> list[Any]:
    cursor.nextset()
    return cursor.fetchall() if cursor.description else []


def _plain(cursor: Any, statement: Statement) -> list[Any]:
    cursor.execute(*statement)
    return cursor.fetchall() if cursor.description else []


def _is_about_many(statement: Statement) -> bool:
    return any(isinstance(value, list) and len(value) > FEW for value in statement[1].values())


def _worded(sql: str, params: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...], list[Any]]:
    """Return the name of a statement, its text, the types of its parameters and their values."""
    text, order = _numbered(sql)
    used = [params[name] for name in order]
    types = tuple(_type_of(value) for value in used)
    return _name(text, types), text, types, used


@lru_cache(maxsize=2 * KEPT)
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """Return a text with $1, $2 … for its named parameters, and their names in that order."""
    numbered = _Numbered()
    text = sql % numbered
    return text, tuple(numbered.order)


@lru_cache(maxsize=2 * KEPT)
def _name(text: str, types: tuple[str, ...]) -> str:
    return "coveris_" + hashlib.blake2b(f"{types}{text}".encode(), digest_size=12).hexdigest()


def _prepare(cursor: Any, names: OrderedDict[str, None], name: str, text: str, types: Sequence[str]) -> None:
    """Prepare a statement where this connection has not yet; a rollback does not take it away."""
    if name in names:
        names.move_to_end(name)
        return
    declared = f" ({', '.join(types)})" if types else ""
    cursor.execute(f"PREPARE {name}{declared} AS {text}")
    names[name] = None
    if len(names) > KEPT:
        cursor.execute(f"DEALLOCATE {names.popitem(last=False)[0]}")


def _type_of(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "bigint"
        case float():
            return "double precision"
        case datetime():
            return "timestamptz"
        case date():
            return "date"
        case str():
            return "text"
        case Decimal() | None:
            return "numeric"
        case list() | tuple():
            return "text[]" if value and isinstance(value[0], str) else "bigint[]"
    raise TypeError(f"a parameter of type {type(value).__name__} has no place in a prepared statement")
