"""Adding up what units have of their own to what they have with everything below them: one statement for any figures.

Nothing is patched: what went wrong once does not stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection

from apps.changes import storing
from apps.changes.span import Span
from apps.common.prepared import FEW

from .models import OrgUnit

Query = tuple[str, dict[str, Any]]


def units_above(units: Iterable[int]) -> set[int]:
    """Return the ids of these units, those that are gone left out, and of all above them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT unnest(path) FROM org_orgunit WHERE id = ANY (%s)", [sorted(units)])
        return {row[0] for row in cursor.fetchall()}


def refresh_wholes(table: storing.Table, units: set[int], span: Span, *, own: str) -> set[int]:
    """Write what these units and all above them have with everything below, of `own` as it is kept; return the ids
    rewritten.

    The way up is looked at again once its rows are locked: a unit moved meanwhile has another one. One moved later
    leaves marks whose pass waits for these locks.
    """
    locked: set[int] = set()
    while lacking := (units | units_above(units)) - locked:
        storing.lock(table, sorted(lacking), span)
        locked |= lacking
    if len(locked) > FEW and 3 * len(locked) > OrgUnit.objects.count():
        # The walk over the whole tree is the shorter one.
        every, params = _all_added_up(span, own, table.columns)
        sql = f"SELECT * FROM ({every}) AS every WHERE org_unit_id = ANY (%(wholes_written)s::bigint[])"
        return storing.write(table, sql, {**params, "wholes_written": sorted(locked)}, span)
    return storing.write(table, *_some_added_up(span, own, table.name, table.columns, locked), span)


def added_up_sql(
    span: Span, *, own: str, wholes: str, figures: Sequence[str], units: Iterable[int] | None = None
) -> Query:
    """Return a query (org_unit_id, figures) with everything below each of these units, and its parameters.

    `own` is a relation in SQL with org_unit_id, first_week and the figures of units by themselves, `wholes` the table
    that keeps them with everything below. `units` (None means all) must hold whatever lies between two of them. What
    hangs right below one of them and is not among them is read as it is kept, with all that is below it: a change
    costs its way up and not the whole tree.
    """
    if units is None:
        return _all_added_up(span, own, figures)
    return _some_added_up(span, own, wholes, figures, units)


def _some_added_up(span: Span, own: str, wholes: str, figures: Sequence[str], units: Iterable[int]) -> Query:
    """Give each part to all that are above it and asked for."""
    own_names, kept_names = (", ".join(f"{of}.{name}" for name in figures) for of in ("own", "kept"))
    sums = ", ".join(f"COALESCE(sum(part.{name}[week + part.ahead]), 0)::bigint AS {name}" for name in figures)
    arrays = ", ".join(f"array_agg({name} ORDER BY week) AS {name}" for name in figures)
    return (
        f"""SELECT org_unit_id, {arrays}
    FROM (
        SELECT above.id AS org_unit_id, week, {sums}
        FROM (
            SELECT p.*, (%(span_first)s::date - p.first_week) / 7 AS ahead
            FROM (
                SELECT u.path, own.first_week, {own_names}
                FROM org_orgunit u LEFT JOIN {own} AS own ON own.org_unit_id = u.id
                WHERE u.id = ANY (%(adding_up)s::bigint[])
                UNION ALL
                SELECT u.path, kept.first_week, {kept_names}
                FROM org_orgunit u JOIN org_orgunit below ON below.parent_id = u.id
                    JOIN {wholes} AS kept ON kept.org_unit_id = below.id
                WHERE u.id = ANY (%(adding_up)s::bigint[]) AND below.id <> ALL (%(adding_up)s::bigint[])
            ) AS p
        ) AS part
        CROSS JOIN LATERAL unnest(part.path) AS above (id)
        CROSS JOIN generate_series(1, {span.weeks}) AS week
        WHERE above.id = ANY (%(adding_up)s::bigint[])
        GROUP BY above.id, week
    ) AS summed GROUP BY org_unit_id""",
        {**span.params, "adding_up": sorted(units)},
    )


def _all_added_up(span: Span, own: str, figures: Sequence[str]) -> Query:
    """Walk the tree once, in the order of its paths: whatever lies below a unit follows it without a gap.

    A unit with everything below it is then what has been added up at the last of them, less what had been before it.
    To give each part to all above it costs as many sums as the tree is deep: at 32,000 units ten times as much.
    """
    weeks = range(1, span.weeks + 1)
    up_to = ", ".join(
        f"ARRAY[{', '.join(f'sum(COALESCE(own.{name}[{week} + own.ahead], 0)) OVER so_far' for week in weeks)}]"
        f"::bigint[] AS {name}"
        for name in figures
    )
    whole = ", ".join(
        f"ARRAY[{', '.join(f'last.{name}[{week}] - COALESCE(before.{name}[{week}], 0)' for week in weeks)}]"
        f"::bigint[] AS {name}"
        for name in figures
    )
    return (
        f"""WITH walked AS MATERIALIZED (
        SELECT u.id, row_number() OVER so_far AS place, {up_to}
        FROM org_orgunit u
        LEFT JOIN (SELECT o.*, (%(span_first)s::date - o.first_week) / 7 AS ahead FROM {own} AS o) AS own
            ON own.org_unit_id = u.id
        WINDOW so_far AS (ORDER BY u.path ROWS UNBOUNDED PRECEDING)
    ),
    sized AS (
        SELECT above.id, count(*) AS units FROM org_orgunit u CROSS JOIN LATERAL unnest(u.path) AS above (id)
        GROUP BY above.id
    )
    SELECT walked.id AS org_unit_id, {whole}
    FROM walked JOIN sized ON sized.id = walked.id
    JOIN walked AS last ON last.place = walked.place + sized.units - 1
    LEFT JOIN walked AS before ON before.place = walked.place - 1""",
        dict(span.params),
    )
