"""Workbooks written as they go: an XLSX of any length in a few hundred KB of memory, and no temporary file.

The pages are written by hand into a ZIP that is handed out while it grows. Texts are typed as texts, so that no
spreadsheet makes a formula of them; dates are dates and numbers are numbers.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import batched
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from django.utils.translation import gettext as _
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import to_excel

from apps.common.errors import Reason, Refusal

MOST_ROWS = 1_048_576  # of a page, its header included
MOST_LETTERS = 32_767  # of a cell
LARGEST = 0xFFFF_0000  # what the sizes of a plain ZIP can say
ROWS_AT_ONCE = 500
FIRST_DAY = date(1900, 3, 1)  # before it spreadsheets and calendars disagree
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff\ud800-\udfff]")
BOLD, TEXT, DAY, WHOLE, HUNDREDTHS = range(1, 6)

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
CONTENT_TYPES = (
    f'{XML}<Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{OFFICE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{OFFICE}.styles+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{OFFICE}.worksheet+xml"/></Types>'
)
ROOT = (
    f'{XML}<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
)
BOOK_PARTS = (
    f'{XML}<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{RELATIONS}/styles" Target="styles.xml"/></Relationships>'
)
STYLES = (
    f'{XML}<styleSheet xmlns="{MAIN}"><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy-mm-dd"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="6"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>'
    + "".join(
        f'<xf numFmtId="{number}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        for number in (49, 164, 1, 2)
    )
    + '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def workbook_pieces(title: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield a workbook of one page in pieces, while the rows are read.

    Raise Refusal where more comes than a workbook can hold; what was yielded until then is no file.
    """
    book = _Zip()
    yield book.whole("[Content_Types].xml", CONTENT_TYPES)
    yield book.whole("_rels/.rels", ROOT)
    yield book.whole("xl/workbook.xml", _book(title))
    yield book.whole("xl/_rels/workbook.xml.rels", BOOK_PARTS)
    yield book.whole("xl/styles.xml", STYLES)
    yield from book.growing("xl/worksheets/sheet1.xml", _page(header, rows))
    yield book.end()


def in_xml(text: str) -> str:
    """Return a text with what XML would change or cannot hold written as spreadsheets write it: _x000D_."""
    literal = _LOOKS_ESCAPED.sub("_x005F_", text)
    return _NOT_IN_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", literal)


def _book(title: str) -> str:
    name = re.sub(r"[\[\]:*?/\\]", " ", title)[:31].strip("' ") or "1"
    return (
        f'{XML}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
        f'<sheet name={quoteattr(in_xml(name))} sheetId="1" r:id="rId1"/></sheets></workbook>'
    )


def _page(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    widths = "".join(
        f'<col min="{number}" max="{number}" width="{max(12, len(name) + 2)}" customWidth="1"/>'
        for number, name in enumerate(header, start=1)
    )
    letters = [get_column_letter(number) for number in range(1, len(header) + 1)]
    yield (
        f'{XML}<worksheet xmlns="{MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
        f"<cols>{widths}</cols><sheetData>"
    )
    yield _row(1, letters, header, bold=True)
    number = 1
    for some in batched(rows, ROWS_AT_ONCE, strict=False):
        if number + len(some) > MOST_ROWS:
            raise Refusal(
                Reason(
                    _("A workbook holds %(rows)s rows: take a CSV out, or filter the list first.")
                    % {"rows": MOST_ROWS - 1},
                    code="too_many_rows",
                )
            )
        yield "".join(_row(number + place, letters, row) for place, row in enumerate(some, start=1))
        number += len(some)
    yield "</sheetData></worksheet>"


def _row(number: int, letters: Sequence[str], values: Sequence[Any], *, bold: bool = False) -> str:
    cells = "".join(_cell(f"{letter}{number}", value, bold) for letter, value in zip(letters, values, strict=True))
    return f'<row r="{number}">{cells}</row>'


def _cell(place: str, value: Any, bold: bool) -> str:
    if value is None or value == "" or value == ():
        return ""
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, date) and not isinstance(value, datetime) and value >= FIRST_DAY:
        return f'<c r="{place}" s="{DAY}"><v>{to_excel(value):.0f}</v></c>'
    if isinstance(value, int | Decimal):
        return f'<c r="{place}" s="{WHOLE if isinstance(value, int) else HUNDREDTHS}"><v>{value}</v></c>'
    text = in_xml(str(value))
    if len(text) > MOST_LETTERS:
        raise Refusal(
            Reason(_("A text is too long for a cell of a workbook: take a CSV out."), code="too_long")
        )  # fmt: skip
    style = BOLD if bold else TEXT
    return f'<c r="{place}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


class _Zip:
    """A ZIP that is written forwards only: what a part measures stands behind it."""

    FLAGS = 0x0808  # sizes behind the part, names in UTF-8
    DAY = (1 << 5) | 1  # 1980-01-01: the same rows give the same file

    def __init__(self) -> None:
        self.at = 0
        self.parts: list[tuple[bytes, int, int, int, int]] = []

    def whole(self, name: str, text: str) -> bytes:
        return b"".join(self.growing(name, [text]))

    def growing(self, name: str, texts: Iterable[str]) -> Iterator[bytes]:
        """Yield one part as its texts come."""
        begun, path = self.at, name.encode()
        yield self._counted(
            struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, self.FLAGS, 8, 0, self.DAY, 0, 0, 0, len(path), 0) + path
        )
        squeeze = zlib.compressobj(3, zlib.DEFLATED, -15)
        check = size = packed = 0
        for text in texts:
            content = text.encode()
            check, size = zlib.crc32(content, check), size + len(content)
            piece = squeeze.compress(content)
            packed += len(piece)
            if max(size, self.at + len(piece)) > LARGEST:
                raise Refusal(
                    Reason(_("This is too much for a workbook: take a CSV out, or filter the list first."),
                           code="too_big")
                )  # fmt: skip
            if piece:
                yield self._counted(piece)
        piece = squeeze.flush()
        packed += len(piece)
        yield self._counted(piece + struct.pack("<4s3L", b"PK\x07\x08", check, packed, size))
        self.parts.append((path, check, packed, size, begun))

    def end(self) -> bytes:
        """Return the list of what lies where."""
        listed = b"".join(
            struct.pack(
                "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, self.FLAGS, 8, 0, self.DAY, check, packed, size,
                len(path), 0, 0, 0, 0, 0, begun,
            )
            + path
            for path, check, packed, size, begun in self.parts
        )  # fmt: skip
        number = len(self.parts)
        return listed + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, number, number, len(listed), self.at, 0)

    def _counted(self, piece: bytes) -> bytes:
        self.at += len(piece)
        return piece
