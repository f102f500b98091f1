"""Who may bring in what, and what stays unseen."""

from __future__ import annotations

from typing import Any

import pytest

from apps.common.errors import Refusal
from apps.common.resources import resources
from apps.imports.rights import may
from apps.imports.services import import_sheet
from apps.org.models import Employee, Leave, Position
from apps.users.enums import Role
from tests.factories import EmployeeFactory, UserFactory

from .support import bring, codes, counts, sheet, take

MANAGED = {"positions", "employees", "employee_tags", "leaves", "demand_adjustments", "assignments"}
EMPLOYEES = "employee_number,given_name,family_name,home_unit_code,hired_on"


@pytest.mark.parametrize(
    ("role", "imports", "exports"),
    [
        (Role.ADMIN, MANAGED | {"org_units", "tags"}, 8),
        (Role.MANAGER, MANAGED, 8),
        (Role.SUPERVISOR, set(), 8),
        (Role.VIEWER, set(), 8),
        (Role.EMPLOYEE, set(), 0),
    ],
)
def test_the_permission_table_decides(role: Role, imports: set[str], exports: int, clinic: Any) -> None:
    user = UserFactory(role=role)
    assert {kind for kind, resource in resources().items() if may(user, "import", resource)} == imports
    assert sum(may(user, "export", resource) for resource in resources().values()) == exports
    for kind in resources():
        if kind not in imports:
            with pytest.raises(Refusal) as refused:
                import_sheet(kind=kind, content=b"x", file_name="x.csv", actor=user)
            assert refused.value.reasons[0].code == "forbidden"
    user.is_active = False
    assert not any(may(user, verb, resource) for verb in ("import", "export") for resource in resources().values())


def test_an_employee_of_another_unit_is_neither_changed_nor_named(clinic: Any) -> None:
    report = bring("employees", sheet(EMPLOYEES, "E2,Otro,Nombre,H1,2020-01-06"), actor=clinic.manager)
    assert codes(report) == {"out_of_scope"}
    assert "Bruno" not in str(report.as_json()) and "Díaz" not in str(report.as_json())
    assert Employee.objects.get(employee_number="E2").given_name == "Bruno"


def test_unknown_and_out_of_scope_read_the_same(clinic: Any) -> None:
    def message(code: str) -> str:
        report = bring("positions", sheet("code,unit_code", f"P1,{code}"), actor=clinic.manager)
        assert codes(report) == {"unknown_reference"}
        return report.errors[0]["message"].replace(code, "…")

    assert message("H2") == message("NOWHERE")


@pytest.mark.parametrize(
    ("kind", "header", "row"),
    [
        ("employees", EMPLOYEES, "E9,Ana,Paz,H2,2026-01-05"),
        ("employees", "employee_number,home_unit_code", "E1,H2"),
        ("positions", "code,title,unit_code,required_weekly_hours", "P9,x,H2,36"),
        ("positions", "code,title", "P2,x"),
        ("leaves", "employee_number,starts_on", "E2,2026-12-14"),
        ("demand_adjustments", "position_code,from_day,hours", "P2,2026-12-14,5"),
        ("assignments", "employee_number,position_code,starts_on,effective_hours", "E1,P2,2026-12-14,5"),
        ("assignments", "employee_number,position_code,starts_on,effective_hours", "E2,P1,2026-12-14,5"),
    ],
)
@pytest.mark.parametrize("mode", ["all-or-nothing", "good-rows"])
def test_rows_beyond_the_scope_write_nothing(kind: str, header: str, row: str, mode: str, clinic: Any) -> None:
    report = bring(kind, sheet(header, row), actor=clinic.manager, mode=mode)
    assert counts(report) == (0, 0, 0, 1)
    assert codes(report) <= {"unknown_reference", "out_of_scope"}
    # The canary: somebody in charge of the whole house may.
    assert bring(kind, sheet(header, row), actor=clinic.admin).ok


def test_an_employee_who_only_works_here_gives_no_leave_to_this_manager(clinic: Any) -> None:
    bring("assignments", sheet("employee_number,position_code,starts_on,effective_hours", "E2,P1,2026-12-01,5"))
    assert Employee.objects.visible_to(clinic.manager).filter(employee_number="E2").exists()
    report = bring("leaves", sheet("employee_number,starts_on", "E2,2026-12-14"), actor=clinic.manager)
    assert codes(report) == {"unknown_reference"}
    assert not Leave.objects.exists()


def test_an_export_holds_what_may_be_seen(clinic: Any) -> None:
    EmployeeFactory(employee_number="FAR1", home_unit=clinic.h2, national_id="30999888")
    clinic.nurse.national_id = "27111222"
    clinic.nurse.save()
    seen = take("employees", actor=clinic.viewer).decode()
    assert "E1" in seen and "FAR1" not in seen
    assert "27111222" not in seen and "•••" in seen
    managed = take("employees", actor=clinic.manager).decode()
    assert "27111222" in managed
    assert "P2" not in take("positions", actor=clinic.viewer).decode()
    back = bring("employees", take("employees", actor=clinic.viewer), actor=clinic.manager)
    assert codes(back) == {"hidden_value"}
    clinic.nurse.refresh_from_db()
    assert clinic.nurse.national_id == "27111222"


def test_good_rows_of_a_manager_leave_the_others_out(clinic: Any) -> None:
    content = sheet("code,title", "P1,Nuestro", "P2,Ajeno")
    assert counts(bring("positions", content, actor=clinic.manager, mode="good-rows")) == (0, 1, 0, 1)
    assert Position.objects.get(code="P2").title == "Instrumentación"


def test_history_names_the_importer_and_the_door(clinic: Any) -> None:
    bring("positions", sheet("code,title", "P1,Nuevo"), actor=clinic.manager)
    row = Position.history.filter(code="P1").first()
    assert (row.history_user, row.origin) == (clinic.manager, "import")
    assert "positions.csv" in row.history_change_reason
