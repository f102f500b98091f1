"""On which days an employee gives hours: said once, used by the ledger and by coverage.

A day counts when its status (for days to come: the employee's status now) is ACTIVE, NOTICE or ON_LEAVE, no leave
covers it, and it is not after last_day. A day before the first status period counts as ONBOARDING.
"""

from __future__ import annotations

from collections.abc import Mapping
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
        -- A period that gives hours; or none, for who gives them now: then only days to come count.
        SELECT e.id AS employee_id,
               GREATEST(COALESCE(p.from_day, %(span_today)s::date + 1), %(span_first)s::date) - %(span_first)s::date
                   AS lo,
               LEAST(
                   CASE WHEN e.status IN ({STATUSES}) AND (p.until_day IS NULL OR p.until_day >= %(span_today)s::date)
                        THEN %(span_last)s::date
                        ELSE LEAST(COALESCE(p.until_day, %(span_today)s::date), %(span_today)s::date) END,
                   COALESCE(e.last_day, %(span_last)s::date), %(span_last)s::date
               ) - %(span_first)s::date + 1 AS hi
        FROM org_employee e LEFT JOIN fsm_employeestatusperiod p
             ON p.employee_id = e.id AND p.status IN ({STATUSES})
             AND p.from_day <= LEAST(%(span_today)s::date, %(span_last)s::date)
             AND (p.until_day IS NULL OR p.until_day >= %(span_first)s::date)
        WHERE (p.id IS NOT NULL OR e.status IN ({STATUSES})) {only("e.id")}
        UNION ALL
        -- Who gave hours earlier in the span, not today, and will again.
        SELECT e.id, %(span_today)s::date + 1 - %(span_first)s::date,
               LEAST(COALESCE(e.last_day, %(span_last)s::date), %(span_last)s::date) - %(span_first)s::date + 1
        FROM (
            SELECT DISTINCT p.employee_id FROM fsm_employeestatusperiod p
            WHERE p.status IN ({STATUSES}) AND p.until_day >= %(span_first)s::date
              AND p.until_day < %(span_today)s::date {only("p.employee_id")}
        ) AS before JOIN org_employee e ON e.id = before.employee_id
        WHERE e.status IN ({STATUSES}) AND NOT EXISTS (
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


def weekly(name: str, source: str, key: str, sums: Mapping[str, str], span: Span) -> tuple[str, dict[str, str]]:
    """Return common table expressions with hour-days a week by `key`, and the SQL of each sum's bigint[].

    Σ hours × days of [lo, hi) in each week over the rows of `source`, which has `key`, hours (an int4 in hundredths, so
    that PostgreSQL sums in bigint and never in numeric), lo and hi. `sums` names each and says of which rows; "" = all.
    Most runs of days reach over the whole span: those are added up once, and not once a week. The expressions are
    called <name>_even and <name>_uneven; each sum is for a query that joins them with `weekly_joins`.
    """
    even = f"lo <= 0 AND hi >= {span.days}"
    filters = {total: f" FILTER (WHERE {where})" if where else "" for total, where in sums.items()}
    whole = ", ".join(f"sum(hours){only} * 7 AS {total}" for total, only in filters.items())
    weeks = ", ".join(
        f"sum(hours * GREATEST(0, LEAST(hi, {7 * week}) - GREATEST(lo, {7 * week - 7}))){only} AS {total}{week}"
        for total, only in filters.items()
        for week in range(1, span.weeks + 1)
    )
    arrays = {
        total: "ARRAY[{}]::bigint[]".format(
            ", ".join(
                f"COALESCE({name}_even.{total}, 0) + COALESCE({name}_uneven.{total}{week}, 0)"
                for week in range(1, span.weeks + 1)
            )
        )
        for total in sums
    }
    return (
        f"""{name}_even AS (SELECT {key}, {whole} FROM {source} WHERE {even} GROUP BY {key}),
    {name}_uneven AS (SELECT {key}, {weeks} FROM {source} WHERE NOT ({even}) GROUP BY {key})""",
        arrays,
    )


def weekly_joins(name: str, key: str, subject: str) -> str:
    """Return the joins that the sums of `weekly` need, on the id of a subject."""
    return " ".join(f"LEFT JOIN {name}_{kind} ON {name}_{kind}.{key} = {subject}" for kind in ("even", "uneven"))


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
