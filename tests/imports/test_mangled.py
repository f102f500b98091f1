"""Files as spreadsheets leave them: each value comes out right, or its row and column are named. None is wrong."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from openpyxl import Workbook

from apps.org.models import Employee, Leave, OrgUnit, Position
from tests.factories import EmployeeFactory, OrgUnitFactory, PositionFactory

from .malformed import package, worksheet, zipped
from .support import bring, counts, sheet, workbook

SPANISH = {"dates": "dmy", "decimal": "comma"}
AMERICAN = {"dates": "mdy"}
PERSON = {
    "employee_number": "E9", "given_name": "Ana", "family_name": "Paz", "email": "", "national_id": "",
    "home_unit_code": "H1", "hired_on": "2026-01-05",
}  # fmt: skip
PLACE = {"code": "P9", "title": "Sala", "unit_code": "H1", "required_weekly_hours": "36", "opens_on": ""}
UNIT = {"code": "N9", "name": "Sala", "parent_code": "H", "coverage_target": "95"}
AWAY = {"employee_number": "E1", "starts_on": "2026-12-21", "ends_on": "2026-12-31", "reason": ""}
ROWS = {"employees": PERSON, "positions": PLACE, "org_units": UNIT, "leaves": AWAY}
KEYS: dict[str, Callable[[], Any]] = {
    "employees": lambda: Employee.objects.get(employee_number="E9"),
    "positions": lambda: Position.objects.get(code="P9"),
    "org_units": lambda: OrgUnit.objects.get(code="N9"),
    "leaves": lambda: Leave.objects.get(),
}


@dataclass(frozen=True)
class Mangled:
    """What a spreadsheet did to a file, and the value that has to come out, or the code of the error at its place."""

    name: str
    kind: str
    column: str
    content: bytes = field(repr=False)
    right: Any = None
    error: str = ""
    reading: dict[str, str] = field(default_factory=dict)
    before: Callable[[], Any] = field(default=lambda: None, repr=False)


def text(kind: str, column: str, cell: str, separator: str = ",", encoding: str = "utf-8", before: str = "") -> bytes:
    row = ROWS[kind] | {column: cell}
    content = sheet(list(row), list(row.values()), separator=separator).decode()
    return before.encode(encoding) + content.encode(encoding)


def book(kind: str, column: str, cell: Any, shown: str = "", epoch: Any = None) -> bytes:
    row = ROWS[kind] | {column: cell}
    made = Workbook()
    if epoch is not None:
        made.epoch = epoch
    made.active.append(list(row))
    made.active.append([value if value != "" else None for value in row.values()])
    if shown:
        made.active.cell(2, list(row).index(column) + 1).number_format = shown
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def raw(kind: str, column: str, xml: str) -> bytes:
    """Return a workbook with one cell as its XML stands."""
    row = ROWS[kind] | {column: "?"}
    place = f"{chr(65 + list(row).index(column))}2"
    return zipped(package(sheet=worksheet([list(row), list(row.values())], **{place: xml.replace("PLACE", place)})))


def documents() -> list[Mangled]:
    stored = lambda number: lambda: EmployeeFactory(employee_number="E9", national_id=number)  # noqa: E731
    e, n = "employees", "national_id"
    return [
        Mangled("a DNI kept as text", e, n, text(e, n, "30111222"), "30111222"),
        Mangled("a DNI that became a number", e, n, book(e, n, 30111222), "30111222"),
        Mangled("a DNI that became a broken number", e, n, book(e, n, 30111222.0), "30111222"),
        Mangled("a DNI with points", e, n, text(e, n, "30.111.222"), "30.111.222"),
        Mangled("a DNI with blanks round it", e, n, text(e, n, " 30111222\u00a0"), "30111222"),
        Mangled("a DNI after a mark nobody sees", e, n, text(e, n, "\u200e30111222\u200b"), "30111222"),
        Mangled("a DNI whose zero is gone", e, n, text(e, n, "5111222"), error="dropped_zeros",
                before=stored("05111222")),
        Mangled("the same in a workbook", e, n, book(e, n, 5111222), error="dropped_zeros", before=stored("05111222")),
        Mangled("a DNI with its zero", e, n, text(e, n, "05111222"), "05111222"),
        Mangled("a DNI behind an apostrophe", e, n, text(e, n, "'05111222"), error="spreadsheet_mark"),
        Mangled('a DNI as ="…"', e, n, text(e, n, '="05111222"'), error="spreadsheet_mark"),
        Mangled("a CUIL kept as text", e, n, text(e, n, "20-12345678-6"), "20-12345678-6"),
        Mangled("a CUIL that became a number", e, n, book(e, n, 20123456786), "20123456786"),
        Mangled("a CUIL shortened to 2,03E+10", e, n, text(e, n, "2,03E+10", ";"), error="excel_number"),
        Mangled("a CUIL shortened to 2.03E+10", e, n, text(e, n, "2.03E+10"), error="excel_number"),
        Mangled("a CUIL that was rounded", e, n, book(e, n, 20300000000), error="wrong_check_digit"),
        Mangled("a CUIL with a typing error", e, n, text(e, n, "20-12345678-5"), error="wrong_check_digit"),
        Mangled("a number of sixteen digits", e, n, book(e, n, 2012345678601234.0), error="excel_number"),
        Mangled("a DNI that became a day", e, n, book(e, n, date(2026, 3, 1)), error="excel_converted"),
        Mangled("a DNI that became an error", e, n, text(e, n, "#¡VALOR!"), error="excel_error"),
        Mangled("a DNI too narrow for its column", e, n, text(e, n, "########"), error="excel_error"),
        Mangled("an error of LibreOffice", e, n, text(e, n, "Err:502"), error="excel_error"),
        Mangled("an error in Spanish", e, n, text(e, n, "#¿NOMBRE?"), error="excel_error"),
    ]  # fmt: skip


def numbers_and_references() -> list[Mangled]:
    e, p, u = "employees", "positions", "org_units"
    known = lambda: EmployeeFactory(employee_number="00123")  # noqa: E731
    return [
        Mangled("a number of ours whose zeros are gone", e, "employee_number", text(e, "employee_number", "123"),
                error="lost_zeros", before=known),
        Mangled("the same in a workbook", e, "employee_number", book(e, "employee_number", 123), error="lost_zeros",
                before=known),
        Mangled("a unit whose zeros are gone", p, "unit_code", book(p, "unit_code", 7), error="lost_zeros",
                before=lambda: OrgUnitFactory(code="007")),
        Mangled("a unit after a hard blank", p, "unit_code", text(p, "unit_code", "H1\u00a0"), "H1"),
        Mangled("a unit with a mark nobody sees", p, "unit_code", text(p, "unit_code", "\ufeffH1\u200b"), "H1"),
        Mangled("a unit that became a truth", p, "unit_code", book(p, "unit_code", True), error="excel_converted"),
        Mangled("a unit that became a day", p, "unit_code", book(p, "unit_code", date(2026, 1, 2)),
                error="excel_converted"),
        Mangled("a decimal comma", p, "required_weekly_hours", text(p, "required_weekly_hours", "36,50", ";"),
                Decimal("36.5"), reading=SPANISH),
        Mangled("a decimal comma where the point was picked", p, "required_weekly_hours",
                text(p, "required_weekly_hours", "36,50", ";"), error="not_a_number"),
        Mangled("a decimal point where the comma was picked", p, "required_weekly_hours",
                text(p, "required_weekly_hours", "36.50", ";"), error="not_a_number", reading=SPANISH),
        Mangled("thousands by points", p, "required_weekly_hours", text(p, "required_weekly_hours", "1.234,50", ";"),
                error="not_a_number", reading=SPANISH),
        Mangled("a point that might be thousands", p, "required_weekly_hours",
                text(p, "required_weekly_hours", "1.234", ";"), error="not_a_number", reading=SPANISH),
        Mangled("a comma that might be thousands", p, "required_weekly_hours",
                text(p, "required_weekly_hours", "1,234", ";"), error="not_a_number"),
        Mangled("thousands by a hard blank", p, "required_weekly_hours",
                text(p, "required_weekly_hours", "1\u00a0234,5", ";"), error="not_a_number", reading=SPANISH),
        Mangled("a number kept as text", p, "required_weekly_hours", book(p, "required_weekly_hours", "36.5"),
                Decimal("36.5")),
        Mangled("a number that became a day", p, "required_weekly_hours",
                book(p, "required_weekly_hours", date(2026, 5, 1)), error="not_a_number"),
        Mangled("a number that became a time of day", p, "required_weekly_hours",
                book(p, "required_weekly_hours", time(12, 30)), error="not_a_number"),
        Mangled("a number that became hours and minutes", p, "required_weekly_hours",
                book(p, "required_weekly_hours", timedelta(hours=36, minutes=30)), error="not_a_number"),
        Mangled("what a sum leaves behind", p, "required_weekly_hours", book(p, "required_weekly_hours", 35.1 + 0.2),
                Decimal("35.3")),
        Mangled("a number shown shorter than it is", p, "required_weekly_hours",
                book(p, "required_weekly_hours", 36.125, "0"), error="too_many_decimals"),
        Mangled("a long dash for a minus", p, "required_weekly_hours", text(p, "required_weekly_hours", "\u22125"),
                error="org_position_hours_positive"),
        Mangled("a minus behind", p, "required_weekly_hours", text(p, "required_weekly_hours", "5-"),
                error="not_a_number"),
        Mangled("a unit of measure", p, "required_weekly_hours", text(p, "required_weekly_hours", "36 hs"),
                error="not_a_number"),
        Mangled("a formula that was computed", p, "required_weekly_hours",
                raw(p, "required_weekly_hours", '<c r="PLACE"><f>30+6</f><v>36</v></c>'), Decimal("36")),
        Mangled("a formula that was not", p, "required_weekly_hours",
                raw(p, "required_weekly_hours", '<c r="PLACE"><f>30+6</f></c>'), error="uncomputed"),
        Mangled("an error in a workbook", p, "required_weekly_hours",
                raw(p, "required_weekly_hours", '<c r="PLACE" t="e"><v>#DIV/0!</v></c>'), error="error_cell"),
        Mangled("a percentage", u, "coverage_target", text(u, "coverage_target", "95%"), error="not_a_number"),
        Mangled("a percentage in a workbook", u, "coverage_target", book(u, "coverage_target", 0.95, "0%"),
                error="percent"),
        Mangled("a percentage with decimals", u, "coverage_target", book(u, "coverage_target", 0.955, "0.0 %"),
                error="percent"),
    ]  # fmt: skip


def days() -> list[Mangled]:
    w, s = "leaves", "starts_on"
    return [
        Mangled("an ISO day", w, s, text(w, s, "2026-12-05"), date(2026, 12, 5)),
        Mangled("an ISO day where dd/mm was picked", w, s, text(w, s, "2026-12-05"), date(2026, 12, 5),
                reading=SPANISH),
        Mangled("dd/mm", w, s, text(w, s, "5/12/2026"), date(2026, 12, 5), reading=SPANISH),
        Mangled("mm/dd", w, s, text(w, s, "12/5/2026"), date(2026, 12, 5), reading=AMERICAN),
        Mangled("a day nobody said how to read", w, s, text(w, s, "5/12/2026"), error="not_a_date"),
        Mangled("mm/dd where dd/mm was picked", w, s, text(w, s, "12/25/2026"), error="not_a_date", reading=SPANISH),
        Mangled("dd/mm where mm/dd was picked", w, s, text(w, s, "25/12/2026"), error="not_a_date", reading=AMERICAN),
        Mangled("a year of two digits", w, s, text(w, s, "05/12/26"), error="not_a_date", reading=SPANISH),
        Mangled("a month in letters", w, s, text(w, s, "5-dic-2026"), error="not_a_date", reading=SPANISH),
        Mangled("a day with a midnight", w, s, text(w, s, "2026-12-05 00:00:00"), error="not_a_date"),
        Mangled("a day cell", w, s, book(w, s, date(2026, 12, 5)), date(2026, 12, 5)),
        Mangled("a day cell shown the American way", w, s, book(w, s, date(2026, 12, 5), "m/d/yy"), date(2026, 12, 5)),
        Mangled("a day cell whatever was picked", w, s, book(w, s, date(2026, 12, 5)), date(2026, 12, 5),
                reading=AMERICAN),
        Mangled("a day cell with an hour", w, s, book(w, s, datetime(2026, 12, 5, 8, 30)), error="not_a_date"),
        Mangled("the number of a day", w, s, book(w, s, 46361, "0"), error="not_a_date"),
        Mangled("the number of a day as text", w, s, text(w, s, "46361"), error="not_a_date"),
        Mangled("a day of a workbook that counts from 1904", w, s,
                book(w, s, date(2026, 12, 5), epoch=datetime(1904, 1, 1)), date(2026, 12, 5)),
        Mangled("the first of March 1900", w, s, book(w, s, date(1900, 3, 1)), date(1900, 3, 1)),
        Mangled("a day in January 1900", w, s, book(w, s, date(1900, 1, 15)), date(1900, 1, 15)),
        Mangled("a 30th of February", w, s, text(w, s, "30/02/2026"), error="not_a_date", reading=SPANISH),
        Mangled("day nought", w, s, book(w, s, 0, "yyyy-mm-dd"), error="not_a_date"),
    ]  # fmt: skip


def letters() -> list[Mangled]:
    p, t = "positions", "title"
    right = "Enfermería “Ñandú” — niñez"
    plain = "Enfermería de niñez"
    found = [
        Mangled(f"{encoding}, {name}", p, t, text(p, t, right, separator, encoding), right)
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252")
        for name, separator in (("comma", ","), ("semicolon", ";"), ("tabulator", "\t"))
    ]
    return [
        *found,
        Mangled("a line that says the separator", p, t, text(p, t, right, ";", before="sep=;\r\n"), right),
        Mangled(
            "UTF-8 read as Windows-1252", p, t, text(p, t, plain.encode().decode("cp1252")), error="misread_letters"
        ),
        Mangled("half of it read wrong", p, t, text(p, t, "niñez de Enfermer\u00c3\u00ada"), error="misread_letters"),
        Mangled("a CSV for MS-DOS", p, t, text(p, t, "Enfermería de niñez", ";", "cp850"), error="misread_letters"),
        Mangled("letters that were lost", p, t, text(p, t, "Enfermer\ufffda"), error="unreadable"),
        Mangled("a text that became a number", p, t, book(p, t, 12), "12"),
        Mangled("a text that became a truth", p, t, book(p, t, True), error="excel_converted"),
        Mangled("a text that became a day", p, t, book(p, t, date(2026, 5, 1)), error="excel_converted"),
        Mangled("blanks of every kind round it", p, t, text(p, t, " \u00a0\u2003\tSala\u3000\u200b "), "Sala"),
        Mangled("two lines", p, t, text(p, t, "Sala\r\nnorte"), "Sala\r\nnorte"),
        Mangled("two lines in a workbook", p, t, book(p, t, "Sala\nnorte"), "Sala\nnorte"),
        Mangled("a formula as text", p, t, text(p, t, "'=SUM(A1)"), "=SUM(A1)"),
        Mangled("quotation marks", p, t, text(p, t, 'Sala "A", norte'), 'Sala "A", norte'),
    ]


CASES = [*documents(), *numbers_and_references(), *days(), *letters()]


@pytest.fixture
def house(clinic: Any) -> Any:
    return clinic


def test_there_are_more_than_sixty() -> None:
    assert len(CASES) >= 60
    assert sum(bool(case.error) for case in CASES) > 40 < sum(not case.error for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_value_is_right_or_its_place_is_named(case: Mangled, house: Any) -> None:
    case.before()
    report = bring(case.kind, case.content, reading=case.reading)
    if case.error:
        assert counts(report)[:2] == (0, 0)
        error = next(error for error in report.errors if error["code"] == case.error)
        # What a reader refuses names the cell in its sentence, the rest the column.
        assert error["line"] == 2 and (error["column"] == case.column or "2" in error["message"]), error
        return
    assert counts(report) == (1, 0, 0, 0), report.errors
    if case.column == "unit_code":
        assert KEYS[case.kind]().org_unit.code == case.right
    else:
        assert getattr(KEYS[case.kind](), case.column) == case.right


def test_what_looks_mangled_and_is_stored_so_may_stay(house: Any) -> None:
    """A doubt never stands in the way of what somebody meant: stored already, it is no change."""
    odd = ["'0012", '="0012"', "Err:502", "####", "2,03E+10", "Enfermer\u00c3\u00ada", "Mar\u00a1a", "a\x07b", "\ufffd"]
    for number, title in enumerate(odd):
        PositionFactory(code=f"O{number}", title=title, org_unit=house.h1)
    rows = [[f"O{number}", title] for number, title in enumerate(odd)]
    assert counts(bring("positions", sheet(["code", "title"], *rows))) == (0, 0, len(odd), 0)
    texts = workbook(["code", "title"], *(row for row in rows if "\x07" not in row[1] and not row[1].startswith("=")))
    assert counts(bring("positions", texts)) == (0, 0, len(odd) - 2, 0)


def test_the_canary_a_reader_that_trusts_takes_it(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the look at letters and at zeros off, the same cells come in wrong."""
    monkeypatch.setattr("apps.common.cells._misread", lambda text: None)
    wrong = "Enfermer\u00c3\u00ada"
    assert counts(bring("positions", text("positions", "title", wrong))) == (1, 0, 0, 0)
    assert Position.objects.get(code="P9").title == wrong
    monkeypatch.setattr("apps.imports.checking._lost_zeros", lambda sheet: iter(()))
    EmployeeFactory(employee_number="E9", national_id="05111222", home_unit=house.h1)
    assert counts(bring("employees", sheet("employee_number,national_id", "E9,5111222"))) == (0, 1, 0, 0)
