"""Marks that are set on purpose; those of changes are set by triggers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import connection, transaction

from .figures import kept
from .models import Kind
from .triggers import CHANNEL

MARK = "INSERT INTO changes_mark (kind, subject_id, alone) SELECT %(kind)s, id, %(alone)s FROM ({ids}) AS chosen (id)"


def ring() -> None:
    """Wake the relay when this transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])


def mark(kind: Kind, ids: Iterable[int], *, alone: bool = False) -> int:
    """Mark subjects as out of date and return how many. `alone`: their own figures only, after everybody else's."""
    with connection.cursor() as cursor:
        cursor.execute(
            MARK.format(ids="SELECT unnest(%(ids)s::bigint[])"),
            {"kind": kind.value, "alone": alone, "ids": list(ids)},
        )
        count = cursor.rowcount
    if count:
        ring()
    return count


def mark_by_query(kind: Kind, sql: str, params: dict[str, Any], *, alone: bool = False) -> int:
    """Mark the subjects whose ids a query returns and say how many."""
    with connection.cursor() as cursor:
        cursor.execute(MARK.format(ids=sql), {**params, "kind": kind.value, "alone": alone})
        count = cursor.rowcount
    if count:
        ring()
    return count


def mark_everything() -> int:
    """Mark every subject of every kept figure, each for itself, to be worked off after what people changed."""
    with transaction.atomic():
        return sum(mark_by_query(figures.kind, figures.subjects, {}, alone=True) for figures in kept())
