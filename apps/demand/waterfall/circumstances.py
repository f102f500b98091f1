"""What decides how two weeks of a part of the house are compared; one query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

from apps.common.weeks import horizon
from apps.org.querysets import inside

from ..board import NoFigures
from .answer import Place


@dataclass(frozen=True)
class Circumstances:
    """`closed` says when those of the weeks that are over were closed; `positions` and `waiting` (changes that have not
    reached the figures) are counted up to one more than asked. Figures are kept from `first_week` on; those of the
    units (ids) `tops` are those of the whole place.
    """

    closed: Mapping[date, datetime]
    positions: int
    waiting: int
    first_week: date | None
    tops: Sequence[int]


def circumstances(
    place: Place, first: date, second: date, *, positions: int, waiting: int, today: date | None
) -> Circumstances:
    """Return what it is like to compare two weeks now.

    Raise NoFigures for a week that is neither kept for good nor among the current one and the 12 to come.
    """
    if first >= second:
        raise ValueError("The first week is before the second.")
    with connection.cursor() as cursor:
        cursor.execute(
            FOUND,
            {**place.params, "weeks": [first, second], "positions": positions + 1, "waiting": waiting + 1},
        )
        weeks, moments, *rest = cursor.fetchone()
    found = Circumstances(dict(zip(weeks, moments, strict=True)), *rest)
    for week in (first, second):
        if week not in found.closed and week not in horizon(today):
            raise NoFigures(week)
    return found


CLOSED = "FROM demand_closedunitweek WHERE week = ANY (%(weeks)s::date[]) GROUP BY week ORDER BY week"
FOUND = f"""
    SELECT ARRAY(SELECT week {CLOSED}), ARRAY(SELECT min(closed_at) {CLOSED}),
           (SELECT count(*) FROM (
               SELECT FROM org_position p JOIN org_orgunit u ON u.id = p.org_unit_id
               WHERE {inside("u.path")} AND (%(position)s::bigint IS NULL OR p.id = %(position)s) LIMIT %(positions)s
           ) AS counted),
           (SELECT count(*) FROM (SELECT FROM changes_mark LIMIT %(waiting)s) AS counted),
           (SELECT min(first_week) FROM changes_calendar),
           ARRAY(
               SELECT u.id FROM org_orgunit u
               WHERE {inside("u.path")} AND (u.parent_id IS NULL OR u.id = %(root)s OR u.id = %(scope)s)
               AND NOT EXISTS (
                   SELECT FROM unnest(u.path[:cardinality(u.path) - 1]) AS above (id)
                   JOIN org_orgunit a ON a.id = above.id WHERE {inside("a.path")}
               )
           )"""
