"""Who sees what: one question per model, asked by every list."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from apps.assignments.models import Assignment
from apps.common.errors import Refusal
from apps.org.models import Employee, Leave, OrgUnit, Position
from apps.org.services.employees import save_employees
from apps.org.services.positions import save_positions
from apps.org.services.units import move_unit
from apps.tags.models import EmployeeTag
from apps.users.enums import Role
from tests.factories import AssignmentFactory, Clinic, LeaveFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_a_scope_is_a_subtree(clinic: Clinic) -> None:
    assert set(OrgUnit.objects.visible_to(clinic.viewer)) == {clinic.h1}
    assert set(OrgUnit.objects.visible_to(clinic.admin)) == {clinic.root, clinic.h1, clinic.h2}
    assert set(Position.objects.visible_to(clinic.viewer)) == {clinic.p1}


def test_an_employee_is_seen_by_home_unit_or_by_a_live_assignment(clinic: Clinic) -> None:
    assert clinic.surgeon not in Employee.objects.visible_to(clinic.manager)
    helping = AssignmentFactory(employee=clinic.surgeon, position=clinic.p1, effective_hours=5)
    assert clinic.surgeon in Employee.objects.visible_to(clinic.manager)
    assert clinic.surgeon not in Employee.objects.editable_by(clinic.manager)
    Assignment.objects.filter(pk=helping.pk).update(ends_on=date(2026, 12, 1))
    assert clinic.surgeon not in Employee.objects.visible_to(clinic.manager)


def test_an_assignment_is_seen_from_either_end_and_edited_from_the_position(clinic: Clinic) -> None:
    away = AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=5)
    assert away in Assignment.objects.visible_to(clinic.manager)
    assert away not in Assignment.objects.editable_by(clinic.manager)


def test_what_hangs_on_an_employee_goes_with_the_employee(clinic: Clinic) -> None:
    seen = LeaveFactory(employee=clinic.nurse, starts_on=date(2027, 1, 1))
    LeaveFactory(employee=clinic.surgeon, starts_on=date(2027, 1, 1))
    assert list(Leave.objects.visible_to(clinic.viewer)) == [seen]
    assert {held.employee for held in EmployeeTag.objects.visible_to(clinic.viewer)} == {clinic.nurse}


def test_an_employee_login_sees_oneself_and_no_structure(clinic: Clinic) -> None:
    user = UserFactory(role=Role.EMPLOYEE)
    Employee.objects.filter(pk=clinic.nurse.pk).update(user=user)
    assert list(Employee.objects.visible_to(user)) == [clinic.nurse]
    assert not OrgUnit.objects.visible_to(user).exists()
    assert not Employee.objects.editable_by(user).exists()


@pytest.mark.parametrize("model", [OrgUnit, Position, Employee, Assignment, Leave, EmployeeTag])
def test_a_blocked_user_sees_nothing(clinic: Clinic, model: Any) -> None:
    clinic.admin.is_active = False
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=5)
    assert not model.objects.visible_to(clinic.admin).exists()
    assert not model.objects.editable_by(clinic.admin).exists()


def test_nothing_is_moved_into_or_out_of_a_scope(clinic: Clinic) -> None:
    clinic.p2.org_unit = clinic.h1
    with pytest.raises(Refusal):
        save_positions(positions=[clinic.p2], actor=clinic.manager)
    clinic.nurse.home_unit = clinic.h2
    with pytest.raises(Refusal):
        save_employees(employees=[clinic.nurse], actor=clinic.manager)
    assert Position.objects.get(pk=clinic.p2.pk).org_unit == clinic.h2
    assert Employee.objects.get(pk=clinic.nurse.pk).home_unit == clinic.h1


def test_structure_is_the_admins(clinic: Clinic) -> None:
    with pytest.raises(Refusal):
        move_unit(unit=clinic.h1, parent=None, actor=clinic.manager)
    assert move_unit(unit=clinic.h1, parent=None, actor=clinic.admin).parent is None
