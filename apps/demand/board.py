"""The figures of a week as people read them: every unit with everything below it, and its positions.

The current week and those to come are the stored figures; weeks gone by are the closed ones, with the tree they had.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from apps.common.hours import to_hours, to_percent
from apps.org.models import OrgUnit
from apps.org.querysets import inside, scope_of, sees_the_house

from .corrected import Stamp, stamps
from .coverage import FIGURES, UNIT_FIGURES, state_of
from .enums import CoverageState
from .overview import Figures, element
from .tables import CLOSED_POSITIONS, CLOSED_UNITS, WHOLES


@dataclass(frozen=True, kw_only=True)
class UnitLine(Figures):
    """A unit's figures over its own positions and everything below."""

    id: int
    code: str
    name: str
    parent_code: str | None
    depth: int

    def hours(self, name: str) -> Decimal:
        return to_hours(getattr(self, name))


@dataclass(frozen=True)
class PositionLine:
    """A position's figures in a week, in hour-days."""

    id: int
    code: str
    title: str
    unit_code: str
    required: int
    assigned: int
    reinforcement: int
    proposed: int
    unqualified: int

    @property
    def coverage_percent(self) -> Decimal | None:
        """Return assigned ÷ required; None without demand."""
        return to_percent(self.assigned, self.required)

    @property
    def state(self) -> CoverageState:
        return state_of(self.required, self.assigned)

    def hours(self, name: str) -> Decimal:
        return to_hours(getattr(self, name))


@dataclass(frozen=True)
class Board:
    """One week of a part of the tree.

    `closed_at` is set for a week that is kept for good, `stamp` if it was corrected.
    """

    week: date
    closed_at: datetime | None
    units: list[UnitLine]
    positions: list[PositionLine]
    stamp: Stamp | None = None


class NoFigures(Exception):
    """No figures are kept for that week: it is beyond the horizon, or was over before the first computation."""


STORED = element("%(week)s::date")


def board(*, week: date, user: Any = None, unit: OrgUnit | None = None) -> Board:
    """Return a week's figures of everything under a unit (None = the whole tree) that the user may see.

    Without a user everything. Raise NoFigures for a week without any; a unit out of scope gives an empty board.
    """
    root = unit.pk if unit else None
    scope = None
    if user is not None:
        if not sees_the_house(user):
            return Board(week, None, [], [])
        scope = scope_of(user)
    params = {"week": week, "root": root, "scope": scope}
    closed_at = closing_of(week)
    if closed_at is not None:
        units, positions = _units(GONE_UNITS, params), _positions(GONE_POSITIONS, params)
        stamp = stamps([week], root=root, scope=scope).get(week)
        return Board(week, closed_at, units, positions, stamp)
    return Board(week, None, _units(LIVE_UNITS, params), _positions(LIVE_POSITIONS, params))


def closing_of(week: date) -> datetime | None:
    """Return when a week was closed; None for one of those that are kept up to date. Raise NoFigures for any other."""
    closed_at: datetime | None
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT (SELECT min(closed_at) FROM demand_closedunitweek WHERE week = %(week)s),
                EXISTS (SELECT 1 FROM demand_unitcoverage c WHERE c.required[{STORED}] IS NOT NULL)
                OR NOT EXISTS (SELECT 1 FROM demand_unitcoverage)""",
            {"week": week},
        )
        closed_at, is_kept = cursor.fetchone()
    if closed_at is None and not is_kept:
        raise NoFigures(week)
    return closed_at


def closed_weeks(limit: int) -> list[date]:
    """Return the Mondays of the last closed weeks, the newest first; a step a week, however many rows each has."""
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH RECURSIVE closed AS (
                SELECT max(week) AS week, 1 AS number FROM demand_closedunitweek
                UNION ALL
                SELECT (SELECT max(c.week) FROM demand_closedunitweek c WHERE c.week < closed.week), number + 1
                FROM closed WHERE closed.week IS NOT NULL AND number < %s
            ) SELECT week FROM closed WHERE week IS NOT NULL ORDER BY week DESC""",
            [limit],
        )
        return [row[0] for row in cursor.fetchall()]


LIVE_UNITS = f"""
    SELECT u.path, u.id, u.code, u.name, above.code, cardinality(u.path),
        {", ".join(f"COALESCE(c.{name}[{STORED}], 0)" for name in UNIT_FIGURES)}
    FROM org_orgunit u LEFT JOIN {WHOLES.name} c ON c.org_unit_id = u.id
    LEFT JOIN org_orgunit above ON above.id = u.parent_id
        AND (%(scope)s::bigint IS NULL OR above.path @> ARRAY[%(scope)s::bigint])
    WHERE {inside("u.path")}"""
GONE_UNITS = f"""
    SELECT r.path[:above.depth], u.id, u.code, u.name, p.code, above.depth,
        {", ".join(f"SUM(r.{name})" for name in UNIT_FIGURES)}
    FROM {CLOSED_UNITS.in_force} AS r
    CROSS JOIN LATERAL unnest(r.path) WITH ORDINALITY AS above (id, depth)
    JOIN org_orgunit u ON u.id = above.id
    LEFT JOIN org_orgunit p ON p.id = r.path[above.depth - 1]
        AND (%(scope)s::bigint IS NULL OR r.path[:above.depth - 1] @> ARRAY[%(scope)s::bigint])
    WHERE r.week = %(week)s AND {inside("r.path[:above.depth]")}
    GROUP BY r.path[:above.depth], u.id, u.code, u.name, p.code, above.depth"""
LIVE_POSITIONS = f"""
    SELECT p.id, p.code, p.title, u.code, {", ".join(f"c.{name}[{STORED}]" for name in FIGURES)}
    FROM demand_positioncoverage c
    JOIN org_position p ON p.id = c.position_id JOIN org_orgunit u ON u.id = p.org_unit_id
    WHERE c.required[{STORED}] IS NOT NULL AND {inside("u.path")} ORDER BY p.code"""
GONE_POSITIONS = f"""
    SELECT p.id, p.code, p.title, u.code, {", ".join(f"c.{name}" for name in FIGURES)}
    FROM {CLOSED_POSITIONS.in_force} AS c
    JOIN org_position p ON p.id = c.position_id
    JOIN org_orgunit u ON u.id = c.path[array_upper(c.path, 1)]
    WHERE c.week = %(week)s AND {inside("c.path")} ORDER BY p.code"""


IDENTITY = ("id", "code", "name", "parent_code", "depth")


def _units(sql: str, params: dict[str, Any]) -> list[UnitLine]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows = cursor.fetchall()
    codes = {row[1]: row[2] for row in rows}
    # Each unit right below the one it is part of, sisters by their codes.
    rows.sort(key=lambda row: [codes.get(unit, "") for unit in row[0]])
    columns = (*IDENTITY, *UNIT_FIGURES)
    return [UnitLine(**dict(zip(columns, (*row[1:6], *map(int, row[6:])), strict=True))) for row in rows]


def _positions(sql: str, params: dict[str, Any]) -> list[PositionLine]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [PositionLine(*row) for row in cursor.fetchall()]
