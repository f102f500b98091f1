"""Reads one sheet of a workbook inside a process of its own, with little memory and little time.

Run as a program by apps.imports.reading: the workbook on standard input; on standard output JSON lines, the first
one {"sheet": name} or {"refused": code, ...}, then [line, cell, cell …] for each row. Dates come as
{"d": "2026-12-09"}, moments as {"t": …}, spans and times of day as {"s": …}.
"""

import io
import json
import posixpath
import re
import resource
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

MEGABYTE = 1024 * 1024
NAMES_ALONE = ":names:"
PIECE = 64 * 1024


class Refused(Exception):
    def __init__(self, code: str, **facts: Any):
        super().__init__(code)
        self.answer = {"refused": code, **facts}


def main() -> int:
    memory, seconds, rows, columns, length, sheets = (int(text) for text in sys.argv[1:7])
    wished = [name for name in sys.argv[7:] if name]
    resource.setrlimit(resource.RLIMIT_AS, (memory * MEGABYTE, memory * MEGABYTE))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        read(sys.stdin.buffer.read(), rows, columns, length, sheets, wished)
    except Refused as refusal:
        say(refusal.answer)
    except MemoryError:
        say({"refused": "too_big"})
    except BaseException as error:  # a reader in Rust panics with what is no Exception
        say({"refused": "damaged", "detail": type(error).__name__})
    return 0


def say(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer, ensure_ascii=True) + "\n")


def read(content: bytes, max_rows: int, max_columns: int, cell_length: int, max_sheets: int, wished: list[str]) -> None:
    import python_calamine as calamine

    check_parts(content)
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = [
            meta.name
            for meta in book.sheets_metadata
            if meta.typ == calamine.SheetTypeEnum.WorkSheet and meta.visible == calamine.SheetVisibleEnum.Visible
        ]
        if not sheets:
            raise Refused("no_sheet")
        if len(sheets) > max_sheets:
            raise Refused("too_many_sheets")
        if wished == [NAMES_ALONE]:
            return say({"sheets": sheets})
        name = next((sheet for sheet in sheets if sheet.strip().casefold() in wished), sheets[0])
        sheet = book.get_sheet_by_name(name)
    except (calamine.CalamineError, OSError, ValueError, KeyError) as error:
        raise Refused("damaged", detail=type(error).__name__) from error
    last_row, last_column = sheet.end or (0, 0)
    if last_row > max_rows:
        raise Refused("too_many_rows")
    if last_column >= max_columns:
        raise Refused("too_many_columns")
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
                for column, cell in enumerate(cells):
                    if type(cell) is str and len(cell) > cell_length:
                        raise Refused("cell_too_long", cell=address(number - 1, column))
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


def check_parts(content: bytes) -> None:
    """Unpack every part once, a piece at a time: what its directory says of it must be true before a reader trusts it.

    A part may not declare entities, nor be written in anything but UTF-8: readers differ in what they make of it.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
    for entry in entries:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Refused("damaged", detail="compression")
        size, check, head = 0, 0, b""
        for piece in unpacked(content, entry):
            size += len(piece)
            check = zlib.crc32(piece, check)
            head = head or piece[:MEGABYTE]
            if size > entry.file_size:
                break
        if (size, check) != (entry.file_size, entry.CRC):
            raise Refused("damaged", detail=entry.filename)
        if entry.filename.casefold().endswith((".xml", ".rels")) and not is_plain(head):
            raise Refused("damaged", detail=entry.filename)


def unpacked(content: bytes, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    header = content[entry.header_offset : entry.header_offset + 30]
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise Refused("damaged", detail=entry.filename)
    start = entry.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
    end = start + entry.compress_size
    if end > len(content):
        raise Refused("damaged", detail=entry.filename)
    inflating = None if entry.compress_type == zipfile.ZIP_STORED else zlib.decompressobj(-zlib.MAX_WBITS)
    for place in range(start, end, PIECE):
        packed = content[place : min(place + PIECE, end)]
        if inflating is None:
            yield packed
            continue
        while packed and not inflating.eof:
            yield inflating.decompress(packed, MEGABYTE)
            packed = inflating.unconsumed_tail
    if inflating is not None and not inflating.eof:
        raise Refused("damaged", detail=entry.filename)


def is_plain(head: bytes) -> bool:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in head[:4] or b"<!DOCTYPE" in head:
        return False
    declared = re.match(rb"""(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?\sencoding\s*=\s*["']([^"']*)["']""", head)
    return declared is None or declared[1].lower() in (b"utf-8", b"utf8", b"us-ascii")


def fault_of_cells(content: bytes, name: str) -> Refused | None:
    """Find cells whose value the reader does not give as a person sees it.

    Errors (#REF!) and formulas never computed it would give as empty, 95 % as 0.95.
    """
    from defusedxml import ElementTree

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        part = part_of(archive, name, ElementTree)
        if part is None:
            return Refused("damaged", detail="no part")  # nobody could say whether its cells are whole
        data = archive.read(part)
        percents = percent_styles(archive, ElementTree)
    if not percents and not re.search(rb"""\bt\s*=\s*["']e["']|<(?:\w+:)?f\b""", data):
        return None
    try:
        for _event, cell in ElementTree.iterparse(io.BytesIO(data)):
            if cell.tag.rpartition("}")[2] != "c":
                continue
            children = {child.tag.rpartition("}")[2]: child for child in cell}
            where = cell.get("r", "?")
            value = children.get("v")
            if cell.get("t") == "e":
                return Refused("error_cell", cell=where, value=(value.text or "") if value is not None else "")
            if cell.get("s") in percents and cell.get("t", "n") == "n" and value is not None:
                return Refused("percent", cell=where, value=value.text or "")
            if "f" in children and (value is None or value.text is None) and "is" not in children:
                if cell.get("t") == "str":
                    continue  # a formula that gave an empty text
                return Refused("uncomputed", cell=where)
            cell.clear()
    except ElementTree.ParseError as error:
        return Refused("damaged", detail=type(error).__name__)
    return None


def percent_styles(archive: zipfile.ZipFile, parser: Any) -> set[str]:
    """Return the numbers of the styles that show a value times a hundred."""
    path = next((name for name in archive.namelist() if name.casefold().endswith("xl/styles.xml")), None)
    if path is None:
        return set()
    try:
        styles = parser.fromstring(archive.read(path))
    except parser.ParseError:
        return set()
    formats = {"9", "10"}
    found: set[str] = set()
    for element in styles.iter():
        match element.tag.rpartition("}")[2]:
            case "numFmt" if "%" in re.sub(r'"[^"]*"|\\.', "", element.get("formatCode", "")):
                formats.add(element.get("numFmtId", ""))
            case "cellXfs":
                found = {str(number) for number, style in enumerate(element) if style.get("numFmtId") in formats}
    return found


def part_of(archive: zipfile.ZipFile, name: str, parser: Any) -> str | None:
    """Return the path of a sheet's XML inside the workbook."""
    names = {entry.casefold().lstrip("/").replace("\\", "/"): entry for entry in archive.namelist()}

    def parsed(path: str) -> Any:
        return parser.fromstring(archive.read(names[path.casefold()]))

    try:
        book = next(rel.get("Target", "") for rel in parsed("_rels/.rels")
                    if rel.get("Type", "").endswith("/officeDocument"))  # fmt: skip
    except (KeyError, StopIteration, parser.ParseError):
        book = "xl/workbook.xml"
    book = posixpath.normpath(book).lstrip("/")
    folder, file = posixpath.split(book)
    try:
        targets = {rel.get("Id"): rel.get("Target", "") for rel in parsed(f"{folder}/_rels/{file}.rels".lstrip("/"))}
        workbook = parsed(book)
    except (KeyError, parser.ParseError):
        return None
    for sheet in workbook.iter():
        if sheet.tag.rpartition("}")[2] == "sheet" and sheet.get("name") == name:
            relation = next((value for key, value in sheet.attrib.items() if key.rpartition("}")[2] == "id"), None)
            path = posixpath.normpath(posixpath.join(f"/{folder}", targets.get(relation, "")))
            return names.get(path.lstrip("/").casefold())
    return None


if __name__ == "__main__":
    sys.exit(main())
