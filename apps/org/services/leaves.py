"""What can be done to leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apps.common.acting import acting
from apps.common.clock import today
from apps.common.saving import refuse_outside, save_rows, within_scope
from apps.fsm.services import Order, apply_transitions

from ..enums import EmployeeStatus
from ..models import Employee, Leave

if TYPE_CHECKING:
    from apps.users.models import User


def save_leaves(*, leaves: Sequence[Leave], actor: User | None, reason: str = "") -> list[Leave]:
    """Plan or change leaves; whose leave covers today is put on leave by the daily job or by `start_leave`."""
    with acting(actor, reason), within_scope(Leave, leaves, actor):
        # The employees first: a leave and a transition of the same person never cross (docs/locking.md).
        Employee.objects.lock({leave.employee_id for leave in leaves})
        save_rows(Leave, leaves)
    return list(leaves)


def plan_leave(*, actor: User | None, **fields: Any) -> Leave:
    """Plan one leave."""
    return save_leaves(leaves=[Leave(**fields)], actor=actor)[0]


def cancel_leave(*, leave: Leave, actor: User | None, reason: str = "") -> None:
    """Take back a leave."""
    with acting(actor, reason):
        refuse_outside(Leave, [leave], actor)
        leave.delete()


def run_leaves(*, actor: User | None) -> dict[str, int]:
    """Start the leaves that cover today and end those that are over; the daily job. Safe to run twice."""
    day = today()
    starting = Employee.objects.filter(status=EmployeeStatus.ACTIVE).on_leave_on(day).values_list("pk", flat=True)
    started = apply_transitions(Employee, "start_leave", [Order(pk) for pk in starting], actor=actor)
    returning = (
        Employee.objects.filter(status=EmployeeStatus.ON_LEAVE)
        .exclude(pk__in=Employee.objects.on_leave_on(day).values("pk"))
        .values_list("pk", flat=True)
    )
    returned = apply_transitions(Employee, "return_from_leave", [Order(pk) for pk in returning], actor=actor)
    return {"started": len(started), "returned": len(returned)}
