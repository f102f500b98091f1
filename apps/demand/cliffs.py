"""The cliff calendar: which days to come stop hours that a position still needs, and why.

A cliff is a day on which an accepted assignment in force stops giving hours (it ends, its employee leaves or goes on
leave), or goes on without what was asked (a required tag or the last contract has run out). It is foreseen from dates
alone; a suspension, which nobody enters ahead, is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from apps.changes.span import Span
from apps.common.clock import monday_of
from apps.org.querysets import inside

from .cliff_causes import Cause
from .cliff_sql import (
    ANSWER,
    DETAILS,
    FOUND,
    KEPT,
    KEPT_AFTER,
    KEPT_INSIDE,
    KEPT_INSIDE_AFTER,
    ROWS_IN_ORDER,
    SHOWN,
    SUSPECTED,
    SUSPECTED_SHOWN,
    in_force_ctes,
)

# Followers that begin within a week of the first one are one replacement.
TOGETHER = 7
# How far beyond the range a return or a replacement is looked for: half a year.
WEEKS_BEYOND = 26


@dataclass(frozen=True)
class Cliff:
    """One day on which one assignment stops covering. Hours are weekly, in hundredths.

    `record_id` is that of the assignment, employee, leave or employee's tag behind the cause; `record_name` the kind of
    leave or the names of the tags; `until` the known end of a leave, `back_on` the day its hours come back.
    `left` is what the position still has that day of the hours it `needs`; the replacement is what other assignments
    that begin after today give from the day on, `proposed` being the part not yet accepted.
    """

    day: date
    cause: Cause
    hours: int
    assignment_id: int
    employee_id: int
    employee_number: str
    employee_name: str
    position_id: int
    position_code: str
    position_title: str
    unit_id: int
    unit_code: str
    unit_name: str
    owner: str
    record_id: int
    record_name: str
    until: date | None
    back_on: date | None
    needs: int
    left: int
    replacement: int
    proposed: int
    replacement_on: date | None


@dataclass(frozen=True)
class Total:
    """How many cliffs a cause has, and the weekly hours at stake in hundredths."""

    cliffs: int = 0
    hours: int = 0

    def __add__(self, other: Total) -> Total:
        return Total(self.cliffs + other.cliffs, self.hours + other.hours)


@dataclass(frozen=True)
class Calendar:
    """The cliffs of a range of days, by day.

    `weeks` (by their Mondays) and `totals` are of all causes, whatever was asked and shown; `found` counts those asked
    for.
    """

    cliffs: Sequence[Cliff]
    weeks: Mapping[date, Mapping[Cause, Total]]
    totals: Mapping[Cause, Total]
    found: int

    @property
    def is_cut(self) -> bool:
        return self.found > len(self.cliffs)


def cliffs(
    first: date,
    last: date,
    *,
    today: date,
    root: int | None = None,
    scope: int | None = None,
    causes: Sequence[str] = (),
    limit: int | None = None,
) -> Calendar:
    """Return the cliffs from one day to another, both included, seen from today; `first` is today or later.

    `root` and `scope` are units whose subtrees the positions lie in, `causes` those wanted (none = all). One query.
    """
    span = span_of(first, last, today)
    params = _params(span, first, last, root, scope) | {"causes": list(causes or Cause.values), "limit": limit}
    return _calendar(f"WITH {SUSPECTED}, {in_force_ctes(span)}, {FOUND}, {SHOWN}, {DETAILS} {ANSWER}", params)


def kept_cliffs(
    first: date,
    last: date,
    *,
    today: date,
    root: int | None = None,
    scope: int | None = None,
    causes: Sequence[str] = (),
    limit: int | None = None,
) -> Calendar:
    """Return the same as `cliffs`, of those that are kept (kept_cliffs.py): as fresh as the figures of positions."""
    span = span_of(first, last, today)
    params = _params(span, first, last, root, scope) | {"causes": list(causes or Cause.values), "limit": limit}
    kept = KEPT if root is None and scope is None else KEPT_INSIDE
    return _calendar(f"WITH {kept}, {SHOWN}, {SUSPECTED_SHOWN}, {in_force_ctes(span)}, {DETAILS} {ANSWER}", params)


def kept_cliffs_in_turn(
    first: date,
    last: date,
    *,
    today: date,
    root: int | None = None,
    scope: int | None = None,
    causes: Sequence[str] = (),
    batch: int = 2_000,
) -> Iterator[Sequence[Cliff]]:
    """Yield the same cliffs in the same order, all of them, so many at a time: no statement grows with the house."""
    span = span_of(first, last, today)
    kept = KEPT_AFTER if root is None and scope is None else KEPT_INSIDE_AFTER
    sql = f"WITH {kept}, {SUSPECTED_SHOWN}, {in_force_ctes(span)}, {DETAILS} {ROWS_IN_ORDER}"
    params = _params(span, first, last, root, scope) | {
        "causes": list(causes or Cause.values), "limit": batch,
        "after_day": first - timedelta(days=1), "after_position": 0, "after_assignment": 0, "after_cause": "",
    }  # fmt: skip
    while True:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            found = [_cliff(row) for row in cursor.fetchall()]
        if found:
            yield found
        if len(found) < batch:
            return
        end = found[-1]
        params |= {
            "after_day": end.day, "after_position": end.position_id, "after_assignment": end.assignment_id,
            "after_cause": end.cause.value,
        }  # fmt: skip


def number_of_kept(
    first: date, last: date, *, root: int | None = None, scope: int | None = None, causes: Sequence[str] = ()
) -> int:
    """Return how many cliffs of these causes are kept in a range of days."""
    places = "JOIN org_position p ON p.id = c.position_id JOIN org_orgunit u ON u.id = p.org_unit_id"
    params = {"first": first, "last": last, "root": root, "scope": scope, "causes": list(causes or Cause.values)}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT count(*) FROM demand_positioncliff c {places if root or scope else ""}
            WHERE c.since >= %(first)s AND c.day <= %(last)s AND c.cause = ANY (%(causes)s)
              AND {inside("u.path") if root or scope else "TRUE"}""",
            params,
        )
        return int(cursor.fetchone()[0])


def _cliff(row: Sequence[Any]) -> Cliff:
    return Cliff(row[4], Cause(row[1]), row[3], *row[5:25])


def span_of(first: date, last: date, today: date) -> Span:
    """Return the weeks in which cliffs of a range are looked for.

    They are more than is asked for, so that the end of the span is no end of anybody's hours.
    """
    monday = monday_of(first - timedelta(days=1))
    return Span(monday, (last - monday).days // 7 + 1 + WEEKS_BEYOND, today)


def _params(span: Span, first: date, last: date, root: int | None, scope: int | None) -> dict[str, Any]:
    return {
        **span.params, "first": first, "last": last, "root": root, "scope": scope, "together": TOGETHER,
    }  # fmt: skip


def _calendar(sql: str, params: dict[str, Any]) -> Calendar:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows = cursor.fetchall()
    weeks: dict[date, dict[Cause, Total]] = {}
    totals = {cause: Total() for cause in Cause}
    for is_total, cause, number, hours, monday, *_rest in rows:
        if is_total:
            weeks.setdefault(monday, {})[Cause(cause)] = Total(number, hours)
            totals[Cause(cause)] += Total(number, hours)
    return Calendar(
        cliffs=[_cliff(row) for row in rows if not row[0]],
        weeks=weeks,
        totals=totals,
        found=sum(totals[Cause(cause)].cliffs for cause in params["causes"]),
    )


def hours_of(hundredths: int) -> Decimal:
    """Return weekly hours with their two places."""
    return Decimal(hundredths).scaleb(-2)
