"""A Spanish Excel file on its whole way in, in a browser."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from apps.imports import exporting
from apps.imports.export_job import ExportJob, ExportState
from apps.imports.taking_out import write_out
from apps.org.models import Position
from apps.users.groups import sync_groups
from tests.factories import Clinic

from .conftest import Look, settle

SHEET = (
    "Código;Denominación;Horas semanales requeridas;Abre el\r\n"
    "P1;Enfermería de niñez;40,50;5/1/2026\r\n"
).encode("cp1252")  # fmt: skip
BROKEN = "Código;Horas semanales requeridas\r\nP1;cuarenta\r\nP7;12\r\n".encode("cp1252")


@pytest.fixture(autouse=True)
def rights(transactional_db: Any, clinic: Clinic) -> None:
    sync_groups()
    clinic.manager.save()


def choose(page: Any, content: bytes) -> None:
    page.select_option("[name=kind]", "positions")
    page.set_input_files("[name=file]", {"name": "puestos.csv", "mimeType": "text/csv", "buffer": content})
    page.click(".coveris-sheet-form button[type=submit]")


def test_a_semicolon_windows_1252_file_with_decimal_commas_comes_in(visit: Any, clinic: Clinic, shoot: Any) -> None:
    page = visit(reverse("admin:imports_importjob_add"), user=clinic.manager, look=Look(language="es"))
    shoot(page, "sheets-upload")
    choose(page, SHEET)
    expect(page.locator("[data-count=updated]")).to_have_text("1")
    expect(page.locator("#changes")).to_contain_text("40.50")
    shoot(page, "sheets-preview")
    page.click("#confirm")
    expect(page.locator(".coveris-note-success")).to_be_visible()
    position = Position.objects.get(code="P1")
    assert (position.title, position.required_weekly_hours) == ("Enfermería de niñez", Decimal("40.50"))


def test_preview_in_every_look(visit: Any, clinic: Clinic, shoot: Any, every_look: Look) -> None:
    page = visit(reverse("admin:imports_importjob_add"), user=clinic.manager, look=every_look)
    choose(page, BROKEN)
    expect(page.locator("#errors tbody tr").first).to_be_visible()
    expect(page.locator("#confirm")).to_have_count(0)
    settle(page)
    shoot(page, "sheets-refused")


def test_a_list_goes_out_from_its_button(visit: Any, clinic: Clinic, shoot: Any) -> None:
    page = visit(reverse("admin:org_position_changelist"), user=clinic.manager, look=Look(language="es"))
    page.click(".coveris-sheet-tool >> nth=0")
    shoot(page, "sheets-export")
    page.select_option("[name=shape]", "csv-excel")
    with page.expect_download() as download:
        page.click(".coveris-sheet-form button[type=submit]")
    assert download.value.suggested_filename.endswith(".csv")


def test_a_long_list_is_written_by_a_worker_told_and_fetched(
    visit: Any, clinic: Clinic, shoot: Any, every_look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 0)
    page = visit(reverse("admin:org_position_export"), user=clinic.manager, look=every_look)
    shoot(page, "export-long")
    page.click(".coveris-sheet-form button[type=submit]")
    expect(page.locator("#cancel")).to_be_visible()
    shoot(page, "export-waiting")
    job = ExportJob.objects.get()
    ExportJob.objects.update(state=ExportState.MAKING, total=200_000, rows=64_000)
    expect(page.locator("#progress .coveris-progress")).to_be_visible()
    shoot(page, "export-making")
    assert write_out(job.pk)
    # It renews itself.
    expect(page.locator("#fetch")).to_be_visible()
    settle(page)
    shoot(page, "export-ready")
    with page.expect_download() as download:
        page.click("#fetch")
    assert download.value.suggested_filename.startswith("positions_")
    page.goto(page.url.replace(f"{job.pk}/change/", ""))
    shoot(page, "export-files")
