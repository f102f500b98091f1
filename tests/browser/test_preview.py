"""The live preview in a browser: what it would do, while it is typed."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, Route, expect

from apps.assignments.models import Assignment
from apps.changes.drain import drain
from apps.users.groups import sync_groups
from tests.conftest import TODAY
from tests.factories import AssignmentFactory, Clinic, EmployeeFactory, PositionTagFactory, TagFactory
from tests.rules.catalogue import install_rules
from tests.screens.people import page as address

from .conftest import Look

ENGLISH = Look(language="en")


@pytest.fixture(autouse=True)
def prepared(transactional_db: Any) -> None:
    sync_groups()
    install_rules()


def form_about(clinic: Clinic) -> str:
    return f"{reverse('admin:assignments_assignment_add')}?employee={clinic.nurse.pk}&position={clinic.p1.pk}"


def type_hours(page: Page, hours: str) -> None:
    page.locator("[name=effective_hours]").fill(hours)


def test_it_follows_what_is_typed_in_spanish(visit: Any, clinic: Clinic, shoot: Any, every_look: Look) -> None:
    if every_look.language == "en":
        pytest.skip("shown in Spanish")
    drain()
    page = visit(form_about(clinic), user=clinic.supervisor, look=every_look)
    panel = page.locator("[data-preview]")
    expect(panel).to_contain_text("Todavía no se guardó nada")
    expect(panel.locator(".coveris-impact-hint")).to_be_visible()
    page.locator("[name=starts_on]").fill(TODAY.strftime("%d/%m/%Y"))
    type_hours(page, "40")
    expect(panel.locator(".coveris-badge-yellow").first).to_be_visible()
    expect(panel).to_contain_text("36,00 → -4,00 h")
    expect(panel.locator("svg.coveris-weeks")).to_have_count(2)
    shoot(page, "preview-warning", full=True)
    type_hours(page, "61")
    expect(panel.locator(".coveris-badge-red").first).to_be_visible()
    shoot(page, "preview-blocked", full=True)
    type_hours(page, "30")
    expect(panel.locator(".coveris-badge-green").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= every_look.width
    # What was shown is not there.
    assert not Assignment.objects.exists()


def test_one_answer_for_many_keys_and_a_stale_one_is_dropped(visit: Any, clinic: Clinic) -> None:
    page = visit(form_about(clinic), user=clinic.supervisor, look=ENGLISH)
    page.locator("[name=starts_on]").fill(TODAY.isoformat())
    panel = page.locator("[data-preview]")
    expect(panel).to_contain_text("Fill in Hours a week")
    asked: list[str] = []
    held: list[Route] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        if "effective_hours=61" in route.request.url:
            held.append(route)  # a slow one
        else:
            route.continue_()

    page.route("**/preview/?*", answer)
    hours = page.locator("[name=effective_hours]")
    hours.press_sequentially("61", delay=50)
    page.wait_for_function("() => document.querySelector('[data-preview]').getAttribute('aria-busy') === 'true'")
    expect(panel.locator("[data-preview-status]")).to_have_text("Working it out…")
    hours.fill("36")
    expect(panel.locator(".coveris-badge-green").first).to_be_visible()
    assert len(held) == 1
    assert len(asked) == 2
    expect(panel).not_to_contain_text("above the cap")
    expect(panel.locator("[data-preview-status]")).to_have_text("No rule stands in the way")


def test_it_says_when_it_cannot_be_worked_out_and_comes_back(visit: Any, clinic: Clinic, complaints: Any) -> None:
    complaints.allow("Failed to load resource")
    page = visit(form_about(clinic), user=clinic.supervisor, look=ENGLISH)
    page.locator("[name=starts_on]").fill(TODAY.isoformat())
    panel = page.locator("[data-preview]")
    expect(panel).to_contain_text("Fill in Hours a week")
    page.route("**/preview/?*", lambda route: route.abort())
    type_hours(page, "12")
    expect(panel.locator("[data-preview-status]")).to_contain_text("could not be worked out")
    page.unroute("**/preview/?*")
    type_hours(page, "13")
    expect(panel.locator(".coveris-badge-green").first).to_be_visible()


def test_the_employee_chosen_in_the_list_is_taken(visit: Any, clinic: Clinic) -> None:
    page = visit(
        f"{reverse('admin:assignments_assignment_add')}?position={clinic.p1.pk}", user=clinic.supervisor, look=ENGLISH
    )
    panel = page.locator("[data-preview]")
    expect(panel).to_contain_text("Fill in Employee")
    page.locator(".field-employee .select2-selection").click()
    page.locator(".select2-search__field").last.fill("Gómez")
    page.locator(".select2-results__option", has_text="Gómez").click()
    expect(panel).not_to_contain_text("Employee,")


def test_the_approval_shows_with_and_without_and_who_else(
    visit: Any, clinic: Clinic, shoot: Any, every_look: Look
) -> None:
    if every_look.language == "en":
        pytest.skip("shown in Spanish")
    proposal = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, starts_on=TODAY)
    other = EmployeeFactory(
        given_name="Marta", family_name="Ríos", home_unit=clinic.h1, active=True, active__hours="48"
    )
    EmployeeFactory(given_name="Juan", family_name="Paz", home_unit=clinic.h1, active=True, active__hours="10")
    drain()
    page = visit(address("assignments.assignment", "change", proposal.pk), user=clinic.manager, look=every_look)
    page.locator('[data-transition="accept"]').click()
    dialog = page.locator("dialog.coveris-dialog")
    expect(dialog.locator(".coveris-impact-candidates li").first).to_contain_text(other.family_name)
    expect(dialog).to_contain_text("36,00 → -4,00 h")
    shoot(page, "approval")
    dialog.locator(".coveris-impact-weeks summary").click()
    expect(dialog.locator("table").first).to_be_visible()


def test_terminating_shows_its_impact_first(visit: Any, clinic: Clinic, shoot: Any, every_look: Look) -> None:
    if every_look.language == "en":
        pytest.skip("shown in Spanish")
    PositionTagFactory(position=clinic.p1, tag=TagFactory(), level="PREFERRED")
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=36, accepted=True)
    drain()
    page = visit(address("org.employee", "change", clinic.nurse.pk), user=clinic.manager, look=every_look)
    page.locator('[data-transition="terminate"]').click()
    dialog = page.locator("dialog.coveris-dialog")
    expect(dialog.locator(".coveris-impact-hint")).to_be_visible()
    dialog.locator("[name=last_day]").fill(TODAY.isoformat())
    expect(dialog).to_contain_text("100,0 % → 0,0 %")
    shoot(page, "terminate-impact")
    clinic.nurse.refresh_from_db()
    assert clinic.nurse.status == "ACTIVE"
