"""What changed between two weeks, and the trend, as a tired manager looks at them: in four looks."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.changes.drain import drain
from apps.demand.models import Comparison
from apps.demand.waterfall import comparing
from apps.demand.waterfall.carrying_out import compare_waiting
from apps.fsm.services import apply_transition
from apps.users.groups import sync_groups
from tests.conftest import TODAY
from tests.factories import (
    AssignmentFactory,
    Clinic,
    DemandAdjustmentFactory,
    EmployeeFactory,
    EmployeeTagFactory,
    LeaveFactory,
    PositionFactory,
    PositionTagFactory,
    TagFactory,
)

from .conftest import Look, everyday

PAGE = "/admin/demand/unitcoverage/waterfall/"
TREND = "/admin/demand/unitcoverage/trend/"
DAY = timedelta(days=1)
LOOKS = everyday([Look(), Look(scheme="dark", language="en"), Look(390, 844), Look(390, 844, "dark", "en")])


@pytest.fixture(params=LOOKS, ids=lambda look: look.name)
def look(request: Any) -> Look:
    return request.param


@pytest.fixture
def changing(transactional_db: Any, clinic: Clinic) -> Clinic:
    """Six closed weeks, and four weeks ahead in which every cause but suspensions has something to say."""
    sync_groups()
    titles = ("Enfermería de guardia, turno noche", "Terapia intensiva", "Triage", "Farmacia", "Obstetricia")
    names = (("Marta", "Echeverría"), ("Joaquín", "Funes"), ("Sofía", "Rinaldi"), ("Tomás", "Acuña"), ("Inés", "Bravo"))
    settings.COVERIS_TODAY = TODAY - DAY * 42
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
        ends_on = TODAY + DAY * 16 if number == 0 else None
        AssignmentFactory(
            employee=people[number], position=places[number], effective_hours=hours, ends_on=ends_on, accepted=True,
            starts_on=date(2026, 11, 2 + 7 * (number % 3)),
        )  # fmt: skip
    for _week in range(7):
        drain()
        settings.COVERIS_TODAY += DAY * 7
    settings.COVERIS_TODAY = TODAY
    apply_transition(people[1], "give_notice", actor=None, last_day=TODAY + DAY * 14)
    LeaveFactory(employee=people[2], kind="MATERNITY", starts_on=TODAY + DAY * 6, ends_on=TODAY + DAY * 60)
    AssignmentFactory(
        employee=clinic.nurse, position=places[0], effective_hours=20, starts_on=TODAY + DAY * 17, accepted=True
    )
    AssignmentFactory(
        employee=people[4], position=places[2], effective_hours=8, starts_on=TODAY + DAY * 9, is_reinforcement=True,
        accepted=True,
    )  # fmt: skip
    DemandAdjustmentFactory(position=places[4], from_day=TODAY + DAY * 12, hours=12, reason="Verano")
    PositionFactory(code="URG-9", title="Vacunatorio", org_unit=clinic.h1, opens_on=TODAY + DAY * 20)
    drain()
    return clinic


def fits(page: Page, look: Look) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= look.width


def test_both_pages_fit_every_look(changing: Clinic, visit: Any, shoot: Any, look: Look) -> None:
    page = visit(f"{PAGE}?from=2026-W50&to=2027-W01", user=changing.manager, look=look)
    expect(page.locator("#bridge-assigned")).to_be_visible()
    fits(page, look)
    shoot(page, "waterfall", full=True)
    page.goto(f"{PAGE}?from=2026-W50&to=2027-W01&cause=LEFT")
    expect(page.locator("#records tbody tr")).to_have_count(1)
    fits(page, look)
    shoot(page, "waterfall-records", full=True)
    page.goto(TREND)
    expect(page.locator(".coveris-trend svg")).to_be_visible()
    fits(page, look)
    shoot(page, "trend", full=True)
    page.goto(f"{TREND}?position=URG-0&back=52")
    fits(page, look)
    shoot(page, "trend-position")


def test_a_cause_leads_to_its_records_by_keyboard(changing: Clinic, visit: Any) -> None:
    page = visit(f"{PAGE}?from=2026-W50&to=2027-W01", user=changing.manager, look=Look(language="en"))
    page.get_by_role("link", name="People who left").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("cause=LEFT#records$"))
    expect(page.locator("#records")).to_be_in_viewport()
    page.locator("#records").get_by_role("link", name="Funes, Joaquín").click()
    expect(page).to_have_url(re.compile("/admin/org/employee/"))


def test_weeks_are_chosen_and_compared(changing: Clinic, visit: Any) -> None:
    page = visit(PAGE, user=changing.manager, look=Look(language="en"))
    expect(page.locator("select[name=from]")).to_have_value("2026-W49")
    page.locator("select[name=to]").select_option("2027-W01")
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(re.compile("from=2026-W49&to=2027-W01"))
    page.get_by_role("link", name="Trend", exact=True).click()
    page.get_by_role("link", name="What changed until 2026-W50 since the week before").click()
    expect(page.locator("select[name=to]")).to_have_value("2026-W50")


def test_a_large_part_of_the_house_is_looked_for_and_kept_in_every_look(
    changing: Clinic, visit: Any, shoot: Any, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "FEW_POSITIONS", 0)
    asked = f"{PAGE}?from=2026-W49&to=2027-W01"
    page = visit(asked, user=changing.manager, look=look)
    expect(page.get_by_role("status").first).to_be_visible()
    Comparison.objects.update(done=120_000, to_do=300_000, started_at=timezone.now())
    page.goto(asked)
    expect(page.locator(".coveris-progress")).to_be_visible()
    fits(page, look)
    shoot(page, "waterfall-looked-for", full=True)
    assert compare_waiting() == 1
    LeaveFactory(employee=changing.surgeon, starts_on=TODAY + DAY * 30)
    page.goto(asked)
    expect(page.locator("#bridge-assigned")).to_be_visible()
    fits(page, look)
    shoot(page, "waterfall-kept", full=True)
