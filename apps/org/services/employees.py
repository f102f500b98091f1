"""What can be done to employees, their status aside (apps.fsm.services)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apps.common.acting import acting
from apps.common.saving import save_rows, within_scope

from ..models import Employee

if TYPE_CHECKING:
    from apps.users.models import User


def save_employees(*, employees: Sequence[Employee], actor: User | None, reason: str = "") -> list[Employee]:
    """Create (as ONBOARDING) or change employees in the actor's scope; status and last_day belong to the door."""
    with acting(actor, reason), within_scope(Employee, employees, actor):
        save_rows(Employee, employees, leave=["last_day"])
    return list(employees)


def hire_employee(*, actor: User | None, **fields: Any) -> Employee:
    """Create one employee; activate them through the door once they hold a contract."""
    return save_employees(employees=[Employee(**fields)], actor=actor)[0]
