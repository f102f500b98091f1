"""Reads one sheet of a workbook inside a process of its own, with little memory and little time.

Run as a program by apps.imports.reading: the workbook on standard input; on standard output JSON lines, the first
one {"sheet": name} or {"refused": code, ...}, then [line, cell, cell …] for each row. Dates come as
{"d": "2026-12-09"}, moments as {"t": …}, spans and times of day as {"s": …}.
"""

import io
import json
import re
import resource
import sys
import zipfile
from datetime import date, datetime, time, timedelta
from typing import Any

MEGABYTE = 1024 * 1024
NAMES_ALONE = ":names:"


class Refused(Exception):
    def __init__(self, code: str, **facts: Any):
        super().__init__(code)
        self.answer = {"refused": code, **facts}


def main() -> int:
    memory, seconds, max_rows, max_columns = (int(text) for text in sys.argv[1:5])
    wished = [name for name in sys.argv[5:] if name]
    resource.setrlimit(resource.RLIMIT_AS, (memory * MEGABYTE, memory * MEGABYTE))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    content = sys.stdin.buffer.read()
    try:
        read(content, max_rows, max_columns, wished)
    except Refused as refusal:
        say(refusal.answer)
    except MemoryError:
        say({"refused": "too_big"})
    return 0


def say(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer, ensure_ascii=True) + "\n")


def read(content: bytes, max_rows: int, max_columns: int, wished: list[str]) -> None:
    import python_calamine as calamine

    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = [
            meta.name
            for meta in book.sheets_metadata
            if meta.typ == calamine.SheetTypeEnum.WorkSheet and meta.visible == calamine.SheetVisibleEnum.Visible
        ]
        if not sheets:
            raise Refused("no_sheet")
        if wished == [NAMES_ALONE]:
            return say({"sheets": sheets})
        name = next((sheet for sheet in sheets if sheet.strip().casefold() in wished), sheets[0])
        sheet = book.get_sheet_by_name(name)
    except (calamine.CalamineError, OSError, ValueError, KeyError) as error:
        raise Refused("damaged", detail=type(error).__name__) from error
    if sheet.total_height > max_rows + 1:
        raise Refused("too_many_rows", rows=sheet.total_height)
    if sheet.total_width > max_columns:
        raise Refused("too_many_columns", columns=sheet.total_width)
    try:
        merged = sheet.merged_cell_ranges
    except calamine.CalamineError:
        merged = None
    if merged:
        (row, column), _end = merged[0]
        raise Refused("merged", cell=address(row, column))
    if (fault := fault_of_cells(content, name)) is not None:
        raise fault
    say({"sheet": name, "sheets": sheets})
    try:
        for number, cells in enumerate(sheet.to_python(skip_empty_area=False), start=1):
            if any(cell != "" for cell in cells):
                say([number, *map(plain, cells)])
    except (calamine.CalamineError, ValueError, OverflowError) as error:
        raise Refused("damaged", detail=type(error).__name__) from error


def plain(cell: Any) -> Any:
    if isinstance(cell, datetime):
        return {"t": cell.isoformat()}
    if isinstance(cell, date):
        return {"d": cell.isoformat()}
    if isinstance(cell, time | timedelta):
        return {"s": str(cell)}
    if isinstance(cell, float) and (cell != cell or cell in (float("inf"), float("-inf"))):
        return {"s": str(cell)}
    return cell


def address(row: int, column: int) -> str:
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


def fault_of_cells(content: bytes, name: str) -> Refused | None:
    """Find cells the reader would give as empty: errors (#REF!) and formulas that were never computed."""
    from defusedxml import ElementTree

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        part = part_of(archive, name, ElementTree)
        if part is None:
            return None
        data = archive.read(part)
    if not re.search(rb"""\bt=["']e["']|<(?:\w+:)?f\b""", data):
        return None
    try:
        for _event, cell in ElementTree.iterparse(io.BytesIO(data)):
            if cell.tag.rpartition("}")[2] != "c":
                continue
            children = {child.tag.rpartition("}")[2]: child for child in cell}
            where = cell.get("r", "?")
            if cell.get("t") == "e":
                value = children.get("v")
                return Refused("error_cell", cell=where, value=(value.text or "") if value is not None else "")
            if "f" in children and (children.get("v") is None or children["v"].text is None) and "is" not in children:
                if cell.get("t") == "str":
                    continue  # a formula that gave an empty text
                return Refused("uncomputed", cell=where)
            cell.clear()
    except ElementTree.ParseError as error:
        return Refused("damaged", detail=type(error).__name__)
    return None


def part_of(archive: zipfile.ZipFile, name: str, parser: Any) -> str | None:
    """Return the path of a sheet's XML inside the workbook."""
    names = {entry.casefold().lstrip("/"): entry for entry in archive.namelist()}
    try:
        root_rels = parser.fromstring(archive.read(names["_rels/.rels"]))
        book = next(rel.get("Target", "").lstrip("/") for rel in root_rels
                    if rel.get("Type", "").endswith("/officeDocument"))  # fmt: skip
        folder, _slash, file = book.rpartition("/")
        rels = parser.fromstring(archive.read(names[f"{folder}/_rels/{file}.rels".casefold().lstrip("/")]))
        targets = {rel.get("Id"): rel.get("Target", "") for rel in rels}
        workbook = parser.fromstring(archive.read(names[book.casefold()]))
    except (KeyError, StopIteration, parser.ParseError):
        return None
    for sheet in workbook.iter():
        if sheet.tag.rpartition("}")[2] == "sheet" and sheet.get("name") == name:
            relation = next((value for key, value in sheet.attrib.items() if key.rpartition("}")[2] == "id"), None)
            target = targets.get(relation, "")
            path = target.lstrip("/") if target.startswith("/") else f"{folder}/{target}".lstrip("/")
            return names.get(path.casefold())
    return None


if __name__ == "__main__":
    sys.exit(main())
