"""What a cell of a sheet means: a text or a typed value in, a value of ours or a sentence out. Nothing is guessed."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override
from import_export.widgets import Widget

MASK = "•••"
# What Python calls a blank, and what nobody sees: web pages and chats leave it round what is copied from them.
BLANKS = (
    " \t\r\n\v\f\x1c\x1d\x1e\x1f\x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\u200b\u200e\u200f\u2060\ufeff"
)
TRIGGERS = "=+-@\t\r\n\x00＝＋－＠"  # what a spreadsheet may take for the start of a formula, full-width forms included
FIRST_YEAR, LAST_YEAR = 1900, 2200
MOST_CODES = 200  # named in one cell
EXACT_FLOAT = 10**15  # beyond, a spreadsheet has already rounded the number

_LINES = re.compile(r"(\r\n|\r|\n)")
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{1,12})?")
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_LOCAL_DATE = re.compile(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})")
_SCIENTIFIC = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]{1,3}", re.IGNORECASE)
_EXCEL_ERROR = re.compile(
    r"#(?:REF|N/A|N/D|VALUE|VALOR|NAME|NOMBRE|DIV/0|NULL|NUM|NULO|SPILL|CALC|DESBORDAMIENTO|FIELD|BUSY)[!?]?"
    r"|#[¡¿][A-Z/0-9]+[!?]|#{3,}|Err:[0-9]{3}"
)
# Marks that were for the spreadsheet: '0012 and ="0012".
_MARKED = re.compile(r"'(?P<number>[0-9][0-9.,/-]*)|=\"(?P<text>[^\"]*)\"")
# UTF-8 read as Windows-1252: í as Ã and a soft hyphen. DOS or Mac letters read as Windows-1252: Mar¡a, Nu¤ez.
_TAILS = re.escape("".join(bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xC0)))
_MISREAD = re.compile(f"[ÂÃ][{_TAILS}]|â€[{_TAILS}]|ðŸ[{_TAILS}][{_TAILS}]")
_OTHER_LETTERS = re.compile("(?<=[A-Za-z])[¡¢£¤‚‡](?=[A-Za-z])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
YES = frozenset({"true", "1", "yes", "y", "si", "s", "verdadero", "x"})
NO = frozenset({"false", "0", "no", "n", "falso"})


@dataclass(frozen=True)
class Reading:
    """How texts of a file are to be read: `dates` is iso, dmy or mdy (ISO is always read); `decimal` is . or ,"""

    dates: str = "iso"
    decimal: str = "."


class CellError(ValueError):
    """A cell that means nothing here, told so that a person can put it right.

    A `doubt` is only an error where the cell would change something: what is stored already may stay.
    """

    def __init__(self, code: str, message: str, *, doubt_of: Any = None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.doubt_of = doubt_of


def fold(text: str) -> str:
    """Return a text without case, accents and punctuation, for names that people type: "Código " is codigo."""
    plain = unicodedata.normalize("NFKD", text.strip(BLANKS)).casefold()
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return re.sub(r"[^0-9a-z]+", "_", letters).strip("_")


def _looks_like_formula(line: str) -> bool:
    start = line.lstrip(" '\u00a0\u2007\u202f\u3000\ufeff")
    return start[:1] != "" and start[0] in TRIGGERS


def neutralise(text: str) -> str:
    """Return a text that no spreadsheet runs: an apostrophe before each line that looks like a formula."""
    parts = _LINES.split(text)
    return "".join(f"'{part}" if index % 2 == 0 and _looks_like_formula(part) else part
                   for index, part in enumerate(parts))  # fmt: skip


def restore(text: str) -> str:
    """Undo `neutralise`, exactly."""
    if "'" not in text:
        return text
    parts = _LINES.split(text)
    return "".join(
        part[1:] if index % 2 == 0 and part.startswith("'") and _looks_like_formula(part[1:]) else part
        for index, part in enumerate(parts)
    )


def is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip(BLANKS))


def as_shown(value: Any) -> str:
    """Return a raw cell as a person would read it back, cut to a length that fits a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_FLOAT:
        value = int(value)
    if isinstance(value, date | datetime | time):
        value = value.isoformat()
    text = _CONTROL.sub("\ufffd", str(value))
    return text if len(text) <= 200 else text[:199] + "…"


class SheetWidget(Widget):
    """A type of column. `clean` reads a cell (None = empty), `render` writes it, `typed` gives XLSX its own types."""

    name = gettext_lazy("text")
    empty: Any = None
    column_type = "text"  # of PostgreSQL, which reads what `render` gives

    def clean(self, value: Any, row: Any = None, *, reading: Reading | None = None, **kwargs: Any) -> Any:
        if is_empty(value):
            return self.empty
        if isinstance(value, str):
            value = restore(value).strip(BLANKS)
            if value == MASK:
                raise CellError(
                    "hidden_value",
                    _("This value was hidden from whoever exported the sheet. Leave the column out to keep it."),
                )
            if _EXCEL_ERROR.fullmatch(value):
                raise CellError(
                    "excel_error",
                    _("The spreadsheet shows an error here. Correct the cell."),
                    doubt_of=self.doubted(value),
                )
        return self.read(value, reading or Reading())

    def read(self, value: Any, reading: Reading) -> Any:
        raise NotImplementedError

    def doubted(self, text: str) -> Any:
        """Return what a text that looks like a spreadsheet's error would mean if it were meant, where it can be."""
        return None

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else str(value)

    def typed(self, value: Any) -> Any:
        return self.render(value)


class Text(SheetWidget):
    """A text of one's own. Numbers that a spreadsheet made of it come back whole or are refused."""

    empty = ""

    def doubted(self, text: str) -> str | None:
        return text

    def read(self, value: Any, reading: Reading) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise CellError(
                "excel_converted",
                _("The spreadsheet turned this text into something else (%(value)s). Format the column as text and "
                  "type it again.") % {"value": as_shown(value)},
            )  # fmt: skip
        if isinstance(value, int | float):
            return self._of_number(value)
        if match := _CONTROL.search(value):
            raise CellError(
                "control_character",
                _("There is a character that cannot be stored (U+%(code)04X). Type the cell again.")
                % {"code": ord(match[0])},
                doubt_of=value,
            )
        if "\ufffd" in value:
            raise CellError(
                "unreadable",
                _("Letters were lost before the file came here (�). Type the cell again."),
                doubt_of=value,
            )
        if _SCIENTIFIC.fullmatch(value):
            raise CellError(
                "excel_number",
                _("The spreadsheet shortened a long number to %(value)s. Format the column as text and type all its "
                  "digits.") % {"value": value},
                doubt_of=value,
            )  # fmt: skip
        if (marked := _MARKED.fullmatch(value)) is not None:
            raise CellError(
                "spreadsheet_mark",
                _("Signs that were for a spreadsheet stand round this value: write %(meant)s alone.")
                % {"meant": marked["number"] or marked["text"] or ""},
                doubt_of=value,
            )
        if (meant := _misread(value)) is not None:
            raise CellError(
                "misread_letters",
                _("The letters were read with a wrong encoding; was “%(meant)s” meant? Save the file as UTF-8.")
                % {"meant": meant},
                doubt_of=value,
            )
        return value

    def _of_number(self, value: float) -> str:
        if not math.isfinite(value) or abs(value) >= EXACT_FLOAT:
            raise CellError(
                "excel_number",
                _(
                    "The spreadsheet keeps only 15 digits of a number. "
                    "Format the column as text and type all its digits."
                ),
            )
        return str(int(value)) if float(value).is_integer() else repr(value)


def _misread(text: str) -> str | None:
    """Return what UTF-8, DOS or Mac letters read as Windows-1252 were meant to be; None for a text that is fine."""

    def meant(found: re.Match[str]) -> str:
        octets = b"".join(sign.encode("latin-1" if sign < "\u0100" else "cp1252") for sign in found[0])
        return octets.decode("utf-8", "replace")

    if _MISREAD.search(text):
        return _MISREAD.sub(meant, text)
    if _OTHER_LETTERS.search(text):
        codec = "mac-roman" if "‡" in text else "cp850"
        return _OTHER_LETTERS.sub(lambda found: found[0].encode("cp1252").decode(codec), text)
    return None


class NationalId(Text):
    """A document number: DNI or CUIL (with its check digit), or a foreign one of letters and digits."""

    name = gettext_lazy("text")

    def read(self, value: Any, reading: Reading) -> str:
        text = super().read(value, reading)
        digits = re.sub(r"[ .\-]", "", text)
        if re.fullmatch(r"[0-9]{11}", digits) and not is_cuil(digits):
            raise CellError(
                "wrong_check_digit",
                _("The last digit of this CUIL does not fit the others. Compare it with the document."),
                doubt_of=text,
            )
        return text


def is_cuil(digits: str) -> bool:
    """Say whether eleven digits end in the right check digit (weights 5 4 3 2 7 6 5 4 3 2, modulo 11)."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=False))
    check = (11 - total % 11) % 11
    return check != 10 and check == int(digits[10])


class Day(SheetWidget):
    """A date: ISO, or in the order picked for the file."""

    name = gettext_lazy("date")
    column_type = "date"

    def read(self, value: Any, reading: Reading) -> date:
        if isinstance(value, datetime):
            if value.time() != time(0):
                raise CellError("not_a_date", _("This is a moment, not a day: leave the time of day out."))
            value = value.date()
        if isinstance(value, date):
            return self._possible(value)
        if not isinstance(value, str):
            raise CellError(
                "not_a_date", _("This is a number. Format the cell as a date, or write it like 2026-12-31.")
            )
        if match := _ISO_DATE.fullmatch(value):
            year, month, day = match.groups()
        elif reading.dates != "iso" and (match := _LOCAL_DATE.fullmatch(value)):
            first, second, year = match.groups()
            day, month = (first, second) if reading.dates == "dmy" else (second, first)
        else:
            pattern = {"iso": "2026-12-31", "dmy": "31/12/2026", "mdy": "12/31/2026"}[reading.dates]
            raise CellError(
                "not_a_date",
                _("Write the date like %(pattern)s, or pick another date format for the file.") % {"pattern": pattern},
            )
        try:
            return self._possible(date(int(year), int(month), int(day)))
        except ValueError as error:
            if isinstance(error, CellError):
                raise
            raise CellError("not_a_date", _("There is no such day.")) from None

    def _possible(self, day: date) -> date:
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise CellError(
                "not_a_date",
                _("The year must lie between %(first)s and %(last)s.") % {"first": FIRST_YEAR, "last": LAST_YEAR},
            )
        return day

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else value.isoformat()

    def typed(self, value: Any) -> Any:
        return value


class Number(SheetWidget):
    """A decimal number of up to `places` decimals, in the sign picked for the file; no thousands separators."""

    name = gettext_lazy("number")
    column_type = "numeric"

    def __init__(self, places: int = 2):
        super().__init__()
        self.places = places

    def read(self, value: Any, reading: Reading) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise CellError(
                "not_a_number",
                _("The spreadsheet turned this number into something else (%(value)s). Type it again.")
                % {"value": as_shown(value)},
            )
        if isinstance(value, float):
            return self._of_float(value)
        text = str(value).replace("\u2212", "-")
        if reading.decimal == ",":
            if "." in text:
                raise CellError(
                    "not_a_number",
                    _("The decimal sign picked for this file is the comma: write %(example)s, without points.")
                    % {"example": "1234,50"},
                )
            text = text.replace(",", ".")
        elif "," in text:
            raise CellError(
                "not_a_number",
                _("The decimal sign picked for this file is the point: write %(example)s, or pick the comma.")
                % {"example": "1234.50"},
            )
        if not _NUMBER.fullmatch(text):
            raise CellError("not_a_number", _("Write a plain number, without letters or blanks."))
        return self._places(Decimal(text))

    def _of_float(self, value: float) -> Decimal:
        if not math.isfinite(value) or abs(value) >= 10**12:
            raise CellError("not_a_number", _("Write a plain number of at most twelve digits."))
        # What a formula leaves behind (0.30000000000000004) is the number that was meant.
        exact = Decimal(repr(value))
        rounded = round(exact, self.places)
        return self._places(rounded if abs(exact - rounded) < Decimal("1e-9") else exact)

    def _places(self, number: Decimal) -> Decimal:
        rounded = round(number, self.places)
        if rounded != number:
            raise CellError(
                "too_many_decimals",
                _("At most %(places)s decimals are kept: round the number yourself.") % {"places": self.places},
            )
        return rounded + 0  # no negative zero

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else f"{value:.{self.places}f}"

    def typed(self, value: Any) -> Any:
        return value


class Whole(Number):
    """A whole number from 0."""

    name = gettext_lazy("whole number")
    column_type = "bigint"

    def __init__(self) -> None:
        super().__init__(places=0)

    def read(self, value: Any, reading: Reading) -> Any:
        number = super().read(value, reading)
        if number < 0:
            raise CellError("not_a_number", _("Write a whole number, 0 or more."))
        return int(number)

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else str(value)


class YesNo(SheetWidget):
    """Yes or no."""

    name = gettext_lazy("yes/no")
    column_type = "boolean"

    def read(self, value: Any, reading: Reading) -> bool:
        if isinstance(value, bool):
            return value
        word = fold(as_shown(value))
        if word in YES:
            return True
        if word in NO:
            return False
        raise CellError("not_yes_or_no", _("Write yes or no (sí, no, true, false, 1, 0)."))

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else "true" if value else "false"

    def typed(self, value: Any) -> Any:
        return value


class Choice(SheetWidget):
    """One of a few words; its label in any of the product's languages is understood too."""

    name = gettext_lazy("choice")

    def __init__(self, choices: Iterable[tuple[str, Any]]):
        super().__init__()
        self.choices = [(str(value), label) for value, label in choices]

    @cached_property
    def words(self) -> dict[str, str]:
        """Return folded word → value, of every language of the product."""
        known = {fold(value): value for value, _label in self.choices}
        for language in ("en", "es"):
            with override(language):
                for value, label in self.choices:
                    known.setdefault(fold(str(label)), value)
        return known

    def read(self, value: Any, reading: Reading) -> str:
        found = self.words.get(fold(as_shown(value)))
        if found is None:
            options = ", ".join(value for value, _label in self.choices)
            raise CellError("unknown_choice", _("Write one of: %(options)s.") % {"options": options})
        return found


class Codes(SheetWidget):
    """Several codes in one cell, separated by |."""

    name = gettext_lazy("codes separated by |")
    empty = ()

    def doubted(self, text: str) -> tuple[str, ...]:
        return self._parted(text)

    def read(self, value: Any, reading: Reading) -> tuple[str, ...]:
        try:
            return self._parted(Text().read(value, reading))
        except CellError as error:
            if error.doubt_of is not None:
                raise CellError(error.code, error.message, doubt_of=self._parted(error.doubt_of)) from None
            raise

    def _parted(self, text: str) -> tuple[str, ...]:
        if text.count("|") >= MOST_CODES:
            raise CellError("too_many_codes", _("At most %(codes)s codes fit in a cell.") % {"codes": MOST_CODES})
        return tuple(dict.fromkeys(part.strip(BLANKS) for part in text.split("|") if part.strip(BLANKS)))

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "|".join(sorted(value or ()))
