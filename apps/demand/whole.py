"""Units' figures without waiting for a worker: over their own positions, and with everything below them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection

from apps.changes.span import Span
from apps.changes.storing import stored_or_anew

from .coverage import UNIT_FIGURES, coverage_sql, unit_sql
from .tables import UNITS


def own_figures_sql(
    span: Span, units: Sequence[int] | None = None, accepted: tuple[int, ...] = ()
) -> tuple[str, dict[str, Any]]:
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


def whole_units_sql(span: Span, units: Sequence[int], due: Iterable[int]) -> tuple[str, dict[str, Any]]:
    """Return a query (org_unit_id, UNIT_FIGURES) with everything below each unit, as pages and commands show it.

    Of units nobody waits for (`due`) the kept figures are added up, of the others what a recompute would make them.
    """
    behind = set(due) & set(units_below(units)) if due else set()
    own, params = stored_or_anew(UNITS, span, lambda ids: own_figures_sql(span, ids), behind)
    columns = ", ".join(
        f"ARRAY[{', '.join(f'COALESCE(sum(own.{name}[{week}]), 0)' for week in range(1, span.weeks + 1))}]::bigint[]"
        f" AS {name}"
        for name in UNIT_FIGURES
    )
    return (
        f"""SELECT above.id AS org_unit_id, {columns}
    FROM org_orgunit u LEFT JOIN ({own}) AS own ON own.org_unit_id = u.id
    CROSS JOIN LATERAL unnest(u.path) AS above (id)
    WHERE u.path && %(whole_units)s::bigint[] AND above.id = ANY (%(whole_units)s::bigint[])
    GROUP BY above.id""",
        {**params, "whole_units": list(units)},
    )
