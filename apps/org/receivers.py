"""What the lifecycle of an employee does to leaves."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q
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
    """Refuse a leave without a kind or with an impossible end, and a rehire that would rewrite the past."""
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
    elif deed.move.name == "rehire":
        _look_at_rehires(deed)


def _look_at_rehires(deed: Deed) -> None:
    last = {
        period.employee_id: period
        for period in EmployeeStatusPeriod.objects.filter(
            employee__in=deed.subjects, status=EmployeeStatus.TERMINATED
        ).order_by("from_day")
    }
    for employee in deed.subjects:
        period = last.get(employee.pk)
        if period is not None and deed.inputs(employee)["hired_on"] <= period.from_day:
            deed.refuse(
                employee,
                Reason(
                    _("%(who)s counts as terminated from %(day)s: the new day of hiring must be after that.")
                    % {"who": employee, "day": period.from_day},
                    code="hired_too_early",
                    field="hired_on",
                    fixable=5,
                ),
            )


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
