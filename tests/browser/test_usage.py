"""People used too much or too little, as a tired manager looks at them: wide and narrow, light and dark, es and en."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from apps.changes.drain import drain
from apps.users.groups import sync_groups
from tests.factories import AssignmentFactory, Clinic, EmployeeFactory, OrgUnitFactory, PositionFactory

from .conftest import Look, everyday

PAGE = "/admin/offer/ledgerweek/usage/"
LOOKS = everyday([Look(), Look(scheme="dark", language="en"), Look(390, 844), Look(390, 844, "dark", "en")])
PEOPLE = (("Marta", "Echeverría", 48), ("Joaquín", "Funes", 40), ("Sofía", "Rinaldi", 60), ("Inés", "Bravo", 12))


@pytest.fixture
def used(transactional_db: Any, clinic: Clinic) -> Clinic:
    sync_groups()
    ward = OrgUnitFactory(code="H1A", name="Observación y sala de espera de adultos", kind="UNIT", parent=clinic.h1)
    for place, unit in enumerate((clinic.h1, ward, clinic.h2)):
        for number, (given, family, hours) in enumerate(PEOPLE):
            employee = EmployeeFactory(
                employee_number=f"L{place}{number}", given_name=given, family_name=family, home_unit=unit, active=True,
                active__hours="36",
            )  # fmt: skip
            AssignmentFactory(
                employee=employee, position=PositionFactory(org_unit=unit), effective_hours=hours + place, accepted=True
            )
    drain()
    return clinic


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_the_page_fits_every_look(used: Clinic, visit: Any, shoot: Any, look: Look) -> None:
    page = visit(f"{PAGE}?week=2026-W51&open={used.h1.pk}", user=used.admin, look=look)
    expect(page.locator("#usage tbody").first.locator("tr")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= look.width
    shoot(page, "usage", full=True)


def test_a_unit_opens_with_the_keyboard_and_the_other_people_are_a_click_away(used: Clinic, visit: Any) -> None:
    page = visit(f"{PAGE}?week=2026-W51", user=used.admin, look=Look(language="en"))
    page.get_by_role("button", name="Open Urgencias").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Close Urgencias")).to_be_visible()
    page.get_by_role("link", name="With hours left").click()
    expect(page.get_by_role("heading", name="More than 8 hours left, most first")).to_be_visible()
    page.get_by_role("link", name="Bravo, Inés").first.click()
    expect(page.locator(".coveris-record-title")).to_contain_text("Bravo")
