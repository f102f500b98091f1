"""Units' figures: over their own positions, and with everything below them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection

from apps.changes.span import Span
from apps.changes.storing import are_of, stored_or_anew

from .coverage import UNIT_FIGURES, coverage_sql, unit_sql
from .tables import UNITS, WHOLES

Query = tuple[str, dict[str, Any]]


def own_figures_sql(span: Span, units: Sequence[int] | None = None, accepted: tuple[int, ...] = ()) -> Query:
    """Return a query (org_unit_id, UNIT_FIGURES) over units' own positions, from live data, and its parameters."""
    positions = None
    if units is not None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM org_position WHERE org_unit_id = ANY (%s)", [list(units)])
            positions = [row[0] for row in cursor.fetchall()]
    own, params = coverage_sql(span, positions=positions, accepted=accepted)
    source = f"(SELECT live.*, %(span_first)s::date AS first_week FROM ({own}) AS live)"
    sql, more = unit_sql(span, source=source, units=units)
    return sql, {**params, **more}


def units_below(units: Sequence[int]) -> list[int]:
    """Return the ids of these units and of all below them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM org_orgunit WHERE path && %s::bigint[]", [list(units)])
        return [row[0] for row in cursor.fetchall()]


def units_above(units: Iterable[int]) -> set[int]:
    """Return the ids of these units, those that are gone left out, and of all above them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT unnest(path) FROM org_orgunit WHERE id = ANY (%s)", [sorted(units)])
        return {row[0] for row in cursor.fetchall()}


def added_up_sql(span: Span, *, own: str, units: Iterable[int] | None = None) -> Query:
    """Return a query (org_unit_id, UNIT_FIGURES) with everything below each of these units, and its parameters.

    `own` is a relation in SQL with org_unit_id, first_week and the UNIT_FIGURES of units' own positions. `units` (None
    means all) must hold whatever lies between two of them. What hangs right below one of them and is not among them
    is read as it is kept, with all that is below it: a change costs its way up and not the whole tree.
    """
    params: dict[str, Any] = dict(span.params)
    among = "u.id = ANY (%(adding_up)s::bigint[])" if units is not None else "TRUE"
    parts = f"""SELECT u.path, own.first_week, {", ".join(f"own.{name}" for name in UNIT_FIGURES)}
            FROM org_orgunit u LEFT JOIN {own} AS own ON own.org_unit_id = u.id WHERE {among}"""
    if units is not None:
        params["adding_up"] = sorted(units)
        parts += f"""
            UNION ALL SELECT u.path, kept.first_week, {", ".join(f"kept.{name}" for name in UNIT_FIGURES)}
            FROM org_orgunit u JOIN org_orgunit below ON below.parent_id = u.id
                JOIN {WHOLES.name} AS kept ON kept.org_unit_id = below.id
            WHERE {among} AND below.id <> ALL (%(adding_up)s::bigint[])"""
    sums = ", ".join(f"COALESCE(sum(part.{name}[week + part.ahead]), 0)::bigint AS {name}" for name in UNIT_FIGURES)
    arrays = ", ".join(f"array_agg({name} ORDER BY week) AS {name}" for name in UNIT_FIGURES)
    return (
        f"""SELECT org_unit_id, {arrays}
    FROM (
        SELECT above.id AS org_unit_id, week, {sums}
        FROM (SELECT p.*, (%(span_first)s::date - p.first_week) / 7 AS ahead FROM ({parts}) AS p) AS part
        CROSS JOIN LATERAL unnest(part.path) AS above (id)
        CROSS JOIN generate_series(1, {span.weeks}) AS week
        WHERE {among.replace("u.id", "above.id")}
        GROUP BY above.id, week
    ) AS summed GROUP BY org_unit_id""",
        params,
    )


def whole_anew_sql(span: Span, units: Sequence[int] | None = None, accepted: tuple[int, ...] = ()) -> Query:
    """Return a query (org_unit_id, UNIT_FIGURES) with everything below each unit, from live data, and its parameters.

    It covers at least these units; None means all.
    """
    below = None if units is None else units_below(units)
    return _added_up(span, own_figures_sql(span, below, accepted), below)


def whole_figures_sql(span: Span, due: Iterable[int]) -> Query:
    """Return a query (org_unit_id, UNIT_FIGURES) with everything below each unit, as pages and commands show it.

    Of units nobody waits for, themselves or below (`due`), it reads the kept figures; of the others, what a recompute
    would make them. Its parameters beside.
    """
    behind = units_above(due) if are_of(span) else set()

    def anew(ids: list[int] | None) -> Query:
        if ids is None:
            return whole_anew_sql(span)
        return _added_up(span, stored_or_anew(UNITS, span, lambda some: own_figures_sql(span, some), due), ids)

    return stored_or_anew(WHOLES, span, anew, behind)


def _added_up(span: Span, own: Query, units: Iterable[int] | None) -> Query:
    """Return the sums over own figures that are of this span, as `added_up_sql` does over kept ones of any."""
    figures, params = own
    dated = f"(SELECT figures.*, %(span_first)s::date AS first_week FROM ({figures}) AS figures)"
    sql, more = added_up_sql(span, own=dated, units=units)
    return sql, {**params, **more}
