"""The pages of people and work in a browser: clean under the script policy, narrow and wide, light and dark."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import expect

from apps.changes.drain import drain
from apps.org.models import Leave
from apps.tags.models import EmployeeTag
from apps.users.groups import sync_groups
from tests.factories import (
    AssignmentFactory,
    Clinic,
    DemandAdjustmentFactory,
    LeaveFactory,
    PositionTagFactory,
    TagFactory,
)
from tests.screens.people import TODAY
from tests.screens.people import page as address

from .conftest import Look, settle

ENGLISH = Look(language="en")


@pytest.fixture(autouse=True)
def lived_in(transactional_db: Any, clinic: Clinic) -> None:
    """A clinic with something on every page."""
    sync_groups()
    AssignmentFactory(
        employee=clinic.nurse, position=clinic.p1, accepted=True, effective_hours=Decimal("30"),
        ends_on=TODAY + timedelta(days=40),
    )  # fmt: skip
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=Decimal("12"), is_reinforcement=True)
    LeaveFactory(employee=clinic.nurse, starts_on=TODAY + timedelta(days=20), ends_on=TODAY + timedelta(days=30))
    DemandAdjustmentFactory(position=clinic.p1, from_day=TODAY + timedelta(days=14), hours=Decimal("12"))
    PositionTagFactory(position=clinic.p1, tag=TagFactory(name="Triage course"))
    drain()


def addresses(clinic: Clinic) -> list[str]:
    work = clinic.nurse.assignments.order_by("pk")[0]
    held = clinic.nurse.tags.all()[0]
    leave = clinic.nurse.leaves.all()[0]
    return [
        *(address(model) for model in (
            "org.employee", "org.position", "org.leave", "tags.tagcatalog", "tags.employeetag", "tags.tagchangelog",
            "assignments.assignment", "assignments.assignmenttransitionlog", "fsm.employeetransitionlog",
            "offer.ledgerweek",
        )),
        *(address("org.employee", tab, clinic.nurse.pk)
          for tab in ("change", "tags", "leaves", "assignments", "hours", "log", "history")),
        *(address("org.position", tab, clinic.p1.pk)
          for tab in ("change", "coverage", "assignments", "adjustments", "history")),
        *(address("assignments.assignment", tab, work.pk) for tab in ("change", "log", "history")),
        address("org.employee", "add"), address("org.position", "add"), address("assignments.assignment", "add"),
        address("org.leave", "add"), address("org.leave", "change", leave.pk), address("org.leave", "cancel", leave.pk),
        address("tags.employeetag", "add"), address("tags.employeetag", "change", held.pk),
        address("tags.employeetag", "end", held.pk), address("tags.employeetag", "revoke", held.pk),
        address("org.employee", "transition", clinic.nurse.pk, "terminate"),
    ]  # fmt: skip


def test_every_page_is_clean_and_fits_narrow_and_wide(visit: Any, clinic: Clinic) -> None:
    for look in (ENGLISH, Look(390, 844, "dark", "es")):
        page = visit("/admin/", user=clinic.admin, look=look)
        for url in addresses(clinic):
            assert page.goto(url, wait_until="load").status == 200, url
            page.wait_for_function("() => !document.documentElement.hasAttribute('x-cloak')")
            assert page.evaluate("document.documentElement.scrollWidth") <= look.width, url


def test_the_pages_in_every_look(visit: Any, clinic: Clinic, shoot: Any, every_look: Look) -> None:
    page = visit(address("org.employee", "hours", clinic.nurse.pk), user=clinic.manager, look=every_look)
    expect(page.locator("svg.coveris-weeks")).to_be_visible()
    shoot(page, "employee-hours", full=True)
    page.goto(address("org.position", "coverage", clinic.p1.pk))
    settle(page)
    expect(page.locator("svg.coveris-weeks")).to_be_visible()
    shoot(page, "position-coverage", full=True)
    page.goto(address("org.employee", "change", clinic.nurse.pk))
    settle(page)
    page.locator('[data-transition="suspend"]').click()
    expect(page.locator("dialog.coveris-dialog")).to_be_visible()
    shoot(page, "suspend")


def test_the_tabs_are_reached_by_keyboard(visit: Any, clinic: Clinic) -> None:
    page = visit(address("org.employee", "change", clinic.nurse.pk), user=clinic.viewer, look=ENGLISH)
    tabs = {"Tags": "#tags", "Leaves": "#leaves", "Assignments": "#assignments", "Hours": "#lines"}
    for name, heading in tabs.items():
        page.get_by_role("navigation", name="Parts of this page").get_by_role("link", name=name, exact=True).focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(heading)
        settle(page)
        current = page.locator(".coveris-tabs [aria-current=page]")
        expect(current).to_have_text(name)


def test_a_week_is_chosen_in_the_drawing(visit: Any, clinic: Clinic) -> None:
    page = visit(address("org.employee", "hours", clinic.nurse.pk), user=clinic.viewer, look=ENGLISH)
    expect(page.locator("#lines")).to_contain_text("assigned")
    page.locator("svg.coveris-weeks a").nth(3).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**week=2026-W53**")
    settle(page)
    expect(page.locator("#account")).to_contain_text("Account of 2026-W53")


def test_a_tag_is_ended_and_a_leave_cancelled_in_a_dialog(visit: Any, clinic: Clinic) -> None:
    held = clinic.nurse.tags.all()[0]
    page = visit(address("org.employee", "tags", clinic.nurse.pk), user=clinic.manager, look=ENGLISH)
    page.get_by_role("link", name="End: ").click()
    dialog = page.locator("dialog.coveris-dialog")
    expect(dialog.locator("[name=valid_until]")).to_have_value(TODAY.isoformat())
    dialog.locator("button[type=submit]").click()
    expect(page.get_by_text("ends on")).to_be_visible()
    assert EmployeeTag.objects.get(pk=held.pk).valid_until == TODAY
    page.goto(address("org.employee", "leaves", clinic.nurse.pk))
    settle(page)
    page.get_by_role("link", name="Cancel this leave").click()
    dialog.locator("button[type=submit]").click()
    expect(page.get_by_text("is cancelled.")).to_be_visible()
    assert not Leave.objects.exists()


def test_an_assignment_is_proposed_through_the_autocompletes(visit: Any, clinic: Clinic) -> None:
    page = visit(address("org.position", "assignments", clinic.p1.pk), user=clinic.supervisor, look=ENGLISH)
    page.get_by_role("link", name="Propose an assignment").click()
    settle(page)
    page.locator("#id_employee + .select2, #id_employee ~ .select2").first.click()
    page.locator(".select2-search__field").fill("Luna")
    page.locator(".select2-results__option", has_text="Luna").click()
    page.locator("#id_effective_hours").fill("20")
    page.locator("#id_starts_on").fill(TODAY.isoformat())
    page.get_by_role("button", name="Save", exact=True).click()
    settle(page)
    assert page.url.endswith(address("org.position", "assignments", clinic.p1.pk))
    expect(page.locator("#assignments")).to_contain_text("Luna")
    assert clinic.newcomer.assignments.get().created_by == clinic.supervisor
