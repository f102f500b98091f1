"""A Spanish Excel file on its whole way in, in a browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from apps.imports import exporting
from apps.imports.export_job import ExportJob, ExportState
from apps.imports.services import AT_ONCE
from apps.imports.taking_out import write_out
from apps.org.models import Position
from apps.users.groups import sync_groups
from tests.factories import Clinic
from tests.worker.processes import Broker, Child, ring, worker

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


MIXED = (
    "Código;Denominación;Código de la unidad;Horas semanales requeridas;Abre el\r\n"
    "P1;Enfermería de niñez;H1;40,50;5/1/2026\r\n"
    "P7;Guardia de Ñandubay;H1;36,25;13/1/2026\r\n"
    "P8;Sala «Sur»;H1;cuarenta;13/1/2026\r\n"
    "P9;Sala norte;H1;24,00;1/13/2026\r\n"
).encode("cp1252")  # fmt: skip
LARGE = (
    "Código;Denominación;Código de la unidad;Horas semanales requeridas;Abre el\r\n"
    + "".join(f"G{n:04d};Enfermería de niñez {n};H1;{n % 40 + 1},50;{n % 28 + 1}/1/2026\r\n" for n in range(2_500))
    + "G9999;Sala «Sur»;H1;cuarenta;5/1/2026\r\n"
).encode("cp1252")


def send(page: Any, content: bytes, mode: str) -> None:
    """Fill the form as a person does whose product speaks Spanish: nothing but the file, its kind and the mode."""
    page.locator("select[name=kind]").select_option("positions")
    page.locator(".coveris-sheet-form input[type=file]").set_input_files(
        {"name": "puestos.csv", "mimeType": "text/csv", "buffer": content}
    )
    page.locator("select[name=mode]").select_option(mode)
    page.locator(".coveris-sheet-form button[type=submit]").click()


def stands_previewed(page: Any, created: str, updated: str, refused: str) -> None:
    """Look for what was found out, the counts, a difference, the rows that are refused, and the impact."""
    facts = page.locator(".coveris-sheet-facts")
    expect(facts).to_contain_text("WINDOWS-1252")
    expect(facts).to_contain_text("punto y coma")
    for name, count in (("created", created), ("updated", updated), ("refused", refused)):
        expect(page.locator(f"[data-count={name}]")).to_have_text(count)
    expect(page.locator("#errors")).to_contain_text("cuarenta")
    expect(page.locator("#errors")).to_contain_text("Escriba")
    expect(page.locator("#impact table")).to_contain_text("Urgencias")


def take_back(page: Any) -> None:
    page.locator("#undo").click()
    page.locator("dialog[open] textarea").fill("Era la planilla de octubre")
    page.locator("dialog[open] button[type=submit]").click()
    expect(page.locator("#undone")).to_contain_text("Era la planilla de octubre")


def test_the_whole_way_of_a_small_sheet_in_spanish(visit: Any, clinic: Clinic, shoot: Any) -> None:
    before = Position.objects.values_list("code", "title", "required_weekly_hours", "opens_on").order_by("code")
    state = list(before)
    page = visit(reverse("admin:imports_importjob_add"), user=clinic.manager, look=Look(language="es"))
    send(page, MIXED, "good-rows")
    stands_previewed(page, created="1", updated="1", refused="2")
    expect(page.locator("#changes")).to_contain_text("Enfermería de niñez")
    expect(page.locator("#errors")).to_contain_text("1/13/2026")
    settle(page)
    shoot(page, "sheets-way-preview", full=True)
    assert list(before.all()) == state
    page.locator("#confirm").click()
    expect(page.locator("#undo")).to_be_visible()
    shoot(page, "sheets-way-applied", full=True)
    new = Position.objects.get(code="P7")
    assert (new.title, new.required_weekly_hours, new.opens_on) == (
        "Guardia de Ñandubay", Decimal("36.25"), date(2026, 1, 13),
    )  # fmt: skip
    assert not Position.objects.filter(code__in=["P8", "P9"]).exists()
    take_back(page)
    shoot(page, "sheets-way-undone", full=True)
    assert list(before.all()) == state


@pytest.fixture
def at_work(broker: Broker, tmp_path: Path) -> Iterator[Child]:
    """A worker as the product runs it."""
    child = worker(broker, tmp_path)
    child.start()
    yield child
    child.kill()


def test_the_whole_way_of_a_large_sheet_in_spanish_over_a_worker(
    visit: Any, clinic: Clinic, shoot: Any, broker: Broker, at_work: Child
) -> None:
    assert len(LARGE) > AT_ONCE

    def until(page: Any, place: str) -> None:
        """Ring as the clock does, until the page that renews itself shows it."""
        deadline = time.monotonic() + 120
        while not page.locator(place).count():
            assert time.monotonic() < deadline, at_work.output()[-2_000:]
            ring(broker, "imports.run_waiting", "import")
            page.wait_for_timeout(2_000)

    page = visit(reverse("admin:imports_importjob_add"), user=clinic.manager, look=Look(language="es"))
    send(page, LARGE, "good-rows")
    expect(page.locator("#progress")).to_be_visible()
    shoot(page, "sheets-way-progress", full=True)
    until(page, "#confirm")
    stands_previewed(page, created="2500", updated="0", refused="1")
    assert not Position.objects.filter(code="G0001").exists()
    page.locator("#confirm").click()
    expect(page.locator("#progress").or_(page.locator("#undo"))).to_be_visible()
    until(page, "#undo")
    stored = Position.objects.get(code="G0013")
    assert (stored.title, stored.required_weekly_hours, stored.opens_on) == (
        "Enfermería de niñez 13", Decimal("14.50"), date(2026, 1, 14),
    )  # fmt: skip
    assert Position.objects.filter(code__startswith="G").count() == 2_500
    take_back(page)
    shoot(page, "sheets-way-large-undone", full=True)
    assert not Position.objects.filter(code__startswith="G").exists()


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
