"""The kept figures of two open weeks, with the changes that wait for a worker computed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db import connection

from apps.changes.due import due_subjects
from apps.changes.figures import kept
from apps.changes.models import Kind
from apps.changes.span import Span
from apps.changes.storing import stored_or_anew

from ..coverage import coverage_sql
from ..overview import Figures
from ..tables import POSITIONS, WHOLES
from ..whole import whole_figures_sql
from .answer import MOST_POSITIONS, Moved

FIGURES = ("required", "assigned", "reinforcement", "unqualified", "filled", "deficit", "surplus")


def kept_sides(
    tops: Sequence[int], positions: Sequence[int], first: date, second: date, *, waiting: int, today: date | None
) -> tuple[Figures, Figures, list[Moved]]:
    """Return what is kept of two open weeks: the figures of units (ids) with all below them, and, of these positions,
    those that differ most. One query; some more where changes are `waiting`, which are computed.
    """
    span = Span.current(today)
    wholes, places, params = _sources(span, waiting)
    week = {side: span.mondays.index(monday) + 1 for side, monday in enumerate((first, second))}
    sums = [f"COALESCE(sum(w.{name}[{week[side]}]), 0)::bigint" for side in (0, 1) for name in FIGURES]
    read = [f"c.{name}[{week[side]}] AS {name}{side}" for side in (0, 1) for name in ("required", "assigned")]
    gaps = [f"GREATEST(required{side} - assigned{side}, 0) AS deficit{side}" for side in (0, 1)]
    source = f"""(
        SELECT *, {", ".join(gaps)} FROM (
            SELECT c.position_id, {", ".join(read)} FROM ({places}) AS c
            WHERE c.position_id = ANY (%(moving)s::bigint[])
        ) AS of_both
    )"""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT ARRAY[{", ".join(sums)}], NULL, NULL FROM ({wholes}) AS w
            WHERE w.org_unit_id = ANY (%(tops)s::bigint[])
            UNION ALL
            SELECT ARRAY[id, required0, required1, assigned0, assigned1, deficit0, deficit1], code, title
            FROM ({most_moved(source)}) AS moved""",
            {**params, "tops": list(tops), "moving": list(positions)},
        )
        (figures, *_none), *rows = cursor.fetchall()
    size = len(FIGURES)
    before, after = (Figures(**dict(zip(FIGURES, figures[at : at + size], strict=True))) for at in (0, size))
    return before, after, [
        Moved(pk, code, title, (need0, need1), (given0, given1), (gap0, gap1))
        for (pk, need0, need1, given0, given1, gap0, gap1), code, title in rows
    ]  # fmt: skip


def _sources(span: Span, waiting: int) -> tuple[str, str, dict[str, Any]]:
    """Return queries for the figures of units with all below them and of positions, and their parameters."""
    if not waiting:
        return f"SELECT * FROM {WHOLES.name}", f"SELECT * FROM {POSITIONS.name}", {}
    due = due_subjects([of for of in kept() if of.kind in (Kind.POSITION, Kind.UNIT)])
    wholes, params = whole_figures_sql(span, due[Kind.UNIT.value])
    places, more = stored_or_anew(
        POSITIONS, span, lambda some: coverage_sql(span, positions=some), due[Kind.POSITION.value]
    )
    return wholes, places, params | more


def pairs(*names: str) -> str:
    """Return SQL of both sides' sums of these columns, over rows of one side each."""
    return ", ".join(
        f"COALESCE(sum({name}) FILTER (WHERE side = {side}), 0)::bigint AS {name}{side}"
        for name in names
        for side in (0, 1)
    )


def most_moved(source: str) -> str:
    """Return a query for the positions that differ most, over a relation with the figures of both sides of each."""
    return f"""
        SELECT p.id, p.code, p.title, required0, required1, assigned0, assigned1, deficit0, deficit1
        FROM {source} AS b JOIN org_position p ON p.id = b.position_id
        WHERE (required0, assigned0) <> (required1, assigned1)
        ORDER BY abs(deficit1 - deficit0) DESC, abs(assigned1 - assigned0) DESC, p.code
        LIMIT {MOST_POSITIONS}"""
