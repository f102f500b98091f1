"""One employee's hours as the lines of an account, computed when asked, every line naming its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from apps.assignments.models import Assignment
from apps.changes.span import Span
from apps.common.clock import monday_of, today
from apps.common.hours import to_hours
from apps.tags.models import EmployeeTag

from .ledger import entries_sql
from .recompute import CLOSED


@dataclass(frozen=True)
class Line:
    """What one record adds to a week on an unbroken run of days.

    `kind` is POOL (record: an EmployeeTag), ASSIGNED or PROPOSED (an Assignment); `hour_days` its part of the week's
    sum; `weekly_hours` its rate.
    """

    kind: str
    record: Any
    name: str
    hour_days: int
    weekly_hours: Decimal
    from_day: date
    until_day: date

    @property
    def hours(self) -> Decimal:
        return to_hours(self.hour_days)


@dataclass
class Week:
    """A week of the account, sums in hour-days. A `closed` one keeps the sums it was closed with.

    Or those of its latest correction, which is then `corrected`.
    """

    week: date
    pool: int = 0
    assigned: int = 0
    proposed: int = 0
    closed: bool = False
    corrected: datetime | None = None
    lines: list[Line] = field(default_factory=list)

    @property
    def balance(self) -> int:
        """Return pool − assigned: positive is capacity to give, negative is overtime."""
        return self.pool - self.assigned

    pool_hours = property(lambda self: to_hours(self.pool))
    assigned_hours = property(lambda self: to_hours(self.assigned))
    proposed_hours = property(lambda self: to_hours(self.proposed))
    balance_hours = property(lambda self: to_hours(self.balance))


SUMS = {"POOL": "pool", "ASSIGNED": "assigned", "PROPOSED": "proposed"}


def account(employee: Any, span: Span | None = None) -> list[Week]:
    """Return an employee's weeks (without a span: the current one and the 12 to come), from live data.

    The sums are those of the lines: an account adds up even while a worker is still at the stored figures. A closed
    week keeps its sums; its lines tell what the records say now.
    """
    span = span or Span.current()
    weeks = [Week(monday) for monday in span.mondays]
    for line_week, line in _lines(employee.pk, span):
        week = weeks[line_week]
        week.lines.append(line)
        name = SUMS[line.kind]
        setattr(week, name, getattr(week, name) + line.hour_days)
    if span.first_week < monday_of(today()):
        _put_closed_sums(employee.pk, weeks)
    return weeks


def _lines(employee_id: int, span: Span) -> list[tuple[int, Line]]:
    sql, params = entries_sql(span, employees=[employee_id])
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT kind, record, hours, lo, hi FROM ({sql}) AS entry ORDER BY lo, record", params)
        entries = cursor.fetchall()
    names = _names(entries)
    lines = []
    for kind, record, hundredths, lo, hi in sorted(entries, key=lambda entry: list(SUMS).index(entry[0])):
        for number in range(lo // 7, (hi - 1) // 7 + 1):
            first, last = max(lo, 7 * number), min(hi, 7 * number + 7) - 1
            subject, name = names[kind, record]
            line = Line(
                kind=kind,
                record=subject,
                name=name,
                hour_days=hundredths * (last - first + 1),
                weekly_hours=Decimal(hundredths) / 100,
                from_day=span.first_week + timedelta(days=first),
                until_day=span.first_week + timedelta(days=last),
            )
            lines.append((number, line))
    return lines


def _names(entries: Sequence[Sequence[Any]]) -> dict[tuple[str, int], tuple[Any, str]]:
    tags = EmployeeTag.objects.select_related("tag").in_bulk({entry[1] for entry in entries if entry[0] == "POOL"})
    work = Assignment.objects.select_related("employee", "position").in_bulk(
        {entry[1] for entry in entries if entry[0] != "POOL"}
    )
    named: dict[tuple[str, int], tuple[Any, str]] = {}
    for kind, record, *_rest in entries:
        if kind == "POOL":
            named[kind, record] = (tags[record], tags[record].tag.code)
        else:
            named[kind, record] = (work[record], work[record].code)
    return named


def _put_closed_sums(employee_id: int, weeks: Sequence[Week]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT f.week, f.pool, f.assigned, f.proposed, c.created_at
            FROM {CLOSED.in_force} AS f LEFT JOIN changes_correction c ON c.id = f.correction_id
            WHERE f.employee_id = %s AND f.week = ANY (%s)""",
            [employee_id, [week.week for week in weeks]],
        )
        closed = {row[0]: row[1:] for row in cursor.fetchall()}
    for week in weeks:
        if week.week in closed:
            week.closed = True
            week.pool, week.assigned, week.proposed, week.corrected = closed[week.week]
