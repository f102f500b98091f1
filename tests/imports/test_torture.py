"""Files others made to break readers: the value, or a clean refusal that names the place; never a crash."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from apps.common.cells import BLANKS
from apps.imports.reading import Options, Unreadable, read_file
from apps.imports.services import resource_of
from apps.org.models import OrgUnit
from apps.tags.models import TagCatalog

from .support import bring, counts, sheet, take, workbook

DATA = Path(os.environ.get("TORTURE_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data") / "torture"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"no torture files in {DATA}: set TORTURE_DATA to the folder that holds torture/"
)


def files(pattern: str) -> list[Any]:
    return [pytest.param(path, id=path.name) for path in sorted(DATA.glob(pattern))]


def table_or_code(content: bytes) -> Any:
    try:
        table = read_file(content, options=Options(), headers={})
        return table, list(table)
    except Unreadable as refusal:
        assert refusal.error["message"] and refusal.error["code"]
        return refusal.error["code"]


@pytest.mark.parametrize("path", files("csv-spectrum/csvs/*.csv"))
def test_csv_spectrum_reads_as_its_authors_say(path: Path) -> None:
    table = table_or_code(path.read_bytes())
    if path.stem == "location_coordinates":
        assert not isinstance(table, str)
        return
    expected = json.loads((DATA / "csv-spectrum" / "json" / f"{path.stem}.json").read_text(encoding="utf-8"))
    assert not isinstance(table, str), table
    table, rows = table
    found = [dict(zip(table.header, cells, strict=True)) for _line, cells in rows]
    unix = json.loads(json.dumps(found).replace("\\r\\n", "\\n"))
    assert found == expected or unix == expected


REFUSED = {
    "pass_protected.xlsx": {"not_a_sheet"},
    "errors.xlsx": {"error_cell"},
    "empty_sheet.xlsx": {"empty_file"},
}


@pytest.mark.parametrize("path", files("xlsx/*.xlsx"))
def test_workbooks_are_read_or_refused_with_a_word(path: Path, db: Any) -> None:
    answer = table_or_code(path.read_bytes())
    if path.name in REFUSED:
        assert answer in REFUSED[path.name]
    elif isinstance(answer, str):
        assert answer in {"merged", "error_cell", "uncomputed", "empty_file", "damaged"}
    report = bring("org_units", path.read_bytes())
    assert not report.ok
    assert OrgUnit.objects.count() == 0


def test_known_values_come_out_right() -> None:
    dates, _rows = table_or_code((DATA / "xlsx" / "date_1904.xlsx").read_bytes())
    assert dates.header[0] == "2021-01-01"
    text, _rows = table_or_code((DATA / "xlsx" / "has_x000D_.xlsx").read_bytes())
    assert text.header == ["ABC\r\nDEF"]
    far, _rows = table_or_code((DATA / "xlsx" / "issue_174.xlsx").read_bytes())
    assert far.header[0] == "Your Ref #"


NAUGHTY = json.loads((DATA / "naughty-strings" / "blns.json").read_text(encoding="utf-8")) if DATA.is_dir() else []


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_naughty_strings_are_stored_and_returned_unchanged_or_refused(format: str, db: Any) -> None:
    strings = [text for text in dict.fromkeys(NAUGHTY) if text.strip(BLANKS)]
    rows = [[f"N{number}", text] for number, text in enumerate(strings)]
    if format == "csv":
        content = sheet(["code", "name", "type"], *([*row, "QUALIFICATION"] for row in rows))
    else:
        content = typed([["code", "name", "type"], *([*row, "QUALIFICATION"] for row in rows)])
    report = bring("tags", content, mode="good-rows")
    refused = {error["line"] for error in report.errors}
    assert all(error["column"] for error in report.errors)
    stored = dict(TagCatalog.objects.values_list("code", "name"))
    for line, (code, text) in enumerate(rows, start=2):
        # Blanks at the ends go, as in every form of the product.
        line_of = line if format == "xlsx" else None
        if code in stored:
            assert stored[code] in (text.strip(BLANKS).removeprefix("'"), text.strip(BLANKS)), text
        elif line_of is not None:
            assert line_of in refused
    assert len(stored) + len({error["line"] for error in report.errors}) == len(rows)
    assert len(stored) > 400
    back = bring("tags", take("tags", format=format))
    assert counts(back) == (0, 0, len(stored), 0), (back.errors[:3], back.changes[:3])


def typed(rows: list[list[str]]) -> bytes:
    import io

    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)
    page = book.create_sheet()
    for row in rows:
        cells = []
        for text in row:
            cell = WriteOnlyCell(page, value=ILLEGAL_CHARACTERS_RE.sub("\ufffd", text))
            cell.data_type = "s"
            cells.append(cell)
        page.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_files_broken_at_random_end_in_a_table_or_a_refusal() -> None:
    seed = 20261209
    print("seed", seed)
    dice = random.Random(seed)
    headers = resource_of("org_units").headers()
    text = 'código;nombre;tipo\r\nA;“Sala”;UNIT\r\nB;"dos\r\nlíneas";UNIT\r\n'.encode("cp1252")
    book = workbook(["code", "name"], ["A", "Sala"], ["B", 7.5])
    for number in range(400):
        content = bytearray(text if number % 8 else book)
        for _hit in range(dice.randint(1, 6)):
            place = dice.randrange(len(content))
            deed = dice.random()
            if deed < 0.5:
                content[place] = dice.randrange(256)
            elif deed < 0.75:
                del content[place : place + dice.randint(1, 40)]
            else:
                content[place:place] = bytes(dice.randrange(256) for _byte in range(dice.randint(1, 40)))
            if not content:
                content = bytearray(b" ")
        try:
            list(read_file(bytes(content), options=Options(), headers=headers))
        except Unreadable as refusal:
            assert refusal.error["message"]
