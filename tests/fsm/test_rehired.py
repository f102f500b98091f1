"""Somebody who came back: what the earlier employment left stays as it was."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from apps.common.errors import Refusal
from apps.fsm.models import EmployeeStatusPeriod
from apps.fsm.services import apply_transition
from apps.org.models import Employee
from apps.org.services.employees import save_employees
from tests.factories import EmployeeFactory

pytestmark = pytest.mark.django_db

FIRST = [("ACTIVE", date(2020, 1, 6), date(2026, 11, 15)), ("TERMINATED", date(2026, 11, 16))]


def rehired() -> Employee:
    """Return somebody terminated on 15 November and hired again from 1 December."""
    employee = EmployeeFactory(active=True)
    apply_transition(employee, "terminate", actor=None, reason="left", last_day=date(2026, 11, 15))
    apply_transition(employee, "rehire", actor=None, reason="came back", hired_on=date(2026, 12, 1))
    return Employee.objects.get(pk=employee.pk)


def earlier_periods(employee: Employee) -> list[tuple[Any, ...]]:
    rows = EmployeeStatusPeriod.objects.filter(employee=employee).order_by("from_day")
    first, second = rows.values_list("status", "from_day", "until_day")[:2]
    return [first, second[:2]]


def test_a_rehired_employee_is_activated_from_the_new_day_of_hiring() -> None:
    employee = rehired()
    apply_transition(employee, "activate", actor=None, confirmed=True)
    assert earlier_periods(employee) == FIRST


def test_an_activation_never_reaches_back_into_the_earlier_employment() -> None:
    employee = rehired()
    employee.hired_on = date(2019, 1, 1)
    save_employees(employees=[employee], actor=None)
    with pytest.raises(Refusal) as refusal:
        apply_transition(Employee.objects.get(pk=employee.pk), "activate", actor=None, confirmed=True)
    assert refusal.value.reasons[0].code == "hired_too_early"
    assert earlier_periods(employee) == FIRST


def test_a_termination_never_reaches_back_into_the_earlier_employment() -> None:
    employee = rehired()
    apply_transition(employee, "activate", actor=None, confirmed=True)
    employee = Employee.objects.get(pk=employee.pk)
    employee.hired_on = date(2019, 1, 1)
    with pytest.raises(Refusal) as refusal:
        save_employees(employees=[employee], actor=None)
        apply_transition(
            Employee.objects.get(pk=employee.pk), "terminate", actor=None, reason="left", last_day=date(2026, 10, 1)
        )
    assert refusal.value.reasons[0].code == "hired_too_early"
    assert earlier_periods(employee) == FIRST
