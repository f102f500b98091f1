"""The waterfall between two weeks: which records make the figures of one week differ from those of another.

What differs is given to causes day by day, so that the parts are disjoint and add up to the hour-day. Each weekday of
the earlier week A stands beside the same weekday of the later week B:

- An accepted assignment in force on one of the two days and not on the other gives its hours to the first reason why
  it is not in force there: outside of its dates (NEW, ENDED; of a reinforcement BEGUN, OVER), its employee is gone or
  not there yet (LEFT, JOINED), a leave (LEAVE, RETURN), a suspension (SUSPENDED, REINSTATED). An end that came with the
  end of the employment is LEFT. Where on one weekday one assignment of an employee to a position gives way to another
  of the same kind, both are HOURS: what remains of them is the change, and a renewal with the same hours is none.
- Unqualified hours follow the same causes where hours came or went; where they stayed, a required tag (a contract may
  be one) ran out or came: TAG_LOST, TAG_HELD.
- What a position needs differs by its opening and closing (OPENED, CLOSED: all that it needs on that day), else by its
  adjustments, taken one after the other: first those that ended (UNADJUSTED), then those that began (ADJUSTED), each in
  order of entry and worth what it moves the need, which is never below 0. The baseline has no dates: a change of it
  reaches every week that is open, and a closed one as the next line.
- A closed week keeps its figures and its tree. What today's records would make of it differs by CORRECTION, position by
  position: late data, a changed baseline, a position that was moved.

Filled, deficit and surplus are no sums of causes, for they compare position by position; they are told of both weeks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, models
from django.utils.translation import gettext_lazy as _

from apps.changes.span import Span
from apps.common.clock import today as clock_today
from apps.common.weeks import horizon
from apps.org.querysets import inside

from .board import NoFigures
from .corrected import Stamp, stamps
from .coverage import QUALIFIED_CTES, entries_ctes, wanted_ctes
from .overview import Figures
from .tables import CLOSED_POSITIONS

BRIDGED = ("required", "assigned", "unqualified")
WEEKS_BACK = 52
MOST_POSITIONS = 12


class Cause(models.TextChoices):
    """Why figures of two weeks differ, in the order of the drawing."""

    NEW = "NEW", _("New assignments")
    ENDED = "ENDED", _("Assignments ended")
    HOURS = "HOURS", _("Hours changed")
    BEGUN = "BEGUN", _("Reinforcements begun")
    OVER = "OVER", _("Reinforcements ended")
    JOINED = "JOINED", _("People who joined")
    LEFT = "LEFT", _("People who left")
    RETURN = "RETURN", _("Leaves ended")
    LEAVE = "LEAVE", _("Leaves begun")
    REINSTATED = "REINSTATED", _("Suspensions ended")
    SUSPENDED = "SUSPENDED", _("Suspensions begun")
    TAG_HELD = "TAG_HELD", _("Required tag or contract obtained")
    TAG_LOST = "TAG_LOST", _("Required tag or contract ran out")
    OPENED = "OPENED", _("Positions opened")
    CLOSED = "CLOSED", _("Positions closed")
    ADJUSTED = "ADJUSTED", _("Adjustments begun")
    UNADJUSTED = "UNADJUSTED", _("Adjustments ended")
    CORRECTION = "CORRECTION", _("Changed since the week was closed")


@dataclass(frozen=True)
class Part:
    """What one cause is worth between the two weeks, in hour-days, and how many records are behind it."""

    cause: Cause
    records: int
    required: int
    assigned: int
    unqualified: int


@dataclass(frozen=True)
class Moved:
    """A position whose figures differ most, in hour-days, before and after."""

    position_id: int
    code: str
    title: str
    required: tuple[int, int]
    assigned: tuple[int, int]
    deficit: tuple[int, int]


@dataclass(frozen=True)
class Side:
    """One of the two weeks. `closed_at` is set for a week that is kept for good, `stamp` if that was corrected."""

    week: date
    closed_at: datetime | None
    figures: Figures
    stamp: Stamp | None = None


@dataclass(frozen=True)
class Record:
    """One record behind a cause and what it is worth in a position, in hour-days.

    `record_id` is that of an assignment, employee, leave, tag of an employee, adjustment or position, as the cause
    says; `name` the kind of leave, the name of the tag or the reason of the adjustment; `hours` the weekly hours of an
    assignment or adjustment; `week` the closed week of a correction.
    """

    cause: Cause
    record_id: int
    position_id: int
    position_code: str
    position_title: str
    unit_name: str
    employee_id: int | None
    employee_number: str | None
    employee_name: str | None
    starts: date | None
    ends: date | None
    name: str
    hours: Decimal | None
    week: date | None
    required: int
    assigned: int
    unqualified: int


@dataclass(frozen=True)
class Behind:
    """Which records are wanted: those behind a cause, worth most first; `limit` None = all."""

    cause: Cause
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True)
class Waterfall:
    """Two weeks of a part of the organisation and everything that makes them differ; `records` as asked for."""

    before: Side
    after: Side
    parts: Sequence[Part]
    moved: Sequence[Moved]
    records: Sequence[Record] = ()

    def bridge(self, figure: str) -> list[Part]:
        """Return the causes that move one of the BRIDGED figures, in the order of the drawing."""
        return [part for part in self.parts if getattr(part, figure)]

    def change(self, figure: str) -> int:
        return int(getattr(self.after.figures, figure) - getattr(self.before.figures, figure))


@dataclass(frozen=True)
class Place:
    """The positions asked about: those under a unit (None = all), or one, as far as they are in a scope."""

    root: int | None = None
    position: int | None = None
    scope: int | None = None

    @property
    def params(self) -> dict[str, int | None]:
        return {"root": self.root, "position": self.position, "scope": self.scope}


def waterfall(
    place: Place, first: date, second: date, *, behind: Behind | None = None, today: date | None = None
) -> Waterfall:
    """Return what makes the figures of two weeks (Mondays, the earlier first) differ. Four queries at most.

    Weeks to come are read from the records as they are now. Raise NoFigures for a week that is neither kept nor among
    the current one and the 12 to come.
    """
    closed = _closed_at(first, second, today)
    sql, params = _sql(place, first, second, list(closed), today)
    columns = ("required", "assigned", "reinforcement", "unqualified", "filled", "deficit", "surplus")
    behind = behind or Behind(Cause.NEW, limit=0)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""{sql},
            whole AS (
                SELECT side, {", ".join(f"sum({name})::bigint AS {name}" for name in columns[:4])},
                       sum(LEAST(assigned, required))::bigint AS filled,
                       sum(GREATEST(required - assigned, 0))::bigint AS deficit,
                       sum(GREATEST(assigned - required, 0))::bigint AS surplus
                FROM shown GROUP BY side
            ),
            beside AS (
                SELECT p.id, p.code, p.title, b.*
                FROM (
                    SELECT position_id, {_pairs("required", "assigned", "deficit")}
                    FROM (SELECT *, GREATEST(required - assigned, 0) AS deficit FROM shown) AS s GROUP BY position_id
                ) AS b JOIN org_position p ON p.id = b.position_id
                WHERE (required0, assigned0) <> (required1, assigned1)
                ORDER BY abs(deficit1 - deficit0) DESC, abs(assigned1 - assigned0) DESC, p.code
                LIMIT {MOST_POSITIONS}
            )
            SELECT 'side', side::text, NULL, required, assigned, reinforcement, unqualified, filled, deficit, surplus
            FROM whole
            UNION ALL
            SELECT 'part', cause, NULL, count(*), sum(required)::bigint, sum(assigned)::bigint,
                   sum(unqualified)::bigint, NULL, NULL, NULL
            FROM parts GROUP BY cause
            UNION ALL
            SELECT 'moved', code, title, id, required0, required1, assigned0, assigned1, deficit0, deficit1 FROM beside
            UNION ALL
            (
                SELECT 'record', cause, NULL, record_id, position_id, employee_id, side, required, assigned, unqualified
                FROM parts WHERE cause = %(cause)s
                ORDER BY abs(required) + abs(assigned) DESC, abs(unqualified) DESC, record_id, position_id, side
                LIMIT %(limit)s OFFSET %(offset)s
            )
            """,
            {**params, "cause": behind.cause.value, "limit": behind.limit, "offset": behind.offset},
        )
        rows = cursor.fetchall()
    stamped = stamps(closed, **place.params) if closed else {}
    sides = {int(row[1]): Figures(**dict(zip(columns, row[3:], strict=True))) for row in rows if row[0] == "side"}
    parts = {row[1]: Part(Cause(row[1]), *row[3:7]) for row in rows if row[0] == "part"}
    return Waterfall(
        before=Side(first, closed.get(first), sides.get(0, Figures()), stamped.get(first)),
        after=Side(second, closed.get(second), sides.get(1, Figures()), stamped.get(second)),
        parts=[parts[cause.value] for cause in Cause if cause.value in parts],
        moved=[
            Moved(row[3], row[1], row[2], (row[4], row[5]), (row[6], row[7]), (row[8], row[9]))
            for row in rows
            if row[0] == "moved"
        ],
        records=_told(behind.cause, [row[3:] for row in rows if row[0] == "record"], (first, second)),
    )


def _told(cause: Cause, rows: Sequence[Sequence[Any]], weeks: Sequence[date]) -> list[Record]:
    """Return the records with what they are called, in the same order."""
    if not rows:
        return []
    found, positions, employees = ([row[number] for row in rows] for number in range(3))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT r.record_id, r.position_id, COALESCE(p.code, ''), COALESCE(p.title, ''), COALESCE(u.name, ''),
                   r.employee_id, e.employee_number, e.family_name || ', ' || e.given_name,
                   COALESCE(a.starts_on, l.starts_on, t.valid_from, d.from_day, o.opens_on),
                   COALESCE(a.ends_on, l.ends_on, t.valid_until, d.until_day, o.closes_on, g.last_day),
                   COALESCE(l.kind, c.name, d.reason, ''), COALESCE(a.effective_hours, d.hours)
            FROM unnest(%(records)s::bigint[], %(positions)s::bigint[], %(employees)s::bigint[])
                 WITH ORDINALITY AS r (record_id, position_id, employee_id, place)
            LEFT JOIN org_position p ON p.id = r.position_id
            LEFT JOIN org_orgunit u ON u.id = p.org_unit_id
            LEFT JOIN org_employee e ON e.id = r.employee_id
            LEFT JOIN assignments_assignment a
                ON a.id = r.record_id AND %(cause)s IN ('NEW', 'ENDED', 'HOURS', 'BEGUN', 'OVER')
            LEFT JOIN org_leave l ON l.id = r.record_id AND %(cause)s IN ('LEAVE', 'RETURN')
            LEFT JOIN tags_employeetag t ON t.id = r.record_id AND %(cause)s IN ('TAG_LOST', 'TAG_HELD')
            LEFT JOIN tags_tagcatalog c ON c.id = t.tag_id
            LEFT JOIN demand_demandadjustment d ON d.id = r.record_id AND %(cause)s IN ('ADJUSTED', 'UNADJUSTED')
            LEFT JOIN org_position o ON o.id = r.record_id AND %(cause)s IN ('OPENED', 'CLOSED')
            LEFT JOIN org_employee g ON g.id = r.record_id AND %(cause)s = 'LEFT'
            ORDER BY r.place
            """,
            {"records": found, "positions": positions, "employees": employees, "cause": cause.value},
        )
        named = cursor.fetchall()
    return [
        Record(*(cause, *name, weeks[row[3]] if cause == Cause.CORRECTION else None, *row[4:]))
        for name, row in zip(named, rows, strict=True)
    ]


def closed_weeks(before: date, number: int = WEEKS_BACK) -> list[date]:
    """Return the closed weeks among the last so many before a Monday, in order."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT w.week::date FROM unnest(%(weeks)s::date[]) AS w (week)
            WHERE EXISTS (SELECT 1 FROM demand_closedunitweek c WHERE c.week = w.week) ORDER BY 1""",
            {"weeks": [before - timedelta(weeks=back) for back in range(1, number + 1)]},
        )
        return [row[0] for row in cursor.fetchall()]


def _closed_at(first: date, second: date, today: date | None) -> dict[date, datetime]:
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


def _pairs(*names: str) -> str:
    return ", ".join(
        f"COALESCE(sum({name}) FILTER (WHERE side = {side}), 0)::bigint AS {name}{side}"
        for name in names
        for side in (0, 1)
    )


def _only(column: str) -> str:
    return f"AND {column} IN (SELECT id FROM chosen)"


def _open(day: str) -> str:
    return f"((p.opens_on IS NULL OR p.opens_on <= {day}) AND (p.closes_on IS NULL OR p.closes_on >= {day}))"


def _in_force(day: str) -> str:
    return f"(d.from_day <= {day} AND (d.until_day IS NULL OR d.until_day >= {day}))"


OLD, NEW = "%(span_first)s::date + day", "%(span_first)s::date + %(ahead)s + day"
FIGURES = "required, assigned, reinforcement, unqualified"


def _sql(
    place: Place, first: date, second: date, closed: Sequence[date], today: date | None
) -> tuple[str, dict[str, Any]]:
    """Return the common table expressions that end in `shown` and `parts`, and their parameters.

    `shown` has the figures of each position on each side (0 before, 1 after), `parts` a row a cause, record, position
    and employee. Days are offsets from the first Monday; the second week begins at %(ahead)s.
    """
    ahead = (second - first).days
    span = Span(first, ahead // 7 + 1, today or clock_today())
    sides = [number for number, week in enumerate((first, second)) if week in closed]
    params = {**span.params, **place.params, "ahead": ahead, "closed": list(closed), "closed_sides": sides}
    return (
        f"""WITH chosen AS MATERIALIZED (
        SELECT p.id FROM org_position p JOIN org_orgunit u ON u.id = p.org_unit_id
        WHERE (%(position)s::bigint IS NULL OR p.id = %(position)s) AND {inside("u.path")}
    ),
    {entries_ctes(span, only=_only)},
    {QUALIFIED_CTES},
    {wanted_ctes(only=_only, among="(day < 7 OR day >= %(ahead)s)")},
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
          AND (%(position)s::bigint IS NULL OR c.position_id = %(position)s)
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
    ),
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
        LEFT JOIN org_leave l ON l.employee_id = m.employee_id AND l.starts_on <= m.missed_on
             AND (l.ends_on IS NULL OR l.ends_on >= m.missed_on)
        LEFT JOIN fsm_employeestatusperiod s ON s.employee_id = m.employee_id AND s.from_day <= m.missed_on
             AND (s.until_day IS NULL OR s.until_day >= m.missed_on)
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
    ),
    parts AS MATERIALIZED (
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
        HAVING sum(GREATEST(level, 0) - GREATEST(level - hours, 0)) <> 0
        UNION ALL
        SELECT 'CORRECTION', position_id, position_id, NULL, side, required, assigned, unqualified
        FROM corrected WHERE required <> 0 OR assigned <> 0 OR unqualified <> 0
    )""",
        params,
    )
