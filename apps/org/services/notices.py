"""Notices that have run out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.common.clock import today
from apps.fsm.services import Order, apply_transitions

from ..enums import EmployeeStatus
from ..models import Employee

if TYPE_CHECKING:
    from apps.users.models import User


def complete_notices(*, actor: User | None) -> int:
    """Terminate whoever is in notice and past the last day; the daily job. Safe to run twice."""
    due = Employee.objects.filter(status=EmployeeStatus.NOTICE, last_day__lt=today()).values_list("pk", flat=True)
    return len(apply_transitions(Employee, "complete_notice", [Order(pk) for pk in due], actor=actor))
