"""The trend: the closed weeks gone by, the current one and those to come, of a part of the organisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection

from apps.common.clock import today as clock_today
from apps.common.weeks import horizon
from apps.org.querysets import inside

from .corrected import Stamp, stamps
from .coverage import FIGURES
from .overview import Figures, element
from .tables import CLOSED_POSITIONS, CLOSED_UNITS, WHOLES
from .waterfall import WEEKS_BACK, Place

ADDED = (*FIGURES, "filled", "deficit", "surplus")


@dataclass(frozen=True)
class Week:
    """One week's figures; `figures` is None where none are kept. A closed week is kept for good, with its tree.

    If it was corrected, `stamp` says by whom and `was` has the figures it was closed with.
    """

    monday: date
    is_closed: bool
    figures: Figures | None
    stamp: Stamp | None = None
    was: Figures | None = None


def trend(place: Place, *, today: date | None = None, back: int = WEEKS_BACK) -> list[Week]:
    """Return at most so many weeks gone by, from the first that is kept on, the current one and the 12 to come.

    Positions by state are not counted. Two queries, and a third one where a week was corrected.
    """
    to_come = horizon(today or clock_today())
    gone = [to_come[0] - timedelta(weeks=number) for number in range(back, 0, -1)]
    found = _found(place, gone, to_come)
    stamped = stamps(gone, **place.params)
    was = _found(place, list(stamped), (), as_closed=True) if stamped else {}
    weeks = [
        Week(monday, True, found.get((monday, True)), stamped.get(monday), was.get((monday, True))) for monday in gone
    ]
    while weeks and weeks[0].figures is None:
        weeks.pop(0)
    return weeks + [Week(monday, False, found.get((monday, False))) for monday in to_come]


def _found(
    place: Place, gone: Sequence[date], to_come: Sequence[date], *, as_closed: bool = False
) -> dict[tuple[date, bool], Figures]:
    of = _unit_sql if place.position is None else _position_sql
    with connection.cursor() as cursor:
        cursor.execute(of(as_closed), {**place.params, "gone": list(gone), "to_come": list(to_come)})
        rows = cursor.fetchall()
    return {(row[0], row[1]): Figures(**dict(zip(ADDED, map(int, row[2:]), strict=True))) for row in rows}


def _unit_sql(as_closed: bool) -> str:
    gone = CLOSED_UNITS.closed if as_closed else CLOSED_UNITS.in_force
    at = element("w.week")
    return f"""
        SELECT c.week, TRUE, {", ".join(f"sum(c.{name})" for name in ADDED)}
        FROM {gone} AS c WHERE c.week = ANY (%(gone)s::date[]) AND {inside("c.path")} GROUP BY c.week
        UNION ALL
        SELECT w.week, FALSE, {", ".join(f"sum(c.{name}[{at}])" for name in ADDED)}
        FROM org_orgunit u JOIN {WHOLES.name} c ON c.org_unit_id = u.id
        CROSS JOIN unnest(%(to_come)s::date[]) AS w (week)
        WHERE (u.id = COALESCE(%(root)s::bigint, %(scope)s::bigint)
                OR COALESCE(%(root)s::bigint, %(scope)s::bigint) IS NULL AND u.parent_id IS NULL)
            AND c.required[{at}] IS NOT NULL AND {inside("u.path")}
        GROUP BY w.week"""


def _position_sql(as_closed: bool) -> str:
    gone = CLOSED_POSITIONS.closed if as_closed else CLOSED_POSITIONS.in_force
    at = element("w.week")

    def figures(of: dict[str, str]) -> str:
        need, given = of["required"], of["assigned"]
        return ", ".join(
            [
                *of.values(),
                f"LEAST({given}, {need})",
                f"GREATEST({need} - {given}, 0)",
                f"GREATEST({given} - {need}, 0)",
            ]
        )

    return f"""
        SELECT c.week, TRUE, {figures({name: f"c.{name}" for name in FIGURES})}
        FROM {gone} AS c
        WHERE c.position_id = %(position)s AND c.week = ANY (%(gone)s::date[]) AND {inside("c.path")}
        UNION ALL
        SELECT w.week, FALSE, {figures({name: f"c.{name}[{at}]" for name in FIGURES})}
        FROM demand_positioncoverage c
        JOIN org_position p ON p.id = c.position_id JOIN org_orgunit u ON u.id = p.org_unit_id
        CROSS JOIN unnest(%(to_come)s::date[]) AS w (week)
        WHERE c.position_id = %(position)s AND c.required[{at}] IS NOT NULL AND {inside("u.path")}"""
