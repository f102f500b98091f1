"""What will stop being covered, as a tired manager looks at it: wide and narrow, light and dark, in both languages."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.changes.drain import drain
from apps.fsm.services import apply_transition
from apps.users.groups import sync_groups
from tests.conftest import TODAY
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeFactory,
    EmployeeTagFactory,
    LeaveFactory,
    PositionFactory,
    PositionTagFactory,
    TagFactory,
)

from .conftest import Look, everyday

PAGE = "/admin/demand/unitcoverage/cliffs/"
DAY = timedelta(days=1)
LOOKS = everyday([Look(), Look(scheme="dark", language="en"), Look(390, 844), Look(390, 844, "dark", "en")])


@pytest.fixture(params=LOOKS, ids=lambda look: look.name)
def look(request: Any) -> Look:
    return request.param


@pytest.fixture
def ending(transactional_db: Any, clinic: Clinic) -> Clinic:
    """One cliff of each cause, in two months; one with a successor, one with a proposal, others with nobody."""
    sync_groups()
    clinic.h1.manager = clinic.manager
    clinic.h1.save()
    names = (("Marta", "Echeverría"), ("Joaquín", "Funes"), ("Sofía", "Rinaldi"), ("Tomás", "Acuña"), ("Inés", "Bravo"))
    titles = ("Enfermería de guardia, turno noche", "Terapia intensiva", "Triage", "Farmacia", "Obstetricia")
    people, places = [], []
    for number, ((given, family), title) in enumerate(zip(names, titles, strict=True)):
        people.append(
            EmployeeFactory(
                employee_number=f"L{number}", given_name=given, family_name=family, home_unit=clinic.h1, active=True
            )
        )
        places.append(PositionFactory(code=f"URG-{number}", title=title, org_unit=clinic.h1))
    tag = TagFactory(name="Reanimación cardiopulmonar avanzada")
    PositionTagFactory(position=places[3], tag=tag)
    EmployeeTagFactory(employee=people[3], tag=tag, valid_until=TODAY + DAY * 18)
    for number, hours in enumerate((36, 24, Decimal("12.5"), 30, 36)):
        ends_on = TODAY + DAY * 4 if number == 0 else None
        AssignmentFactory(
            employee=people[number], position=places[number], effective_hours=hours, ends_on=ends_on, accepted=True
        )
    apply_transition(people[1], "give_notice", actor=None, last_day=TODAY + DAY * 4)
    LeaveFactory(employee=people[2], kind="MATERNITY", starts_on=TODAY + DAY * 6, ends_on=TODAY + DAY * 27)
    people[4].tags.update(valid_until=TODAY + DAY * 25)
    AssignmentFactory(employee=clinic.nurse, position=places[0], effective_hours=20, starts_on=TODAY + DAY * 6)
    AssignmentFactory(
        employee=clinic.surgeon, position=places[1], effective_hours=24, starts_on=TODAY + DAY * 5, accepted=True
    )
    drain()
    return clinic


def fits(page: Page, look: Look) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= look.width


def test_the_calendar_fits_every_look(ending: Clinic, visit: Any, shoot: Any, look: Look) -> None:
    page = visit(PAGE, user=ending.manager, look=look)
    rows = page.locator(".coveris-cliff")
    expect(rows).to_have_count(5)
    fits(page, look)
    shoot(page, "cliffs", full=True)
    page.goto(f"{PAGE}?days=180")
    fits(page, look)
    shoot(page, "cliffs-long")
    page.goto(f"{PAGE}?cause=CONTRACT")
    expect(rows).to_have_count(1)


def test_somebody_is_found_from_the_calendar(ending: Clinic, visit: Any) -> None:
    page = visit(PAGE, user=ending.manager, look=Look(language="en"))
    page.get_by_role("link", name="Find somebody for Terapia intensiva").click()
    expect(page.locator("#id_hours")).to_have_value("24.00")
    expect(page.locator(".coveris-record-title")).to_contain_text("Terapia intensiva")
    expect(page.locator("#id_starts_on")).not_to_have_value("")


def test_a_week_of_the_drawing_leads_to_its_days(ending: Clinic, visit: Any) -> None:
    page = visit(PAGE, user=ending.manager, look=Look(language="en"))
    page.get_by_role("link", name="2026-W51").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#2026-W51$"))
    expect(page.locator("[id='2026-W51']")).to_be_in_viewport()


def test_an_empty_calendar_says_so(ending: Clinic, visit: Any, shoot: Any) -> None:
    page = visit(f"{PAGE}?unit=H2", user=ending.admin, look=Look())
    expect(page.get_by_text("Nada vence con estos filtros")).to_be_visible()
    shoot(page, "cliffs-empty")
