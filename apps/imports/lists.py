"""What a list gives out: the rows its filters leave, as the sheet an import takes or as the list itself shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from itertools import batched, chain
from typing import TYPE_CHECKING, Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import label_for_field, lookup_field
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.common.resources import SheetResource

from .writing import PLAIN, SPANISH_EXCEL, Style, Tell, table_csv_lines, table_xlsx_pieces, write_csv, xlsx_pieces

if TYPE_CHECKING:
    from django.http import HttpRequest

    from apps.users.models import User

SHAPES = {
    "xlsx": gettext_lazy("Excel workbook (XLSX)"),
    "csv": gettext_lazy("CSV for this program and others (UTF-8, comma, ISO dates)"),
    "csv-excel": gettext_lazy("CSV for Excel in Spanish (semicolon, decimal comma, dd/mm/yyyy)"),
}
CHUNK = 500
NOTHING = "–"


def format_of(shape: str) -> str:
    return shape.partition("-")[0]


def style_of(shape: str) -> Style:
    return SPANISH_EXCEL if shape == "csv-excel" else PLAIN


@dataclass(frozen=True)
class SheetOut:
    """The rows of a list that is a kind of sheet, with the columns the import takes."""

    resource: SheetResource
    rows: QuerySet[Any]
    user: User | None

    @property
    def kind(self) -> str:
        return self.resource.sheet

    @property
    def hides(self) -> bool:
        """Say whether some column may be hidden from somebody."""
        return any(column.sensitive for column in self.resource.columns().values())

    def pieces(self, shape: str, tell: Tell | None = None) -> Iterator[bytes]:
        if format_of(shape) == "xlsx":
            return xlsx_pieces(self.resource, self.rows, user=self.user, tell=tell)
        return write_csv(self.resource, self.rows, user=self.user, style=style_of(shape), tell=tell)


@dataclass(frozen=True)
class ListOut:
    """The rows of any other list, with the columns it shows. `lines` makes lines of some rows at a time."""

    kind: str
    title: str
    rows: QuerySet[Any]
    header: Sequence[str]
    lines: Callable[[Sequence[Any]], Iterable[Sequence[Any]]]
    hides = False

    def pieces(self, shape: str, tell: Tell | None = None) -> Iterator[bytes]:
        table = chain([self.header], self._lines(tell))
        if format_of(shape) == "xlsx":
            return table_xlsx_pieces(self.title, table)
        return table_csv_lines(table, style=style_of(shape))

    def _lines(self, tell: Tell | None) -> Iterator[Sequence[Any]]:
        count = 0
        for some in batched(self.rows.iterator(chunk_size=CHUNK), CHUNK, strict=False):
            yield from self.lines(some)
            count += len(some)
            if tell is not None:
                tell(count)


Out = SheetOut | ListOut


def list_out(screen: Any, request: HttpRequest, rows: QuerySet[Any]) -> ListOut:
    """Return what a list shows, all pages of it: its own columns, in words."""
    names = [name for name in screen.get_list_display(request) if name not in (ACTION_CHECKBOX_NAME, "action_checkbox")]
    header = [capfirst(str(label_for_field(name, screen.model, screen))) for name in names]

    def lines(some: Sequence[Any]) -> Iterator[list[Any]]:
        for record in some:
            yield [_shown(name, record, screen) for name in names]

    opts = screen.model._meta
    return ListOut(opts.model_name, capfirst(str(opts.verbose_name_plural)), rows, header, lines)


def _shown(name: Any, record: Any, screen: Any) -> Any:
    """Return what a column of a list shows of a record: a number, a day, or a text without the page's tags."""
    try:
        field, _attribute, value = lookup_field(name, record, screen)
    except ObjectDoesNotExist:
        return ""
    if field is not None:
        if field.is_relation:
            value = getattr(record, field.name)
        elif getattr(field, "flatchoices", None):
            value = dict(field.flatchoices).get(value, value)
    return plain(value)


def plain(value: Any) -> Any:
    """Return a value as a file has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, datetime):
        return (timezone.localtime(value) if timezone.is_aware(value) else value).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date | int | Decimal):
        return value
    if isinstance(value, list | tuple):
        return " · ".join(text for one in value if (text := str(plain(one))))
    text = in_words(value) if isinstance(value, SafeString) else str(value)
    return "" if text == NOTHING else text


def in_words(markup: str) -> str:
    """Return what somebody reads of a piece of a page: no tags, and nothing that is mere decoration."""
    if "<" not in markup and "&" not in markup:
        return str(markup)
    reader = _Words()
    reader.feed(markup)
    reader.close()
    return " · ".join(reader.words)


class _Words(HTMLParser):
    """Gathers the words of a piece of a page."""

    VOID = frozenset({"br", "hr", "img", "input", "wbr", "meta", "link"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if self.hidden or told.get("aria-hidden") == "true":
            self.hidden += tag not in self.VOID
        elif label := told.get("aria-label"):
            self.words.append(label)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return None

    def handle_endtag(self, tag: str) -> None:
        if self.hidden and tag not in self.VOID:
            self.hidden -= 1

    def handle_data(self, data: str) -> None:
        if not self.hidden and (text := " ".join(data.split())):
            self.words.append(text)
