"""Makes hundreds of broken files, the same every day: what people, programs and attackers send for a sheet."""

from __future__ import annotations

import csv
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

MEGABYTE = 1024 * 1024
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"

# kind → header and two rows of a sheet that comes in as it stands, in the cast of tests.factories.Clinic
GOOD: dict[str, list[list[str]]] = {
    "org_units": [
        ["code", "name", "kind", "parent_code", "max_weekly_hours", "coverage_target", "headroom", "is_active"],
        ["N1", "Neonatología", "SERVICE", "H", "48", "95", "10", "yes"],
        ["N2", "Pediatría", "UNIT", "N1", "", "", "", "no"],
    ],
    "tags": [
        ["code", "name", "type", "hours_delta", "expires", "first_warning_days", "last_warning_days", "is_active"],
        ["RCP", "Reanimación", "CERTIFICATION", "0", "yes", "60", "15", "yes"],
        ["PED", "Pediatría", "QUALIFICATION", "", "", "", "", ""],
    ],
    "positions": [
        ["code", "title", "unit_code", "required_weekly_hours", "opens_on", "closes_on", "required_tags",
         "preferred_tags"],
        ["P9", "Enfermería, noche", "H1", "36.5", "2026-01-05", "2027-03-01", "Q1", "Q2"],
        ["P8", "Guardia", "H1", "24", "", "", "", "Q1|Q2"],
    ],
    "employees": [
        ["employee_number", "given_name", "family_name", "email", "national_id", "home_unit_code", "hired_on",
         "last_day", "transition", "reason"],
        ["E9", "Ana", "Núñez", "ana@example.org", "30111222", "H1", "2026-02-02", "", "", ""],
        ["E8", "Óscar", "Peña", "", "", "H1", "2026-03-02", "", "", ""],
    ],
    "employee_tags": [
        ["employee_number", "tag_code", "valid_from", "valid_until", "note"],
        ["E1", "Q1", "2026-01-05", "2026-12-31", "visto"],
        ["E1", "Q2", "2026-01-05", "", ""],
    ],
    "leaves": [
        ["employee_number", "starts_on", "kind", "ends_on", "reason"],
        ["E1", "2026-12-21", "VACATION", "2026-12-31", "verano"],
        ["E3", "2027-01-04", "SICK", "", ""],
    ],
    "demand_adjustments": [
        ["position_code", "from_day", "until_day", "hours", "reason"],
        ["P1", "2026-12-14", "2026-12-20", "-12", "feriado"],
        ["P1", "2027-01-04", "", "6.5", ""],
    ],
    "assignments": [
        ["employee_number", "position_code", "starts_on", "is_reinforcement", "effective_hours", "ends_on",
         "expires_on", "transition", "reason"],
        ["E1", "P1", "2026-12-14", "no", "24", "2027-02-28", "", "", ""],
        ["E1", "P1", "2027-03-08", "yes", "5", "", "", "", ""],
    ],
}  # fmt: skip
KINDS = tuple(GOOD)


@dataclass(frozen=True)
class Malformed:
    """A file and what has to come of it: refused, or these counts (created, updated), or None = either."""

    name: str
    kind: str
    made: bytes | Callable[[], bytes] = field(repr=False)
    comes_in: tuple[int, int] | bool | None = False
    reading: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """Return the bytes; large ones are made anew each time."""
        return self.made if isinstance(self.made, bytes) else self.made()

    @property
    def must_be_refused(self) -> bool:
        return self.comes_in is False


def written(rows: list[list[str]], separator: str = ",", end: str = "\r\n") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator=end).writerows(rows)
    return out.getvalue()


def everything() -> list[Malformed]:
    """Return all of them, under names that differ."""
    found = [
        *texts(), *encodings(), *wrong_cells(), *references(), *strange_zips(), *strange_parts(), *strange_sheets(),
        *cut_short(),
    ]  # fmt: skip
    assert len({one.name for one in found}) == len(found)
    return found


# CSV


def texts() -> Iterator[Malformed]:
    for kind in KINDS:
        header, first, _second = GOOD[kind]
        good = written(GOOD[kind])
        head, one, two = good.splitlines(keepends=True)
        key = header[0]

        def bad(name: str, text: str | bytes, comes_in: Any = False, kind: str = kind, **reading: str) -> Malformed:
            content = text if isinstance(text, bytes) else text.encode()
            return Malformed(f"{kind}: {name}", kind, content, comes_in, reading)

        yield bad("header only", head, (0, 0))
        yield bad("no header", one + two)
        yield bad("headers twice", written([[*header, key], [*first, first[0]]]))
        yield bad("a header nobody knows", written([[*header, "colour"], [*first, "red"]]))
        yield bad("a value without a header", written([[*header, ""], [*first, "red"]]))
        yield bad("no key", written([header[1:], first[1:]]))
        yield bad("the status as a column", written([[*header, "status"], [*first, "ACTIVE"]]))
        yield bad("the id as a column", written([["id", *header], ["1", *first]]))
        yield bad("a cell too many", head + one.rstrip("\r\n") + ",x\r\n")
        yield bad("a thousand cells too many", head + one.rstrip("\r\n") + "," * 1_000 + "x\r\n")
        yield bad("a cell too few", head + ",".join(["X9"] * (len(header) - 1)) + "\r\n")
        yield bad("an open quotation mark", head + '"' + one)
        yield bad("an open quotation mark at the end", good + '"')
        yield bad("a quotation mark in a cell", head + written([["x", *first[1:]]]).replace("x", '"x"y', 1))
        yield bad("a NUL in a cell", head + one.replace(first[0], f"{first[0]}\x00", 1))
        yield bad("a NUL far down", good + (two * 3_000) + "\x00" + two)
        yield bad("control characters", written([header, [f"{first[0]}\x01\x1f\x7f", *first[1:]]]))
        yield bad("a cell of a million characters", written([header, ["9" * 1_000_000, *first[1:]]]))
        yield bad("a cell of a hundred thousand", written([header, ["K" * 100_000, *first[1:]]]))
        yield bad("the same row twice", head + one + one)
        yield bad("lines that end as they like", head.replace("\r\n", "\n") + one.replace("\r\n", "\r") + two,
                  (2, 0))  # fmt: skip
        yield bad("blank lines", "\r\n" + head + "\r\n,,\r\n" + one + "\r\n\r\n" + two + "\r\n", (2, 0))
        yield bad("two hundred columns", written([[f"c{n}" for n in range(200)], ["x"] * 200]))
        yield bad("an empty key", written([header, ["", *first[1:]]]))
        yield bad("only commas", ",,,,,,\r\n,,,,,\r\n")
        yield bad("another separator than picked", written(GOOD[kind], ";"), separator="comma")
        yield bad("colons for separators", written(GOOD[kind], ":"))
        yield bad("the errors of a spreadsheet", written([header, ["#REF!", *["#N/A"] * (len(header) - 1)]]))
    org, plain = written(GOOD["org_units"]), "code,name\r\nN1,Sala\r\n"

    def odd(name: str, content: Any, comes_in: Any = False, **reading: str) -> Malformed:
        made = content.encode() if isinstance(content, str) else content
        return Malformed(name, "org_units", made, comes_in, reading)

    yield odd("nothing", b"")
    yield odd("blanks", b" \r\n\t\r\n   ")
    yield odd("NULs", b"\x00" * 5_000)
    yield odd("one byte", b"x")
    yield odd("one quotation mark", b'"')
    yield odd("a byte order mark", b"\xef\xbb\xbf")
    yield odd("half a byte order mark", b"\xef\xbb" + plain.encode())
    for number, sign in enumerate(['"', "\n", "\r", "", "\x00", "é", "=", " "]):
        yield odd(f"sep= and sign {number}", f"sep={sign}\r\n{plain}", None)
    yield odd("sep= alone", b"sep=")
    yield odd("sep=; and nothing", b"sep=;\r\n")
    yield odd("a header that begins like sep=", b"sep=aration;code\r\nx;N1\r\n")
    yield odd("sep=; and good rows", "sep=;\r\n" + written(GOOD["org_units"], ";"), (2, 0))
    yield odd("an HTML page", b"<!DOCTYPE html><html><body><table><tr><td>code</td></tr></table></body></html>")
    yield odd("an XML bomb", b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><l>&b;</l>')
    yield odd("JSON", b'[{"code": "N1", "name": "Sala"}]')
    yield odd("SQL", b"INSERT INTO org_orgunit (code) VALUES ('x'); DROP TABLE org_orgunit; --")
    yield odd("a PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj")
    yield odd("a picture", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8)
    yield odd("a JPEG", b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 8)
    yield odd("a RAR", b"Rar!\x1a\x07\x00" + b"x" * 100)
    yield odd("a gzip", b"\x1f\x8b\x08\x00" + zlib.compress(org.encode()))
    yield odd("a 7z", b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(200))
    yield odd("a program", b"\x7fELF\x02\x01\x01" + bytes(500))
    yield odd("an old XLS", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000))
    yield odd("BIFF without its folder", b"\x09\x08\x10\x00\x00\x06\x05\x00" + bytes(500))
    yield odd("a Lotus sheet", b"\x00\x00\x1a\x00\x00\x10\x04\x00" + bytes(500))
    yield odd("an RTF", b"{\\rtf1 code,name}")
    yield odd("random bytes", random.Random(1).randbytes(20_000))
    yield odd("random bytes that are no UTF-8", bytes([0x81, 0x8D, 0x8F, 0x90, 0x9D]) * 500)
    yield odd("more rows than a sheet may have", lambda: b"code\n" + b"x\n" * 300_002)
    yield odd("a line of ten million commas", lambda: b"code,name\r\n" + b"," * 10_000_000)
    yield odd("a header of ten million commas", lambda: b"," * 10_000_000 + b"\r\ncode")
    yield odd("a line of ten million letters", lambda: b"code,name\r\n" + b"x" * 10_000_000)
    yield odd("a record over a million lines", 'code,name\r\n"N1",' + '"\n",' * 1_000_000)
    yield odd("a million open quotation marks", b"code,name\r\n" + b'"' * 1_000_001)
    yield odd("a hundred thousand quoted nothings", b"code,name\r\n" + b'"",""\r\n' * 100_000, None)
    yield odd("a name of marks that combine", written([["code", "name"], ["N1", "a" + "\u0301" * 5_000]]))
    yield odd("a name that NFKD makes long", written([["\ufdfa" * 20_000, "code"], ["x", "N1"]]))
    yield odd("text that runs right to left", written([["code", "name"], ["N1", "\u202eabc\u202c"]]), (1, 0))
    yield odd("a surrogate as CESU-8", b"code,name\r\nN1,\xed\xa0\x80\xed\xb0\x80\r\n")
    yield odd("an overlong slash", b"code,name\r\nN1,\xc0\xaf\xc0\xaf\r\n")
    yield odd("a code point that is none", b"code,name\r\nN1,\xf4\x90\x80\x80\r\n")
    yield odd("replacement characters", "code,name\r\nN1,Neonatolog\ufffda\r\n")
    yield odd("noncharacters", "code,name\r\nN1,a\ufffe\uffffb\r\n")


def encodings() -> Iterator[Malformed]:
    text = written(GOOD["org_units"])
    right = {
        "utf-8": (2, 0), "utf-8-sig": (2, 0), "utf-16": (2, 0), "utf-16-le": (2, 0), "utf-16-be": (2, 0),
        "cp1252": (2, 0), "utf-32": False, "utf-32-le": False, "utf-7": None, "cp437": None, "mac-roman": None,
        "cp500": False,
    }  # fmt: skip
    for encoding, outcome in right.items():
        content = text.encode(encoding)
        yield Malformed(f"encoding {encoding}", "org_units", content, outcome)
        for picked in ("utf-8", "windows-1252", "utf-16"):
            yield Malformed(f"encoding {encoding}, picked {picked}", "org_units", content, None, {"encoding": picked})
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        content = text.encode(encoding)
        yield Malformed(f"{encoding} cut in a letter", "org_units", content[:-1])
        yield Malformed(f"{encoding} with a byte too many", "org_units", content + b"\x00")
        lone = text.replace("Pediatría", "Ped\ud800").encode(encoding, "surrogatepass")
        yield Malformed(f"{encoding} with a lone surrogate", "org_units", lone)
        low = text.replace("Pediatría", "\udc00").encode(encoding, "surrogatepass")
        yield Malformed(f"{encoding} with a low surrogate", "org_units", low)
    swapped = b"\xff\xfe" + text.encode("utf-16-be")
    yield Malformed("UTF-16 with the wrong mark", "org_units", swapped)
    mixed = text.encode() + "N3,Cirugía,UNIT,H,,,,\r\n".encode("cp1252")
    yield Malformed("two encodings in one file", "org_units", mixed)
    twice = text.encode().decode("cp1252").encode()
    yield Malformed("UTF-8 read as Windows-1252 and saved", "org_units", twice)
    yield Malformed("an encoding nobody has", "org_units", text.encode(), False, {"encoding": "koi8-r"})


WRONG = {
    "no number": "1e1000000",
    "not a number": "NaN",
    "infinity": "-Infinity",
    "far too large": "99999999999999999999",
    "too large": "99999999999",
    "negative": "-99999",
    "hexadecimal": "0x1F",
    "no day": "32/13/2026",
    "a far day": "999999-12-31",
    "day nought": "0000-00-00",
    "a formula": "=1+1",
    "a long text": "Ñ" * 5_000,
    "a list": "|".join(f"C{number}" for number in range(5_000)),
    "pipes": "|||",
    "hidden": "•••",
    "SQL": "'; DROP TABLE org_orgunit; --",
    "a format": "%s %(x)s {0} ${x}",
    "Arabic digits": "٣٦",
    "an escape of COPY": "\\N",
    "a tab and a line": "a\tb\nc\\.",
}


def wrong_cells() -> Iterator[Malformed]:
    """Every kind of nonsense in every column of every kind."""
    for kind in KINDS:
        header, first, _second = GOOD[kind]
        for place, column in enumerate(header):
            for name, value in WRONG.items():
                row = [*first[:place], value, *first[place + 1 :]]
                yield Malformed(f"{kind}: {name} for {column}", kind, written([header, row]).encode(), None)


def references() -> Iterator[Malformed]:
    def bad(name: str, kind: str, *rows: str, comes_in: Any = False) -> Malformed:
        return Malformed(name, kind, "\r\n".join(rows).encode(), comes_in)

    yield bad("a unit under itself", "org_units", "code,name,parent_code", "A,Alto,A")
    yield bad("two units under each other", "org_units", "code,name,parent_code", "A,Alto,B", "B,Bajo,A")
    ring = [f"R{n},Sala,R{(n + 1) % 500}" for n in range(500)]
    yield bad("a ring of five hundred units", "org_units", "code,name,parent_code", *ring)
    tail = [f"T{n},Sala,T{n + 1}" for n in range(500)]
    yield bad("a chain that hangs on nothing", "org_units", "code,name,parent_code", *tail)
    yield bad("a chain that hangs on a bad row", "org_units", "code,name,parent_code,headroom",
              *(f"{row}," for row in tail), "T500,Sala,H,much")  # fmt: skip
    yield bad("the root under its own child", "org_units", "code,parent_code", "H,H1")
    for kind in KINDS:
        header, first, _second = GOOD[kind]
        for place, column in enumerate(header):
            if column.endswith(("_code", "_number", "_tags")) and (kind, column) != ("employees", "employee_number"):
                row = [*first[:place], "NOWHERE", *first[place + 1 :]]
                yield bad(f"{kind}: an unknown {column}", kind, *written([header, row]).splitlines())
    yield bad("one tag in both lists", "positions", "code,required_tags,preferred_tags", "P1,Q1,Q1")
    yield bad("a transition nobody has", "employees", "employee_number,transition", "E1,explode")
    yield bad("a transition from elsewhere", "employees", "employee_number,transition", "E1,activate", comes_in=None)
    yield bad("a transition of the system", "employees", "employee_number,transition", "E1,take_back")
    yield bad("a leave that ends before it begins", "leaves", "employee_number,starts_on,ends_on",
              "E1,2026-12-20,2026-12-01")  # fmt: skip
    yield bad("leaves over each other", "leaves", "employee_number,starts_on,ends_on", "E1,2026-12-20,2026-12-30",
              "E1,2026-12-25,")  # fmt: skip
    yield bad("last days before the first", "employees", "employee_number,last_day,transition,reason",
              "E1,1999-01-01,terminate,x")  # fmt: skip
    yield bad("versions that are none", "positions", "code,title,row_version", "P1,x,%s" % ("z" * 500))


# XLSX


def package(*, sheet: str | bytes | None = None, rows: list[list[str]] | None = None, **parts: Any) -> dict[str, bytes]:
    """Return the parts of a small workbook; `parts` replace (or with None leave out) one each, by short names."""
    names = {
        "types": "[Content_Types].xml", "rels": "_rels/.rels", "book": "xl/workbook.xml",
        "book_rels": "xl/_rels/workbook.xml.rels", "strings": "xl/sharedStrings.xml", "styles": "xl/styles.xml",
        "sheet1": "xl/worksheets/sheet1.xml",
    }  # fmt: skip
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    found: dict[str, Any] = {
        "types": f"""{head}<Types xmlns="{PACKAGE}/content-types">
            <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
            <Default Extension="xml" ContentType="application/xml"/>
            <Override PartName="/xl/workbook.xml"
            ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>""",
        "rels": f"""{head}<Relationships xmlns="{PACKAGE}/relationships">
            <Relationship Id="rId1" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>""",
        "book": f"""{head}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">
            <sheets><sheet name="Hoja1" sheetId="1" r:id="rId1"/></sheets></workbook>""",
        "book_rels": f"""{head}<Relationships xmlns="{PACKAGE}/relationships">
            <Relationship Id="rId1" Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>
            <Relationship Id="rId2" Type="{RELATIONS}/sharedStrings" Target="sharedStrings.xml"/></Relationships>""",
        "strings": f'{head}<sst xmlns="{MAIN}"><si><t>shared</t></si></sst>',
        "sheet1": sheet if sheet is not None else worksheet(rows or GOOD["org_units"]),
    }
    found |= {name: part for name, part in parts.items() if name in found or name == "styles"}
    extra = {name: part for name, part in parts.items() if name not in names}
    out = {names[name]: part for name, part in found.items()} | extra
    return {name: part.encode() if isinstance(part, str) else part for name, part in out.items() if part is not None}


def zipped(parts: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), part, compress_type=method)
    return out.getvalue()


def letters(number: int) -> str:
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(65 + rest) + text
    return text


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def worksheet(rows: list[list[str]], before: str = "", after: str = "", **cells: str) -> str:
    """Return a sheet of texts; `cells` put the XML of a cell in the place of one, by its address."""
    lines = []
    for line, row in enumerate(rows, start=1):
        found = []
        for place, text in enumerate(row):
            where = f"{letters(place)}{line}"
            plain = f'<c r="{where}" t="inlineStr"><is><t xml:space="preserve">{escaped(text)}</t></is></c>'
            found.append(cells.get(where, plain if text else ""))
        lines.append(f'<row r="{line}">{"".join(found)}</row>')
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><worksheet xmlns="{MAIN}">{before}'
        f"<sheetData>{''.join(lines)}</sheetData>{after}</worksheet>"
    )


def strange_zips() -> Iterator[Malformed]:
    def bad(name: str, content: bytes | Callable[[], bytes], comes_in: Any = False) -> Malformed:
        return Malformed(f"zip: {name}", "org_units", content, comes_in)

    good = package()
    yield bad("a good workbook", zipped(good), (2, 0))
    yield bad("stored, not packed", zipped(good, zipfile.ZIP_STORED), (2, 0))
    yield bad("packed by bzip2", zipped(good, zipfile.ZIP_BZIP2))
    yield bad("packed by LZMA", zipped(good, zipfile.ZIP_LZMA))
    yield bad("empty archive", zipped({}))
    yield bad("only a text", zipped({"hello.txt": b"hi"}))
    yield bad("a CSV in a zip", zipped({"sheet.csv": written(GOOD["org_units"]).encode()}))
    yield bad("a workbook in a zip", zipped({"book.xlsx": zipped(good)}))
    yield bad("a workbook in a workbook", zipped(good | {"xl/embeddings/book.xlsx": zipped(good)}), (2, 0))
    yield bad("a zip in a zip in a zip", zipped({"[Content_Types].xml": zipped({"a.zip": zipped(good)})}))
    yield bad("macros", zipped(good | {"xl/vbaProject.bin": b"\xd0\xcf\x11\xe0" * 100}))
    yield bad("macros elsewhere", zipped(good | {"xl/macros/VBAPROJECT.BIN": b"x"}))
    yield bad("a binary workbook", zipped(good | {"xl/workbook.bin": b"\x83\x01\x00"}))
    yield bad("an OpenDocument sheet", zipped({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet",
                                              "content.xml": b"<office:document-content/>"}))  # fmt: skip
    yield bad("a Word document", zipped({"[Content_Types].xml": good["[Content_Types].xml"],
                                        "word/document.xml": b"<w:document/>"}))  # fmt: skip
    for number in (2, 10, 99, 200):
        yield bad(f"a part of {number} MB of blanks", partial(_blown_up, number))
    yield bad("a hundred parts of a megabyte", partial(_many_parts, 100), None)
    yield bad("five hundred parts of a megabyte", partial(_many_parts, 500))
    yield bad("two thousand parts", zipped(good | {f"xl/p{n}.xml": b"" for n in range(2_000)}))
    out_of_it = {"../../../etc/cron.d/x": b"* * * * * root true", "/etc/passwd": b"x", "C:\\windows\\x.dll": b"x"}
    yield bad("paths that lead out", zipped(good | out_of_it), (2, 0))
    yield bad("names that are no text", zipped(good | {"xl/\u202e\x01.xml": b"<a/>"}), None)
    yield bad("a name of 60,000 letters", zipped(good | {"x" * 60_000: b"x"}), (2, 0))
    yield bad("names in capitals", zipped({name.upper(): part for name, part in good.items()}), None)
    yield bad("names with backslashes", zipped({name.replace("/", "\\"): part for name, part in good.items()}), None)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in good.items():
            archive.writestr(name, part)
        other = worksheet([["code", "name"], ["OTHER", "Otra"]]).encode()
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            archive.writestr("xl/worksheets/sheet1.xml", other)
    yield bad("two parts of one name", out.getvalue())
    content = zipped(good)
    yield bad("two parts that differ in case", zipped(good | {"XL/WORKSHEETS/SHEET1.XML": other}))
    yield bad("a program before it", b"MZ" + bytes(500) + content)
    yield bad("garbage behind it", content + bytes(70_000))
    yield bad("a comment of 60,000 letters", _commented(content, 60_000), (2, 0))
    yield bad("a password on every part", _flagged(content, 0x1))
    yield bad("a size that lies low", _lying(good, "xl/worksheets/sheet1.xml", size=10))
    yield bad("a size that lies high", _lying(good, "xl/worksheets/sheet1.xml", size=100_000_000))
    yield bad("a size that lies and a sum that fits", _lying(good, "xl/worksheets/sheet1.xml", size=100, true_sum=True))
    yield bad("a wrong check sum", _lying(good, "xl/worksheets/sheet1.xml", check=7))
    yield bad("a bomb that says it is small", _bomb_that_lies)
    yield bad("an offset beyond the end", content.replace(b"PK\x01\x02", b"PK\x01\x02", 1)[:-6]
              + struct.pack("<I", 0xFFFFFF) + b"\x00\x00")  # fmt: skip
    yield bad("no directory", content[: content.index(b"PK\x01\x02")])
    yield bad("only the directory", content[content.index(b"PK\x01\x02") :])
    yield bad("the signature alone", b"PK")
    yield bad("the signature and noise", b"PK\x03\x04" + random.Random(2).randbytes(5_000))
    yield bad("an empty archive's end", b"PK\x05\x06" + bytes(18))


def _blown_up(megabytes: int) -> bytes:
    return zipped(package() | {"xl/extra.xml": b"<a>" + b" " * megabytes * MEGABYTE + b"</a>"})


def _many_parts(number: int) -> bytes:
    return zipped(package() | {f"xl/p{part}.xml": b" " * 1_000_000 for part in range(number)})


def _bomb_that_lies() -> bytes:
    name = "xl/worksheets/sheet1.xml"
    good = package()
    return _lying(good | {name: good[name] + b" " * 300 * MEGABYTE}, name, size=500_000, true_sum=True)


def _commented(content: bytes, length: int) -> bytes:
    return content[:-2] + struct.pack("<H", length) + b"x" * length


def _flagged(content: bytes, flag: int) -> bytes:
    changed = bytearray(content)
    at = -1
    while (at := changed.find(b"PK\x01\x02", at + 1)) >= 0:
        changed[at + 8] |= flag
    return bytes(changed)


def _lying(
    parts: dict[str, bytes], name: str, *, size: int | None = None, check: int | None = None, true_sum: bool = False
) -> bytes:
    """Return an archive whose directory (and header) tells another size or check sum of one part."""
    content = bytearray(zipped(parts))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entry = archive.getinfo(name)
    if true_sum and size is not None:
        check = zlib.crc32(parts[name][:size])
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        length = struct.unpack_from("<H", content, at + 28)[0]
        if content[at + 46 : at + 46 + length] == name.encode():
            for place, value in ((16, check), (24, size)):
                if value is not None:
                    struct.pack_into("<I", content, at + place, value)
                    struct.pack_into("<I", content, entry.header_offset + place - 2, value)
        at = content.find(b"PK\x01\x02", at + 1)
    return bytes(content)


def strange_parts() -> Iterator[Malformed]:
    def bad(name: str, comes_in: Any = False, **parts: Any) -> Malformed:
        return Malformed(f"parts: {name}", "org_units", zipped(package(**parts)), comes_in)

    for name in ("types", "rels", "book", "book_rels", "strings", "sheet1"):
        allowed = None if name in ("rels", "strings") else False
        yield bad(f"no {name}", allowed, **{name: None})
        yield bad(f"an empty {name}", None if name == "types" else allowed, **{name: b""})
        yield bad(f"noise for {name}", None if name == "types" else allowed, **{name: random.Random(3).randbytes(900)})
        yield bad(f"half of {name}", None if name in ("types", "rels", "strings") else False,
                  **{name: _half(package()[_path(name)])})  # fmt: skip
        yield bad(f"JSON for {name}", None if name in ("types", "rels", "strings") else False, **{name: b'{"a": 1}'})
        doctype = package()[_path(name)].decode()
        entity = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
        yield bad(f"a file named by an entity in {name}", **{name: _after_prolog(doctype, entity)})
        laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;">]>'
        yield bad(f"laughs in {name}", **{name: _after_prolog(doctype, laughs)})
        yield bad(f"UTF-16 for {name}", **{name: doctype.replace("UTF-8", "UTF-16").encode("utf-16")})
        yield bad(f"Latin-1 for {name}", **{name: doctype.replace("UTF-8", "ISO-8859-1").encode("latin-1", "replace")})
    book, rels = package()["xl/workbook.xml"].decode(), package()["xl/_rels/workbook.xml.rels"].decode()
    yield bad("a book without sheets", book=book.replace('<sheet name="Hoja1" sheetId="1" r:id="rId1"/>', ""))
    yield bad("a sheet without a name", None, book=book.replace('name="Hoja1" ', ""))
    yield bad("a sheet without a relation", book=book.replace(' r:id="rId1"', ""))
    yield bad("a relation that leads nowhere", book=book.replace("rId1", "rId99"))
    yield bad("a relation to another host", book_rels=rels.replace("worksheets/sheet1.xml", "http://127.0.0.1/x.xml"))
    yield bad("a relation out of the archive", book_rels=rels.replace("worksheets/sheet1.xml", "../../../etc/passwd"))
    yield bad("a relation to itself", book_rels=rels.replace("worksheets/sheet1.xml", "workbook.xml"))
    yield bad("a relation to the strings", book_rels=rels.replace("worksheets/sheet1.xml", "sharedStrings.xml"))
    yield bad("a relation by an absolute path", (2, 0),
              book_rels=rels.replace("worksheets/sheet1.xml", "/xl/worksheets/sheet1.xml"))  # fmt: skip
    yield bad("a relation round the house", None,
              book_rels=rels.replace("worksheets/sheet1.xml", "../xl/./worksheets/sheet1.xml"))  # fmt: skip
    yield bad("two relations of one name", None, book_rels=rels.replace('Id="rId2"', 'Id="rId1"'))
    yield bad("hidden sheets alone", book=book.replace('sheetId="1"', 'sheetId="1" state="veryHidden"'))
    twice = book.replace("</sheets>", '<sheet name="Hoja1" sheetId="2" r:id="rId1"/></sheets>')
    yield bad("two sheets of one name", None, book=twice)
    many = "".join(f'<sheet name="S{n}" sheetId="{n + 2}" r:id="rId1"/>' for n in range(10_000))
    yield bad("ten thousand sheets", book=book.replace("</sheets>", many + "</sheets>"))
    some = many[: many.index('<sheet name="S900"')]
    yield bad("nine hundred sheets", (2, 0), book=book.replace("</sheets>", some + "</sheets>"))
    for number, title in enumerate(["a/b:c*?[x]", "'", "x" * 100_000, "&#10;&#9;", "&lt;b&gt;", "=1+1", "   ", "../x"]):
        rows = [["code", "name"], ["N1", ""], ["N2", "Bien"]]
        yield bad(f"sheet name {number}", book=book.replace("Hoja1", title), rows=rows)
    yield bad("a macro sheet", book_rels=rels.replace("/worksheet", "/xlMacrosheet"))
    yield bad("a chart sheet", book_rels=rels.replace("/worksheet", "/chartsheet"))
    yield bad("days from 1904", (2, 0), book=book.replace("<sheets>", '<workbookPr date1904="1"/><sheets>'))
    many_strings = "".join(f"<si><t>text {n}</t></si>" for n in range(300_000))
    yield bad("three hundred thousand strings", (2, 0), strings=f'<sst xmlns="{MAIN}">{many_strings}</sst>')
    long = f'<sst xmlns="{MAIN}"><si><t>{random.Random(4).randbytes(3_000_000).hex()}</t></si></sst>'
    shared = '<c r="B2" t="s"><v>0</v></c>'
    yield bad("a string of six million letters", strings=long, sheet=worksheet(GOOD["org_units"], B2=shared))
    counted = f'<sst xmlns="{MAIN}" count="4000000000" uniqueCount="4000000000"><si><t>x</t></si></sst>'
    yield bad("a count of strings that lies", None, strings=counted)
    yield bad("styles without end", None, styles=f'<styleSheet xmlns="{MAIN}"><cellXfs count="99999999">')
    deep = "<a>" * 200_000 + "</a>" * 200_000
    yield bad("brackets 200,000 deep", None, styles=deep)
    yield bad("brackets 200,000 deep in the book", None, book=book.replace("<sheets>", deep + "<sheets>"))


def _path(name: str) -> str:
    return {"types": "[Content_Types].xml", "rels": "_rels/.rels", "book": "xl/workbook.xml",
            "book_rels": "xl/_rels/workbook.xml.rels", "strings": "xl/sharedStrings.xml",
            "sheet1": "xl/worksheets/sheet1.xml"}[name]  # fmt: skip


def _half(part: bytes) -> bytes:
    return part[: len(part) // 2]


def _after_prolog(text: str, doctype: str) -> str:
    end = text.index("?>") + 2
    return text[:end] + doctype + text[end:].replace("Hoja1", "Hoja&e;").replace("Neonatología", "&e;")


def strange_sheets() -> Iterator[Malformed]:
    rows = [["code", "name", "headroom"], ["N1", "Sala", "5"], ["N2", "Piso", "6"]]

    def bad(name: str, comes_in: Any = False, *, before: str = "", after: str = "", **cells: str) -> Malformed:
        content = zipped(package(sheet=worksheet(rows, before, after, **cells)))
        return Malformed(f"sheet: {name}", "org_units", content, comes_in)

    def cell(value: str, of: str = "n", more: str = "", where: str = "C2") -> str:
        return f'<c r="{where}" t="{of}"{more}><v>{value}</v></c>'

    yield bad("a number", (2, 0), C2=cell("7.5"))
    for name, value in {"1e308": "1e308", "1e309": "1e309", "-1e309": "-1e309", "NaN": "NaN", "inf": "INF",
                        "1e1000000": "1e1000000", "many digits": "9" * 5_000, "no digits": "", "text": "seven",
                        "a comma": "7,5", "hexadecimal": "0x7", "two points": "7.5.1"}.items():  # fmt: skip
        yield bad(f"the number {name}", None if name in ("no digits",) else False, C2=cell(value))
    for name, of in {"no type": "", "an unknown type": "zz", "a date type": "d", "a boolean": "b"}.items():
        yield bad(f"{name} of 7", None, C2=cell("7", of))
    yield bad("a string that is not there", C2=cell("999999", "s"))
    yield bad("a string of a negative number", C2=cell("-1", "s"))
    yield bad("a string of no number", C2=cell("x", "s"))
    yield bad("a style that is not there", None, C2=cell("7", more=' s="99999"'))
    for number, error in enumerate(["#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#SPILL!", "x" * 5_000, ""]):
        yield bad(f"error cell {number}", C2=cell(error, "e"))
    yield bad("an error at a strange place", C2=cell("#REF!", "e", where="9" * 5_000))
    yield bad("an error at no place", C2='<c t="e"><v>#REF!</v></c>')
    yield bad("a formula never computed", C2='<c r="C2"><f>1+1</f></c>')
    yield bad("a formula that was computed", (2, 0), C2='<c r="C2"><f>1+1</f><v>2</v></c>')
    yield bad("a formula over another file", C2='<c r="C2"><f>[1]Sheet1!A1</f></c>')
    yield bad("a formula of a program", C2="<c r='C2'><f>cmd|'/C calc'!A0</f></c>")
    yield bad("merged cells", after='<mergeCells count="1"><mergeCell ref="B2:B3"/></mergeCells>')
    yield bad("a merge without end", None, after='<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>')
    yield bad("a merge of nothing", None, after='<mergeCells><mergeCell ref="?"/></mergeCells>')
    yield bad("a dimension of everything", (2, 0), before='<dimension ref="A1:XFD1048576"/>')
    yield bad("a dimension of nonsense", None, before='<dimension ref="?:?"/>')
    yield bad("a cell in the last corner", C2=cell("7", where="XFD1048576"))
    yield bad("a cell beyond the last corner", C2=cell("7", where="ZZZZ99999999"))
    yield bad("a cell at row nought", None, C2=cell("7", where="C0"))
    yield bad("a cell without a column", None, C2=cell("7", where="2"))
    yield bad("a cell at the row of 2^40", C2=cell("7", where=f"C{2**40}"))
    yield bad("a cell twice", None, C2=cell("7") + cell("8"))
    code = '<c r="A2" t="inlineStr"><is><t>N1</t></is></c>'
    yield bad("cells out of order", None, A2=cell("7", where="C2"), C2=code)
    last = '</row><row r="1048576">' + cell("7", where="A1048576")
    yield bad("a row far down", C3=cell("6", where="C3") + last)
    yield bad("a cell of a million letters", B2=f'<c r="B2" t="inlineStr"><is><t>{"x" * 1_000_000}</t></is></c>')
    yield bad("a cell of 140,000 letters", B2=f'<c r="B2" t="inlineStr"><is><t>{"x" * 140_000}</t></is></c>')
    for number, text in enumerate(["&#0;", "&#xD800;", "&#xFFFE;", "&nope;", "&#1114112;", "_x0000_", "_xD800_", "\x01",
                                   "_x0001_", "&#x1F600;"]):  # fmt: skip
        yield bad(f"a text of {number}", (2, 0) if text == "&#x1F600;" else None if text in ("_xD800_",) else False,
                  B2=f'<c r="B2" t="inlineStr"><is><t>{text}</t></is></c>')  # fmt: skip
    yield bad("a text of bytes that are no UTF-8", None, B2='<c r="B2" t="inlineStr"><is><t>PLACE</t></is></c>')
    for number, value in enumerate(["1e10", "-5", "60", "0.5", "3000000", "99999999999"]):
        formats = '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
        styles = f'<styleSheet xmlns="{MAIN}">{formats}</styleSheet>'
        sheet = worksheet([["employee_number", "starts_on"], ["E1", "x"]], B2=f'<c r="B2" s="1"><v>{value}</v></c>')
        yield Malformed(f"sheet: day {number}", "leaves", zipped(package(sheet=sheet, styles=styles)), None)
    yield Malformed("sheet: a hundred and one columns", "org_units",
                    zipped(package(rows=[[f"c{n}" for n in range(101)], ["x"] * 101])))  # fmt: skip
    yield Malformed("sheet: sixteen thousand columns", "org_units",
                    zipped(package(rows=[["code"], [*[""] * 16_383, "x"]])))  # fmt: skip
    yield Malformed("sheet: nothing in it", "org_units", zipped(package(rows=[[]])))
    yield Malformed("sheet: a header alone", "org_units", zipped(package(rows=[["code", "name"]])), (0, 0))
    yield Malformed("sheet: headers twice", "org_units", zipped(package(rows=[["code", "code"], ["A", "B"]])))
    far = [[f"{n * 7919 % 1_000_003}", f"Sala {n}"] for n in range(60_000)]
    yield Malformed("sheet: sixty thousand rows, the last one bad", "org_units",
                    zipped(package(rows=[["code", "parent_code"], *far[:3_000], ["", "x"]])))  # fmt: skip
    blank = f'<?xml version="1.0"?><worksheet xmlns="{MAIN}"><sheetData>' + '<row r="1"/>' * 200_000
    yield Malformed("sheet: two hundred thousand empty rows of one number", "org_units",
                    zipped(package(sheet=blank + "</sheetData></worksheet>"), zipfile.ZIP_STORED))  # fmt: skip


def cut_short() -> Iterator[Malformed]:
    """A workbook and a CSV that end too early, at every place that could be told apart."""
    book = zipped(package())
    marks = {book.find(sign, at) for sign in (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06")
             for at in range(0, len(book), 40)} - {-1}  # fmt: skip
    places = {1, 2, 3, 4, 10, 30, len(book) - 1, len(book) - 2, len(book) - 21, len(book) - 22, len(book) - 23}
    places |= {mark + step for mark in marks for step in (0, 1, 4, 29)}
    places |= {len(book) * tenth // 10 for tenth in range(1, 10)}
    for place in sorted(place for place in places if 0 < place < len(book)):
        yield Malformed(f"cut: workbook at {place}", "org_units", book[:place])
    text = written(GOOD["org_units"]).encode()
    for place in sorted({1, 3, *range(5, len(text), 11)}):
        yield Malformed(f"cut: CSV at {place}", "org_units", text[:place], None)
