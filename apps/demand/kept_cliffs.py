"""Keeps the days on which hours stop, beside the figures of positions: found anew for what a pass of the drain reaches.

What is kept of a position reaches from the day it was found on to the end of the weeks kept, which lie further ahead
than any page asks for; closing a week has every position looked at again. A day that comes changes nothing about the
days after it, but for employees whom `turning_sql` finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from django.db import connection

from apps.changes.span import Span
from apps.common import prepared
from apps.common.prepared import Statement

from .cliff_sql import FOUND, OFFSET, SUSPECTED_AMONG, in_force_ctes
from .cliffs import span_of

# From the first week kept on: half a year from its Sunday, and what a week closed late may lack.
WEEKS_KEPT = 29
BATCH = 2_000
KEY = ("assignment_id", "cause", "day")
REST = ("position_id", "employee_id", "since", "hours", "needs", "record_id", "back_on", "tags")
COLUMNS = (*KEY, *REST)


def _query(span: Span, positions: Sequence[int]) -> tuple[str, dict[str, Any]]:
    """Return CTEs that end in `anew` (COLUMNS): the cliffs of these positions, and their parameters."""
    last = _last_day(span)
    looked_at = span_of(span.first_week, last, span.today)
    params: dict[str, Any] = {**looked_at.params, "first": span.today, "last": last, "positions": list(positions)}
    return _finding(looked_at), params


@lru_cache(maxsize=8)
def _finding(span: Span) -> str:
    return f"""{SUSPECTED_AMONG}, {in_force_ctes(span)}, {FOUND},
    anew AS MATERIALIZED (
        SELECT assignment_id, cause, {OFFSET} + day AS day, position_id, employee_id, {OFFSET} + since AS since, hours,
            needs, CASE WHEN cause NOT IN ('ASSIGNMENT', 'LAST_DAY') THEN record_id END AS record_id,
            {OFFSET} + back AS back_on, tags
        FROM found
    )"""


def _last_day(span: Span) -> date:
    return span.first_week + timedelta(weeks=WEEKS_KEPT, days=-1)


def refreshing_cliffs(positions: Sequence[int], span: Span) -> Statement:
    """Return the statement that writes the cliffs of these positions by difference, the rows of figures locked."""
    found, params = _query(span, positions)
    return _refreshing(found), params


@lru_cache(maxsize=4)
def _refreshing(found: str) -> str:
    names = ", ".join(COLUMNS)
    # Both sides grouped and not joined: nothing tells the planner how many are found, and a nested loop takes seconds.
    return f"""WITH {found},
    differing AS MATERIALIZED (
        SELECT array_agg(id) AS ids, count(id) > 0 AS is_kept, {names}
        FROM (
            SELECT id, {names} FROM demand_positioncliff WHERE position_id = ANY (%(positions)s::bigint[])
            UNION ALL
            SELECT NULL, {names} FROM anew
        ) AS both_sides
        GROUP BY {names} HAVING count(id) IN (0, count(*))
    ),
    gone AS (
        DELETE FROM demand_positioncliff
        WHERE id = ANY (ARRAY(SELECT unnest(ids) FROM differing WHERE is_kept))
    )
    INSERT INTO demand_positioncliff ({names}) SELECT {names} FROM differing WHERE NOT is_kept"""


def refresh_cliffs(positions: Sequence[int], span: Span) -> None:
    """Write the cliffs of these positions by difference; call it with the rows of their figures locked."""
    prepared.fetch(*refreshing_cliffs(positions, span))


def drifted_cliffs(span: Span) -> list[dict[str, Any]]:
    """Compare what is kept from today on with what is found; return {subject, stored, computed} by position.

    So many positions at a time, whose plan is good for any size of the house.
    """
    drifted: list[dict[str, Any]] = []
    for positions in in_batches():
        drifted += _drifted(span, positions)
    return drifted


def in_batches() -> Iterator[Sequence[int]]:
    """Yield the ids of all positions, and of those gone of which something is kept, so many at a time."""
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                """SELECT id FROM (
                    (SELECT id FROM org_position WHERE id > %(last)s ORDER BY id LIMIT %(batch)s)
                    UNION
                    (SELECT DISTINCT position_id FROM demand_positioncliff WHERE position_id > %(last)s
                     ORDER BY position_id LIMIT %(batch)s)
                ) AS next ORDER BY id LIMIT %(batch)s""",
                {"last": last, "batch": BATCH},
            )
            ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return
        yield ids
        last = ids[-1]


def _drifted(span: Span, positions: Sequence[int]) -> list[dict[str, Any]]:
    found, params = _query(span, positions)
    told = "string_agg(concat_ws(' ', day, cause, hours, needs, since, back_on, assignment_id, record_id, tags), '; '"
    told += " ORDER BY day, assignment_id, cause) AS told"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH {found}
            SELECT COALESCE(kept.position_id, made.position_id), kept.told, made.told
            FROM (
                SELECT position_id, {told} FROM demand_positioncliff
                WHERE position_id = ANY (%(positions)s::bigint[]) AND since >= %(first)s AND day <= %(last)s
                GROUP BY position_id
            ) AS kept FULL JOIN (SELECT position_id, {told} FROM anew GROUP BY position_id) AS made
                ON made.position_id = kept.position_id
            WHERE kept.told IS DISTINCT FROM made.told ORDER BY 1""",
            params,
        )
        rows = cursor.fetchall()
    first = span.first_week.isoformat()
    return [
        {
            "subject": position,
            "stored": {"first_week": first, "cliffs": kept or ""},
            "computed": {"first_week": first, "cliffs": made or ""},
        }
        for position, kept, made in rows
    ]
