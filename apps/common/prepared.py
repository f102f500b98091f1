"""Statements whose planning costs more than their work: planned once a connection, then only carried out."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection

# A connection keeps so many; which ones there are follows from what the catalogue of rules holds.
KEPT = 24
# A plan made for a few ids is no plan for more than so many.
FEW = 200
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
    with connection.cursor() as cursor:
        if not connection.in_atomic_block or any(
            isinstance(value, list) and len(value) > FEW for value in params.values()
        ):
            cursor.execute(sql, params)
            return cursor.fetchall()
        numbered = _Numbered()
        text = sql % numbered
        used = [params[name] for name in numbered.order]
        types = [_type_of(value) for value in used]
        name = "coveris_" + hashlib.blake2b(f"{types}{text}".encode(), digest_size=12).hexdigest()
        _prepare(cursor, name, text, types)
        # Of the transaction alone. A plan for these very values would be made anew each time.
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        values = ", ".join(f"%s::{kind}" for kind in types)
        cursor.execute(f"EXECUTE {name} ({values})" if used else f"EXECUTE {name}", used or None)
        return cursor.fetchall()


def _prepare(cursor: Any, name: str, text: str, types: Sequence[str]) -> None:
    """Prepare a statement where this connection has not yet; a rollback does not take it away."""
    names = _known.setdefault(connection.connection, OrderedDict())
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
