"""The weeks that can be compared: closed ones, the current one and those to come."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import connection

from apps.common.weeks import horizon

from ..board import NoFigures

WEEKS_BACK = 52


def closed_weeks(before: date, number: int = WEEKS_BACK) -> list[date]:
    """Return the closed weeks among the last so many before a Monday, in order."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT w.week::date FROM unnest(%(weeks)s::date[]) AS w (week)
            WHERE EXISTS (SELECT 1 FROM demand_closedunitweek c WHERE c.week = w.week) ORDER BY 1""",
            {"weeks": [before - timedelta(weeks=back) for back in range(1, number + 1)]},
        )
        return [row[0] for row in cursor.fetchall()]


def closed_at(first: date, second: date, today: date | None) -> dict[date, datetime]:
    """Return when each of the two weeks was closed, if it was.

    Raise NoFigures for a week that is neither kept for good nor among the current one and the 12 to come.
    """
    if first >= second:
        raise ValueError("The first week is before the second.")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT week, min(closed_at) FROM demand_closedunitweek WHERE week = ANY (%s) GROUP BY week",
            [[first, second]],
        )
        closed = dict(cursor.fetchall())
    for week in (first, second):
        if week not in closed and week not in horizon(today):
            raise NoFigures(week)
    return closed
