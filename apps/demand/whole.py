"""Units' figures: over their own positions, and with everything below them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection

from apps.changes.span import Span
from apps.changes.storing import are_of, stored_or_anew
from apps.org import adding_up
from apps.org.adding_up import units_above

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


def added_up_sql(span: Span, *, own: str, units: Iterable[int] | None = None) -> Query:
    """Return a query (org_unit_id, UNIT_FIGURES) with all below each of these units (adding_up)."""
    return adding_up.added_up_sql(span, own=own, wholes=WHOLES.name, figures=UNIT_FIGURES, units=units)


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
