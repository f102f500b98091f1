"""What was found out about a sheet is shown, corrected, and remembered for the next one of the same make."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.common.cells import MASK
from apps.common.errors import Refusal
from apps.imports.corrections import Correction
from apps.imports.looking import order_of
from apps.imports.mapping import file_columns, fingerprint_of, keys_of, lacking
from apps.imports.models import ImportJob, ReadingHabit
from apps.imports.reading import Options
from apps.imports.remembering import forget_habit, recall, remember
from apps.imports.services import confirm, correct, forget_reading, preview, resource_of, upload
from apps.org.models import Position

from .support import sheet, workbook

ADD = "admin:imports_importjob_add"
POSTED = {"kind": "positions", "dates": "", "decimal": "", "separator": "auto", "encoding": "auto",
          "mode": "all-or-nothing"}  # fmt: skip
ODD = sheet("Codigo,Horas requeridas,Teléfono", ["P1", "40.50", "555-1234"])


def uploaded(actor: Any, content: bytes, kind: str = "positions", **options: Any) -> ImportJob:
    job = upload(
        file=SimpleUploadedFile("puestos.csv", content), kind=kind, actor=actor,
        options=Options(**options.pop("reading", {})), **options,
    )  # fmt: skip
    preview(job=job, actor=actor)
    job.refresh_from_db()
    return job


def corrected(job: ImportJob, actor: Any, mapping: dict[str, str], **reading: str) -> ImportJob:
    options = Options(**{**job.options["picked"], **reading})
    job = correct(job=job, actor=actor, corrections=[Correction(job.kind, options, mapping)])
    preview(job=job, actor=actor)
    job.refresh_from_db()
    return job


KNOWN = {"horas_requeridas": "required_weekly_hours", "telefono": ""}


# Which column is which


def test_columns_are_known_by_name_or_label_and_the_likeliest_is_only_suggested() -> None:
    resource = type(resource_of("positions"))
    found = file_columns(resource, ["CÓDIGO", "Denominacion", "Horas requeridas", "xyz", "", "refused_because"], {})
    assert [(one.how, one.column, one.suggestion) for one in found] == [
        ("name", "code", None),
        ("name", "title", None),
        ("unknown", None, "required_weekly_hours"),
        ("unknown", None, None),
        ("nameless", None, None),
        ("aside", None, None),
    ]


def test_what_a_person_said_comes_before_what_a_name_says() -> None:
    resource = type(resource_of("positions"))
    found = file_columns(resource, ["code", "title"], {"code": "title", "title": ""})
    assert [(one.how, one.column) for one in found] == [("given", "title"), ("aside", None)]
    assert file_columns(resource, ["code"], {"code": "no_such_column"})[0].how == "name"


def test_a_column_keeps_its_key_in_the_next_file() -> None:
    assert keys_of(["Código", " codigo ", "", None, "№"]) == [
        "codigo",
        "codigo#2",
        "#3",
        "#4",
        keys_of(["№"])[0].replace("#1", "#5"),
    ]
    assert fingerprint_of(["a", "B", ""]) == fingerprint_of(["b", "Á", None, "refused_because"])
    assert fingerprint_of(["a"]) != fingerprint_of(["a", "b"])


def test_what_a_file_lacks_is_named() -> None:
    resource = type(resource_of("assignments"))
    keys, needed = lacking(resource, file_columns(resource, ["employee_number"], {}))
    # is_reinforcement is a key with a default.
    assert [column.name for column in keys] == ["position_code", "starts_on"]
    assert "effective_hours" in [column.name for column in needed]


@pytest.mark.parametrize(
    ("text", "order"),
    [("17/03/2026", "dmy"), ("03/17/2026", "mdy"), ("3.4.2026", "either"), ("2026-03-17", None), ("45/13/2026", None)],
)
def test_a_date_says_its_order_only_where_no_other_is_possible(text: str, order: str | None) -> None:
    assert order_of(text) == order


# Found out, corrected


def test_an_unknown_column_is_refused_until_a_person_says_what_it_is(clinic: Any) -> None:
    job = uploaded(clinic.manager, ODD)
    assert [error["code"] for error in job.errors] == ["unknown_column"] * 2
    assert "required_weekly_hours" in job.errors[0]["message"]
    assert (job.created, job.updated) == (0, 0)
    job = corrected(job, clinic.manager, KNOWN)
    assert (job.errors, job.updated) == ([], 1)
    confirm(job=job, actor=clinic.manager, confirmed_warnings=job.options["confirmation"])
    assert Position.objects.get(code="P1").required_weekly_hours == Decimal("40.50")


def test_good_rows_do_not_come_in_past_an_unknown_column(clinic: Any) -> None:
    job = uploaded(clinic.manager, ODD, mode="good-rows")
    report = confirm(job=job, actor=clinic.manager)
    job.refresh_from_db()
    assert (report.updated, job.state) == (0, "REFUSED")
    assert Position.objects.get(code="P1").required_weekly_hours == Decimal("36")


def test_two_columns_cannot_be_the_same_one(clinic: Any) -> None:
    job = corrected(uploaded(clinic.manager, ODD), clinic.manager,
                    {"horas_requeridas": "required_weekly_hours", "telefono": "required_weekly_hours"})  # fmt: skip
    assert [error["code"] for error in job.errors] == ["duplicate_column"]


def test_a_column_without_a_name_is_what_a_person_says(clinic: Any) -> None:
    job = uploaded(clinic.manager, sheet(["code", ""], ["P1", "Guardia"]))
    assert [error["code"] for error in job.errors] == ["column_without_name"]
    job = corrected(job, clinic.manager, {"#2": "title"})
    assert (job.errors, job.updated) == ([], 1)


def test_the_first_rows_are_shown_as_they_stand_and_as_they_are_read(clinic: Any) -> None:
    rows = [[f"P{n}", "40,50", "17/03/2026"] for n in range(10, 19)]
    job = uploaded(clinic.manager, sheet(["code", "required_weekly_hours", "opens_on"], *rows),
                   reading={"dates": "mdy", "decimal": "comma"})  # fmt: skip
    head = job.options["head"]
    assert head["sample"][0] == [["P10"], ["40,50", "40.50"], ["17/03/2026", "?"]]
    assert len(head["sample"]) == 5
    assert head["hints"]["dates"]["dmy"] == {"column": "opens_on", "value": "17/03/2026"}
    job = corrected(job, clinic.manager, {}, dates="dmy")
    assert job.options["head"]["sample"][0][2] == ["17/03/2026", "2026-03-17"]


def test_document_numbers_are_not_kept_in_a_sample(clinic: Any) -> None:
    content = sheet("employee_number,national_id,Documento nacional", "E1,30999888,30999888")
    job = uploaded(clinic.manager, content, kind="employees")
    sample = job.options["head"]["sample"][0]
    assert (sample[0], sample[1]) == (["E1"], [MASK])


def test_a_decided_import_keeps_no_cells(clinic: Any) -> None:
    job = uploaded(clinic.manager, sheet("code,title", "P1,Guardia"))
    confirm(job=job, actor=clinic.manager)
    job.refresh_from_db()
    assert (job.options["head"]["sample"], job.options["head"]["hints"]) == ([], {})


def test_a_long_sheet_is_looked_at_by_its_first_rows(clinic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.imports import looking

    rows = [f"X{n:05d},Title" for n in range(5_000)]
    seen: list[int] = []
    real = looking.read_file

    def counting(*args: Any, **options: Any) -> Any:
        table = real(*args, **options)
        whole = table._begun
        table._begun = (seen.append(row[0]) or row for row in whole)
        return table

    monkeypatch.setattr(looking, "read_file", counting)
    looking.head_of(sheet("code,title", *rows), options=Options(), resource=type(resource_of("positions")))
    assert len(seen) == looking.LOOKED_AT


def test_another_sheet_of_the_workbook_is_picked(clinic: Any) -> None:
    from io import BytesIO

    from openpyxl import load_workbook

    book = load_workbook(BytesIO(workbook(["nothing", "here"], [1, 2], title="Notas")))
    page = book.create_sheet("Datos")
    page.append(["code", "title"])
    page.append(["P1", "Guardia"])
    out = BytesIO()
    book.save(out)
    job = uploaded(clinic.manager, out.getvalue())
    assert job.options["head"]["sheet"] == "Notas" and job.errors
    correction = Correction("positions", Options(), {}, sheet="Datos")
    job = correct(job=job, actor=clinic.manager, corrections=[correction])
    assert preview(job=job, actor=clinic.manager).updated == 1


def test_another_kind_is_picked_and_its_columns_are_found_anew(clinic: Any) -> None:
    job = uploaded(clinic.manager, sheet("employee_number,given_name", "E1,Luz"))
    assert job.errors
    corrections = [Correction("employees", Options())]
    report = preview(job=correct(job=job, actor=clinic.manager, corrections=corrections), actor=clinic.manager)
    assert (report.kind, report.updated) == ("employees", 1)
    with pytest.raises(Refusal):
        correct(job=job, actor=clinic.manager, corrections=[Correction("tags", Options())])


def test_only_the_owner_corrects_and_only_what_is_open(clinic: Any) -> None:
    job = uploaded(clinic.manager, sheet("code,title", "P1,Guardia"))
    same = [Correction("positions", Options())]
    with pytest.raises(Refusal):
        correct(job=job, actor=clinic.admin, corrections=same)
    with pytest.raises(Refusal):
        correct(job=job, actor=clinic.manager, corrections=same * 2)
    confirm(job=job, actor=clinic.manager)
    with pytest.raises(Refusal):
        correct(job=job, actor=clinic.manager, corrections=same)


# Remembered


def test_the_next_file_of_the_same_columns_begins_as_the_last_was_corrected(clinic: Any) -> None:
    corrected(uploaded(clinic.manager, ODD), clinic.manager, KNOWN)
    again = sheet("Teléfono,Codigo,Horas requeridas", ["1", "P1", "41.00"])  # the same set, another order
    job = uploaded(clinic.manager, again, open_options=("dates", "decimal"))
    assert (job.errors, job.updated) == ([], 1)
    assert job.options["habit"]["id"] == ReadingHabit.objects.get().pk
    assert job.options["mapping"] == KNOWN


def test_other_columns_another_kind_or_another_person_begin_as_usual(clinic: Any) -> None:
    corrected(uploaded(clinic.manager, ODD), clinic.manager, KNOWN)
    other = sheet("Codigo,Horas requeridas,Fax", ["P1", "41.00", "1"])
    assert "habit" not in uploaded(clinic.manager, other).options
    assert "habit" not in uploaded(clinic.manager, ODD, kind="employees").options
    assert "habit" not in uploaded(clinic.admin, ODD).options
    assert recall(user=clinic.admin, kind="positions", header=["Codigo", "Horas requeridas", "Teléfono"]) is None


def test_only_what_nobody_picked_is_filled_in(clinic: Any) -> None:
    content = sheet("code,opens_on,Fax", ["P1", "05/01/2026", "1"])
    first = uploaded(clinic.manager, content, reading={"dates": "iso"}, open_options=("dates",))
    corrected(first, clinic.manager, {"fax": ""}, dates="dmy")
    picked = uploaded(clinic.manager, content, reading={"dates": "mdy"})
    assert (picked.options["picked"]["dates"], picked.options["mapping"]) == ("mdy", {"fax": ""})
    open_still = uploaded(clinic.manager, content, reading={"dates": "mdy"}, open_options=("dates",))
    assert open_still.options["picked"]["dates"] == "dmy"


def test_a_separator_that_was_not_found_out_is_remembered_too(clinic: Any) -> None:
    content = b"code|x;title\r\nP1|x;Guardia\r\n"  # looks like pipes
    first = uploaded(clinic.manager, content, open_options=("separator", "encoding"))
    assert first.errors
    corrected(first, clinic.manager, {"code_x": "code"}, separator="semicolon")
    assert ReadingHabit.objects.get().options["separator"] == "semicolon"
    job = uploaded(clinic.manager, content, open_options=("separator", "encoding"))
    assert job.options["head"]["header"] == ["code|x", "title"]


def test_a_later_correction_takes_the_place_of_an_earlier_one(clinic: Any) -> None:
    corrected(uploaded(clinic.manager, ODD), clinic.manager, KNOWN)
    corrected(uploaded(clinic.manager, ODD), clinic.manager, {**KNOWN, "telefono": "title"})
    assert ReadingHabit.objects.get().mapping["telefono"] == "title"


def test_it_is_forgotten_on_request(clinic: Any) -> None:
    corrected(uploaded(clinic.manager, ODD), clinic.manager, KNOWN)
    job = uploaded(clinic.manager, ODD)
    assert job.options["habit"]
    with pytest.raises(Refusal):
        forget_reading(job=job, actor=clinic.admin)
    job = forget_reading(job=job, actor=clinic.manager)
    preview(job=job, actor=clinic.manager)
    job.refresh_from_db()
    assert not ReadingHabit.objects.exists()
    assert "habit" not in job.options and [error["code"] for error in job.errors] == ["unknown_column"] * 2


def test_nobody_forgets_the_habit_of_another(clinic: Any) -> None:
    habit = remember(actor=clinic.manager, kind="positions", header=["a"], first_seen="x", options=Options(),
                     mapping={})  # fmt: skip
    assert not forget_habit(actor=clinic.admin, habit=habit.pk)
    assert forget_habit(actor=clinic.manager, habit=habit.pk)


# On the page


@pytest.fixture
def manager(clinic: Any, as_user: Any) -> Any:
    return as_user(clinic.manager)


def post(client: Any, content: bytes, **values: str) -> ImportJob:
    answer = client.post(reverse(ADD), {**POSTED, **values, "file": SimpleUploadedFile("puestos.csv", content)})
    assert answer.status_code == 302, answer.content.decode()[:2000]
    return ImportJob.objects.latest("pk")


def page(client: Any, job: ImportJob) -> str:
    return str(client.get(reverse("admin:imports_importjob_change", args=[job.pk])).content.decode())


def test_the_page_asks_what_unknown_columns_are_and_takes_the_answer(manager: Any, clinic: Any) -> None:
    job = post(manager, ODD)
    shown = page(manager, job)
    assert "Something is left for you to say" in shown and 'id="confirm"' not in shown
    assert "Is “required_weekly_hours” meant?" in shown and "555-1234" in shown
    answer = manager.post(
        reverse("admin:imports_importjob_reading", args=[job.pk]),
        {"sheet0-kind": "positions", "sheet0-dates": "iso", "sheet0-decimal": "point", "sheet0-separator": "auto",
         "sheet0-encoding": "auto", "sheet0-column0": "code", "sheet0-column1": "required_weekly_hours",
         "sheet0-column2": "-"},
    )  # fmt: skip
    assert answer.status_code == 302
    shown = page(manager, job)
    assert 'id="confirm"' in shown and "40.50" in shown
    again = page(manager, post(manager, ODD))
    assert "As last time, on" in again and "“Teléfono” left aside" in again and 'id="confirm"' in again
    forgotten = manager.post(
        reverse("admin:imports_importjob_forget_reading", args=[ImportJob.objects.latest("pk").pk])
    )
    assert forgotten.status_code == 302
    assert "As last time" not in page(manager, ImportJob.objects.latest("pk"))


def test_the_page_says_which_order_dates_can_only_have(manager: Any, clinic: Any) -> None:
    content = sheet(["code", "opens_on"], ["P1", "17/03/2026"])
    assert "“17/03/2026” in “opens_on” can only be day first: pick 31/12/2026." in page(manager, post(manager, content))
    fits = page(manager, post(manager, content, dates="dmy"))
    assert "can only be day first: as picked" in fits and 'id="confirm"' in fits
    either = sheet(["code", "opens_on"], ["P1", "03/04/2026"])
    assert "could be day first or month first" in page(manager, post(manager, either, dates="dmy"))


def test_nonsense_from_no_page_of_ours_is_refused(manager: Any, clinic: Any, as_user: Any) -> None:
    job = post(manager, ODD)
    address = reverse("admin:imports_importjob_reading", args=[job.pk])
    answer = manager.post(address, {"sheet0-kind": "positions", "sheet0-column1": "password"}, follow=True)
    assert answer.status_code == 200 and "Select a valid choice" in answer.content.decode()
    assert as_user(clinic.admin).post(address, {}).status_code == 403
    assert manager.get(address).status_code == 403
    job.refresh_from_db()
    assert "to_remember" not in job.options and not ReadingHabit.objects.exists()


def test_the_page_asks_the_same_number_of_questions_however_many_columns(manager: Any, clinic: Any) -> None:
    few = post(manager, sheet(["code", *(f"x{n}" for n in range(3))], ["P1", *"123"]))
    many = post(manager, sheet(["code", *(f"x{n}" for n in range(60))], ["P1", *("1" for _ in range(60))]))
    counts = []
    for job in (few, many):
        page(manager, job)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            page(manager, job)
        counts.append(len(queries))
    assert counts[0] == counts[1]
