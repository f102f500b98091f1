"""The records behind a cause, in words and with their pages, as far as the reader may follow them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from apps.common.columns import short_day
from apps.common.weeks import week_code
from apps.org.enums import LeaveKind
from apps.org.models import Employee, Position

from ..waterfall import Cause, Record
from .waterfall_bars import signed

RECORDS = {
    **dict.fromkeys((Cause.NEW, Cause.ENDED, Cause.HOURS, Cause.BEGUN, Cause.OVER), "assignments_assignment"),
    **dict.fromkeys((Cause.JOINED, Cause.LEFT, Cause.REINSTATED, Cause.SUSPENDED), "org_employee"),
    **dict.fromkeys((Cause.RETURN, Cause.LEAVE), "org_leave"),
    **dict.fromkeys((Cause.TAG_HELD, Cause.TAG_LOST), "tags_employeetag"),
    **dict.fromkeys((Cause.OPENED, Cause.CLOSED, Cause.CORRECTION), "org_position"),
    **dict.fromkeys((Cause.ADJUSTED, Cause.UNADJUSTED), "demand_demandadjustment"),
}


@dataclass(frozen=True)
class Seen:
    """Which employees and positions the reader may follow: people who left a unit may be out of sight by now."""

    employees: frozenset[int]
    positions: frozenset[int]

    @classmethod
    def of(cls, request: HttpRequest, rows: Iterable[Record]) -> Seen:
        user: Any = request.user
        rows = list(rows)
        people = {row.employee_id for row in rows if row.employee_id}
        positions = {row.position_id for row in rows}
        return cls(
            frozenset(Employee.objects.visible_to(user).filter(pk__in=people).values_list("pk", flat=True)),
            frozenset(Position.objects.visible_to(user).filter(pk__in=positions).values_list("pk", flat=True)),
        )


def record_row(row: Record, seen: Seen, figures: Sequence[str], site: str) -> dict[str, Any]:
    model = RECORDS[row.cause]
    followed = (
        row.position_id in seen.positions
        if model in ("assignments_assignment", "org_position", "demand_demandadjustment")
        else row.employee_id in seen.employees
    )
    return {
        "item": row,
        "text": record_text(row, seen),
        "url": reverse(f"{site}:{model}_change", args=(row.record_id,)) if followed and row.record_id else "",
        "position_url": reverse(f"{site}:org_position_coverage", args=(row.position_id,))
        if row.position_id in seen.positions
        else "",
        "employee": employee_text(row, seen),
        "employee_url": reverse(f"{site}:org_employee_change", args=(row.employee_id,))
        if row.employee_id in seen.employees
        else "",
        "number": row.employee_number if row.employee_id in seen.employees else "",
        "hours": [signed(getattr(row, name)) for name in figures],
    }


def employee_text(row: Record, seen: Seen) -> str:
    if row.employee_id is None:
        return ""
    return row.employee_name or "" if row.employee_id in seen.employees else _("Somebody out of your sight")


def _days(row: Record) -> str:
    if row.starts and row.ends:
        return _("%(first)s to %(last)s") % {"first": short_day(row.starts), "last": short_day(row.ends)}
    if row.starts:
        return _("from %(first)s on") % {"first": short_day(row.starts)}
    return _("until %(last)s") % {"last": short_day(row.ends)} if row.ends else ""


def record_text(row: Record, seen: Seen) -> str:
    """Return the record in words."""
    model, days = RECORDS[row.cause], _days(row)
    if model == "assignments_assignment":
        hours = number_format(row.hours, decimal_pos=2) if row.hours is not None else "–"
        return _("%(hours)s h a week, %(days)s") % {"hours": hours, "days": days}
    if model == "org_leave":
        # Why somebody is away is for those who may see the person.
        kind = LeaveKind(row.name).label if row.employee_id in seen.employees and row.name else _("Leave")
        return f"{kind}, {days}"
    if model == "tags_employeetag":
        return f"{row.name}, {days}" if row.name else _("No record")
    if model == "demand_demandadjustment":
        more = row.hours or Decimal(0)
        said = _("%(hours)s h a week, %(days)s") % {
            "hours": ("+" if more > 0 else "−") + number_format(abs(more), decimal_pos=2),
            "days": days,
        }
        return f"{said}: {row.name}" if row.name else said
    if row.cause == Cause.CORRECTION:
        return _("Kept for %(week)s, and what today's records say") % {"week": week_code(row.week) if row.week else ""}
    if row.cause == Cause.OPENED:
        return _("Opens on %(day)s") % {"day": short_day(row.starts)} if row.starts else _("Position")
    if row.cause == Cause.CLOSED:
        return _("Closes on %(day)s") % {"day": short_day(row.ends)} if row.ends else _("Position")
    if row.cause == Cause.LEFT and row.ends:
        return _("Works until %(day)s") % {"day": short_day(row.ends)}
    return _("Employee's page")
