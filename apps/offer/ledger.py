"""The hours ledger: what an employee can give a week, and what of it is used. The formula, once.

pool = Σ hours_delta of the tags valid on each day, assigned = Σ hours of the assignments in force, both only on days
the employee gives hours; balance = pool − assigned. Proposed hours stand apart. All in hour-days (apps.common.hours).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from apps.changes.span import Span

from .giving import giving_ctes, weekly, weekly_joins

KINDS = ("POOL", "ASSIGNED", "PROPOSED")


def _params(span: Span, employees: Sequence[int] | None, accepted: Sequence[int]) -> dict[str, Any]:
    params: dict[str, Any] = {**span.params}
    if employees is not None:
        params["ledger_employees"] = list(employees)
    if accepted:
        params["ledger_accepted"] = list(accepted)
    return params


def _entries(span: Span, some: bool, as_accepted: bool) -> str:
    """Return CTEs ending in `entries (employee_id, kind, record, hours, lo, hi)`; hours in hundredths, days as runs."""

    def only(column: str) -> str:
        return f"AND {column} = ANY (%(ledger_employees)s::bigint[])" if some else ""

    counted = "a.accepted_at IS NOT NULL"
    if as_accepted:
        counted = f"({counted} OR a.id = ANY (%(ledger_accepted)s::bigint[]))"
    giving = giving_ctes(span, employees="{id} = ANY (%(ledger_employees)s::bigint[])" if some else "")
    return f"""{giving},
    entries AS (
        SELECT employee_id, kind, record, hours, lo, hi FROM (
            SELECT t.employee_id, 'POOL' AS kind, t.id AS record, (c.hours_delta * 100)::int AS hours,
                   GREATEST(g.lo, t.valid_from - %(span_first)s::date) AS lo,
                   LEAST(g.hi, t.valid_until - %(span_first)s::date + 1) AS hi
            FROM tags_employeetag t
            JOIN tags_tagcatalog c ON c.id = t.tag_id AND c.hours_delta <> 0
            JOIN giving g ON g.employee_id = t.employee_id
            WHERE t.valid_from <= %(span_last)s::date {only("t.employee_id")}
              AND (t.valid_until IS NULL OR t.valid_until >= %(span_first)s::date)
            UNION ALL
            SELECT a.employee_id, CASE WHEN {counted} THEN 'ASSIGNED' ELSE 'PROPOSED' END, a.id,
                   (a.effective_hours * 100)::int,
                   GREATEST(g.lo, a.starts_on - %(span_first)s::date),
                   LEAST(g.hi, a.ends_on - %(span_first)s::date + 1)
            FROM assignments_assignment a
            JOIN giving g ON g.employee_id = a.employee_id
            WHERE NOT a.voided AND (a.accepted_at IS NOT NULL OR a.status = 'PROPOSED') {only("a.employee_id")}
              AND a.starts_on <= %(span_last)s::date AND (a.ends_on IS NULL OR a.ends_on >= %(span_first)s::date)
        ) AS line WHERE lo < hi
    )"""


def lowest_balance(weeks: int) -> str:
    """Return SQL for the lowest balance of so many weeks, in hour-days, of pool and assigned."""
    return f"LEAST({', '.join(f'pool[{week}] - assigned[{week}]' for week in range(1, weeks + 1))})"


def ledger_sql(
    span: Span, *, employees: Sequence[int] | None = None, accepted: Sequence[int] = (), engaged: bool = False
) -> tuple[str, dict[str, Any]]:
    """Return a query (employee_id, pool, assigned, proposed) and its parameters, one row an employee.

    The three are bigint[] with one element of hour-days a week of the span. `employees=None` means everybody;
    the assignments in `accepted` count as if they were accepted already. `engaged` adds a column of that name: the
    hour-days of all active assignments together, whenever they run and whether the employee is there. No day of
    anybody's has more. Wrap it in parentheses to select from it.
    """
    params = _params(span, employees, accepted)
    return _ledger_text(span, employees is not None, bool(accepted), engaged), params


@lru_cache(maxsize=32)
def _ledger_text(span: Span, some: bool, as_accepted: bool, engaged: bool) -> str:
    entries = _entries(span, some, as_accepted)
    only = "WHERE e.id = ANY (%(ledger_employees)s::bigint[])" if some else ""
    summed, sums = weekly(
        "summed", "entries", "employee_id", {kind.lower(): f"kind = '{kind}'" for kind in KINDS}, span
    )
    columns = ", ".join(f"{array} AS {name}" for name, array in sums.items())
    active = ""
    if engaged:
        among = "AND a.employee_id = ANY (%(ledger_employees)s::bigint[])" if some else ""
        columns += ", COALESCE(active.hours, 0) * 7 AS engaged"
        active = f"""LEFT JOIN (
        SELECT a.employee_id, sum((a.effective_hours * 100)::int) AS hours FROM assignments_assignment a
        WHERE a.status = 'ACTIVE' AND a.status IN ('PROPOSED', 'ACTIVE') {among} GROUP BY a.employee_id
    ) active ON active.employee_id = e.id"""
    return f"""WITH {entries},
    {summed}
    SELECT e.id AS employee_id, {columns}
    FROM org_employee e {weekly_joins("summed", "employee_id", "e.id")} {active} {only}"""


def entries_sql(
    span: Span, *, employees: Sequence[int] | None = None, accepted: Sequence[int] = ()
) -> tuple[str, dict[str, Any]]:
    """Return a query (employee_id, kind, record, hours, lo, hi): the runs of days the ledger's sums are made of.

    `kind` is POOL (record: an EmployeeTag), ASSIGNED or PROPOSED (an Assignment); `hours` a weekly rate in
    hundredths; lo and hi are days from the first Monday, hi excluded.
    """
    entries = _entries(span, employees is not None, bool(accepted))
    sql = f"WITH {entries} SELECT employee_id, kind, record, hours, lo, hi FROM entries"
    return sql, _params(span, employees, accepted)
