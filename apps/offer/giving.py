"""On which days an employee gives hours: said once, used by the ledger and by coverage.

A day counts when its status (for days to come: the employee's status now) is ACTIVE, NOTICE or ON_LEAVE, no leave
covers it, and it is not after last_day. A day before the first status period counts as ONBOARDING.
"""

from __future__ import annotations

from datetime import date

from apps.changes.span import Span
from apps.fsm.employee_fsm import GIVING

STATUSES = ", ".join(f"'{status.value}'" for status in GIVING)


def giving_ctes(span: Span, *, employees: str = "") -> str:
    """Return the common table expressions that end in `giving (employee_id, lo, hi)`.

    One row an unbroken run of days, as offsets from the first Monday, hi excluded, runs of one employee disjoint.
    `employees` is a condition with {id} for the employee's id column, e.g. "{id} = ANY (%(ids)s)"; empty = everybody.
    The SQL needs `span.params`.
    """

    def only(column: str) -> str:
        return f"AND {employees.format(id=column)}" if employees else ""

    return f"""
    standing AS MATERIALIZED (
        SELECT p.employee_id,
               GREATEST(p.from_day, %(span_first)s::date) - %(span_first)s::date AS lo,
               LEAST(
                   CASE WHEN e.status IN ({STATUSES}) AND (p.until_day IS NULL OR p.until_day >= %(span_today)s::date)
                        THEN %(span_last)s::date
                        ELSE LEAST(COALESCE(p.until_day, %(span_today)s::date), %(span_today)s::date) END,
                   COALESCE(e.last_day, %(span_last)s::date), %(span_last)s::date
               ) - %(span_first)s::date + 1 AS hi
        FROM fsm_employeestatusperiod p JOIN org_employee e ON e.id = p.employee_id
        WHERE p.status IN ({STATUSES}) {only("p.employee_id")}
          AND p.from_day <= LEAST(%(span_today)s::date, %(span_last)s::date)
          AND (p.until_day IS NULL OR p.until_day >= %(span_first)s::date)
        UNION ALL
        SELECT e.id,
               GREATEST(%(span_today)s::date + 1, %(span_first)s::date) - %(span_first)s::date,
               LEAST(COALESCE(e.last_day, %(span_last)s::date), %(span_last)s::date) - %(span_first)s::date + 1
        FROM org_employee e
        WHERE e.status IN ({STATUSES}) {only("e.id")} AND NOT EXISTS (
            SELECT 1 FROM fsm_employeestatusperiod p
            WHERE p.employee_id = e.id AND p.status IN ({STATUSES}) AND p.from_day <= %(span_today)s::date
              AND (p.until_day IS NULL OR p.until_day >= %(span_today)s::date))
    ),
    away AS MATERIALIZED (
        SELECT l.employee_id, range_agg(int4range(
                   GREATEST(l.starts_on - %(span_first)s::date, 0),
                   LEAST(COALESCE(l.ends_on, %(span_last)s::date), %(span_last)s::date) - %(span_first)s::date + 1
               )) AS days
        FROM org_leave l
        WHERE l.starts_on <= %(span_last)s::date {only("l.employee_id")}
          AND (l.ends_on IS NULL OR l.ends_on >= %(span_first)s::date)
        GROUP BY l.employee_id
    ),
    giving AS (
        SELECT s.employee_id, s.lo, s.hi
        FROM standing s LEFT JOIN away USING (employee_id)
        WHERE s.lo < s.hi AND away.employee_id IS NULL
        UNION ALL
        SELECT s.employee_id, lower(run), upper(run)
        FROM standing s JOIN away USING (employee_id)
        CROSS JOIN LATERAL unnest(int4multirange(int4range(s.lo, s.hi)) - away.days) AS run
        WHERE s.lo < s.hi
    )"""


def week_sums(hours: str, span: Span, *, where: str = "", lo: str = "lo", hi: str = "hi") -> str:
    """Return SQL for a bigint[] with hour-days a week: Σ hours × days of [lo, hi) in each week, in one pass.

    `hours` must be an int4 expression in hundredths, so that PostgreSQL sums in bigint and never in numeric. Most runs
    of days reach over the whole span: those are added up once, and not once a week.
    """
    even = f"{lo} <= 0 AND {hi} >= {span.days}"
    chosen = f"{where} AND " if where else ""
    steady = f"COALESCE(sum({hours}) FILTER (WHERE {chosen}{even}), 0) * 7"
    sums = [
        f"{steady} + COALESCE(sum({hours} * GREATEST(0, LEAST({hi}, {day + 7}) - GREATEST({lo}, {day})))"
        f" FILTER (WHERE NOT ({even}) {f'AND {where}' if where else ''}), 0)"
        for day in range(0, span.days, 7)
    ]
    return f"ARRAY[{', '.join(sums)}]::bigint[]"


def zeros(span: Span) -> str:
    """Return SQL for a bigint[] with a 0 for each week."""
    return f"ARRAY[{', '.join('0' * span.weeks)}]::bigint[]"


def turning_sql(after: date, until: date) -> tuple[str, dict[str, date]]:
    """Return a query for the ids of employees whose figures change because these days came (after < day ≤ until).

    A day to come counts with the status of now; once it has come it counts with the status of its period. The two
    differ only where a period begins by itself, e.g. TERMINATED on the day after last_day.
    """
    return (
        f"""
        SELECT e.id FROM org_employee e
        CROSS JOIN LATERAL generate_series(%(after)s::date + 1, %(until)s::date, interval '1 day') AS day
        LEFT JOIN fsm_employeestatusperiod p ON p.employee_id = e.id AND p.from_day <= day::date
            AND (p.until_day IS NULL OR p.until_day >= day::date)
        WHERE (e.status IN ({STATUSES})) <> COALESCE(p.status IN ({STATUSES}), FALSE)
        GROUP BY e.id
        """,
        {"after": after, "until": until},
    )
