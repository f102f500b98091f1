"""Several sheets come in as one import: recognised, put in order, looked at together, all or nothing, taken back."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import Workbook, load_workbook

from apps.assignments.models import Assignment
from apps.common.errors import Refusal
from apps.imports.carrying_out import run_waiting_imports
from apps.imports.corrections import Correction
from apps.imports.enums import JobState
from apps.imports.models import ImportFile, ImportJob, ImportPart, ImportProgress
from apps.imports.parts import kind_by_headers, kind_by_name, sheets_of
from apps.imports.reading import Options, Unreadable
from apps.imports.rights import in_order
from apps.imports.services import (
    AT_ONCE,
    abandon,
    confirm,
    correct,
    drop_stale,
    forget_reading,
    is_small,
    preview,
    request_confirm,
    request_preview,
    undo_import,
    upload_several,
)
from apps.org.models import Employee, Position
from apps.tags.models import EmployeeTag, TagCatalog
from tests.factories import TagFactory

from .support import sheet, take
from .undo_support import current_state

POSITIONS = sheet("code,title,unit_code,required_weekly_hours,opens_on", "P7,Sala A,H1,36,2026-01-05")
PEOPLE = sheet("employee_number,given_name,family_name,email,home_unit_code,hired_on",
               "N1,Ana,Paz,ana@example.org,H1,2026-01-05")  # fmt: skip
CONTRACTS = sheet("employee_number,tag_code,valid_from", "N1,C36,2026-01-05")
ACTIVATE = sheet("employee_number,transition", "N1,activate")
WORK = sheet("employee_number,position_code,starts_on,effective_hours,transition", "N1,P7,2026-12-14,36,accept")
CLINIC = {
    "asignaciones.csv": WORK,
    "06_employees_activate.csv": ACTIVATE,
    "contratos.csv": CONTRACTS,
    "03_positions.csv": POSITIONS,
    "04_employees.csv": PEOPLE,
}


@pytest.fixture
def contract(clinic: Any) -> Any:
    return TagFactory(code="C36", type="CONTRACT", hours_delta=Decimal("36"))


def book(**pages: list[list[Any]]) -> bytes:
    made = Workbook()
    made.remove(made.active)
    for name, rows in pages.items():
        page = made.create_sheet(name)
        for row in rows:
            page.append(row)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def put(actor: Any, files: dict[str, bytes], *, look: bool = True, **options: Any) -> ImportJob:
    job = upload_several(
        files=[SimpleUploadedFile(name, content) for name, content in files.items()], actor=actor,
        open_options=("dates", "decimal", "separator", "encoding"), **options,
    )  # fmt: skip
    if look:
        preview(job=job, actor=actor)
        job.refresh_from_db()
    return job


def bring_in(job: ImportJob, actor: Any) -> ImportJob:
    confirm(job=job, actor=actor, confirmed_warnings=job.options["confirmation"])
    job.refresh_from_db()
    return job


def kinds(job: ImportJob) -> list[str]:
    return [part.kind for part in job.parts.order_by("place")]


def said(job: ImportJob, **changed: Any) -> list[Correction]:
    """What the parts are already said to be, but for some, by their kind or name."""
    return [
        changed.get(part.kind or part.file.name.split(".")[0])
        or Correction(part.kind, Options(**part.options["picked"]), part.options.get("mapping", {}), turn=part.place,
                      is_left_aside=part.is_left_aside)
        for part in sheets_of(job)
    ]  # fmt: skip


# What they are, and in which order


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("03_positions.csv", "positions"), ("06_employees_activate.csv", "employees"), ("Puestos.xlsx", "positions"),
        ("07 employee_tags", "employee_tags"), ("employee_tags_2", "employee_tags"), ("notas", ""), ("2026", ""),
        ("Unidades", "org_units"),
    ],
)  # fmt: skip
def test_a_sheet_is_known_by_its_name(name: str, kind: str) -> None:
    assert kind_by_name(name) == kind


def test_each_kind_is_known_by_its_own_columns() -> None:
    for kind, resource in in_order().items():
        assert kind_by_headers(list(resource.columns()), in_order()) == kind
        assert kind_by_headers([column.spanish for column in resource.columns().values()], in_order()) == kind
    assert kind_by_headers(["a", "b"], in_order()) == ""
    assert kind_by_headers(["code", "x", "y", "z"], in_order()) == ""


def test_they_come_in_the_order_they_need_each_other(clinic: Any, contract: Any) -> None:
    job = put(clinic.manager, CLINIC)
    assert kinds(job) == ["positions", "employees", "employee_tags", "employees", "assignments"]
    assert job.errors == []
    counted = job.parts.order_by("place").values_list("created", "updated")
    assert list(counted) == [(1, 0), (1, 0), (1, 0), (0, 1), (1, 0)]
    assert (job.created, job.updated) == (4, 1)
    assert not Employee.objects.filter(employee_number="N1").exists()


def test_other_transitions_come_last(clinic: Any, contract: Any) -> None:
    leaving = sheet("employee_number,transition,last_day,reason", "E3,terminate,2026-12-31,Renuncia")
    job = put(clinic.manager, {"employees.csv": leaving, **CLINIC})
    last = job.parts.order_by("place").last()
    assert (last.kind, last.options["moves"]) == ("employees", ["terminate"])


def test_new_people_who_are_activated_in_one_sheet_come_in_before_and_after_their_contracts(
    clinic: Any, contract: Any
) -> None:
    header, row = PEOPLE.decode().split()
    people = f"{header},transition\r\n{row},activate\r\n".encode()
    job = put(clinic.manager, {"employees.csv": people, "contratos.csv": CONTRACTS, "03_positions.csv": POSITIONS})
    assert (kinds(job), job.errors) == (["positions", "employees", "employee_tags", "employees"], [])
    assert "first without its transitions" in job.parts.get(place=2).file_name
    preview(job=job, actor=clinic.manager)
    assert job.parts.count() == 4
    job.refresh_from_db()
    assert (bring_in(job, clinic.manager).created, job.updated) == (3, 1)
    assert Employee.objects.get(employee_number="N1").status == "ACTIVE"
    # Without contracts beside it, or for people who are there already, it comes in once.
    assert kinds(put(clinic.manager, {"employees.csv": people, "03_positions.csv": POSITIONS})) == [
        "positions", "employees",
    ]  # fmt: skip
    known = put(clinic.manager, {"employees.csv": ACTIVATE, "contratos.csv": CONTRACTS})
    assert kinds(known) == ["employee_tags", "employees"]


def test_a_workbook_brings_all_its_sheets(clinic: Any, contract: Any) -> None:
    content = book(
        Asignaciones=[
            ["employee_number", "position_code", "starts_on", "effective_hours"],
            ["E1", "P7", "2026-12-14", 6],
        ],
        Puestos=[["Código", "Denominación", "unidad", "Horas semanales requeridas"], ["P7", "Sala", "H1", 36]],
        Vacía=[],
    )  # fmt: skip
    job = put(clinic.manager, {"clinica.xlsx": content})
    parts = {part.sheet: part for part in job.parts.all()}
    assert parts["Vacía"].is_left_aside
    assert [part.kind for part in job.parts.order_by("place")][:2] == ["positions", "assignments"]


def test_a_sheet_nobody_knows_waits_for_a_person(clinic: Any) -> None:
    job = put(clinic.manager, {"03_positions.csv": POSITIONS, "notas.csv": b"algo,otro\r\n1,2\r\n"})
    assert [error["code"] for error in job.errors] == ["unknown_kind"]
    with pytest.raises(Refusal):
        confirm(job=job, actor=clinic.manager, confirmed_warnings=job.options["confirmation"])
    assert not Position.objects.filter(code="P7").exists()
    aside = Correction("", Options(), turn=2, is_left_aside=True)
    job = correct(job=job, actor=clinic.manager, corrections=said(job, notas=aside))
    preview(job=job, actor=clinic.manager)
    job.refresh_from_db()
    assert bring_in(job, clinic.manager).state == JobState.APPLIED
    assert Position.objects.filter(code="P7").exists()


def test_good_rows_do_not_come_in_past_a_sheet_nobody_knows(clinic: Any) -> None:
    files = {"03_positions.csv": POSITIONS, "puestos.csv": sheet("code,quien", "P1,x")}
    job = put(clinic.manager, files, mode="good-rows")
    assert [error["code"] for error in job.errors] == ["unknown_column"]
    with pytest.raises(Refusal):
        confirm(job=job, actor=clinic.manager)


def test_a_person_corrects_kind_columns_and_turn(clinic: Any) -> None:
    odd = sheet("Legajo,Nombre,Apellido,Correo,Unidad,Ingreso", "N1,Ana,Paz,ana@example.org,H1,2026-01-05")
    job = put(clinic.manager, {"03_positions.csv": POSITIONS, "gente.csv": odd})
    mapping = {"legajo": "employee_number", "nombre": "given_name", "apellido": "family_name", "correo": "email",
               "unidad": "home_unit_code", "ingreso": "hired_on"}  # fmt: skip
    people = Correction("employees", Options(), mapping, turn=1)
    job = correct(job=job, actor=clinic.manager, corrections=said(job, gente=people, employees=people))
    preview(job=job, actor=clinic.manager)
    job.refresh_from_db()
    assert (job.errors, job.created) == ([], 2)
    # The turns a person gives stay, sensible or not.
    swapped = [Correction(one.kind, one.options, one.mapping, turn=3 - one.turn) for one in said(job)]
    job = correct(job=job, actor=clinic.manager, corrections=swapped)
    preview(job=job, actor=clinic.manager)
    assert kinds(job) == ["employees", "positions"]
    # And the columns are remembered.
    again = put(clinic.manager, {"employees.csv": odd, "positions.csv": POSITIONS})
    assert (again.errors, again.created) == ([], 2)


def test_a_single_sheet_is_told_by_name_and_then_has_no_parts(clinic: Any) -> None:
    job = put(clinic.manager, {"03_positions.csv": sheet("code,Nombre", "P1,Guardia")})
    assert (job.kind, job.file_name, job.parts.count(), ImportFile.objects.count()) == (
        "positions", "03_positions.csv", 0, 0,
    )  # fmt: skip
    named = Correction("positions", Options(), {"nombre": "title"})
    job = correct(job=job, actor=clinic.manager, corrections=[named])
    preview(job=job, actor=clinic.manager)
    job.refresh_from_db()
    assert bring_in(job, clinic.manager).updated == 1
    open_still = put(clinic.manager, {"quien.csv": b"algo,otro\r\n1,2\r\n"})
    assert [error["code"] for error in open_still.errors] == ["unknown_kind"]
    job = correct(job=open_still, actor=clinic.manager, corrections=[Correction("positions", Options(), turn=1)])
    preview(job=job, actor=clinic.manager)
    job.refresh_from_db()
    assert (job.kind, job.parts.count(), len(job.errors)) == ("positions", 0, 2)


def test_a_workbook_of_too_many_sheets_is_refused_before_any_is_read(clinic: Any) -> None:
    many = book(**{f"positions {n}": [["code"], ["P1"]] for n in range(61)})
    with pytest.raises(Refusal, match="more than 60 sheets"):
        put(clinic.manager, {"many.xlsx": many})


def test_many_small_sheets_are_left_to_a_worker(clinic: Any) -> None:
    few = put(clinic.manager, {f"positions_{n}.csv": POSITIONS for n in range(8)}, look=False)
    many = put(clinic.manager, {f"positions_{n}.csv": POSITIONS for n in range(9)}, look=False)
    assert (is_small(few), is_small(many)) == (True, False)


def test_a_stop_between_two_sheets_leaves_nothing(clinic: Any) -> None:
    class Stopped(Exception):
        pass

    heard: list[tuple[Any, ...]] = []

    def tell(stage: str, rows: int, part: int = 0, parts: int = 0) -> None:
        heard.append((stage, part, parts))
        if part == 2 and stage == "CHECKING":
            raise Stopped

    job = put(clinic.manager, {"03_positions.csv": POSITIONS, "b.csv": PEOPLE})
    with pytest.raises(Stopped):
        confirm(job=job, actor=clinic.manager, confirmed_warnings=job.options["confirmation"], tell=tell)
    assert ("WRITING", 1, 2) in heard
    assert not Position.objects.filter(code="P7").exists()
    job.refresh_from_db()
    assert job.state == JobState.PREVIEWED
    assert bring_in(job, clinic.manager).created == 2


def test_a_kind_somebody_may_not_bring_in_is_told_and_may_be_left_aside(clinic: Any) -> None:
    job = put(clinic.manager, {"03_positions.csv": POSITIONS, "tags.csv": sheet("code,name", "T1,x")})
    assert [error["code"] for error in job.errors] == ["forbidden"]
    with pytest.raises(Refusal):
        put(clinic.manager, {"tags.csv": sheet("code,name", "T1,x")}, kind="tags")
    assert not TagCatalog.objects.filter(code="T1").exists()


# All or nothing


def test_they_come_in_together_under_one_deed(clinic: Any, contract: Any) -> None:
    job = bring_in(put(clinic.manager, CLINIC), clinic.manager)
    assert (job.state, job.created, job.updated) == (JobState.APPLIED, 4, 1)
    person = Employee.objects.get(employee_number="N1")
    assert (person.status, Assignment.objects.get(employee=person).status) == ("ACTIVE", "ACTIVE")
    for model in (Employee, Position, EmployeeTag, Assignment):
        assert set(model.history.exclude(deed=None).values_list("deed", flat=True)) == {job.deed}
    assert not ImportFile.objects.filter(content__isnull=False).exists()
    assert all(part.options["head"]["sample"] == [] for part in job.parts.all())


def test_one_refused_row_keeps_all_sheets_out(clinic: Any, contract: Any) -> None:
    broken = {**CLINIC, "contratos.csv": sheet("employee_number,tag_code,valid_from", "N1,NOPE,2026-01-05")}
    job = put(clinic.manager, broken)
    assert (job.created, job.updated) == (0, 0)
    assert {(error["part"], error["code"]) for error in job.errors} >= {(3, "unknown_reference")}
    # What the sheets before it bring is there for those after it: they are not blamed for it.
    assert not [error for error in job.errors if error["part"] in (1, 2)]
    confirm(job=job, actor=clinic.manager, confirmed_warnings=job.options["confirmation"])
    assert not Position.objects.filter(code="P7").exists()
    assert not Employee.objects.filter(employee_number="N1").exists()


def test_a_row_that_names_what_is_refused_in_another_sheet_is_told_so(clinic: Any) -> None:
    work = sheet("employee_number,position_code,starts_on,effective_hours", "E1,P7,2026-12-14,6")
    place = sheet("code,title,unit_code,required_weekly_hours", "P7,Sala,NOPE,36")
    job = put(clinic.manager, {"03_positions.csv": place, "assignments.csv": work})
    told = [(error["part"], error["code"]) for error in job.errors]
    assert told == [(1, "unknown_reference"), (2, "refused_reference")]
    assert "03_positions.csv" in job.errors[1]["message"]


def test_good_rows_come_in_and_the_rest_comes_back_by_kind_to_be_mended(clinic: Any) -> None:
    files = {
        "03_positions.csv": sheet("code,title,unit_code,required_weekly_hours", "P7,Sala,H1,36", "P8,Sala,NOPE,36"),
        "gente.csv": sheet("Legajo,given_name,family_name,email,home_unit_code,hired_on",
                           "N1,Ana,Paz,ana@example.org,H1,2026-01-05", "N2,Eva,Paz,eva@example.org,NOPE,2026-01-05"),
    }  # fmt: skip
    job = put(clinic.manager, files, mode="good-rows")
    known = Correction("employees", Options(), {"legajo": "employee_number"}, turn=2)
    job = correct(job=job, actor=clinic.manager, corrections=[said(job)[0], known])
    preview(job=job, actor=clinic.manager)
    job.refresh_from_db()
    job = bring_in(job, clinic.manager)
    assert (job.state, job.created, job.refused) == (JobState.APPLIED, 2, 2)
    pages = load_workbook(io.BytesIO(bytes(job.refused_rows)))
    assert pages.sheetnames == ["positions", "employees"]
    assert pages["employees"]["A1"].value == "employee_number"
    pages["positions"]["C2"] = "H1"
    pages["employees"]["E2"] = "H1"
    mended = io.BytesIO()
    pages.save(mended)
    again = bring_in(put(clinic.manager, {"refused.xlsx": mended.getvalue()}), clinic.manager)
    assert (again.state, again.created, again.errors) == (JobState.APPLIED, 2, [])


def test_a_file_that_breaks_off_keeps_all_out_and_says_which(clinic: Any) -> None:
    cut = POSITIONS + b'"P8,open quotation mark\r\n'
    job = put(clinic.manager, {"employees.csv": PEOPLE, "03_positions.csv": cut}, mode="good-rows")
    assert [(error["part"], error["code"]) for error in job.errors] == [(1, "bad_quotes")]
    report = confirm(job=job, actor=clinic.manager)
    assert not report.ok and not Employee.objects.filter(employee_number="N1").exists()


def test_the_same_again_changes_nothing(clinic: Any, contract: Any) -> None:
    bring_in(put(clinic.manager, CLINIC), clinic.manager)
    again = put(clinic.manager, CLINIC)
    assert (again.created, again.updated, again.unchanged, again.errors) == (0, 0, 5, [])


def test_one_impact_is_asked_over_all(clinic: Any, contract: Any) -> None:
    job = put(clinic.manager, CLINIC)
    (unit,) = [unit for unit in job.impact["coverage"]["units"] if unit["code"] == "H1"]
    alone = put(clinic.manager, {"03_positions.csv": POSITIONS})
    (before,) = [unit for unit in alone.impact["coverage"]["units"] if unit["code"] == "H1"]
    # The position's hours are missing by itself, and given by the assignment of the same import.
    assert Decimal(unit["ahead"]["deficit_hours"]["after"]) < Decimal(before["ahead"]["deficit_hours"]["after"])


def test_rows_that_somebody_else_changed_are_chosen_about_sheet_by_sheet(clinic: Any, as_user: Any) -> None:
    exported = {kind: take(kind, actor=clinic.manager).decode() for kind in ("positions", "employees")}
    Position.objects.filter(code="P1").update(title="Otra")
    Employee.objects.filter(employee_number="E1").update(given_name="Luz")
    files = {
        "positions.csv": exported["positions"].replace("Enfermería de guardia", "Guardia").encode(),
        "employees.csv": exported["employees"].replace("Lucía", "Lucia").encode(),
    }
    job = put(clinic.manager, files)
    assert [(error["part"], error["code"]) for error in job.errors] == [(1, "changed_since"), (2, "changed_since")]
    client = as_user(clinic.manager)
    page = reverse("admin:imports_importjob_change", args=[job.pk])
    shown = client.get(page).content.decode()
    lines = [error["line"] for error in job.errors]
    names = [f"side-1.{lines[0]}-title", f"side-2.{lines[1]}-given_name"]
    assert all(f'name="{name}"' in shown for name in names)
    choice = reverse("admin:imports_importjob_choose", args=[job.pk])
    client.post(choice, {names[0]: "sheet", names[1]: "stored"})
    job.refresh_from_db()
    assert (job.errors, job.updated) == ([], 1)
    bring_in(job, clinic.manager)
    assert Position.objects.get(code="P1").title == "Guardia"
    assert Employee.objects.get(employee_number="E1").given_name == "Luz"


# Taken back


def test_one_undo_takes_all_back_statuses_included(clinic: Any, contract: Any) -> None:
    before = current_state()
    job = bring_in(put(clinic.manager, CLINIC), clinic.manager)
    assert current_state() != before
    done = undo_import(job=job, actor=clinic.manager)
    assert (done.deleted, done.moved_back) == (4, 2)
    assert current_state() == before
    job.refresh_from_db()
    assert job.state == JobState.UNDONE
    again = bring_in(put(clinic.manager, CLINIC), clinic.manager)
    assert (again.created, again.updated) == (4, 1)


def test_an_undo_over_several_kinds_names_what_changed_since_in_any(clinic: Any, contract: Any) -> None:
    job = bring_in(put(clinic.manager, CLINIC), clinic.manager)
    Position.objects.filter(code="P7").update(title="Otra")
    with pytest.raises(Refusal) as refused:
        undo_import(job=job, actor=clinic.manager)
    assert "P7" in " ".join(refused.value.explain())
    assert Employee.objects.get(employee_number="N1").status == "ACTIVE"


# Its whole life


def test_limits_hold_for_all_files_together(clinic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.imports import services
    from apps.imports.reading import Limits

    monkeypatch.setattr(services, "UPLOAD", Limits(file=len(POSITIONS) + 5))
    with pytest.raises(Unreadable):
        put(clinic.manager, {"a.csv": POSITIONS, "b.csv": POSITIONS}, look=False)
    assert not ImportJob.objects.exists() and not ImportFile.objects.exists()


def test_a_worker_looks_at_large_ones_and_brings_them_in(clinic: Any) -> None:
    rows = [f"N{n:05d},Ana,Paz,n{n}@example.org,H1,2026-01-05" for n in range(2_000)]
    people = sheet("employee_number,given_name,family_name,email,home_unit_code,hired_on", *rows)
    assert len(people) > AT_ONCE
    job = put(clinic.manager, {"employees.csv": people, "positions.csv": POSITIONS}, look=False)
    request_preview(job=job, actor=clinic.manager)
    assert run_waiting_imports() == 1
    job.refresh_from_db()
    assert (job.state, job.created, kinds(job)) == (JobState.PREVIEWED, 2_001, ["positions", "employees"])
    request_confirm(job=job, actor=clinic.manager, confirmed_warnings=job.options["confirmation"])
    assert run_waiting_imports() == 1
    assert Employee.objects.filter(employee_number__startswith="N").count() == 2_000


def test_what_is_dropped_or_forgotten_leaves_no_file(clinic: Any) -> None:
    dropped = put(clinic.manager, {"03_positions.csv": POSITIONS, "b.csv": PEOPLE})
    abandon(job=dropped, actor=clinic.manager)
    stale = put(clinic.manager, {"03_positions.csv": POSITIONS, "b.csv": PEOPLE})
    fresh = put(clinic.manager, {"03_positions.csv": POSITIONS, "b.csv": PEOPLE})
    ImportJob.objects.filter(pk=stale.pk).update(created_at=stale.created_at.replace(year=2020))
    assert drop_stale(actor=None) == 1
    assert set(ImportFile.objects.values_list("job", flat=True)) == {fresh.pk}
    assert set(ImportPart.objects.values_list("job", flat=True)) == {fresh.pk}


def test_what_is_remembered_of_a_sheet_among_several_is_forgotten(clinic: Any) -> None:
    odd = sheet("code,Nombre", "P1,Guardia")
    job = put(clinic.manager, {"03_positions.csv": odd, "b.csv": PEOPLE})
    named = Correction("positions", Options(), {"nombre": "title"}, turn=1)
    job = correct(job=job, actor=clinic.manager, corrections=said(job, positions=named))
    preview(job=job, actor=clinic.manager)
    again = put(clinic.manager, {"03_positions.csv": odd, "b.csv": PEOPLE})
    assert again.errors == [] and again.parts.get(kind="positions").options["habit"]
    again = forget_reading(job=again, actor=clinic.manager)
    preview(job=again, actor=clinic.manager)
    again.refresh_from_db()
    assert [error["code"] for error in again.errors] == ["unknown_column"]


# On the page


ADD = "admin:imports_importjob_add"
POSTED = {"kind": "", "dates": "iso", "decimal": "point", "separator": "auto", "encoding": "auto",
          "mode": "all-or-nothing"}  # fmt: skip


def test_the_whole_way_on_the_page(clinic: Any, contract: Any, as_user: Any) -> None:
    client = as_user(clinic.manager)
    files = [SimpleUploadedFile(name, content) for name, content in CLINIC.items()]
    answer = client.post(reverse(ADD), {**POSTED, "file": files})
    assert answer.status_code == 302, answer.content.decode()[:2000]
    job = ImportJob.objects.get()
    shown = client.get(answer["Location"]).content.decode()
    assert 'id="parts"' in shown and shown.count("data-part=") == 5 and 'id="confirm"' in shown
    client.post(
        reverse("admin:imports_importjob_confirm", args=[job.pk]), {"confirmation": job.options["confirmation"]}
    )
    shown = client.get(answer["Location"]).content.decode()
    assert "Brought in" in shown and 'id="undo"' in shown
    undo = reverse("admin:imports_importjob_undo", args=[job.pk])
    assert client.post(undo, {"reason": "de prueba"}).status_code == 302
    assert not Employee.objects.filter(employee_number="N1").exists()
    assert "Several sheets" in client.get(reverse("admin:imports_importjob_changelist")).content.decode()


def test_the_page_says_which_of_the_sheets_a_worker_is_at(clinic: Any, as_user: Any) -> None:
    job = put(clinic.manager, {"03_positions.csv": POSITIONS, "b.csv": PEOPLE})
    request_preview(job=job, actor=clinic.manager)
    ImportProgress.objects.create(job_id=job.pk, stage="CHECKING", rows=7, part=2, parts=2)
    shown = as_user(clinic.manager).get(reverse("admin:imports_importjob_change", args=[job.pk])).content.decode()
    assert "Sheet 2 of 2" in shown and 'id="cancel"' in shown and 'id="reading"' not in shown


def test_a_workbook_of_which_one_sheet_is_read_says_so(clinic: Any, as_user: Any) -> None:
    content = book(Puestos=[["code", "title"], ["P1", "Guardia"]], Otra=[["a"], ["b"]])
    client = as_user(clinic.manager)
    file = SimpleUploadedFile("clinica.xlsx", content)
    answer = client.post(reverse(ADD), {**POSTED, "kind": "positions", "file": file})
    shown = client.get(answer["Location"]).content.decode()
    assert "The workbook has 2 sheets; “Puestos” alone is read." in shown and 'name="sheet0-sheet"' in shown


def test_errors_are_told_by_sheet_row_and_column(clinic: Any, as_user: Any) -> None:
    client = as_user(clinic.manager)
    files = [SimpleUploadedFile("03_positions.csv", sheet("code,unit_code", "P1,NOPE")),
             SimpleUploadedFile("employees.csv", sheet("employee_number,hired_on", "E1,never"))]  # fmt: skip
    answer = client.post(reverse(ADD), {**POSTED, "file": files})
    shown = client.get(answer["Location"]).content.decode()
    errors = shown[shown.index('id="errors"') :]
    assert "03_positions.csv" in errors and "employees.csv" in errors and "NOPE" in errors and "never" in errors
    assert 'id="refused-rows"' in shown and 'id="confirm"' not in shown


def test_the_page_asks_the_same_number_of_questions_however_many_sheets(clinic: Any, as_user: Any) -> None:
    client = as_user(clinic.manager)
    counts = []
    for number in (2, 8):
        job = put(clinic.manager, {f"positions_{n}.csv": sheet("code,title", f"P1,t{n}") for n in range(number)})
        address = reverse("admin:imports_importjob_change", args=[job.pk])
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        counts.append(len(queries))
    assert counts[0] == counts[1]
