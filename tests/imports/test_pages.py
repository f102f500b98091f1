"""Sheets on the screen: upload, preview, confirm; and lists taken out."""

from __future__ import annotations

import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from apps.imports.models import ImportJob
from apps.imports.reading import UPLOAD
from apps.imports.services import drop_stale
from apps.imports.tasks import drop_stale as drop_stale_task
from apps.org.models import Employee, Position
from apps.users.groups import sync_groups
from tests.factories import BusinessRuleFactory, EmployeeFactory, UserFactory

from .support import sheet

ADD = "admin:imports_importjob_add"
SPANISH = {"dates": "dmy", "decimal": "comma", "separator": "auto", "encoding": "auto", "mode": "all-or-nothing"}


@pytest.fixture
def house(clinic: Any) -> Any:
    sync_groups()
    for user in (clinic.admin, clinic.manager, clinic.supervisor, clinic.viewer):
        user.language = "en"
        user.save()
    return clinic


@pytest.fixture
def manager(client: Any, house: Any) -> Any:
    client.force_login(house.manager)
    return client


def post(client: Any, content: bytes, kind: str = "positions", **options: Any) -> ImportJob:
    file = SimpleUploadedFile(f"{kind}.csv", content)
    answer = client.post(reverse(ADD), {"kind": kind, "file": file, **SPANISH, **options})
    assert answer.status_code == 302, answer.content.decode()[:3000]
    return ImportJob.objects.latest("pk")


def page(client: Any, job: ImportJob) -> str:
    answer = client.get(reverse("admin:imports_importjob_change", args=[job.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def confirm(client: Any, job: ImportJob) -> Any:
    job.refresh_from_db()
    return client.post(
        reverse("admin:imports_importjob_confirm", args=[job.pk]),
        {"confirmation": job.options.get("confirmation", "")},
        follow=True,
    )


def test_the_good_rows_can_come_in_without_uploading_again(manager: Any, house: Any) -> None:
    content = "Código;Denominación;Código de la unidad\r\nP1;Nuevo;H1\r\nP9;Otro;NOWHERE\r\n".encode("cp1252")
    job = post(manager, content)
    before = page(manager, job)
    assert 'id="other-mode"' in before and 'id="confirm"' not in before
    address = reverse("admin:imports_importjob_mode", args=[job.pk])
    manager.post(address, {"mode": "good-rows"})
    after = page(manager, job)
    assert 'id="confirm"' in after and 'value="all-or-nothing"' in after
    confirm(manager, job)
    job.refresh_from_db()
    assert (job.state, job.mode, job.updated, job.refused) == ("APPLIED", "good-rows", 1, 1)
    assert Position.objects.get(code="P1").title == "Nuevo"
    assert manager.post(address, {"mode": "anything"}).status_code == 403


def test_nobody_else_picks_how_a_sheet_comes_in(manager: Any, client: Any, house: Any) -> None:
    job = post(manager, b"code;title\r\nP1;\r\n")
    client.force_login(house.admin)
    assert client.post(reverse("admin:imports_importjob_mode", args=[job.pk]), {"mode": "good-rows"}).status_code == 403
    job.refresh_from_db()
    assert job.mode == "all-or-nothing"


def test_the_whole_way_in(manager: Any, house: Any) -> None:
    content = "Código;Horas semanales requeridas\r\nP1;40,50\r\n".encode("cp1252")
    job = post(manager, content)
    preview = page(manager, job)
    assert "40.50" in preview and "36.00" in preview and 'id="confirm"' in preview
    assert "WINDOWS-1252" in preview and "semicolon" in preview
    assert Position.objects.get(code="P1").required_weekly_hours == Decimal("36")
    answer = confirm(manager, job)
    assert answer.status_code == 200
    job.refresh_from_db()
    assert (job.state, job.updated, job.content) == ("APPLIED", 1, None)
    assert Position.objects.get(code="P1").required_weekly_hours == Decimal("40.50")
    history = Position.history.filter(code="P1").first()
    assert (history.history_user, history.origin) == (house.manager, "import")
    assert "decided already" in str(confirm(manager, job).content)


def test_errors_show_line_column_value_and_what_to_do(manager: Any, house: Any) -> None:
    job = post(manager, b"code;required_weekly_hours;unit_code\r\nP1;treinta;H2\r\nP2;12;H1\r\n")
    shown = page(manager, job)
    assert "treinta" in shown and "required_weekly_hours" in shown and 'id="confirm"' not in shown
    assert "Instrumentación" not in shown
    confirm(manager, job)
    assert Position.objects.get(code="P1").required_weekly_hours == Decimal("36")


def test_good_rows_may_be_confirmed(manager: Any, house: Any) -> None:
    job = post(manager, b"code;title\r\nP1;Nuevo\r\nP9;sin horas\r\n", mode="good-rows")
    assert 'id="confirm"' in page(manager, job)
    confirm(manager, job)
    assert Position.objects.get(code="P1").title == "Nuevo"
    job.refresh_from_db()
    assert (job.state, job.refused) == ("APPLIED", 1)


def test_warnings_are_confirmed_by_name(manager: Any, house: Any) -> None:
    BusinessRuleFactory(code="HOURS_OVER_POOL", subject_kind="employee", severity="WARNING", threshold=Decimal("0"))
    content = sheet("employee_number,position_code,starts_on,effective_hours,transition", "E1,P1,2026-12-14,50,accept")
    job = post(manager, content, kind="assignments", decimal="point")
    assert 'id="warnings"' in page(manager, job)
    url = reverse("admin:imports_importjob_confirm", args=[job.pk])
    manager.post(url, {"confirmation": "something else"})
    job.refresh_from_db()
    assert job.state == "PREVIEWED"
    confirm(manager, job)
    job.refresh_from_db()
    assert job.state == "APPLIED"
    assert house.nurse.assignments.get().status == "ACTIVE"


def test_another_user_neither_sees_nor_confirms_it(manager: Any, house: Any, client: Any) -> None:
    job = post(manager, b"code;title\r\nP1;Nuevo\r\n")
    other = UserFactory(role="MANAGER", unit=house.h1)
    client.force_login(other)
    assert client.get(reverse("admin:imports_importjob_change", args=[job.pk])).status_code == 404
    assert confirm(client, job).status_code == 404
    client.force_login(house.admin)
    assert client.get(reverse("admin:imports_importjob_change", args=[job.pk])).status_code == 200
    assert confirm(client, job).status_code == 403
    assert Position.objects.get(code="P1").title != "Nuevo"


def test_a_preview_lives_an_hour(manager: Any, house: Any) -> None:
    job = post(manager, b"code;title\r\nP1;Nuevo\r\n")
    fresh = post(manager, b"code;title\r\nP1;Otro\r\n")
    ImportJob.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(minutes=61))
    assert 'id="confirm"' not in page(manager, job)
    confirm(manager, job)
    assert Position.objects.get(code="P1").title != "Nuevo"
    assert drop_stale_task() == 1
    assert drop_stale(actor=None) == 0
    job.refresh_from_db()
    assert (job.state, job.content, job.options) == ("ABANDONED", None, {})
    confirm(manager, fresh)
    assert Position.objects.get(code="P1").title == "Otro"


def test_a_dropped_file_is_forgotten(manager: Any, house: Any) -> None:
    job = post(manager, b"code;title\r\nP1;Nuevo\r\n")
    url = reverse("admin:imports_importjob_abandon", args=[job.pk])
    assert manager.get(url).status_code == 403
    manager.post(url)
    job.refresh_from_db()
    assert (job.state, job.content) == ("ABANDONED", None)


def test_what_is_asked_before(manager: Any, house: Any, client: Any) -> None:
    shown = manager.get(reverse(ADD)).content.decode()
    assert 'value="employees"' in shown and 'value="org_units"' not in shown and 'value="tags"' not in shown
    refused = manager.post(reverse(ADD), {"kind": "tags", "file": SimpleUploadedFile("t.csv", b"code"), **SPANISH})
    assert refused.status_code == 200 and not ImportJob.objects.exists()
    big = SimpleUploadedFile("p.csv", b"x" * (UPLOAD.file + 1))
    assert manager.post(reverse(ADD), {"kind": "positions", "file": big, **SPANISH}).status_code == 200
    assert not ImportJob.objects.exists()
    for user in (house.supervisor, house.viewer):
        client.force_login(user)
        assert client.get(reverse(ADD)).status_code == 403


@pytest.mark.parametrize("content", [b"\x00\x01\x02", b"PK\x03\x04junk", b'a;b\r\n"x', b"\xff\xfe\x00", b"code\r\n"])
def test_no_file_breaks_the_page(content: bytes, manager: Any, house: Any) -> None:
    answer = manager.post(reverse(ADD), {"kind": "positions", "file": SimpleUploadedFile("p.csv", content), **SPANISH})
    assert answer.status_code in (200, 302)
    if answer.status_code == 302:
        assert page(manager, ImportJob.objects.latest("pk"))


EXPORTS = {
    "org_orgunit": "org_units",
    "org_position": "positions",
    "org_employee": "employees",
    "org_leave": "leaves",
    "tags_tagcatalog": "tags",
    "tags_employeetag": "employee_tags",
    "assignments_assignment": "assignments",
    "demand_demandadjustment": "demand_adjustments",
}


@pytest.mark.parametrize("screen", EXPORTS)
def test_every_list_goes_out_as_its_sheet(screen: str, manager: Any, house: Any) -> None:
    url = reverse(f"admin:{screen}_export")
    assert manager.get(url).status_code == 200
    plain = manager.post(url, {"shape": "csv"})
    assert plain["Content-Type"].startswith("text/csv") and EXPORTS[screen] in plain["Content-Disposition"]
    assert b"row_version" in plain.getvalue().splitlines()[0]
    excel = manager.post(url, {"shape": "csv-excel"})
    content = excel.getvalue()
    assert content.startswith(b"\xef\xbb\xbf") and b";" in content.splitlines()[0]
    book = load_workbook(io.BytesIO(manager.post(url, {"shape": "xlsx"}).getvalue()))
    assert book.active.title == EXPORTS[screen]
    assert url in manager.get(reverse(f"admin:{screen}_changelist")).content.decode()


def test_an_export_honours_filters_and_scope(manager: Any, house: Any, client: Any) -> None:
    EmployeeFactory(employee_number="FAR1", home_unit=house.h2, national_id="30999888")
    Employee.objects.filter(employee_number="E1").update(national_id="27111222")
    url = reverse("admin:org_employee_export")
    everyone = manager.post(url, {"shape": "csv"}).getvalue().decode()
    assert "E1" in everyone and "E3" in everyone and "FAR1" not in everyone and "27111222" in everyone
    found = manager.post(f"{url}?q=Luna", {"shape": "csv"}).getvalue().decode()
    assert "E3" in found and "E1" not in found
    client.force_login(house.viewer)
    seen = client.post(url, {"shape": "csv"}).getvalue().decode()
    assert "27111222" not in seen and "•••" in seen
    client.force_login(UserFactory(role="EMPLOYEE"))
    assert client.post(url, {"shape": "csv"}).status_code in (302, 403)


def test_a_spanish_export_comes_back(manager: Any, house: Any) -> None:
    content = manager.post(reverse("admin:org_position_export"), {"shape": "csv-excel"}).getvalue()
    job = post(manager, content)
    job.refresh_from_db()
    assert (job.created, job.updated, job.unchanged, job.refused) == (0, 0, 1, 0), job.errors


def test_an_export_of_a_filter_that_means_nothing_goes_back_to_the_list(manager: Any) -> None:
    answer = manager.get(reverse("admin:assignments_assignment_export") + "?is_reinforcement__exact=perhaps")
    assert answer.status_code == 302
    page = manager.get(answer.headers["Location"], follow=True)
    assert page.redirect_chain[-1][0].endswith("?e=1")
    assert page.status_code == 200
