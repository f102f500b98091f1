"""How people are used, by unit: who is over the pool, who has hours left, over those at home in a unit.

Over is a balance below nothing, under one of more than SPARE_HOURS. Everything is summed from the accounts (ledger.py),
in hour-days (apps.common.hours).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from apps.changes.span import Span
from apps.changes.storing import Table
from apps.common.hours import HOUR_DAYS
from apps.org.adding_up import added_up_sql

from .ledger import ledger_sql

Query = tuple[str, dict[str, Any]]

# Who has no more than this left in a week is used well enough.
SPARE_HOURS = 8
SUMS = ("people", "over", "under", "over_hours", "under_hours")
OWN = Table("offer_unitusage", "org_unit_id", "org_orgunit", (*SUMS, "most_over", "most_under"))
WHOLE = Table("offer_wholeusage", "org_unit_id", "org_orgunit", SUMS)


def is_over(balance: str) -> str:
    """Return SQL that says whether a balance in hour-days is below nothing."""
    return f"{balance} < 0"


def is_under(balance: str) -> str:
    """Return SQL that says whether a balance in hour-days is more than what may be left."""
    return f"{balance} > {SPARE_HOURS * HOUR_DAYS}"


def usage_sql(span: Span, *, source: str = "offer_ledgerweek", units: Sequence[int] | None = None) -> Query:
    """Return a query (org_unit_id and the figures of OWN) over the people at home in units, and its parameters.

    `source` is a relation in SQL with employee_id, first_week, pool and assigned; `units` None means all.
    """
    params: dict[str, Any] = {**span.params}
    if units is not None:
        params["usage_units"] = list(units)
    return _usage_text(span, source, units is not None), params


@lru_cache(maxsize=16)
def _usage_text(span: Span, source: str, some: bool) -> str:
    only, among = "", ""
    if some:
        only = "WHERE u.id = ANY (%(usage_units)s::bigint[])"
        among = """WHERE s.employee_id IN (
            SELECT e.id FROM org_employee e WHERE e.home_unit_id = ANY (%(usage_units)s::bigint[])
        )"""
    read: list[str] = []
    per_week: dict[str, list[str]] = {name: [] for name in OWN.columns}
    for week in range(1, span.weeks + 1):
        read += [
            f"kept.pool[{week} + kept.ahead] - kept.assigned[{week} + kept.ahead] AS balance{week}",
            f"kept.pool[{week} + kept.ahead] > 0 OR kept.assigned[{week} + kept.ahead] > 0 AS counts{week}",
        ]
        balance = f"c.balance{week}"
        sums = {
            "people": f"count(*) FILTER (WHERE c.counts{week})",
            "over": f"count(*) FILTER (WHERE {is_over(balance)})",
            "under": f"count(*) FILTER (WHERE {is_under(balance)})",
            "over_hours": f"-sum({balance}) FILTER (WHERE {is_over(balance)})",
            "under_hours": f"sum({balance}) FILTER (WHERE {is_under(balance)})",
            "most_over": f"-min({balance}) FILTER (WHERE {is_over(balance)})",
            "most_under": f"max({balance}) FILTER (WHERE {is_under(balance)})",
        }
        for name, expression in sums.items():
            per_week[name].append(f"COALESCE({expression}, 0)")
    columns = ", ".join(f"ARRAY[{', '.join(parts)}]::bigint[] AS {name}" for name, parts in per_week.items())
    return f"""SELECT u.id AS org_unit_id, {columns}
    FROM org_orgunit u
    LEFT JOIN org_employee e ON e.home_unit_id = u.id
    LEFT JOIN (
        SELECT kept.employee_id, {", ".join(read)}
        FROM (
            SELECT s.employee_id, s.pool, s.assigned, (%(span_first)s::date - s.first_week) / 7 AS ahead
            FROM {source} AS s {among}
        ) AS kept OFFSET 0 -- each element is read once, and not once a sum
    ) AS c ON c.employee_id = e.id
    {only} GROUP BY u.id"""


def usage_anew_sql(span: Span) -> Query:
    """Return the same of all units, from live data."""
    accounts, params = ledger_sql(span)
    source = f"(SELECT live.*, %(span_first)s::date AS first_week FROM ({accounts}) AS live)"
    sql, more = usage_sql(span, source=source)
    return sql, {**params, **more}


def whole_usage_sql(span: Span, *, own: str = OWN.name) -> Query:
    """Return a query (org_unit_id, SUMS) with everybody below each unit, and its parameters (`adding_up`)."""
    return added_up_sql(span, own=own, wholes=WHOLE.name, figures=SUMS)


def whole_usage_anew_sql(span: Span) -> Query:
    """Return the same of all units, from live data."""
    figures, params = usage_anew_sql(span)
    dated = f"(SELECT figures.*, %(span_first)s::date AS first_week FROM ({figures}) AS figures)"
    sql, more = whole_usage_sql(span, own=dated)
    return sql, {**params, **more}
