"""Files as people have them: encodings, separators, dates, decimals, workbooks; right or refused, never guessed."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from apps.imports.reading import COMMAND, MEGABYTE, UPLOAD, Limits, Options, Unreadable, read_file
from apps.imports.services import resource_of
from apps.org.models import Employee, Position
from tests.factories import EmployeeFactory

from .support import bring, codes, counts, sheet, workbook

HEADER = "employee_number,given_name,family_name,national_id,home_unit_code,hired_on"
SPANISH = {"dates": "dmy", "decimal": "comma"}


def read(content: bytes, limits: Limits = UPLOAD, **options: str) -> Any:
    return read_file(content, options=Options(**options), headers=resource_of("positions").headers(), limits=limits)


def refusal(content: bytes, limits: Limits = UPLOAD, **options: str) -> str:
    with pytest.raises(Unreadable) as refused:
        list(read(content, limits, **options))
    assert refused.value.error["message"]
    return refused.value.error["code"]


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16"), ("utf-16-be", "utf-16"),
     ("cp1252", "windows-1252")],
)  # fmt: skip
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encoding_and_separator_are_found_out_and_shown(encoding: str, shown: str, separator: str) -> None:
    text = separator.join(["código", "denominación"]) + "\r\n" + separator.join(["P1", "Enfermería “Ñandú” — guardia"])
    table = read(text.encode(encoding))
    assert list(table) == [(2, ["P1", "Enfermería “Ñandú” — guardia"])]
    assert table.options.encoding == shown
    assert {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}[table.options.separator] == separator


def test_a_wrong_pick_is_refused_instead_of_read_wrong() -> None:
    assert refusal("código\nEnfermería".encode(), encoding="windows-1252") == "wrong_encoding"
    assert refusal("código\nEnfermería".encode("cp1252"), encoding="utf-8") == "wrong_encoding"
    assert refusal("code\nx".encode("utf-16"), encoding="windows-1252") == "wrong_encoding"
    assert refusal(b"code\n\x81\x8d") == "wrong_encoding"


def test_quotes_newlines_and_lines_of_the_file() -> None:
    content = b'code,title\r\nP1,"a, b"\r\n\r\nP2,"two\r\nlines, ""quoted"""\r\nP3,last'
    assert list(read(content)) == [(2, ["P1", "a, b"]), (4, ["P2", 'two\r\nlines, "quoted"']), (6, ["P3", "last"])]
    assert list(read(b"sep=;\ncode;title\nP1;x")) == [(3, ["P1", "x"])]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\xef\xbb\xbf \r\n ", "empty_file"),
        (b'code,title\nP1,"open', "bad_quotes"),
        (b'code,title\nP1,"a"b', "bad_quotes"),
        (b"code\n" + b"x" * 200_000, "cell_too_long"),
        (b"code\n" + b"x\n" * (UPLOAD.rows + 1), "too_many_rows"),
        (b"\x89PNG\r\n\x1a\n....", "not_a_sheet"),
        (b"%PDF-1.7 ....", "not_a_sheet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100, "not_a_sheet"),
        (b"PK\x03\x04 broken", "damaged"),
        (b"x" * (UPLOAD.file + 1), "too_big"),
        ((",".join(f"c{n}" for n in range(101)) + "\nx").encode(), "too_many_columns"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_word(content: bytes, code: str) -> None:
    assert refusal(content) == code


def zipped(**parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_bombs_and_strangers_are_refused_before_any_parser() -> None:
    assert refusal(zipped(**{"hello.txt": b"hi"})) == "not_a_sheet"
    assert refusal(zipped(**{"[Content_Types].xml": b"", "xl/vbaProject.bin": b""})) == "macros"
    bomb = {"[Content_Types].xml": b"", "xl/worksheets/sheet1.xml": b"0" * 30 * MEGABYTE}
    assert refusal(zipped(**bomb)) == "too_big"
    assert refusal(zipped(**{"[Content_Types].xml": b""} | {f"xl/{n}.xml": b"" for n in range(1_001)})) == "too_big"
    good = workbook(["code"], ["P1"])
    assert refusal(good[: len(good) // 2]) == "damaged"


def edited(content: bytes, part: str, old: bytes, new: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename == part:
                assert old in data
                data = data.replace(old, new)
            target.writestr(entry, data)
    return out.getvalue()


def test_a_sheet_that_claims_a_billion_cells_ends_in_a_refusal() -> None:
    content = edited(workbook(["code"], ["P1"]), "xl/worksheets/sheet1.xml", b'r="A2"', b'r="XFD1048576"')
    assert refusal(content) in {"too_big", "too_many_rows", "damaged"}


def test_cells_that_a_reader_would_take_for_empty_are_refused() -> None:
    assert refusal(workbook(["code", "title"], ["P1", "=1+1"])) == "uncomputed"
    error = edited(workbook(["code", "title"], ["P1", 7]), "xl/worksheets/sheet1.xml", b'<c r="B2" t="n"><v>7</v></c>',
                   b'<c r="B2" t="e"><v>#REF!</v></c>')  # fmt: skip
    with pytest.raises(Unreadable) as refused:
        list(read(error))
    assert (refused.value.error["code"], refused.value.error["line"], refused.value.error["value"]) == (
        "error_cell", 2, "#REF!",
    )  # fmt: skip


def test_merged_cells_are_refused_by_place() -> None:
    from openpyxl import Workbook

    book = Workbook()
    for row in (["code", "title"], ["P1", "a"], ["P2", None]):
        book.active.append(row)
    book.active.merge_cells("B2:B3")
    out = io.BytesIO()
    book.save(out)
    assert refusal(out.getvalue()) == "merged"


def test_the_sheet_named_as_the_kind_is_taken() -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["notes"])
    book.create_sheet("Puestos").append(["code"])
    book["Puestos"].append(["P1"])
    out = io.BytesIO()
    book.save(out)
    table = read_file(out.getvalue(), options=Options(), headers={}, names=("positions", "puestos"))
    assert (table.sheet, list(table)) == ("Puestos", [(2, ["P1"])])


def test_a_spanish_excel_file_comes_in_right(clinic: Any) -> None:
    header = "Código;Denominación;Código de la unidad;Horas semanales requeridas;Abre el"
    text = f"{header}\r\nP9;Enfermería niñez;H1;36,50;5/1/2026\r\n"
    report = bring("positions", text.encode("cp1252"), reading=SPANISH)
    assert counts(report) == (1, 0, 0, 0), report.errors
    position = Position.objects.get(code="P9")
    assert (position.title, position.required_weekly_hours, position.opens_on) == (
        "Enfermería niñez", Decimal("36.50"), date(2026, 1, 5),
    )  # fmt: skip
    assert (report.read_as["encoding"], report.read_as["separator"]) == ("windows-1252", "semicolon")


# What spreadsheets do to values: (column, cell, reading, right value) or (column, cell, reading, code of the error)
RIGHT = [
    ("required_weekly_hours", "36", {}, Decimal("36")),
    ("required_weekly_hours", " 36.5 ", {}, Decimal("36.5")),
    ("required_weekly_hours", "36,5", SPANISH, Decimal("36.5")),
    ("required_weekly_hours", "+36", {}, Decimal("36")),
    ("required_weekly_hours", 36.0, {}, Decimal("36")),
    ("required_weekly_hours", 7.01, {}, Decimal("7.01")),
    ("required_weekly_hours", 0.1 + 0.2, {}, Decimal("0.3")),
    ("required_weekly_hours", "24\u00a0", {}, Decimal("24")),
    ("opens_on", "2026-03-05", {}, date(2026, 3, 5)),
    ("opens_on", "05/03/2026", SPANISH, date(2026, 3, 5)),
    ("opens_on", "5-3-2026", SPANISH, date(2026, 3, 5)),
    ("opens_on", "03/05/2026", {"dates": "mdy"}, date(2026, 3, 5)),
    ("opens_on", "2026-03-05", SPANISH, date(2026, 3, 5)),
    ("opens_on", date(2026, 3, 5), {}, date(2026, 3, 5)),
    ("opens_on", datetime(2026, 3, 5), {}, date(2026, 3, 5)),
    ("opens_on", "", {}, None),
    ("opens_on", "  \u00a0", {}, None),
    ("title", "Enfermería  ", {}, "Enfermería"),
    ("title", "\u00a0Enfermería", {}, "Enfermería"),
    ("title", 12, {}, "12"),
    ("title", 12.5, {}, "12.5"),
    ("title", "007", {}, "007"),
    ("title", "'=SUM(A1)", {}, "=SUM(A1)"),
    ("title", "Ñandú ü ç €", {}, "Ñandú ü ç €"),
    ("title", "two\nlines", {}, "two\nlines"),
]
REFUSED = [
    ("required_weekly_hours", "1e1000000", {}, "not_a_number"),
    ("required_weekly_hours", "NaN", {}, "not_a_number"),
    ("required_weekly_hours", "inf", {}, "not_a_number"),
    ("required_weekly_hours", "36h", {}, "not_a_number"),
    ("required_weekly_hours", "36 50", {}, "not_a_number"),
    ("required_weekly_hours", "36,5", {}, "not_a_number"),
    ("required_weekly_hours", "36.5", SPANISH, "not_a_number"),
    ("required_weekly_hours", "1.234,50", SPANISH, "not_a_number"),
    ("required_weekly_hours", "1,234.50", {}, "not_a_number"),
    ("required_weekly_hours", "٣٦", {}, "not_a_number"),
    ("required_weekly_hours", "36.555", {}, "too_many_decimals"),
    ("required_weekly_hours", 36.555, {}, "too_many_decimals"),
    ("required_weekly_hours", "99999999", {}, "max_digits"),
    ("required_weekly_hours", "9" * 400, {}, "not_a_number"),
    ("required_weekly_hours", True, {}, "not_a_number"),
    ("required_weekly_hours", date(2026, 1, 5), {}, "not_a_number"),
    ("required_weekly_hours", time(12, 30), {}, "not_a_number"),
    ("required_weekly_hours", "0", {}, "org_position_hours_positive"),
    ("required_weekly_hours", "-4", {}, "org_position_hours_positive"),
    ("required_weekly_hours", "", {}, "required"),
    ("required_weekly_hours", "#VALUE!", {}, "excel_error"),
    ("required_weekly_hours", "#¡VALOR!", {}, "excel_error"),
    ("opens_on", "05/03/2026", {}, "not_a_date"),
    ("opens_on", "13/13/2026", SPANISH, "not_a_date"),
    ("opens_on", "2026-02-30", {}, "not_a_date"),
    ("opens_on", "05/03/26", SPANISH, "not_a_date"),
    ("opens_on", "46086", {}, "not_a_date"),
    ("opens_on", 46086, {}, "not_a_date"),
    ("opens_on", datetime(2026, 3, 5, 12, 30), {}, "not_a_date"),
    ("opens_on", "0001-01-01", {}, "not_a_date"),
    ("opens_on", "9999-12-31", {}, "not_a_date"),
    ("opens_on", "#####", {}, "excel_error"),
    ("title", "2,03E+10", {}, "excel_number"),
    ("title", "1.23457E+15", {}, "excel_number"),
    ("title", 2.0312345678e15, {}, "excel_number"),
    ("title", date(2026, 3, 1), {}, "excel_converted"),
    ("title", True, {}, "excel_converted"),
    ("title", "EnfermerÃ­a", {}, "misread_letters"),
    ("title", "Enfermer\ufffda", {}, "unreadable"),
    ("title", "a\x07b", {}, "control_character"),
    ("title", "x" * 201, {}, "max_length"),
    ("title", "#N/A", {}, "excel_error"),
    ("title", "•••", {}, "hidden_value"),
]  # fmt: skip
FIELDS = ("required_weekly_hours", "opens_on", "title")


def with_cell(column: str, cell: Any) -> bytes:
    values = {"code": "P9", "title": "Enfermería", "unit_code": "H1", "required_weekly_hours": "36", "opens_on": ""}
    values[column] = cell
    if isinstance(cell, str):
        return sheet(list(values), list(values.values()))
    return workbook(list(values), list(values.values()))


@pytest.mark.parametrize(("column", "cell", "reading", "value"), RIGHT)
def test_a_mangled_cell_comes_out_right(column: str, cell: Any, reading: dict, value: Any, clinic: Any) -> None:
    if reading.get("decimal") == "comma" and column != "required_weekly_hours":
        reading = reading | {"decimal": "point"}
    report = bring("positions", with_cell(column, cell), reading=reading)
    assert counts(report) == (1, 0, 0, 0), report.errors
    assert getattr(Position.objects.get(code="P9"), column) == value


@pytest.mark.parametrize(("column", "cell", "reading", "code"), REFUSED)
def test_or_is_refused_with_its_place(column: str, cell: Any, reading: dict, code: str, clinic: Any) -> None:
    report = bring("positions", with_cell(column, cell), reading=reading)
    assert counts(report) == (0, 0, 0, 1)
    (error,) = report.errors
    assert (error["line"], error["column"], error["code"]) == (2, column, code)
    assert error["message"]
    assert not Position.objects.filter(code="P9").exists()


def test_lost_zeros_are_told_from_new_records(clinic: Any) -> None:
    EmployeeFactory(employee_number="00123", home_unit=clinic.h1)
    new = bring("employees", sheet(HEADER, "123,Ana,Paz,,H1,2026-01-05"))
    assert codes(new) == {"lost_zeros"} and "00123" in new.errors[0]["message"]
    assert not Employee.objects.filter(employee_number="123").exists()
    leave = bring("leaves", workbook(["employee_number", "starts_on"], [123, date(2026, 12, 14)]))
    assert codes(leave) == {"lost_zeros"}


def test_document_numbers_keep_their_digits(clinic: Any) -> None:
    cells = ["E9", "Ana", "Paz", 20304050608, "H1", date(2026, 1, 5)]
    wrong = bring("employees", workbook(HEADER.split(","), cells))
    assert codes(wrong) == {"wrong_check_digit"}
    cells[3] = 20304050607
    for last in range(10):
        cells[3] = 2030405060_0 + last
        if bring("employees", workbook(HEADER.split(","), cells), dry_run=True).ok:
            break
    assert bring("employees", workbook(HEADER.split(","), cells)).ok
    assert Employee.objects.get(employee_number="E9").national_id == str(cells[3])
    assert codes(bring("employees", sheet("employee_number,national_id", ["E9", "2,03E+10"]))) == {"excel_number"}


@pytest.mark.parametrize(
    ("header", "row", "code"),
    [
        ("code,title,status", "P1,x,OPEN", "unknown_column"),
        ("code,code", "P1,P1", "duplicate_column"),
        ("title,unit_code", "x,H1", "missing_column"),
        ("code,título raro", "P1,x", "unknown_column"),
        ("code,", "P1,x", "column_without_name"),
        ("code,title", "P1,x,more", "too_many_cells"),
        ("code,title", "P1", "too_few_cells"),
        ("code,unit_code", "P1,NOWHERE", "unknown_reference"),
        ("code,required_tags", "P1,A|B", "unknown_reference"),
        ("code,unit_code", "NEW,H1", "required"),
        ("code,title", ",x", "required"),
    ],
)
def test_a_sheet_that_does_not_fit_is_told_where(header: str, row: str, code: str, clinic: Any) -> None:
    report = bring("positions", sheet(header, row))
    assert code in codes(report)
    assert report.created == report.updated == 0


def test_an_empty_name_over_an_empty_column_does_no_harm(clinic: Any) -> None:
    assert counts(bring("positions", sheet("code,title,", "P1,Nuevo,"))) == (0, 1, 0, 0)


def test_both_lines_of_a_duplicate_are_named(clinic: Any) -> None:
    report = bring("positions", sheet("code,title", "P1,a", "P2,b", "P1,c"))
    assert [(error["line"], error["code"]) for error in report.errors] == [(2, "duplicate_row"), (4, "duplicate_row")]
    assert "4" in report.errors[0]["message"] and "2" in report.errors[1]["message"]


def test_the_command_takes_larger_files_than_the_page() -> None:
    assert COMMAND.rows > UPLOAD.rows and COMMAND.file > UPLOAD.file
    assert len(list(read(b"code\n" + b"x\n" * (UPLOAD.rows + 1), limits=COMMAND))) == UPLOAD.rows + 1
