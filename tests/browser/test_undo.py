"""An import taken back in a browser: the button, what it asks, what stands against it, and what the page says after."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from apps.org.models import Employee
from apps.users.groups import sync_groups
from tests.factories import Clinic
from tests.imports.undo_support import brought

from .conftest import Look, everyday, settle

LOOKS = everyday(
    [Look(language="es"), Look(scheme="dark", language="en"), Look(390, 844, language="es"), Look(390, 844, "dark")]
)
PEOPLE = "employee_number,given_name,family_name,home_unit_code,hired_on"


@pytest.fixture(params=LOOKS, ids=lambda look: look.name)
def look(request: Any) -> Look:
    return request.param


@pytest.fixture
def job(transactional_db: Any, clinic: Clinic) -> int:
    sync_groups()
    clinic.manager.save()
    rows = [f"N{number},Ana,Núñez Paz,H1,2026-01-05" for number in range(12)]
    return brought("employees", PEOPLE, *rows, actor=clinic.manager)


def fits(page: Page, look: Look) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= look.width


def test_a_manager_takes_a_sheet_back(job: int, visit: Any, clinic: Clinic, shoot: Any, look: Look) -> None:
    page = visit(reverse("admin:imports_importjob_change", args=[job]), user=clinic.manager, look=look)
    fits(page, look)
    shoot(page, "undo-job")
    page.click("#undo")
    dialog = page.locator("dialog[open]")
    expect(dialog.locator("textarea")).to_be_focused()
    settle(page)
    shoot(page, "undo-dialog")
    Employee.objects.filter(employee_number__startswith="N").update(given_name="Eva")
    dialog.locator("textarea").fill("Era la planilla de octubre")
    dialog.locator("button[type=submit]").click()
    expect(dialog.locator(".coveris-note-error li")).to_have_count(13)
    settle(page)
    shoot(page, "undo-refused")


def test_the_page_says_what_was_taken_back(job: int, visit: Any, clinic: Clinic, shoot: Any, look: Look) -> None:
    page = visit(reverse("admin:imports_importjob_change", args=[job]), user=clinic.manager, look=look)
    page.click("#undo")
    page.locator("dialog[open] textarea").fill("Era la planilla de octubre")
    page.locator("dialog[open] button[type=submit]").click()
    expect(page.locator("#undone")).to_contain_text("Era la planilla de octubre")
    expect(page.locator("#undo")).to_have_count(0)
    fits(page, look)
    settle(page)
    shoot(page, "undo-done")
