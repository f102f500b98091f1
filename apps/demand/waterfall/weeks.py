"""The weeks that can be compared: closed ones, the current one and those to come."""

from __future__ import annotations

from datetime import date, timedelta

from django.db import connection

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
