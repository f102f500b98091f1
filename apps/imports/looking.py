"""What is found out about a sheet from its first rows: how it is written, which columns it has, what speaks for which
order of dates. It is cheap however long the sheet: the rows after the first few hundred are not touched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from django.utils import timezone

from apps.common.cells import MASK, CellError, Day, Number, Reading, as_shown
from apps.common.resources import Column, SheetResource, resources

from .mapping import FileColumn, file_columns, fingerprint_of
from .reading import UPLOAD, Options, Unreadable, read_file
from .remembering import recall, remember

if TYPE_CHECKING:
    from apps.users.models import User

LOOKED_AT, SAMPLED, CELL = 300, 5, 80
OPTIONAL = ("encoding", "separator", "dates", "decimal")
_LOCAL_DATE = re.compile(r"\s*([0-9]{1,2})[/.-]([0-9]{1,2})[/.-][0-9]{4}\s*")
_DECIMALS = {"comma": re.compile(r"\s*[+-]?[0-9]+,[0-9]+\s*"), "point": re.compile(r"\s*[+-]?[0-9]+\.[0-9]+\s*")}


class Sheet(Protocol):
    """A job with a single sheet, or a part of one with several."""

    kind: str
    options: Any


@dataclass(frozen=True)
class Head:
    """The first rows of a sheet, and how they were read."""

    format: str
    sheet: str
    sheets: list[str]
    encoding: str
    separator: str
    header_line: int
    header: list[Any]
    rows: list[list[Any]]

    def as_json(
        self, resource: type[SheetResource] | None, columns: Sequence[FileColumn], options: Options
    ) -> dict[str, Any]:
        """Return what the sheet keeps of it until it is decided. Values of people's documents stay out of it."""
        kinds = resource.columns() if resource is not None else {}
        taken_for = {one.place: kinds.get(one.column or one.suggestion or "") for one in columns}
        reading = options.reading()
        return {
            "format": self.format,
            "sheet": self.sheet,
            "sheets": self.sheets,
            "encoding": self.encoding,
            "separator": self.separator,
            "header_line": self.header_line,
            "header": [as_shown(title) for title in self.header],
            "sample": [
                [_sampled(cell, taken_for.get(place), reading) for place, cell in enumerate(row[: len(self.header)])]
                for row in self.rows[:SAMPLED]
            ],
            "hints": _hints(resource, columns, self.rows) if resource is not None else {},
        }


def head_of(
    content: bytes, *, options: Options, resource: type[SheetResource] | None, sheet: str = "", rows: int = LOOKED_AT
) -> Head:
    """Return the first rows of a file; raise Unreadable where not even its header can be read."""
    table = read_file(
        content,
        options=options,
        headers=resource.headers() if resource is not None else all_headers(),
        names=names_for(resource, sheet),
        limits=UPLOAD,
    )
    found: list[list[Any]] = []
    try:
        for _line, cells in islice(table, rows):
            found.append(cells)
    except Unreadable:
        pass  # told with its line when the rows are read; what came before it shows how the file is written
    how = table.options
    return Head(table.format, table.sheet, table.sheets, how.encoding, how.separator, table.header_line,
                table.header, found)  # fmt: skip


def names_for(resource: type[SheetResource] | None, sheet: str) -> Sequence[str]:
    """Return the names of the sheet to read in a workbook: the one that was picked, or those a kind goes by."""
    if sheet:
        return (sheet.strip(),)
    return () if resource is None else (resource.sheet, resource.spanish)


def all_headers() -> dict[str, str]:
    """Return every header of every kind: they help to find the separator of a file whose kind is open."""
    return {name: column for kind in resources().values() for name, column in kind.headers().items()}


def look_at(sheet: Sheet, content: bytes, *, actor: User, name: str = "") -> None:
    """Note in a sheet's options how it is written and what its columns are, unless that is known.

    What nobody picked begins as it was last time for the same columns; what was corrected is remembered. Of a file
    that cannot be opened it is noted why.
    """
    if "head" in sheet.options:
        return
    resource = resources().get(sheet.kind)
    said = sheet.options
    try:
        head = head_of(content, options=Options(**said["picked"]), resource=resource, sheet=name)
        if resource is not None and not said.get("corrected") and not said.get("without_moves"):
            head = _as_last_time(said, head, content, resource, actor, name)
    except Unreadable as error:
        said["head"] = {"fault": error.error}
        return
    said.setdefault("first_seen", fingerprint_of(head.header))
    mapping = said.setdefault("mapping", {})
    columns = file_columns(resource, head.header, mapping) if resource is not None else []
    said["head"] = head.as_json(resource, columns, Options(**said["picked"]))
    # What is left aside of a sheet's first turn is no way of reading the next one.
    if said.pop("to_remember", False) and resource is not None and not said.get("without_moves"):
        remember(
            actor=actor, kind=sheet.kind, header=head.header, first_seen=said["first_seen"],
            options=Options(**said["picked"]), mapping=mapping,
        )  # fmt: skip


def _as_last_time(
    said: dict[str, Any], head: Head, content: bytes, resource: type[SheetResource], actor: User, name: str
) -> Head:
    """Fill what nobody picked with what the person had the last time; return the head as it is read then."""
    habit = recall(user=actor, kind=resource.sheet, header=head.header)
    if habit is None:
        return head
    said["first_seen"] = fingerprint_of(head.header)
    open_still = [option for option in said.get("open", OPTIONAL) if option in habit.options]
    picked = Options(**said["picked"])
    again = replace(picked, **{option: habit.options[option] for option in open_still})
    if (again.encoding, again.separator) != (picked.encoding, picked.separator):
        head = head_of(content, options=again, resource=resource, sheet=name)
    said["picked"], said["mapping"] = again.as_dict(), dict(habit.mapping)
    said["habit"] = {
        "id": habit.pk, "at": timezone.localdate(habit.corrected_at).isoformat(), "otherwise": picked.as_dict(),
    }  # fmt: skip
    return head


def _sampled(cell: Any, column: Column | None, reading: Reading) -> list[str]:
    """Return what stands in a cell and, of a date or a number, what is read from it ("?" where it is none)."""
    text = as_shown(cell)
    if column is not None and column.sensitive and text:
        return [MASK]
    shown = text if len(text) <= CELL else text[: CELL - 1] + "…"
    if column is None or not text or not isinstance(column.widget, Day | Number):
        return [shown]
    try:
        return [shown, column.widget.render(column.widget.clean(cell, reading=reading))]
    except CellError:
        return [shown, "?"]


# What speaks for an order of dates, or a decimal sign


def _hints(
    resource: type[SheetResource], columns: Sequence[FileColumn], rows: Iterable[Sequence[Any]]
) -> dict[str, dict[str, dict[str, str]]]:
    """Return, for dates and decimals, the first cell that can only be read in one way, or in either."""
    found: dict[str, dict[str, dict[str, str]]] = {"dates": {}, "decimal": {}}
    kinds = resource.columns()
    for row in rows:
        for one in columns:
            column = kinds.get(one.column or one.suggestion or "")
            cell = row[one.place] if one.place < len(row) else None
            if column is None or not isinstance(cell, str):
                continue
            seen = {"column": one.title, "value": as_shown(cell).strip()}
            if isinstance(column.widget, Day):
                if (order := order_of(cell)) is not None:
                    found["dates"].setdefault(order, seen)
            elif isinstance(column.widget, Number):
                for sign, pattern in _DECIMALS.items():
                    if pattern.fullmatch(cell):
                        found["decimal"].setdefault(sign, seen)
    return found


def order_of(text: str) -> str | None:
    """Return the only order a date can have (dmy, mdy), "either" where both would do, None for no such date."""
    match = _LOCAL_DATE.fullmatch(text)
    if match is None:
        return None
    first, second = int(match[1]), int(match[2])
    if first > 12:
        return "dmy" if first <= 31 and second <= 12 else None
    return "mdy" if second > 12 else "either"
