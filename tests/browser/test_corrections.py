"""A closed week put right, as a tired manager does it: wide and narrow, light and dark, in both languages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from apps.assignments.models import Assignment
from apps.changes.drain import drain
from apps.changes.figures import kept
from apps.changes.models import Correction, Proof
from apps.changes.proof import run_waiting_proofs
from apps.demand.models import PositionCoverage
from apps.demand.services import correct_week
from apps.users.groups import sync_groups
from tests.factories import AssignmentFactory, Clinic, EmployeeFactory, PositionFactory
from tests.today import TODAY

from .conftest import Look, everyday

BOARD = "/admin/demand/unitcoverage/"
CODE = "2026-W49"
WEEK = timedelta(weeks=1)
LAST = TODAY - timedelta(days=2) - WEEK
LOOKS = everyday([Look(), Look(scheme="dark", language="en"), Look(390, 844), Look(390, 844, "dark", "en")])


@pytest.fixture(params=LOOKS, ids=lambda look: look.name)
def look(request: Any) -> Look:
    return request.param


@pytest.fixture
def late(transactional_db: Any, clinic: Clinic) -> Clinic:
    """Two closed weeks, about which other hours came out since."""
    sync_groups()
    settings.COVERIS_TODAY = TODAY - 2 * WEEK
    names = (("Marta", "Echeverría"), ("Joaquín", "Funes"), ("Sofía", "Rinaldi"))
    titles = ("Enfermería de guardia, turno noche", "Terapia intensiva", "Triage")
    rows = []
    for number, ((given, family), title) in enumerate(zip(names, titles, strict=True)):
        person = EmployeeFactory(
            employee_number=f"L{number}", given_name=given, family_name=family, home_unit=clinic.h1, active=True
        )
        place = PositionFactory(code=f"URG-{number}", title=title, org_unit=clinic.h1)
        rows.append(
            AssignmentFactory(employee=person, position=place, effective_hours=24, starts_on=LAST - WEEK, accepted=True)
        )
    for _week in range(3):
        drain()
        settings.COVERIS_TODAY += WEEK
    settings.COVERIS_TODAY = TODAY
    for row, hours in zip(rows, (36, 12, 30), strict=True):
        Assignment.objects.filter(pk=row.pk).update(effective_hours=hours)
    drain()
    return clinic


def fits(page: Page, look: Look) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= look.width


def test_a_week_is_corrected_and_says_so_everywhere(late: Clinic, visit: Any, shoot: Any, look: Look) -> None:
    page = visit(f"{BOARD}?week={CODE}", user=late.manager, look=look)
    fits(page, look)
    page.locator('a[href*="unitcoverage/correct/"]').click()
    fits(page, look)
    shoot(page, "correction-preview", full=True)
    page.locator("#id_reason").fill("El parte de la semana llegó el lunes siguiente")
    page.locator(".coveris-correct button[type=submit]").click()
    expect(page.locator("#positions")).to_be_visible()
    assert Correction.objects.count() == 1
    fits(page, look)
    shoot(page, "correction-record", full=True)
    page.goto(f"{BOARD}?week={CODE}")
    expect(page.locator(".coveris-was").first).to_be_visible()
    fits(page, look)
    shoot(page, "correction-board", full=True)
    page.goto(f"{BOARD}trend/")
    expect(page.locator(".coveris-was").first).to_be_visible()
    fits(page, look)
    shoot(page, "correction-trend", full=True)


def test_the_list_of_corrections_and_their_timeline(late: Clinic, visit: Any, shoot: Any, look: Look) -> None:
    correct_week(actor=late.admin, week=LAST, reason="El parte llegó tarde")
    page = visit("/admin/changes/correction/", user=late.admin, look=look)
    fits(page, look)
    shoot(page, "correction-list")
    page.goto("/admin/audit_log/auditentry/?kind=CORRECTION")
    fits(page, look)
    shoot(page, "correction-timeline")


def test_a_proof_is_asked_for_and_shows_how_far_it_is(late: Clinic, visit: Any, shoot: Any, look: Look) -> None:
    row = PositionCoverage.objects.order_by("pk").first()
    assert row is not None
    row.required[2] += 700
    row.save()
    page = visit("/admin/changes/proof/", user=late.admin, look=look)
    page.locator('form[action$="/proof/prove/"] button').click()
    expect(page.locator(".coveris-done li")).to_have_count(len(list(kept())))
    fits(page, look)
    shoot(page, "proof-under-way")
    run_waiting_proofs()
    proof = Proof.objects.get()
    page.goto(f"/admin/changes/proof/{proof.pk}/change/")
    expect(page.locator("#differences")).to_be_visible()
    fits(page, look)
    shoot(page, "proof-repaired")
    page.goto("/admin/audit_log/auditentry/?kind=REPAIR")
    fits(page, look)
    shoot(page, "proof-timeline")
