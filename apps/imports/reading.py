"""From the bytes of a file to rows of cells: CSV here, XLSX in a child process; checks come before any parser."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import json
import re
import signal
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from apps.common.cells import BLANKS, Reading, as_shown, fold, is_empty
from apps.common.errors import Reason, Refusal

MEGABYTE = 1024 * 1024
PIECE = 4 * MEGABYTE
ENCODINGS = {"utf-8": "utf-8-sig", "utf-16": "utf-16", "windows-1252": "cp1252"}
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
DATES, DECIMALS = ("iso", "dmy", "mdy"), {"point": ".", "comma": ","}
CELL_LENGTH = 131_072
NAMES_ALONE = ":names:"  # asks the child for the sheets' names; no sheet can be called so
# A record of more is no row of a sheet; it would be held in memory as a whole.
ROW_LENGTH = 4 * MEGABYTE
MOST_SHEETS = 1_000
# Workbooks of no more rows and letters stay in memory once they are read.
KEPT_ROWS, KEPT_LENGTH = 1_000, MEGABYTE
SAYS_SEPARATOR = re.compile(r"sep=([^\"\r\n])\r?\n", re.IGNORECASE)
# Letters of the Spanish (é: C3 A9), overlong signs and halves of emoji as UTF-8 has them; no words in Windows-1252.
UTF8_LETTERS = re.compile(rb"[\xc0-\xc3][\x80-\xbf]|\xed[\xa0-\xbf][\x80-\xbf]")
ADDRESS = re.compile(r"[A-Z]{1,3}([1-9][0-9]{0,6})")
csv.field_size_limit(CELL_LENGTH)


class Unreadable(Refusal):
    """The file as a whole cannot be taken; `line` and `column` say where, if anywhere."""

    def __init__(self, code: str, message: str, *, line: int = 1, column: str = "", value: Any = ""):
        super().__init__(Reason(message, code=code, field=column))
        self.error = {"line": line, "column": column, "value": as_shown(value), "code": code, "message": message}


@dataclass(frozen=True)
class Limits:
    """What a file may take. A page takes little; a command takes more under the same caps of memory."""

    file: int
    unpacked: int = 400 * MEGABYTE
    rows: int = 300_000
    columns: int = 100
    memory: int = 512  # MiB, of the child that parses a workbook
    seconds: int = 60


UPLOAD = Limits(file=settings.COVERIS_UPLOAD_MB * MEGABYTE)
COMMAND = Limits(file=1_024 * MEGABYTE, unpacked=1_024 * MEGABYTE, rows=2_000_000, seconds=240)


@dataclass(frozen=True)
class Options:
    """How a file is read, as picked: "auto" lets encoding and separator be detected and shown. Never the dates."""

    encoding: str = "auto"
    separator: str = "auto"
    dates: str = "iso"
    decimal: str = "point"

    def reading(self) -> Reading:
        return Reading(self.dates, DECIMALS[self.decimal])

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


Rows = Iterator[tuple[int, list[Any]]]


class Table:
    """A sheet that is read as one goes through it: (line, cells) for each row that is not blank, as often as one likes.

    What is wrong further down is raised on the way, as Unreadable.
    """

    def __init__(
        self, open_rows: Callable[[], Rows], options: Options, format: str, sheet: str = "", sheets: Sequence[str] = ()
    ):
        self.options, self.format, self.sheet, self.sheets = options, format, sheet, list(sheets)
        self._open = open_rows
        self._begun: Rows | None = open_rows()
        found = next(self._begun, None)
        if found is None:
            raise Unreadable(
                "empty_file",
                _("The sheet “%(name)s” is empty.") % {"name": sheet} if sheet else _("The file is empty."),
            )
        self.header_line = found[0]
        self.header = [as_shown(cell) if format == "xlsx" else cell for cell in found[1]]

    def __iter__(self) -> Rows:
        rows, self._begun = self._begun, None
        if rows is None:
            rows = self._open()
            next(rows, None)
        return rows


def read_file(
    content: bytes, *, options: Options, headers: dict[str, str], names: Iterable[str] = (), limits: Limits = UPLOAD
) -> Table:
    """Return the table of a CSV or XLSX file; raise Unreadable with what to do.

    `headers` are the known headers, folded: they help to find the separator. `names` prefer one sheet of a workbook.
    """
    if not content.strip(b"\x00\t\r\n \xef\xbb\xbf"):
        raise Unreadable("empty_file", _("The file is empty."))
    if len(content) > limits.file:
        raise Unreadable(
            "too_big", _("The file is larger than %(size)s MB: split it.") % {"size": limits.file // MEGABYTE}
        )
    if content.startswith(b"PK"):
        return _read_workbook(content, options, names, limits)
    if content.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        raise Unreadable(
            "not_a_sheet", _("This is an old XLS or a password-protected workbook: save it as XLSX without a password.")
        )
    if content[:4] in (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff"):
        raise Unreadable("wrong_encoding", _("The file is UTF-32: save it as UTF-8."))
    if content[:5] in (b"%PDF-", b"{\\rtf") or content[:4] in (b"\x89PNG", b"\x1f\x8b\x08\x00", b"Rar!"):
        raise Unreadable("not_a_sheet", _("This is neither CSV nor XLSX: save the sheet as one of these."))
    return _read_csv(content, options, headers, limits)


# CSV


def _read_csv(content: bytes, options: Options, headers: dict[str, str], limits: Limits) -> Table:
    encoding, codec = _encoding_of(content, options.encoding)
    text = content[:80_000].decode(codec, errors="ignore").removeprefix("\ufeff")
    says = SAYS_SEPARATOR.match(text)
    said = says[1] if says else ""
    shown = text[says.end() :] if says else text
    separator = SEPARATORS.get(options.separator) or said or _find_separator(shown, headers)
    if "\x00" in text[:10_000] and encoding != "utf-16":
        raise Unreadable("not_a_sheet", _("This is neither CSV nor XLSX: save the sheet as one of these."))
    names = {sign: name for name, sign in SEPARATORS.items()}
    picked = replace(options, encoding=encoding, separator=names.get(separator, separator))
    table = Table(
        lambda: _counted(_records(content, codec, separator, limits.columns, skip=bool(said)), limits), picked, "csv"
    )
    if len(table.header) > limits.columns:
        raise Unreadable(
            "too_many_columns", _("The sheet has more than %(columns)s columns.") % {"columns": limits.columns}
        )
    return table


def _counted(rows: Rows, limits: Limits) -> Rows:
    for number, row in enumerate(rows):
        if number > limits.rows:
            raise Unreadable(
                "too_many_rows",
                _("The sheet has more than %(rows)s rows: split it.") % {"rows": limits.rows},
                line=row[0],
            )
        yield row


class _Lines:
    """The lines of a CSV, which stop where one record grows too long to be held; `begin` tells that a record ended."""

    def __init__(self, content: bytes, codec: str):
        self.text = io.TextIOWrapper(io.BytesIO(content), encoding=codec, newline="")
        self.left = ROW_LENGTH

    def begin(self) -> None:
        self.left = ROW_LENGTH

    def __iter__(self) -> Iterator[str]:
        while line := self.text.readline(ROW_LENGTH):
            self.left -= len(line)
            if self.left <= 0:
                raise OverflowError
            yield line


def _records(content: bytes, codec: str, separator: str, columns: int, *, skip: bool) -> Rows:
    """Yield (line the record starts on, cells); blank records are left out. `skip` leaves out a line “sep=;”.

    Of a record with far too many cells no more is kept than shows that it has them.
    """
    lines = _Lines(content, codec)
    head = [lines.text.readline(ROW_LENGTH).removeprefix("\ufeff")]
    if skip:
        head = []
    first_line = line = 1 + skip
    reader = csv.reader(chain(head, lines), delimiter=separator, strict=True)
    while True:
        lines.begin()
        try:
            cells = next(reader)
        except OverflowError:
            raise Unreadable(
                "row_too_long",
                _("A row is longer than %(length)s characters. A quotation mark or the end of a line may be missing.")
                % {"length": ROW_LENGTH},
                line=line,
            ) from None
        except StopIteration:
            return
        except csv.Error as error:
            if "field larger" in str(error):
                raise Unreadable(
                    "cell_too_long",
                    _("A cell is longer than %(length)s characters. A quotation mark may be missing before it.")
                    % {"length": CELL_LENGTH},
                    line=line,
                ) from error
            raise Unreadable(
                "bad_quotes",
                _("A quotation mark is not closed, or stands in the middle of a cell: write it twice inside a quoted "
                  "cell."),
                line=line,
            ) from error  # fmt: skip
        if len(cells) > columns + 1:
            cells = [*cells[:columns], next((cell for cell in cells[columns:] if not is_empty(cell)), "")]
        if not _is_blank(cells):
            yield line, cells
        line = first_line + reader.line_num


def _is_blank(cells: list[str]) -> bool:
    return not (cells and cells[0].strip(BLANKS)) and all(is_empty(cell) for cell in cells)


def _encoding_of(content: bytes, picked: str) -> tuple[str, str]:
    """Return (the encoding as shown, the codec that reads all of the content); raise Unreadable if none does."""
    if picked != "auto" and picked not in ENCODINGS:
        raise Unreadable("unknown_encoding", _("There is no encoding “%(name)s” here.") % {"name": picked})
    encoding = picked if picked != "auto" else _find_encoding(content)
    codec = ENCODINGS[encoding]
    if encoding == "utf-16" and content[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        codec = "utf-16-le" if content[1:2] == b"\x00" else "utf-16-be"
    if encoding == "windows-1252" and not content.isascii():
        if _undecodable(content, "utf-8") is None:
            raise Unreadable(
                "wrong_encoding", _("The file is UTF-8, not Windows-1252: pick UTF-8, or let it be detected.")
            )
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise Unreadable(
                "wrong_encoding", _("The file is UTF-16, not Windows-1252: pick UTF-16, or let it be detected.")
            )
    if picked == "auto" and encoding == "windows-1252" and (place := _mixes_encodings(content)) is not None:
        raise Unreadable(
            "wrong_encoding",
            _("Part of the file is UTF-8 and part is not. Save it as UTF-8, or pick its encoding."),
            line=content.count(b"\n", 0, place) + 1,
        )
    if (place := _undecodable(content, codec)) is not None:
        raise Unreadable(
            "wrong_encoding",
            _("The file is not %(encoding)s. Save it as UTF-8, or pick its encoding.") % {"encoding": encoding.upper()},
            line=content.count(b"\n", 0, place) + 1,
        )
    return encoding, codec


def _mixes_encodings(content: bytes) -> int | None:
    """Return where a file that is no UTF-8 has letters of UTF-8 all the same, None where it has none."""
    found = None if _undecodable(content, "utf-8") is None else UTF8_LETTERS.search(content)
    return None if found is None else found.start()


def _undecodable(content: bytes, codec: str) -> int | None:
    """Return the place of the first byte a codec cannot read, None where it reads them all; in pieces, for memory."""
    decoder = codecs.getincrementaldecoder(codec)()
    for start in range(0, len(content), PIECE):
        piece = content[start : start + PIECE]
        try:
            decoder.decode(piece, final=start + PIECE >= len(content))
        except UnicodeError as error:
            return start + int(getattr(error, "start", 0))
    return None


def _find_encoding(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    sample = content[:4_000]
    if len(sample) > 3 and (sample[1::2].count(0) > len(sample) // 3 or sample[0::2].count(0) > len(sample) // 3):
        return "utf-16"
    return "utf-8" if _undecodable(content, "utf-8") is None else "windows-1252"


def _find_separator(text: str, headers: dict[str, str]) -> str:
    """Return the sign that splits the first line into the most known headers, the frequent one where none is known."""
    line = next((line for line in text[:20_000].splitlines() if line.strip()), "")
    outside = re.sub(r'"[^"]*"', "", line)

    def worth(sign: str) -> tuple[int, int]:
        known = sum(fold(part.strip('"')) in headers for part in line.split(sign))
        return known, outside.count(sign)

    best = max(SEPARATORS.values(), key=worth)
    return best if worth(best) > (0, 0) else ","


# XLSX


def _read_workbook(content: bytes, options: Options, names: Iterable[str], limits: Limits) -> Table:
    _check_archive(content, limits)
    wished = [name.casefold() for name in names]
    answers = _parsed(content, wished, limits)
    about = next(answers)
    begun: list[Iterator[Any]] = [answers]
    kept: list[tuple[int, list[Any]]] | None = None

    def rows() -> Rows:
        nonlocal kept
        if kept is not None:
            yield from kept
            return
        if begun:
            found = begun.pop()
        else:
            found = _parsed(content, wished, limits)
            next(found)
        # A small sheet that is gone through again, to show what is refused, needs no second process.
        some: list[tuple[int, list[Any]]] | None = []
        length = 0
        for answer in found:
            row = answer[0], [_typed(cell) for cell in answer[1:]]
            if some is not None:
                some.append(row)
                length += sum(len(cell) for cell in row[1] if type(cell) is str)
                if len(some) > KEPT_ROWS or length > KEPT_LENGTH:
                    some = None
            yield row
        kept = some

    shown = [as_shown(name) for name in about["sheets"]]
    return Table(rows, replace(options, encoding="", separator=""), "xlsx", as_shown(about["sheet"]), shown)


def sheet_names(content: bytes, *, limits: Limits = UPLOAD) -> list[str]:
    """Return the names of a workbook's visible sheets, without reading any; none for another file."""
    if not content.startswith(b"PK"):
        return []
    _check_archive(content, limits)
    return [str(name) for name in next(_parsed(content, [NAMES_ALONE], limits))["sheets"]]


def _parsed(content: bytes, wished: list[str], limits: Limits) -> Iterator[Any]:
    """Yield what the child process says of a workbook: the sheet, then its rows one by one as they are read."""
    child = [sys.executable, "-I", str(Path(__file__).with_name("xlsx_child.py")), str(limits.memory),
             str(limits.seconds), str(limits.rows), str(limits.columns), str(CELL_LENGTH), str(MOST_SHEETS),
             *wished]  # fmt: skip
    # Our own interpreter and file; the workbook goes through standard input.
    with subprocess.Popen(  # noqa: S603
        child, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        too_slow = threading.Event()

        def give_up() -> None:
            too_slow.set()
            process.kill()

        watch = threading.Timer(limits.seconds * 2, give_up)
        watch.start()
        said_something = False
        try:
            if process.stdin is None or process.stdout is None:
                raise AssertionError("both are pipes")
            for deed in (lambda pipe: pipe.write(content), lambda pipe: pipe.close()):
                with contextlib.suppress(BrokenPipeError):  # it gave up reading: its end says why
                    deed(process.stdin)
            for line in process.stdout:
                if not line.endswith(b"\n"):
                    break
                answer = json.loads(line)
                if isinstance(answer, dict) and "refused" in answer:
                    raise _refusal_of(answer, limits)
                said_something = True
                yield answer
            ended = process.wait()
            if too_slow.is_set() or ended in (-signal.SIGXCPU, -signal.SIGKILL):
                raise Unreadable("too_slow", _("The workbook takes too long to read: save it anew, or as CSV."))
            if ended == -signal.SIGABRT:  # how a reader in Rust ends that gets no memory
                raise _refusal_of({"refused": "too_big"}, limits)
            if ended != 0 or not said_something:
                raise _refusal_of({"refused": "damaged"}, limits)
        finally:
            watch.cancel()
            process.kill()


def _check_archive(content: bytes, limits: Limits) -> None:
    """Look at the directory of the zip before anything is unpacked."""
    damaged = Unreadable("damaged", _("The workbook is damaged: open it and save it again as XLSX."))
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
        parts = [entry.filename.casefold().lstrip("/").replace("\\", "/") for entry in entries]
        names = set(parts)
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError, RuntimeError, OverflowError):
        raise damaged from None
    if "[content_types].xml" not in names:
        raise Unreadable("not_a_sheet", _("This is a ZIP file, not a workbook: save the sheet as XLSX or CSV."))
    if "xl/workbook.bin" in names:
        raise Unreadable("not_a_sheet", _("This is a binary workbook (XLSB): save it as XLSX."))
    if len(names) < len(parts):
        raise damaged  # which of two parts of one name is meant, readers disagree about
    if any(name.endswith("vbaproject.bin") for name in names):
        raise Unreadable("macros", _("The workbook carries macros: save it as XLSX without them."))
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise Unreadable("not_a_sheet", _("The workbook has a password: save it without one."))
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries) or 1
    if len(entries) > 1_000 or unpacked > limits.unpacked:
        raise Unreadable(
            "too_big",
            _("Unpacked, the workbook is larger than %(size)s MB: split it, or save it as CSV.")
            % {"size": limits.unpacked // MEGABYTE},
        )
    if unpacked > MEGABYTE and any(
        entry.file_size > MEGABYTE and entry.file_size > 100 * max(entry.compress_size, 1) for entry in entries
    ):
        raise Unreadable("too_big", _("The workbook unpacks to far more than it holds: save the sheet as CSV."))
    if packed > len(content) * 2:
        raise damaged


def _refusal_of(answer: dict[str, Any], limits: Limits) -> Unreadable:
    place = ADDRESS.fullmatch(answer.get("cell", ""))
    cell, line = (place[0], int(place[1])) if place else ("?", 1)
    value = as_shown(answer.get("value", ""))
    sentences = {
        "damaged": _("The workbook is damaged: open it and save it again as XLSX."),
        "no_sheet": _("The workbook has no visible sheet."),
        "too_big": _("The workbook takes too much memory to read: save the sheet alone, or as CSV."),
        "too_many_rows": _("The sheet has more than %(rows)s rows: split it.") % {"rows": limits.rows},
        "too_many_columns": _("The sheet has more than %(columns)s columns.") % {"columns": limits.columns},
        "merged": _("Cells are merged at %(cell)s: separate them, so that each row says all of its own.")
        % {"cell": cell},
        "error_cell": _("Cell %(cell)s shows the error %(value)s: correct it.") % {"cell": cell, "value": value},
        "uncomputed": _("The formula in %(cell)s was never computed: open the file in a spreadsheet and save it.")
        % {"cell": cell},
        "percent": _("Cell %(cell)s is a percentage: format the column as a number and write 95, not 95 %%.")
        % {"cell": cell},
        "cell_too_long": _("Cell %(cell)s holds more than %(length)s characters: shorten it.")
        % {"cell": cell, "length": CELL_LENGTH},
        "too_many_sheets": _("The workbook has more than %(sheets)s sheets: save the one that is meant alone.")
        % {"sheets": MOST_SHEETS},
    }
    return Unreadable(answer["refused"], sentences[answer["refused"]], line=line, value=value)


@dataclass(frozen=True)
class Span:
    """A time of day or a duration: no column of ours holds one."""

    text: str

    def __str__(self) -> str:
        return self.text


def _typed(cell: Any) -> Any:
    if not isinstance(cell, dict):
        return cell
    if "d" in cell:
        return date.fromisoformat(cell["d"])
    if "t" in cell:
        return datetime.fromisoformat(cell["t"])
    return Span(cell["s"])
