"""Choosing between one's sheet and what somebody else wrote meanwhile, in a browser."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from apps.common.acting import acting
from apps.org.models import Position
from apps.users.groups import sync_groups
from tests.factories import Clinic, PositionFactory
from tests.imports.support import take

from .conftest import Look, settle


@pytest.fixture(autouse=True)
def rights(transactional_db: Any, clinic: Clinic) -> None:
    sync_groups()
    clinic.manager.save()
    PositionFactory(code="P3", title="Enfermería de sala", org_unit=clinic.h1)


def test_both_values_are_shown_and_the_chosen_ones_come_in(
    visit: Any, clinic: Clinic, shoot: Any, every_look: Look
) -> None:
    rows = list(csv.DictReader(io.StringIO(take("positions", actor=clinic.manager).decode("utf-8-sig"))))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    writer.writerows(row | {"title": f"{row['title']} (mañana)", "required_weekly_hours": "38.00"} for row in rows)
    with acting(clinic.admin, origin="admin"):
        Position.objects.filter(code="P1").update(title="Enfermería de guardia nocturna")
        Position.objects.filter(code="P3").update(opens_on="2026-12-01")
    page = visit(reverse("admin:imports_importjob_add"), user=clinic.manager, look=every_look)
    page.select_option("[name=kind]", "positions")
    page.select_option("[name=dates]", "iso")
    page.select_option("[name=decimal]", "point")
    page.set_input_files(
        "[name=file]", {"name": "puestos.csv", "mimeType": "text/csv", "buffer": out.getvalue().encode()}
    )
    page.click(".coveris-sheet-form button[type=submit]")
    expect(page.locator("#conflicts .coveris-choice")).to_have_count(2)
    expect(page.locator("#confirm")).to_have_count(0)
    settle(page)
    shoot(page, "sheets-choices")
    page.click("#choose")
    expect(page.locator("main, #main, body").get_by_text("P1:").first).to_be_visible()
    page.locator('input[name="side-2-title"][value="sheet"]').check()
    page.click("#choose")
    expect(page.locator("#conflicts")).to_have_count(0)
    page.click("#confirm")
    expect(page.locator(".coveris-note-success")).to_be_visible()
    changed = Position.objects.get(code="P3")
    assert (changed.title, str(changed.opens_on)) == ("Enfermería de sala (mañana)", "2026-12-01")
    assert Position.objects.get(code="P1").title == "Enfermería de guardia (mañana)"
