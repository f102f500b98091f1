"""What the lifecycle of an employee does to leaves."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Max, Q
from django.dispatch import receiver
from django.utils.translation import gettext as _

from apps.common.errors import Reason
from apps.common.saving import save_rows
from apps.fsm.models import EmployeeStatusPeriod
from apps.fsm.signals import transition_done, transition_opening

from .enums import EmployeeStatus, LeaveKind
from .models import Employee, Leave

if TYPE_CHECKING:
    from apps.fsm.services import Deed


def _running(deed: Deed) -> dict[int, Leave]:
    """Return employee id → the leave that covers today."""
    leaves = Leave.objects.filter(
        Q(ends_on__isnull=True) | Q(ends_on__gte=deed.today), employee__in=deed.subjects, starts_on__lte=deed.today
    )
    return {leave.employee_id: leave for leave in leaves}


@receiver(transition_opening, sender=Employee, dispatch_uid="org.look_at_leaves")
def look_at_leaves(sender: type[Employee], deed: Deed, **kwargs: Any) -> None:
    """Refuse a leave without a kind or with an impossible end, and what would rewrite an earlier employment."""
    if deed.move.name == "start_leave":
        running = deed.notes["running"] = _running(deed)
        for employee in deed.subjects:
            inputs = deed.inputs(employee)
            if employee.pk not in running and not inputs.get("kind"):
                deed.refuse(
                    employee,
                    Reason(
                        _("%(who)s has no leave planned for today: say its kind.") % {"who": employee},
                        code="needed",
                        field="kind",
                        fixable=5,
                    ),
                )
            elif inputs.get("kind") and inputs["kind"] not in LeaveKind.values:
                deed.refuse(
                    employee,
                    Reason(_("There is no such kind of leave."), code="unknown_kind", field="kind", fixable=5),
                )
            if (end := inputs.get("ends_on")) is not None and end < deed.today:
                deed.refuse(
                    employee,
                    Reason(_("A leave that starts today cannot end before today."), code="ends_early", field="ends_on",
                           fixable=5),
                )  # fmt: skip
    elif deed.move.name == "extend_leave":
        running = deed.notes["running"] = _running(deed)
        for employee in deed.subjects:
            leave = running.get(employee.pk)
            if leave is None:
                deed.refuse(
                    employee,
                    Reason(
                        _("%(who)s has no leave that covers today: return them, or plan a new leave.")
                        % {"who": employee},
                        code="no_running_leave",
                    ),
                )
            elif deed.inputs(employee)["ends_on"] < deed.today:
                deed.refuse(
                    employee,
                    Reason(
                        _("The new last day is today or later; if the leave is over, use “Return from leave”."),
                        code="ends_early",
                        field="ends_on",
                        fixable=5,
                    ),
                )
    elif deed.move.name in REACHES_BACK:
        _look_at_earlier_employments(deed)


# What counts from a day that may lie before today, and where that day comes from.
REACHES_BACK = {
    "rehire": lambda deed, employee: deed.inputs(employee)["hired_on"],
    "activate": lambda deed, employee: employee.hired_on,
    "terminate": lambda deed, employee: deed.inputs(employee)["last_day"],
}


def _look_at_earlier_employments(deed: Deed) -> None:
    for employee, day in _earlier_ends(deed).items():
        if REACHES_BACK[deed.move.name](deed, employee) <= day:
            deed.refuse(
                employee,
                Reason(
                    _("%(who)s counts as terminated from %(day)s: the new day of hiring must be after that.")
                    % {"who": employee, "day": day},
                    code="hired_too_early",
                    field="hired_on",
                    fixable=5,
                ),
            )


def _earlier_ends(deed: Deed) -> dict[Employee, date]:
    """Return the day from which each employee with an earlier employment last counted as terminated."""
    ended = EmployeeStatusPeriod.objects.filter(employee__in=deed.subjects, status=EmployeeStatus.TERMINATED)
    days = dict(ended.order_by().values_list("employee").annotate(day=Max("from_day")))
    return {employee: days[employee.pk] for employee in deed.subjects if employee.pk in days}


@receiver(transition_done, sender=Employee, dispatch_uid="org.keep_leaves_in_step")
def keep_leaves_in_step(sender: type[Employee], deed: Deed, **kwargs: Any) -> None:
    """Write the leaves a transition begins, extends or ends."""
    if deed.move.name == "start_leave":
        rows = []
        for employee in deed.subjects:
            inputs = deed.inputs(employee)
            leave = deed.notes["running"].get(employee.pk)
            if leave is None:
                leave = Leave(employee=employee, starts_on=deed.today, reason=deed.reason(employee)[:500])
            elif not inputs.get("kind") and inputs.get("ends_on") is None:
                continue
            leave.kind = inputs.get("kind") or leave.kind
            leave.ends_on = inputs.get("ends_on") or leave.ends_on
            rows.append(leave)
        save_rows(Leave, rows)
    elif deed.move.name == "extend_leave":
        rows = list(deed.notes["running"].values())
        for leave in rows:
            leave.ends_on = deed.orders[leave.employee_id].inputs["ends_on"]
        save_rows(Leave, rows)
    elif deed.move.name == "return_from_leave":
        running = _running(deed).values()
        Leave.objects.filter(pk__in=[leave.pk for leave in running if leave.starts_on == deed.today]).delete()
        ended = [leave for leave in running if leave.starts_on < deed.today]
        for leave in ended:
            leave.ends_on = deed.today - timedelta(days=1)
        save_rows(Leave, ended)
