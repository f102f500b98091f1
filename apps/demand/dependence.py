"""Positions that hang on one person: whoever falls ill there leaves them empty, for nobody else may do the work.

Who could: somebody at work (ACTIVE or in NOTICE, not on leave) in the same house who holds every required tag today.
The house is the nearest CLINIC above the position's unit, or the whole tree it is in. Positions open today that need
hours are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

from apps.common.clock import today as clock_today
from apps.fsm.employee_fsm import EmployeeStatus
from apps.org.querysets import inside
from apps.tags.holding import held_on

from .kept_answers import Tell, carry_out, one_snapshot
from .models import Dependence
from .waterfall import Place


@dataclass(frozen=True)
class Dependent:
    """A position and the one person who could fill it; without `employee_id` nobody could.

    `required` are its weekly hours and `given` those the person has there now, in hundredths. `away_on` is the first
    day to come on which a leave, a last day, or the end of the contract or of a required tag takes the person away,
    within so many days as were asked about; `cause` says which.
    """

    position_id: int
    position_code: str
    position_title: str
    unit_code: str
    unit_name: str
    house_name: str
    tags: Sequence[str]
    required: int
    employee_id: int | None
    employee_number: str | None
    employee_name: str | None
    given: int
    away_on: date | None
    cause: str | None


@dataclass(frozen=True)
class Found:
    """The positions asked for, and how many there are that nobody, or one person, could fill."""

    rows: Sequence[Dependent]
    nobody: int
    one: int


THERE = f"""e.status IN ('{EmployeeStatus.ACTIVE.value}', '{EmployeeStatus.NOTICE.value}')
                AND (e.last_day IS NULL OR e.last_day >= %(today)s)
                AND home.path @> ARRAY[s.house]
                AND NOT EXISTS (
                    SELECT FROM org_leave l WHERE l.employee_id = e.id AND l.starts_on <= %(today)s
                        AND (l.ends_on IS NULL OR l.ends_on >= %(today)s)
                )"""
# CTEs that end in `few`: positions that at most one person could fill.
FEW = f"""
    held AS MATERIALIZED (
        -- How rare each required tag is; beyond a thousand holders it does not matter.
        SELECT c.id AS tag_id, (
            SELECT count(*) FROM (SELECT FROM tags_employeetag h WHERE h.tag_id = c.id LIMIT 1000) AS counted
        ) AS often
        FROM tags_tagcatalog c
        WHERE EXISTS (SELECT FROM tags_positiontag w WHERE w.tag_id = c.id AND w.level = 'REQUIRED')
    ),
    housed AS MATERIALIZED (
        SELECT u.id, u.code, u.name, COALESCE((
            SELECT a.id FROM unnest(u.path) WITH ORDINALITY AS above (id, depth)
                JOIN org_orgunit a ON a.id = above.id AND a.kind = 'CLINIC'
            ORDER BY above.depth DESC LIMIT 1
        ), u.path[1]) AS house
        FROM org_orgunit u
        WHERE {inside("u.path")}
    ),
    asked AS MATERIALIZED (
        SELECT p.id, p.code, p.title, p.required_weekly_hours, u.code AS unit_code, u.name AS unit_name, u.house,
            COALESCE(wanted.tags, '{{}}') AS tags
        FROM org_position p JOIN housed u ON u.id = p.org_unit_id
            LEFT JOIN (
                -- The rarest first: that one is asked who holds it.
                SELECT w.position_id, array_agg(w.tag_id ORDER BY COALESCE(held.often, 0), w.tag_id) AS tags
                FROM tags_positiontag w LEFT JOIN held USING (tag_id) WHERE w.level = 'REQUIRED' GROUP BY w.position_id
            ) wanted ON wanted.position_id = p.id
        WHERE p.required_weekly_hours > 0
            AND (p.opens_on IS NULL OR p.opens_on <= %(today)s) AND (p.closes_on IS NULL OR p.closes_on >= %(today)s)
    ),
    -- Many positions ask for the same: each house is asked once, and only until two are found.
    sorts AS MATERIALIZED (SELECT DISTINCT house, tags FROM asked),
    people AS MATERIALIZED (
        SELECT s.house, s.tags, count(able.id) AS many, min(able.id) AS employee_id
        FROM sorts s LEFT JOIN LATERAL (
            (SELECT e.id FROM tags_employeetag h JOIN org_employee e ON e.id = h.employee_id
                JOIN org_orgunit home ON home.id = e.home_unit_id
            WHERE h.tag_id = s.tags[1] AND {held_on("h", "%(today)s")} AND {THERE}
                AND NOT EXISTS (
                    SELECT FROM unnest(s.tags[2:]) AS other (id) WHERE NOT EXISTS (
                        SELECT FROM tags_employeetag also WHERE also.employee_id = e.id AND also.tag_id = other.id
                            AND {held_on("also", "%(today)s")}
                    )
                )
            LIMIT 2)
            UNION ALL
            (SELECT e.id FROM org_employee e JOIN org_orgunit home ON home.id = e.home_unit_id
            WHERE s.tags = '{{}}' AND {THERE} LIMIT 2)
        ) able ON TRUE
        GROUP BY s.house, s.tags HAVING count(able.id) < 2
    ),
    few AS MATERIALIZED (
        SELECT a.*, people.many, people.employee_id FROM asked a JOIN people USING (house, tags)
    )"""
# The same as workers found them, of positions that are open still.
KEPT = f"""
    few AS MATERIALIZED (
        SELECT p.id, p.code, p.title, p.required_weekly_hours, u.code AS unit_code, u.name AS unit_name,
            d.house_id AS house, d.tags, d.many, d.employee_id
        FROM demand_dependentposition d JOIN org_position p ON p.id = d.position_id
            JOIN org_orgunit u ON u.id = p.org_unit_id
        WHERE {inside("u.path")}
            AND (p.opens_on IS NULL OR p.opens_on <= %(today)s) AND (p.closes_on IS NULL OR p.closes_on >= %(today)s)
    )"""
TOLD = """
    shown AS (
        SELECT * FROM few WHERE %(many)s::int IS NULL OR many = %(many)s
        ORDER BY many, required_weekly_hours DESC, code LIMIT %(limit)s OFFSET %(offset)s
    )
    SELECT (SELECT count(*) FROM few WHERE many = 0), (SELECT count(*) FROM few WHERE many = 1),
        s.id, s.code, s.title, s.unit_code, s.unit_name, house.name,
        ARRAY(SELECT t.name FROM tags_tagcatalog t WHERE t.id = ANY (s.tags) ORDER BY t.name),
        (s.required_weekly_hours * 100)::int, e.id, e.employee_number, e.family_name || ', ' || e.given_name,
        COALESCE((
            SELECT sum((a.effective_hours * 100)::int) FROM assignments_assignment a
            WHERE a.employee_id = e.id AND a.position_id = s.id AND a.status = 'ACTIVE' AND NOT a.voided
                AND a.starts_on <= %(today)s AND (a.ends_on IS NULL OR a.ends_on >= %(today)s)
        ), 0)::int,
        away.day, away.cause
    FROM (SELECT) AS always LEFT JOIN shown s ON TRUE
        LEFT JOIN org_orgunit house ON house.id = s.house LEFT JOIN org_employee e ON e.id = s.employee_id
        LEFT JOIN LATERAL (
            SELECT day, cause FROM (
                SELECT l.starts_on, 'LEAVE' FROM org_leave l WHERE l.employee_id = e.id AND l.starts_on > %(today)s
                UNION ALL SELECT e.last_day + 1, 'LAST_DAY' WHERE e.last_day IS NOT NULL
                UNION ALL
                -- The last of the runs of a tag that follow each other: what is renewed in time does not run out.
                SELECT min(until) + 1, 'TAG' FROM (
                    SELECT max(COALESCE(h.valid_until, 'infinity'::date)) AS until FROM tags_employeetag h
                    WHERE h.employee_id = e.id AND h.tag_id = ANY (s.tags) GROUP BY h.tag_id
                ) held WHERE until <> 'infinity'
                UNION ALL
                SELECT max(COALESCE(h.valid_until, 'infinity'::date)) + 1, 'CONTRACT'
                FROM tags_employeetag h JOIN tags_tagcatalog t ON t.id = h.tag_id AND t.type = 'CONTRACT'
                WHERE h.employee_id = e.id HAVING max(COALESCE(h.valid_until, 'infinity'::date)) <> 'infinity'
            ) AS loss (day, cause)
            WHERE day > %(today)s AND day <= %(today)s::date + %(days)s ORDER BY day, cause LIMIT 1
        ) away ON TRUE
    ORDER BY s.many, s.required_weekly_hours DESC, s.code
"""


def dependent_positions(
    *,
    today: date,
    days: int,
    root: int | None,
    scope: int | None,
    many: int | None = None,
    limit: int,
    offset: int = 0,
    kept: bool = False,
) -> Found:
    """Return positions under the two units (None = no bound) that nobody (`many` 0), one person (1), or either (None)
    could fill: those that nobody could first, then the most hours. In one query.

    `kept` tells those that workers found last (refresh_dependence), which is what a page about a large house shows.
    """
    params: dict[str, Any] = {
        "today": today, "days": days, "root": root, "scope": scope, "many": many, "limit": limit, "offset": offset,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {KEPT if kept else FEW}, {TOLD}", params)
        rows = cursor.fetchall()
    return Found([Dependent(*row[2:]) for row in rows if row[2] is not None], rows[0][0], rows[0][1])


def has_more_positions_than(number: int, place: Place) -> bool:
    """Say whether a part of the house has more than so many positions."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT count(*) FROM (
                SELECT FROM org_position p JOIN org_orgunit u ON u.id = p.org_unit_id
                WHERE {inside("u.path")} LIMIT %(most)s
            ) AS counted""",
            {**place.params, "most": number + 1},
        )
        return bool(cursor.fetchone()[0] > number)


def look_for_dependence(kept: Dependence, tell: Tell) -> dict[str, object]:
    """Find the positions of the whole house that hang on one person, and keep them in place of those of before."""
    with one_snapshot(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM demand_dependentposition")
        cursor.execute(
            f"""WITH {FEW}
            INSERT INTO demand_dependentposition (position_id, house_id, tags, many, employee_id)
            SELECT id, house, tags, many, employee_id FROM few""",
            {"today": clock_today(), "root": None, "scope": None},
        )
    return {}


def look_if_asked() -> int:
    """Look for them if somebody asked; return how many looks came to an end."""
    return sum(carry_out(kept, look_for_dependence) for kept in Dependence.objects.filter(requested_at__isnull=False))
