"""Finding somebody for a gap, and the positions that hang on one person, as people see them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from apps.assignments.models import Assignment
from apps.changes.drain import drain
from apps.users.groups import sync_groups
from tests.conftest import TODAY
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeFactory,
    EmployeeTagFactory,
    LeaveFactory,
    OrgUnitFactory,
    PositionFactory,
    PositionTagFactory,
    TagFactory,
)
from tests.rules.catalogue import install_rules

from .conftest import Look

DAY = timedelta(days=1)


@pytest.fixture
def short_of_staff(transactional_db: Any) -> Clinic:
    """P1 lacks hours; near it are people in whose way stand nothing, a warning, a no, and a leave."""
    sync_groups()
    install_rules()
    clinic = Clinic()
    triage, icu = TagFactory(name="Triage"), TagFactory(name="Cuidados intensivos")
    PositionTagFactory(position=clinic.p1, tag=triage)
    PositionTagFactory(position=clinic.p1, tag=icu, level="PREFERRED")
    below = OrgUnitFactory(parent=clinic.h1, name="Sala de observación")
    for given, family, unit, hours in (
        ("Mariana", "Ferreyra", clinic.h1, "48"), ("Julián", "Sosa", below, "24"), ("Inés", "Cabrera", clinic.h1, "48"),
        ("Pablo", "Villalba Etcheverry", clinic.h2, "48"),
    ):  # fmt: skip
        one = EmployeeFactory(given_name=given, family_name=family, home_unit=unit, active=True, active__hours=hours)
        EmployeeTagFactory(employee=one, tag=triage)
        if family == "Cabrera":
            AssignmentFactory(employee=one, position=clinic.p2, effective_hours=48, accepted=True)
        if family == "Ferreyra":
            EmployeeTagFactory(employee=one, tag=icu)
        if family == "Villalba Etcheverry":
            LeaveFactory(employee=one, starts_on=TODAY + DAY * 20, ends_on=TODAY + DAY * 30)
    EmployeeTagFactory(employee=clinic.surgeon, tag=triage)
    AssignmentFactory(
        employee=clinic.surgeon, position=clinic.p1, effective_hours=12, ends_on=date(2027, 1, 31), accepted=True
    )
    drain()
    return clinic


def test_somebody_is_found_for_a_gap(short_of_staff: Clinic, visit: Any, shoot: Any, every_look: Look) -> None:
    page = visit(f"/admin/org/position/{short_of_staff.p1.pk}/candidates/", user=short_of_staff.admin, look=every_look)
    rows = page.locator("#candidates > li")
    expect(rows).to_have_count(4)
    expect(rows.first).to_contain_text("Ferreyra")
    assert page.evaluate("document.documentElement.scrollWidth") <= every_look.width
    shoot(page, "candidates", full=True)


def test_from_the_gap_to_the_proposal(short_of_staff: Clinic, visit: Any) -> None:
    page = visit(
        f"/admin/org/position/{short_of_staff.p1.pk}/coverage/", user=short_of_staff.admin, look=Look(language="en")
    )
    page.get_by_role("link", name="Find somebody").click()
    page.get_by_role("link", name="2026-W52").click()
    page.locator("#id_hours").fill("10")
    page.get_by_role("button", name="Look for somebody").click()
    page.get_by_role("link", name="Propose Ferreyra").click()
    expect(page.locator("[name=effective_hours]")).to_have_value("10")
    expect(page.locator("#id_employee")).to_contain_text("Ferreyra")
    page.locator("[name=_save]").click()
    page.wait_for_url("**/candidates/**")
    assert Assignment.objects.filter(status="PROPOSED", effective_hours=10).count() == 1


def test_what_hangs_on_one_person(short_of_staff: Clinic, visit: Any, shoot: Any, every_look: Look) -> None:
    rare = TagFactory(name="Perfusión extracorpórea")
    PositionTagFactory(position=short_of_staff.p2, tag=rare)
    EmployeeTagFactory(employee=short_of_staff.surgeon, tag=rare, valid_until=TODAY + DAY * 40)
    far = PositionFactory(
        title="Guardia rural de todos los fines de semana", org_unit=OrgUnitFactory(name="Puesto sur")
    )
    PositionTagFactory(position=far, tag=rare)
    page = visit("/admin/demand/unitcoverage/dependence/", user=short_of_staff.admin, look=every_look)
    expect(page.locator(".coveris-dependent")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= every_look.width
    shoot(page, "dependence", full=True)
