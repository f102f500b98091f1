"""From cells to values: column by column, each different cell once, straight into the database by COPY.

A cell that cannot be read refuses its row. A doubt (a text that looks mangled, a value the model's field would not
take) does so only where the cell changes something: what is stored already may stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import connection
from django.db.models import CharField
from django.utils.translation import gettext as _

from apps.common.cells import CellError, Reading, Text, Whole, as_shown, fold, is_empty
from apps.common.resources import VERSION, Column, Reference, SheetResource

from .enums import Stage
from .mapping import FileColumn, file_columns, lacking
from .problems import MOST_TOLD, Error, error_of
from .reading import Table

CHUNK = 5_000
# So many characters at most lie in memory before they are handed on, however long the cells are.
CHUNK_LENGTH = 8 * 1024 * 1024
# Different cells remembered of a column: most columns have few, a name or a number is read anew. Long ones are not.
REMEMBERED, REMEMBERED_LENGTH = 20_000, 200
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
NOTHING = "\\N"
# Words and numbers that begin with a letter: nothing a spreadsheet mangles, runs or hides, nothing COPY escapes.
PLAIN = re.compile(r"[A-Za-zÁÉÍÓÚÑÜáéíóúñü](?:[A-Za-zÁÉÍÓÚÑÜáéíóúñü0-9 .,:()/_-]*[A-Za-zÁÉÍÓÚÑÜáéíóúñü0-9.)])?")
CODE_LENGTH = 200


@dataclass(frozen=True)
class Faulty:
    """What came of a cell that is wrong, or doubtful (`text` is what it would be)."""

    code: str
    message: str
    text: str = NOTHING
    is_doubt: bool = False


class Cells:
    """The cells of a sheet, read into the temporary table sheet_cells.

    `errors` are of the file as a whole, `told` those of rows (no more than MOST_TOLD); `doubts` what a doubt's number
    in the table stands for. `mapping` is what a person said about columns of the file (apps.imports.mapping).
    """

    def __init__(self, resource: SheetResource, table: Table, mapping: Mapping[str, str] | None = None):
        self.resource, self.table, self.mapping = resource, table, mapping or {}
        columns = file_columns(type(resource), table.header, self.mapping)
        self.errors: list[Error] = header_errors(type(resource), columns, table.header_line)
        self.headers = [one.column for one in columns]
        self.left_aside = {one.place for one in columns if one.how == "aside"}  # not ours to read
        self._given = {one.place: one.column for one in columns if one.how == "given"}
        self.present = [name for name in self.headers if name is not None]
        self.told: list[Error] = []
        self.doubts: list[Faulty] = []
        self.rows = 0
        self._columns: list[Column] = [
            resource.columns()[name] for name in self.present if name != VERSION
        ]  # fmt: skip
        # Key columns that the sheet does without: everybody has their default.
        self.supposed = [column for column in resource.key_columns() if column.name not in self.present]
        self._reading: Reading = table.options.reading()
        self._known: dict[str, dict[Any, str | Faulty]] = {column.name: {} for column in self._columns}
        self._doubt_numbers: dict[Faulty, int] = {}
        self._unnamed: set[int] = set()
        self._plain = {column.name: longest for column in self._columns if (longest := self._takes_plainly(column))}

    # Header

    def title(self, place: int) -> Any:
        """Return what a column is called where it is handed back: understood by itself, whatever the file called it."""
        return self._given.get(place, self.table.header[place])

    def _fault(self, column: str, code: str, message: str) -> None:
        self.errors.append(error_of(self.table.header_line, column, column, code, message))

    # Rows

    def load(self, tell: Callable[[str, int], None] = lambda stage, rows: None) -> None:
        """Read every row into sheet_cells; raise Unreadable for what is wrong with the file on the way."""
        if self.errors:
            self.rows = sum(1 for _row in self.table)
            return
        own = ", ".join(f"v_{column.name} {column.widget.column_type}" for column in [*self._columns, *self.supposed])
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS sheet_cells, sheet_rows, sheet_problems")
            cursor.execute(
                f"CREATE TEMP TABLE sheet_cells (line integer, bad text[], doubts text[], version text, {own})"
                " ON COMMIT DROP"
            )
            with cursor.copy("COPY sheet_cells FROM STDIN") as copy:
                for chunk in _chunks(self.table):
                    copy.write(self._clean(chunk))
                    self.rows += len(chunk)
                    tell(Stage.READING, self.rows)
        for place in sorted(self._unnamed):
            self._fault(
                "",
                "column_without_name",
                _("Column %(number)s has values and no name: name it or empty it.") % {"number": place + 1},
            )

    def _clean(self, chunk: Sequence[tuple[int, list[Any]]]) -> str:
        """Return a chunk of rows as text for COPY."""
        width = len(self.headers)
        lines: list[int] = []
        rows: list[list[Any]] = []
        out: list[str] = []
        for line, cells in chunk:
            if len(cells) > width and any(not is_empty(cell) for cell in cells[width:]):
                message = _("The row has more cells than the header: a cell with the separator in it needs "
                            "quotation marks.")  # fmt: skip
                self._tell(line, "", cells[-1], "too_many_cells", message)
                out.append(self._refused_line(line))
            elif len(cells) < width:
                message = _("The row has fewer cells than the header: an empty cell still needs its separator.")
                self._tell(line, "", len(cells), "too_few_cells", message)
                out.append(self._refused_line(line))
            else:
                lines.append(line)
                rows.append(cells)
        if not rows:
            return "".join(out)
        columns = list(zip(*rows, strict=False))[:width]
        bad: dict[int, list[str]] = {}
        doubts: dict[int, list[str]] = {}
        versions: Sequence[str] = [""] * len(rows)
        texts: dict[str, list[str]] = {}
        for place, name in enumerate(self.headers):
            if name is None:
                if place not in self.left_aside and any(not is_empty(cell) for cell in columns[place]):
                    self._unnamed.add(place)
            elif name == VERSION:
                versions = [as_shown(cell).strip().translate(_ESCAPES) for cell in columns[place]]
            else:
                texts[name] = self._clean_column(name, columns[place], lines, bad, doubts)
        supposed = [self._text(column, column.meaning(None, self.resource.model())) for column in self.supposed]
        ready = [texts[column.name] for column in self._columns]
        bads = [_array(bad.get(number)) for number in range(len(rows))] if bad else [NOTHING] * len(rows)
        doubtful = [_array(doubts.get(number)) for number in range(len(rows))] if doubts else [NOTHING] * len(rows)
        ends = ["\t".join(supposed)] * len(rows) if supposed else None
        parts = [map(str, lines), bads, doubtful, versions, *ready, *([ends] if ends else [])]
        out += ["\t".join(row) + "\n" for row in zip(*parts, strict=True)]
        return "".join(out)

    def _clean_column(
        self, name: str, cells: Sequence[Any], lines: list[int], bad: dict[int, list[str]],
        doubts: dict[int, list[str]],
    ) -> list[str]:  # fmt: skip
        known = self._known[name]
        if len(known) > REMEMBERED:
            known.clear()
        column = self.resource.columns()[name]
        texts: list[str] = []
        for number, cell in enumerate(cells):
            # 1, 1.0 and True are one key to a dictionary and three things to a column.
            key = cell if type(cell) is str else (type(cell), cell)
            found = known.get(key)
            if found is None:
                found = self._read(column, cell)
                if type(cell) is not str or len(cell) <= REMEMBERED_LENGTH:
                    known[key] = found
            if isinstance(found, str):
                texts.append(found)
                continue
            texts.append(found.text)
            if found.is_doubt:
                doubts.setdefault(number, []).append(f"{name}:{self._numbered(found)}")
            else:
                bad.setdefault(number, []).append(name)
                self._tell(lines[number], name, cell, found.code, found.message)
        return texts

    def _read(self, column: Column, cell: Any) -> str | Faulty:
        longest = self._plain.get(column.name)
        if longest is not None and type(cell) is str and len(cell) <= longest and PLAIN.fullmatch(cell):
            return cell
        model = self.resource.model()
        doubt: Faulty | None = None
        try:
            value = column.widget.clean(cell, reading=self._reading)
        except CellError as error:
            if error.doubt_of is None:
                return Faulty(error.code, error.message)
            value = error.doubt_of
            doubt = Faulty(error.code, error.message)
        if value is None:
            value = column.meaning(None, model)
        if column.required and value in (None, ""):
            return Faulty("required", _("“%(column)s” cannot be empty.") % {"column": column.name})
        if isinstance(column.widget, Whole) and value is not None and not _holds(column, model, value):
            return Faulty("too_large", _("The number is too large."))
        if doubt is None:
            try:
                column.check(value, model)
            except ValidationError as error:
                doubt = Faulty(error.error_list[0].code or "invalid", " ".join(error.messages))
        text = self._text(column, value)
        if doubt is None:
            return text
        if "\x00" in text:
            return Faulty(doubt.code, doubt.message)
        return Faulty(doubt.code, doubt.message, text, is_doubt=True)

    def _text(self, column: Column, value: Any) -> str:
        return NOTHING if value is None else column.widget.render(value).translate(_ESCAPES)

    def _numbered(self, doubt: Faulty) -> int:
        """Return the number of what a doubt says. Past those that are told one by one, all are the same."""
        said = Faulty(doubt.code, doubt.message) if len(self.doubts) < MOST_TOLD else _one_of_many()
        number = self._doubt_numbers.get(said)
        if number is None:
            number = self._doubt_numbers[said] = len(self.doubts)
            self.doubts.append(said)
        return number

    def _takes_plainly(self, column: Column) -> int | None:
        """Return how long a plain text the column takes as it stands; None where its content is looked at."""
        if type(column.widget) is not Text:
            return None
        if isinstance(column, Reference):
            return CODE_LENGTH
        field = column.attribute and self.resource.model()._meta.get_field(column.attribute)
        if type(field) is not CharField or field.choices:
            return None
        return field.max_length if all(type(one) is MaxLengthValidator for one in field.validators) else None

    def _tell(self, line: int, column: str, value: Any, code: str, message: str) -> None:
        if len(self.told) < MOST_TOLD:
            self.told.append(error_of(line, column, value, code, message))

    def _refused_line(self, line: int) -> str:
        """Return a row of which nothing can be read."""
        names = [column.name for column in [*self._columns, *self.supposed]]
        return "\t".join([str(line), _array(names), NOTHING, "", *([NOTHING] * len(names))]) + "\n"


def header_errors(resource: type[SheetResource], columns: Sequence[FileColumn], line: int) -> list[Error]:
    """Return what is wrong with a file's columns: unknown ones, one that stands twice, one that rows are known by."""
    errors = []
    taken: set[str] = set()
    for one in columns:
        if one.how == "unknown":
            message = _unknown_column(resource, one.title, one.suggestion)
            errors.append(error_of(line, one.title, one.title, "unknown_column", message))
        elif one.column in taken:
            message = _("The column “%(name)s” stands twice: take one out.") % {"name": one.column}
            errors.append(error_of(line, one.title, one.title, "duplicate_column", message))
        elif one.column is not None:
            taken.add(one.column)
    if not errors:
        for column in lacking(resource, columns)[0]:
            message = _("The column “%(name)s” is missing: rows are known by it.") % {"name": column.name}
            errors.append(error_of(line, column.name, column.name, "missing_column", message))
    return errors


def _chunks(table: Table) -> Iterator[list[tuple[int, list[Any]]]]:
    """Yield the rows of a table some thousands at a time, fewer where they are long."""
    chunk: list[tuple[int, list[Any]]] = []
    length = 0
    for row in table:
        chunk.append(row)
        length += sum([len(cell) for cell in row[1] if type(cell) is str])
        if len(chunk) == CHUNK or length > CHUNK_LENGTH:
            yield chunk
            chunk, length = [], 0
    if chunk:
        yield chunk


def _holds(column: Column, model: Any, value: int) -> bool:
    """Say whether a whole number fits what the database keeps it in."""
    field = model._meta.get_field(column.attribute) if column.attribute else None
    least, most = connection.ops.integer_field_range(field.get_internal_type()) if field else (None, None)
    return (least is None or value >= least) and (most is None or value <= most)


def _one_of_many() -> Faulty:
    return Faulty("doubtful", _("The cell looks mangled: compare it with where it came from and type it again."))


def _array(names: list[str] | None) -> str:
    return NOTHING if names is None else "{" + ",".join(names) + "}"


def _unknown_column(resource: type[SheetResource], title: str, suggestion: str | None) -> str:
    hint = " " + _("Is “%(column)s” meant?") % {"column": suggestion} if suggestion else ""
    if fold(title) in ("status", "estado", "voided", "accepted_at") and resource.machine is not None:
        hint += " " + _("A status changes by the column “transition” alone.")
    return (
        _("“%(title)s” is not a column of this sheet. Its columns are: %(columns)s.")
        % {"title": as_shown(title), "columns": ", ".join([*resource.columns(), VERSION])}
        + hint
    )
