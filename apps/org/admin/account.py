"""The account of an employee's week, line by line, each with the record it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.assignments.models import Assignment
from apps.changes.span import Span
from apps.common.clock import today
from apps.common.weekbars import hours_text
from apps.offer.ledger import entries_sql
from apps.tags.models import EmployeeTag

from ..models import Employee

if TYPE_CHECKING:
    from apps.users.models import User

ORDER = ("POOL", "ASSIGNED", "PROPOSED")


@dataclass(frozen=True)
class Line:
    """One run of days: so many hours a week by this record, which count in this week as `hours`."""

    word: str
    label: str
    url: str
    rate: Decimal
    hours: str
    from_day: date
    until_day: date


def account_lines(employee: Employee, monday: date, reader: User) -> list[Line]:
    """Return the lines of one week: what gives hours, what uses them, what is proposed.

    Work in a unit the reader may not see counts all the same, but stays without name and link.
    """
    span = Span(monday, 1, today())
    sql, params = entries_sql(span, employees=[employee.pk])
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        entries = [(kind, record, rate, lo, hi) for _pk, kind, record, rate, lo, hi in cursor.fetchall()]
    tags = EmployeeTag.objects.select_related("tag").in_bulk({entry[1] for entry in entries if entry[0] == "POOL"})
    work = (
        Assignment.objects.visible_to(reader)
        .select_related("position", "employee")
        .in_bulk({entry[1] for entry in entries if entry[0] != "POOL"})
    )
    labels = {"POOL": _("gives"), "ASSIGNED": _("assigned"), "PROPOSED": _("proposed")}
    lines = []
    for kind, record, rate, lo, hi in sorted(entries, key=lambda entry: (ORDER.index(entry[0]), entry[3], entry[1])):
        row: Any = tags.get(record) if kind == "POOL" else work.get(record)
        if row is None:
            label, url = _("in another unit"), ""
        elif kind == "POOL":
            label, url = row.tag.name, reverse("admin:tags_employeetag_change", args=(record,))
        else:
            label, url = str(row.position), reverse("admin:assignments_assignment_change", args=(record,))
        lines.append(
            Line(
                labels[kind],
                label,
                url,
                Decimal(rate) / 100,
                hours_text(rate * (hi - lo)),
                monday + timedelta(days=lo),
                monday + timedelta(days=hi - 1),
            )
        )
    return lines
