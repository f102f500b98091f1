"""LibreOffice itself opens what goes out, and finds no formula in it."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from openpyxl import Workbook

from apps.imports.reading import Options
from apps.imports.services import import_sheet
from apps.imports.writing import SPANISH_EXCEL, table_csv_lines, table_xlsx_pieces
from apps.org.models import Position
from tests.factories import Clinic

from .support import bring, counts, take
from .test_formulas import AFTER, BEFORE, SIGNS

SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")
needs_libreoffice = pytest.mark.skipif(SOFFICE is None, reason="no LibreOffice here: install Debian's libreoffice-calc")
MORE = (
    'DDE("soffice";"/etc/passwd";"x")', "WEBSERVICE(\"http://127.0.0.1/\")", "1+1\r\n=2+2", "{1;2}", "$A$1", "TRUE()",
)  # fmt: skip
PAYLOADS = list(dict.fromkeys(before + sign + after for before, sign, after in product(BEFORE, SIGNS, AFTER + MORE)))
OFFICE, TABLE, TEXT = (f"{{urn:oasis:names:tc:opendocument:xmlns:{name}:1.0}}" for name in ("office", "table", "text"))
# Separator, quotation mark, UTF-8, from the first line on; numbers and formulas are looked for in every cell.
AS_CSV = "CSV:{separator},34,76,1,,1033,false,true,false"

Sheet = list[list[str]]


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[dict[str, bytes]], dict[str, tuple[Sheet, list[str]]]]:
    """Return what opens files in LibreOffice: name → the texts of its cells, and the formulas among them."""

    def run(name: str, content: bytes, separator: str) -> tuple[Sheet, list[str]]:
        source = tmp_path / name
        source.write_bytes(content)
        reading = [f"--infilter={AS_CSV.format(separator=ord(separator))}"] if name.endswith(".csv") else []
        assert SOFFICE is not None
        subprocess.run(
            [
                SOFFICE, f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless", "--norestore",
                *reading, "--convert-to", "ods", "--outdir", str(tmp_path / "out"), str(source),
            ],
            check=True, capture_output=True, timeout=180,
        )  # fmt: skip
        with zipfile.ZipFile(tmp_path / "out" / f"{source.stem}.ods") as archive:
            return cells_of(archive.read("content.xml"))

    def files(contents: dict[str, bytes], separator: str = ",") -> dict[str, tuple[Sheet, list[str]]]:
        return {name: run(name, content, separator) for name, content in contents.items()}

    return files


def cells_of(content: bytes) -> tuple[Sheet, list[str]]:
    """Return the texts of the cells, row by row, and every formula, of the first table of a document."""
    table = next(ElementTree.fromstring(content).iter(f"{TABLE}table"))
    rows, formulas = [], []
    for row in table.iter(f"{TABLE}table-row"):
        cells: list[str] = []
        for cell in row.iter(f"{TABLE}table-cell"):
            if (formula := cell.get(f"{TABLE}formula")) is not None:
                formulas.append(formula)
            text = "\n".join(_text(paragraph) for paragraph in cell.findall(f"{TEXT}p"))
            cells += [text] * min(int(cell.get(f"{TABLE}number-columns-repeated", "1")), 50)
        rows.append(cells)
    return rows, formulas


def _text(paragraph: ElementTree.Element) -> str:
    parts = [paragraph.text or ""]
    for child in paragraph:
        if child.tag == f"{TEXT}s":
            parts.append(" " * int(child.get(f"{TEXT}c", "1")))
        elif child.tag == f"{TEXT}tab":
            parts.append("\t")
        elif child.tag == f"{TEXT}line-break":
            parts.append("\n")
        else:
            parts.append(_text(child))
        parts.append(child.tail or "")
    return "".join(parts)


def unprotected() -> dict[str, bytes]:
    """Return the payloads as a program writes them that thinks of nothing."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([payload] for payload in PAYLOADS)
    book = Workbook()
    for payload in PAYLOADS:
        book.active.append([payload])
    content = io.BytesIO()
    book.save(content)
    return {"bare.csv": out.getvalue().encode(), "bare.xlsx": content.getvalue()}


@pytest.fixture
def house(clinic: Clinic) -> Clinic:
    Position.objects.bulk_create(
        Position(code=f"F{number}", title=payload, org_unit=clinic.h1, required_weekly_hours=number % 30 + 1)
        for number, payload in enumerate(PAYLOADS)
    )
    return clinic


def test_there_are_two_thousand_of_them() -> None:
    assert len(PAYLOADS) >= 2_000


@needs_libreoffice
@pytest.mark.timeout(600)
def test_it_finds_no_formula_in_what_goes_out(house: Clinic, opened: Any) -> None:
    files = {"out.csv": take("positions"), "out.xlsx": take("positions", format="xlsx")}
    for name, (rows, formulas) in opened(files).items():
        assert formulas == [], (name, formulas[:5])
        assert len([row for row in rows if row and row[0].startswith("F")]) == len(PAYLOADS), name
    [(rows, formulas)] = opened({"excel.csv": take("positions", style=SPANISH_EXCEL)}, separator=";").values()
    assert formulas == [] and len(rows) > len(PAYLOADS)


@needs_libreoffice
@pytest.mark.timeout(600)
def test_nor_in_tables_that_are_no_sheets_nor_in_refused_rows(house: Clinic, opened: Any) -> None:
    table = [["title"], *([payload] for payload in PAYLOADS)]
    out = io.StringIO(newline="")
    csv.writer(out).writerows(
        [["code", "title", "unit_code"], *([f"R{n}", payload, "NOWHERE"] for n, payload in enumerate(PAYLOADS))]
    )
    report = import_sheet(
        kind="positions", content=out.getvalue().encode(), file_name="x.csv", actor=None, options=Options(),
    )  # fmt: skip
    assert report.refused == len(PAYLOADS) and report.refused_rows is not None
    files = {
        "table.csv": b"".join(table_csv_lines(table)),
        "table.xlsx": b"".join(table_xlsx_pieces("Table", table)),
        "refused.xlsx": report.refused_rows,
    }  # fmt: skip
    for name, (rows, formulas) in opened(files).items():
        assert formulas == [], (name, formulas[:5])
        assert len(rows) > 1_000, name


@needs_libreoffice
@pytest.mark.timeout(600)
def test_the_canary_it_finds_dozens_where_nobody_took_care(opened: Any) -> None:
    for name, (_rows, formulas) in opened(unprotected()).items():
        # It runs what begins with = and leaves the rest to other programs.
        assert len(formulas) > 40, (name, len(formulas))


def test_all_of_them_come_back_as_they_were(house: Clinic) -> None:
    for content in (take("positions"), take("positions", format="xlsx")):
        assert counts(bring("positions", content))[:2] == (0, 0)
