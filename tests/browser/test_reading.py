"""What was found out about sheets, corrected on the page; files dropped onto the field; several as one import."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from apps.org.models import Employee, Position
from apps.users.groups import sync_groups
from tests.factories import Clinic, TagFactory

from .conftest import Look, settle

ODD = (
    "Código;Horas requeridas;Abre el;Teléfono\r\n"
    "P1;40,50;17/3/2026;11 5555-1234\r\n"
    "P7;24,00;1/4/2026;11 5555-9876\r\n"
).encode("cp1252")  # fmt: skip
SHEETS = {
    "03_positions.csv": b"code,title,unit_code,required_weekly_hours\r\nP7,Sala A,H1,36\r\n",
    "04_employees.csv": (
        b"employee_number,given_name,family_name,email,home_unit_code,hired_on\r\n"
        b"N1,Ana,Paz,ana@example.org,H1,2026-01-05\r\n"
    ),
    "contratos.csv": b"employee_number,tag_code,valid_from\r\nN1,C36,2026-01-05\r\nN1,NOPE,2026-01-05\r\n",
    "06_employees_activate.csv": b"employee_number,transition\r\nN1,activate\r\n",
    "notas.csv": b"algo,otro\r\n1,2\r\n",
}
DROP = """(field, files) => {
    const data = new DataTransfer();
    for (const [name, text] of files) data.items.add(new File([text], name, { type: "text/csv" }));
    for (const type of ["dragenter", "dragover", "drop"])
        field.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
}"""


@pytest.fixture(autouse=True)
def rights(transactional_db: Any, clinic: Clinic) -> None:
    sync_groups()
    clinic.manager.save()
    TagFactory(code="C36", type="CONTRACT", hours_delta=Decimal("36"))


def upload(page: Any, files: dict[str, bytes], kind: str = "") -> None:
    page.set_input_files(
        "[name=file]", [{"name": name, "mimeType": "text/csv", "buffer": content} for name, content in files.items()]
    )
    page.select_option("[name=kind]", kind)
    page.click(".coveris-sheet-form button[type=submit]")


def test_columns_are_said_on_the_page_and_remembered(visit: Any, clinic: Clinic, shoot: Any, every_look: Look) -> None:
    address = reverse("admin:imports_importjob_add")
    page = visit(address, user=clinic.manager, look=every_look)
    shoot(page, "reading-upload")
    page.select_option("[name=dates]", "iso")
    page.select_option("[name=decimal]", "comma")
    upload(page, {"puestos.csv": ODD}, kind="positions")
    expect(page.locator("#reading details[open]")).to_have_count(1)
    expect(page.locator("#confirm")).to_have_count(0)
    settle(page)
    shoot(page, "reading-open")
    page.select_option("[name=sheet0-column1]", "required_weekly_hours")
    page.select_option("[name=sheet0-column3]", "-")
    page.select_option("[name=sheet0-dates]", "dmy")
    page.click("#read-again")
    expect(page.locator("[data-count=updated]")).to_have_text("1")
    page.goto(page.url.split("/admin/")[0] + address)
    upload(page, {"puestos.csv": ODD}, kind="positions")
    expect(page.locator("#reading .coveris-note")).to_contain_text("Teléfono")
    settle(page)
    shoot(page, "reading-remembered")


def test_several_files_are_dropped_put_in_order_and_come_in_as_one(
    visit: Any, clinic: Clinic, shoot: Any, every_look: Look
) -> None:
    page = visit(reverse("admin:imports_importjob_add"), user=clinic.manager, look=every_look)
    field = page.locator(".coveris-sheet-drop")
    field.evaluate(
        f"(field, files) => ({DROP})(field, files)", [[name, text.decode()] for name, text in SHEETS.items()]
    )
    expect(page.locator(".coveris-sheet-files li")).to_have_count(5)
    shoot(page, "several-dropped")
    page.click(".coveris-sheet-form button[type=submit]")
    expect(page.locator("#reading details")).to_have_count(5)
    expect(page.locator("#reading details[open]")).to_have_count(1)
    settle(page)
    shoot(page, "several-open")
    page.locator("select[name=sheet5-kind]").select_option("-")
    page.click("#read-again")
    expect(page.locator("#errors tbody tr")).to_have_count(1)
    settle(page)
    shoot(page, "several-refused")


def test_the_whole_way_of_several(visit: Any, clinic: Clinic, shoot: Any) -> None:
    page = visit(reverse("admin:imports_importjob_add"), user=clinic.manager, look=Look(language="es"))
    good = {name: text for name, text in SHEETS.items() if name != "notas.csv"}
    upload(page, good | {"contratos.csv": b"employee_number,tag_code,valid_from\r\nN1,C36,2026-01-05\r\n"})
    settle(page)
    shoot(page, "several-preview")
    page.click("#confirm")
    expect(page.locator(".coveris-note-success")).to_be_visible()
    shoot(page, "several-done")
    assert Employee.objects.get(employee_number="N1").status == "ACTIVE"
    assert Position.objects.filter(code="P7").exists()
