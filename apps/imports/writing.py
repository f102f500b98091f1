"""Sheets out: the columns the import takes, streamed, with no cell a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import batched
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from apps.common.cells import Day, Number, neutralise
from apps.common.errors import Reason, Refusal
from apps.common.resources import VERSION, VERSION_SPANISH, SheetResource
from apps.users.permissions import sees_sensitive

from .rights import may

if TYPE_CHECKING:
    from apps.users.models import User

CHUNK = 2_000
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]")
FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True)
class Style:
    """How a CSV is written. `spanish` takes the Spanish headers; BOM and ; are what Excel opens by itself there."""

    separator: str = ","
    dates: str = "iso"
    decimal: str = "."
    bom: bool = False
    spanish: bool = False

    def number(self, text: str) -> str:
        """Return a number, written with a point, as this style writes it."""
        return text.replace(".", self.decimal)

    def day(self, text: str) -> str:
        """Return an ISO date as this style writes it; nothing stays nothing."""
        if not text or self.dates == "iso":
            return text
        year, month, day = text.split("-")
        return f"{day}/{month}/{year}"


PLAIN = Style()
SPANISH_EXCEL = Style(separator=";", dates="dmy", decimal=",", bom=True, spanish=True)


def rows_for(resource: SheetResource, user: User | None, queryset: QuerySet[Any] | None = None) -> QuerySet[Any]:
    """Return what the user may take out, of a list's own selection if one is given. The system takes all."""
    rows: Any = resource.queryset()
    if user is not None:
        if not may(user, "export", type(resource)):
            raise Refusal(
                Reason(_("You may not export sheets of this kind: %(kind)s.") % {"kind": resource.sheet},
                       code="forbidden")
            )  # fmt: skip
        rows = rows.visible_to(user)
    if queryset is not None:
        rows = rows.filter(pk__in=queryset.order_by().values("pk"))
    found: QuerySet[Any] = rows
    return found


def write_csv(
    resource: SheetResource, rows: QuerySet[Any], *, user: User | None, style: Style = PLAIN
) -> Iterator[bytes]:
    """Yield a CSV in pieces; memory stays the same however many rows."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=style.separator, lineterminator="\r\n")
    if style.bom:
        buffer.write("\ufeff")
    writer.writerow(_headers(resource, style.spanish))
    masked = _masked(user)
    dress = _dresser(resource, style)
    for chunk in _chunks(resource, rows):
        for instance in chunk:
            writer.writerow([*dress(resource.texts(instance, masked=masked)), resource.version_of(instance)])
        yield _taken(buffer)
    if piece := _taken(buffer):
        yield piece


def write_xlsx(resource: SheetResource, rows: QuerySet[Any], *, user: User | None, spanish: bool = False) -> bytes:
    """Return a workbook whose texts are typed as text, dates as dates and numbers as numbers."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(resource.sheet)
    sheet.freeze_panes = "A2"
    columns = list(resource.columns().values())
    headers = _headers(resource, spanish)
    for number, title in enumerate(headers, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = max(12, len(title) + 2)
    sheet.append([sheet_cell(sheet, title, bold=True) for title in headers])
    masked = _masked(user)
    for chunk in _chunks(resource, rows):
        for instance in chunk:
            texts = resource.texts(instance, masked=masked)
            values = resource.cells(instance, masked=masked)
            sheet.append(
                [
                    *(
                        sheet_cell(sheet, column.widget.typed(value) if not isinstance(value, str) else text, text=text)
                        for column, value, text in zip(columns, values, texts, strict=True)
                    ),
                    sheet_cell(sheet, resource.version_of(instance)),
                ]
            )
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def table_csv(rows: Iterable[Sequence[Any]], *, style: Style = PLAIN) -> bytes:
    """Return a table of texts, numbers and dates that is no kind of sheet as a CSV; its first row is the header."""
    return b"".join(table_csv_lines(rows, style=style))


def table_csv_lines(rows: Iterable[Sequence[Any]], *, style: Style = PLAIN) -> Iterator[bytes]:
    """Yield the same file, some lines at a time as the rows come."""

    def text(value: Any) -> str:
        if isinstance(value, date):
            return style.day(value.isoformat())
        if isinstance(value, int | Decimal):
            return style.number(str(value))
        return neutralise("" if value is None else str(value))

    yield ("\ufeff" if style.bom else "").encode()
    for some in batched(rows, CHUNK, strict=False):
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, delimiter=style.separator, lineterminator="\r\n")
        writer.writerows(map(text, row) for row in some)
        yield buffer.getvalue().encode()


def table_xlsx(title: str, rows: Iterable[Sequence[Any]]) -> bytes:
    """Return the same table as a workbook: texts typed as text, so that no formula runs."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title[:31])
    sheet.freeze_panes = "A2"
    for number, row in enumerate(rows):
        if number == 0:
            for column, name in enumerate(row, start=1):
                sheet.column_dimensions[get_column_letter(column)].width = max(12, len(str(name)) + 2)
        sheet.append([sheet_cell(sheet, value, bold=number == 0) for value in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def sheet_cell(sheet: Any, value: Any, *, text: str = "", bold: bool = False) -> Any:
    """Return a cell for a page that is written as it goes; a text is typed as text, so that no formula runs."""
    if value is None or value == "" or value == ():
        return None
    if isinstance(value, bool):
        return WriteOnlyCell(sheet, value=value)
    if isinstance(value, date):
        cell = WriteOnlyCell(sheet, value=value)
        cell.number_format = "yyyy-mm-dd"
        return cell
    if isinstance(value, int | Decimal):
        cell = WriteOnlyCell(sheet, value=value)
        cell.number_format = "0.00" if isinstance(value, Decimal) else "0"
        return cell
    cell = WriteOnlyCell(sheet, value=_in_xml(text or str(value)))
    # Typed as text: the library would make a formula of whatever begins with =.
    cell.data_type = "s"
    cell.number_format = "@"
    if bold:
        cell.font = Font(bold=True)
    return cell


def _in_xml(text: str) -> str:
    """Return a text with what XML would change or cannot hold written as spreadsheets write it: _x000D_."""
    literal = _LOOKS_ESCAPED.sub("_x005F_", text)
    return _NOT_IN_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", literal)


def _headers(resource: SheetResource, spanish: bool) -> list[str]:
    columns = resource.columns().values()
    if spanish:
        return [*(column.spanish for column in columns), VERSION_SPANISH]
    return [*(column.name for column in columns), VERSION]


def _masked(user: User | None) -> bool:
    return user is not None and not sees_sensitive(user)


def _dresser(resource: SheetResource, style: Style) -> Callable[[Iterable[str]], list[str]]:
    """Return what turns plain texts into a style's dates and decimals."""
    widgets = [column.widget for column in resource.columns().values()]

    def dress(texts: Iterable[str]) -> list[str]:
        found = []
        for widget, text in zip(widgets, texts, strict=True):
            if isinstance(widget, Number):
                text = style.number(text)
            elif isinstance(widget, Day):
                text = style.day(text)
            found.append(text)
        return found

    return dress


def _chunks(resource: SheetResource, rows: QuerySet[Any]) -> Iterator[list[Any]]:
    for chunk in batched(rows.iterator(chunk_size=CHUNK), CHUNK, strict=False):
        instances = list(chunk)
        resource.complete(instances)
        yield instances


def _taken(buffer: io.StringIO) -> bytes:
    piece = buffer.getvalue().encode("utf-8")
    buffer.seek(0)
    buffer.truncate()
    return piece
