"""Sheets out: the columns the import takes, streamed, with no cell a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import batched, chain
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from apps.common.cells import Day, Number, neutralise
from apps.common.errors import Reason, Refusal
from apps.common.resources import VERSION, VERSION_SPANISH, SheetResource
from apps.users.permissions import sees_sensitive

from .rights import may
from .workbooks import in_xml, workbook_pieces

if TYPE_CHECKING:
    from apps.users.models import User

CHUNK = 2_000
LINES_AT_ONCE = 500
Tell = Callable[[int], None]  # hears how many rows are written
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
    resource: SheetResource, rows: QuerySet[Any], *, user: User | None, style: Style = PLAIN, tell: Tell | None = None
) -> Iterator[bytes]:
    """Yield a CSV in pieces; memory stays the same however many rows. `tell` hears how many there are so far."""
    masked = _masked(user)
    dress = _dresser(resource, style)
    lines = (
        [*dress(resource.texts(instance, masked=masked)), resource.version_of(instance)]
        for instance in _instances(resource, rows, tell)
    )
    return _csv_pieces(chain([_headers(resource, style.spanish)], lines), style)


def write_xlsx(resource: SheetResource, rows: QuerySet[Any], *, user: User | None, spanish: bool = False) -> bytes:
    """Return a workbook whose texts are typed as text, dates as dates and numbers as numbers."""
    return b"".join(xlsx_pieces(resource, rows, user=user, spanish=spanish))


def xlsx_pieces(
    resource: SheetResource, rows: QuerySet[Any], *, user: User | None, spanish: bool = False, tell: Tell | None = None
) -> Iterator[bytes]:
    """Yield the same workbook in pieces; memory stays the same however many rows."""
    columns = list(resource.columns().values())
    masked = _masked(user)

    def typed(instance: Any) -> list[Any]:
        texts = resource.texts(instance, masked=masked)
        values = resource.cells(instance, masked=masked)
        cells = [
            _typed(text if isinstance(value, str) else column.widget.typed(value), text)
            for column, value, text in zip(columns, values, texts, strict=True)
        ]
        return [*cells, resource.version_of(instance)]

    lines = map(typed, _instances(resource, rows, tell))
    return workbook_pieces(resource.sheet, _headers(resource, spanish), lines)


def table_csv_lines(rows: Iterable[Sequence[Any]], *, style: Style = PLAIN) -> Iterator[bytes]:
    """Yield a table of texts, numbers and dates that is no kind of sheet as a CSV; its first row is the header."""

    def text(value: Any) -> str:
        if isinstance(value, datetime):
            return value.isoformat(" ", "seconds")
        if isinstance(value, date):
            return style.day(value.isoformat())
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return style.number(str(value))
        return neutralise("" if value is None else str(value))

    return _csv_pieces(([text(value) for value in row] for row in rows), style)


def table_xlsx_pieces(title: str, rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield the same table as a workbook: texts typed as text, so that no formula runs."""
    lines = iter(rows)
    header = [str(name) for name in next(lines)]
    return workbook_pieces(title, header, ([_typed(value, "") for value in row] for row in lines))


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
    cell = WriteOnlyCell(sheet, value=in_xml(text or str(value)))
    # Typed as text: the library would make a formula of whatever begins with =.
    cell.data_type = "s"
    cell.number_format = "@"
    if bold:
        cell.font = Font(bold=True)
    return cell


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


def _instances(resource: SheetResource, rows: QuerySet[Any], tell: Tell | None) -> Iterator[Any]:
    """Yield the rows, so many read at a time."""
    count = 0
    for chunk in batched(rows.iterator(chunk_size=CHUNK), CHUNK, strict=False):
        instances = list(chunk)
        resource.complete(instances)
        yield from instances
        count += len(instances)
        if tell is not None:
            tell(count)


def _typed(value: Any, text: str) -> Any:
    """Return what a cell of a workbook gets: numbers, days and truth as they are, everything else as a text."""
    if value is None or value == "" or value == ():
        return None
    return value if isinstance(value, bool | date | int | Decimal) else text or str(value)


def _csv_pieces(lines: Iterable[Sequence[str]], style: Style) -> Iterator[bytes]:
    yield ("\ufeff" if style.bom else "").encode()
    for some in batched(lines, LINES_AT_ONCE, strict=False):
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=style.separator, lineterminator="\r\n").writerows(some)
        yield buffer.getvalue().encode()
