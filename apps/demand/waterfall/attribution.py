"""The attribution in SQL: which cause each difference is given to, weekday by weekday."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from apps.changes.span import Span
from apps.common.clock import today as clock_today
from apps.org.querysets import inside

from ..coverage import QUALIFIED_CTES, entries_ctes, wanted_ctes
from ..tables import CLOSED_POSITIONS
from .answer import Movers, Place, Range


def _only(column: str) -> str:
    return f"AND {column} IN (SELECT id FROM chosen)"


def _open(day: str) -> str:
    return f"((p.opens_on IS NULL OR p.opens_on <= {day}) AND (p.closes_on IS NULL OR p.closes_on >= {day}))"


def _in_force(day: str) -> str:
    return f"(d.from_day <= {day} AND (d.until_day IS NULL OR d.until_day >= {day}))"


def _within(column: str) -> str:
    return f"(%(after)s::bigint IS NULL OR {column} > %(after)s) AND (%(upto)s::bigint IS NULL OR {column} <= %(upto)s)"


OLD, NEW = "%(span_first)s::date + day", "%(span_first)s::date + %(ahead)s + day"
FIGURES = "required, assigned, reinforcement, unqualified"


# `live` and `kept` figures of positions, those `shown`, and from one to the other what is `corrected`.
SIDES = f"""
    sides (side, day) AS (VALUES (0, 0), (1, %(ahead)s::int)),
    live AS MATERIALIZED (
        SELECT position_id, side, sum(required)::bigint AS required, sum(assigned)::bigint AS assigned,
               sum(reinforcement)::bigint AS reinforcement, sum(unqualified)::bigint AS unqualified
        FROM (
            SELECT position_id, hours AS need, 0 AS given, 0 AS extra, 0 AS short, lo, hi FROM wanted
            UNION ALL
            SELECT position_id, 0, hours, CASE WHEN is_reinforcement THEN hours ELSE 0 END, 0, lo, hi
            FROM entries WHERE counted
            UNION ALL
            SELECT position_id, 0, 0, 0, hours, lo, hi FROM lacking
        ) AS runs
        CROSS JOIN sides
        CROSS JOIN LATERAL (SELECT LEAST(hi, day + 7) - GREATEST(lo, day) AS days) AS of
        CROSS JOIN LATERAL (
            SELECT need * days AS required, given * days AS assigned, extra * days AS reinforcement,
                   short * days AS unqualified
        ) AS figures
        WHERE days > 0 GROUP BY position_id, side
    ),
    kept AS MATERIALIZED (
        SELECT c.position_id, CASE WHEN c.week = %(span_first)s::date THEN 0 ELSE 1 END AS side,
               c.required, c.assigned, c.reinforcement, c.unqualified
        FROM {CLOSED_POSITIONS.in_force} AS c
        WHERE c.week = ANY (%(closed)s::date[]) AND {inside("c.path")}
          AND (%(position)s::bigint IS NULL OR c.position_id = %(position)s) AND {_within("c.position_id")}
    ),
    shown AS MATERIALIZED (
        SELECT position_id, side, {FIGURES} FROM kept
        UNION ALL SELECT position_id, side, {FIGURES} FROM live WHERE side <> ALL (%(closed_sides)s::int[])
    ),
    corrected AS (
        -- From what is kept to today's records before, and from today's records to what is kept after.
        SELECT position_id, side, (CASE side WHEN 0 THEN -1 ELSE 1 END * sum(required))::bigint AS required,
               (CASE side WHEN 0 THEN -1 ELSE 1 END * sum(assigned))::bigint AS assigned,
               (CASE side WHEN 0 THEN -1 ELSE 1 END * sum(unqualified))::bigint AS unqualified
        FROM (
            SELECT position_id, side, required, assigned, unqualified FROM kept
            UNION ALL
            SELECT position_id, side, -required, -assigned, -unqualified
            FROM live WHERE side = ANY (%(closed_sides)s::int[])
        ) AS both_ways
        GROUP BY position_id, side
    )"""
# What is in force on one of two days and not on the other, why, and what needs differ: `told`, `turned`, `walked`.
CAUSES = f"""
    force AS (
        SELECT assignment_id, position_id, employee_id, hours, is_reinforcement, range_agg(int4range(lo, hi)) AS days
        FROM entries WHERE counted AND (lo < 7 OR hi > %(ahead)s) GROUP BY 1, 2, 3, 4, 5
    ),
    uneven AS MATERIALIZED (
        -- Whoever gave qualified hours on all days of both weeks makes no difference.
        SELECT f.*, CASE WHEN q.assignment_id IS NULL THEN '{{}}' ELSE f.days - q.days END AS short
        FROM force f LEFT JOIN qualified q ON q.assignment_id = f.assignment_id
        WHERE NOT (f.days @> int4range(0, 7) AND f.days @> int4range(%(ahead)s::int, %(ahead)s::int + 7)
                   AND (q.assignment_id IS NULL OR q.days @> f.days))
    ),
    slots AS (
        SELECT n.*, day, days @> day AS was, days @> day + %(ahead)s::int AS is_now,
               short @> day AS was_short, short @> day + %(ahead)s::int AS is_short
        FROM uneven n CROSS JOIN generate_series(0, 6) AS day
    ),
    missed AS (
        SELECT s.*, a.starts_on, a.ends_on, e.last_day,
               CASE WHEN s.was THEN {NEW} ELSE {OLD} END AS missed_on, e.status AS status_now
        FROM slots s JOIN assignments_assignment a ON a.id = s.assignment_id JOIN org_employee e ON e.id = s.employee_id
        WHERE s.was <> s.is_now OR s.was_short <> s.is_short
    ),
    reasoned AS MATERIALIZED (
        SELECT m.*, l.id AS leave_id,
               CASE WHEN m.was AND m.is_now THEN 'TAG'
                    WHEN m.missed_on < m.starts_on THEN 'DATES'
                    WHEN m.missed_on > m.ends_on THEN CASE WHEN m.last_day <= m.ends_on OR EXISTS (
                        SELECT 1 FROM fsm_employeestatusperiod p
                        WHERE p.employee_id = m.employee_id AND p.status = 'TERMINATED'
                          AND p.from_day <= m.ends_on + 1 AND (p.until_day IS NULL OR p.until_day > m.ends_on)
                    ) THEN 'GONE' ELSE 'DATES' END
                    WHEN m.last_day < m.missed_on THEN 'GONE'
                    WHEN CASE WHEN m.missed_on > %(span_today)s::date THEN m.status_now
                              ELSE COALESCE(s.status, 'ONBOARDING') END IN ('TERMINATED', 'ONBOARDING') THEN 'GONE'
                    WHEN l.id IS NOT NULL THEN 'LEAVE'
                    ELSE 'SUSPENDED' END AS reason
        FROM missed m
        -- One at most of each; looked up for those that moved, and not joined to those of everybody.
        LEFT JOIN LATERAL (
            SELECT l.id FROM org_leave l WHERE l.employee_id = m.employee_id AND l.starts_on <= m.missed_on
            AND (l.ends_on IS NULL OR l.ends_on >= m.missed_on) LIMIT 1
        ) AS l ON TRUE
        LEFT JOIN LATERAL (
            SELECT s.status FROM fsm_employeestatusperiod s WHERE s.employee_id = m.employee_id
            AND s.from_day <= m.missed_on AND (s.until_day IS NULL OR s.until_day >= m.missed_on) LIMIT 1
        ) AS s ON TRUE
    ),
    paired AS (
        SELECT r.*, max(assignment_id) FILTER (WHERE reason = 'DATES' AND is_now) OVER one_place AS taken_up_by,
               bool_or(reason = 'DATES' AND was) OVER one_place AS given_up
        FROM reasoned r WINDOW one_place AS (PARTITION BY position_id, employee_id, is_reinforcement, day)
    ),
    told AS (
        SELECT CASE reason
                   WHEN 'DATES' THEN CASE WHEN given_up AND taken_up_by IS NOT NULL THEN 'HOURS'
                       WHEN is_reinforcement THEN CASE WHEN is_now THEN 'BEGUN' ELSE 'OVER' END
                       WHEN is_now THEN 'NEW' ELSE 'ENDED' END
                   WHEN 'GONE' THEN CASE WHEN is_now THEN 'JOINED' ELSE 'LEFT' END
                   WHEN 'LEAVE' THEN CASE WHEN is_now THEN 'RETURN' ELSE 'LEAVE' END
                   WHEN 'SUSPENDED' THEN CASE WHEN is_now THEN 'REINSTATED' ELSE 'SUSPENDED' END
                   ELSE CASE WHEN is_short THEN 'TAG_LOST' ELSE 'TAG_HELD' END END AS cause,
               CASE reason
                   WHEN 'DATES' THEN CASE WHEN given_up AND taken_up_by IS NOT NULL THEN taken_up_by
                       ELSE assignment_id END
                   WHEN 'LEAVE' THEN leave_id
                   WHEN 'TAG' THEN tag.id
                   ELSE employee_id END AS record_id,
               position_id, employee_id, hours * (is_now::int - was::int) AS assigned,
               hours * (is_short::int - was_short::int) AS unqualified
        FROM paired LEFT JOIN LATERAL (
            -- What was held on one of the two days and not on the other.
            SELECT t.id FROM tags_employeetag t JOIN tags_positiontag w ON w.tag_id = t.tag_id
            WHERE paired.reason = 'TAG' AND w.position_id = paired.position_id AND w.level = 'REQUIRED'
              AND t.employee_id = paired.employee_id
              AND t.valid_from <= CASE WHEN is_short THEN {OLD} ELSE {NEW} END
              AND (t.valid_until IS NULL OR t.valid_until >= CASE WHEN is_short THEN {OLD} ELSE {NEW} END)
              AND NOT EXISTS (
                  SELECT 1 FROM tags_employeetag o WHERE o.employee_id = t.employee_id AND o.tag_id = t.tag_id
                  AND o.valid_from <= CASE WHEN is_short THEN {NEW} ELSE {OLD} END
                  AND (o.valid_until IS NULL OR o.valid_until >= CASE WHEN is_short THEN {NEW} ELSE {OLD} END)
              )
            ORDER BY t.id LIMIT 1
        ) AS tag ON TRUE
    ),
    turned AS (
        SELECT p.id AS position_id, {_open(NEW)} AS opens,
               CASE WHEN {_open(NEW)} THEN w.hours ELSE -w.hours END AS required
        FROM chosen JOIN org_position p ON p.id = chosen.id CROSS JOIN generate_series(0, 6) AS day
        JOIN wanted w ON w.position_id = p.id AND w.lo <= CASE WHEN {_open(NEW)} THEN day + %(ahead)s::int ELSE day END
             AND w.hi > CASE WHEN {_open(NEW)} THEN day + %(ahead)s::int ELSE day END
        WHERE (p.opens_on > %(span_first)s::date OR p.closes_on < %(span_last)s::date)
          AND {_open(OLD)} <> {_open(NEW)}
    ),
    adjusting AS (
        SELECT p.id AS position_id, d.id AS adjustment_id, day, {_in_force(NEW)} AS begins,
               CASE WHEN {_in_force(NEW)} THEN (d.hours * 100)::int ELSE -(d.hours * 100)::int END AS hours,
               (p.required_weekly_hours * 100)::int AS baseline
        FROM open JOIN org_position p ON p.id = open.position_id
        JOIN demand_demandadjustment d ON d.position_id = p.id CROSS JOIN generate_series(0, 6) AS day
        WHERE open.adjusted AND {_open(OLD)} AND {_open(NEW)} AND {_in_force(OLD)} <> {_in_force(NEW)}
    ),
    walked AS (
        SELECT t.*, t.baseline + COALESCE((
                   SELECT sum((d.hours * 100)::int) FROM demand_demandadjustment d
                   WHERE d.position_id = t.position_id AND {_in_force(OLD)}
               ), 0) + sum(t.hours) OVER (
                   PARTITION BY t.position_id, t.day ORDER BY t.begins, t.adjustment_id ROWS UNBOUNDED PRECEDING
               ) AS level
        FROM adjusting t
    )"""
PARTS = """
        SELECT cause, record_id, position_id, employee_id, 0 AS side, 0::bigint AS required,
               sum(assigned)::bigint AS assigned, sum(unqualified)::bigint AS unqualified
        FROM told GROUP BY cause, record_id, position_id, employee_id HAVING sum(assigned) <> 0 OR sum(unqualified) <> 0
        UNION ALL
        SELECT CASE WHEN opens THEN 'OPENED' ELSE 'CLOSED' END, position_id, position_id, NULL, 0,
               sum(required)::bigint, 0, 0
        FROM turned GROUP BY position_id, opens HAVING sum(required) <> 0
        UNION ALL
        SELECT CASE WHEN begins THEN 'ADJUSTED' ELSE 'UNADJUSTED' END, adjustment_id, position_id, NULL, 0,
               sum(GREATEST(level, 0) - GREATEST(level - hours, 0))::bigint, 0, 0
        FROM walked GROUP BY position_id, adjustment_id, begins
        HAVING sum(GREATEST(level, 0) - GREATEST(level - hours, 0)) <> 0"""


Query = tuple[str, dict[str, Any]]


def everybody_sql(
    place: Place,
    first: date,
    second: date,
    *,
    closed: Sequence[date],
    today: date | None = None,
    within: Range | None = None,
) -> Query:
    """Return the common table expressions that end in `shown` and `parts`, and their parameters.

    `shown` has the figures of each position on each side (0 before, 1 after), `parts` a row a cause, record, position
    and employee. Of the place only the positions `within` a range are looked at. Days are offsets from the first
    Monday; the second week begins at %(ahead)s.
    """
    within = within or Range()
    span, params = _span(first, second, today)
    sides = [number for number, week in enumerate((first, second)) if week in closed]
    params |= {
        **place.params, "after": within.after, "upto": within.upto, "closed": list(closed), "closed_sides": sides,
    }  # fmt: skip
    return (
        f"""WITH chosen AS MATERIALIZED (
        SELECT p.id FROM org_position p JOIN org_orgunit u ON u.id = p.org_unit_id
        WHERE (%(position)s::bigint IS NULL OR p.id = %(position)s) AND {inside("u.path")} AND {_within("p.id")}
    ),
    {entries_ctes(span, only=_only)},
    {QUALIFIED_CTES},
    {wanted_ctes(only=_only, among=COMPARED)},
    {SIDES},
    {CAUSES},
    parts AS MATERIALIZED (
        {PARTS}
        UNION ALL
        SELECT 'CORRECTION', position_id, position_id, NULL, side, required, assigned, unqualified
        FROM corrected WHERE required <> 0 OR assigned <> 0 OR unqualified <> 0
    )""",
        params,
    )


def movers_sql(among: Movers, first: date, second: date, *, today: date | None = None) -> Query:
    """Return the common table expressions that end in the same `parts`, of what can differ between two open weeks."""
    span, params = _span(first, second, today)
    moving = "a.id = ANY (%(moving)s::bigint[])"
    return (
        f"""WITH chosen AS MATERIALIZED (SELECT unnest(%(needs)s::bigint[]) AS id),
    {entries_ctes(span, only=lambda column: _only(column) if column == "p.id" else f"AND {moving}")},
    {QUALIFIED_CTES},
    {wanted_ctes(only=_only, among=COMPARED)},
    {CAUSES},
    parts AS MATERIALIZED (
        {PARTS}
    )""",
        {**params, "moving": list(among.assignments), "needs": list(among.needs)},
    )


def _span(first: date, second: date, today: date | None) -> tuple[Span, dict[str, Any]]:
    ahead = (second - first).days
    span = Span(first, ahead // 7 + 1, today or clock_today())
    return span, {**span.params, "ahead": ahead}


COMPARED = "(day < 7 OR day >= %(ahead)s)"
