"""What fits at a place of a condition being written: words, operators, values; only what the person may know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext as _
from lark import Token
from lark.exceptions import UnexpectedInput

from apps.common.clock import today

from .grammar import LONGEST, PARSER, PIECES
from .vocabulary import Argument, Found, Sight, Type, find, known_words
from .writing import quoted

MOST = 30


@dataclass(frozen=True)
class Item:
    """One thing that fits: what is put in, and what people read about it."""

    insert: str
    label: str
    detail: str = ""
    sort: str = "word"


@dataclass(frozen=True)
class Completion:
    """What fits, and which characters of the text it takes the place of."""

    start: int
    end: int
    items: tuple[Item, ...]

    def as_json(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end, "items": [asdict(item) for item in self.items]}


def operator_labels() -> dict[str, str]:
    """Return what operators are called in the active language."""
    return {
        "=": _("is equal to"),
        "!=": _("is not equal to"),
        "<": _("is less than"),
        "<=": _("is at most"),
        ">": _("is more than"),
        ">=": _("is at least"),
        "contains": _("contains"),
        "starts with": _("starts with"),
        "in": _("is one of"),
        "not in": _("is none of"),
        "is empty": _("is empty"),
        "is not empty": _("is not empty"),
        "is true": _("yes"),
        "is not true": _("no"),
    }


def complete(text: str, cursor: int, kind: str, sight: Sight) -> Completion:
    """Return what fits where the cursor stands, the likeliest first, at most MOST."""
    cursor = max(0, min(cursor, len(text), LONGEST))
    if "\x00" in text:
        # In no name, and nothing the database takes.
        return Completion(cursor, cursor, ())
    pieces = list(PIECES.finditer(text[:cursor]))
    start, typed = cursor, ""
    if pieces and pieces[-1].end() == cursor:
        last = pieces[-1][0]
        is_open = last.startswith('"') and (len(last) == 1 or not last.endswith('"'))
        if is_open or last[0].isalnum() or last[0] == "_":
            start, typed = pieces[-1].start(), last.lstrip('"')
    place = _place(text[:start])
    if place is None:
        return Completion(cursor, cursor, ())
    wanted = typed.casefold()
    found = [item for item in place.items(kind, sight, typed) if _fits(item, wanted)]
    found.sort(key=lambda item: not item.insert.lstrip('"').casefold().startswith(wanted))
    return Completion(start, cursor + _closing(text[cursor:], place), tuple(found[:MOST]))


def _fits(item: Item, wanted: str) -> bool:
    return wanted in item.insert.casefold() or wanted in item.label.casefold()


def _closing(after: str, place: Place) -> int:
    """Return how much of what stands after the cursor a value brings along itself."""
    if place.argument and after.startswith('")'):
        return 2
    return 1 if after.startswith('"') else 0


@dataclass(frozen=True)
class Place:
    """What the parser takes next, and what was said before: the word that is compared, or asked for something."""

    accepts: frozenset[str]
    word: str = ""
    is_value: bool = False
    argument: str = ""

    def items(self, kind: str, sight: Sight, typed: str) -> Iterator[Item]:
        if self.argument:
            found = find(kind, self.argument, sight)
            if found is not None and found.word.arguments:
                yield from codes(found.word.arguments[0], sight, typed, closing=")")
            return
        before = find(kind, self.word, sight) if self.word else None
        if self.is_value:
            if before is not None:
                yield from _values(before, kind, sight, typed)
            return
        if before is not None and "OPERATOR" in self.accepts:
            yield from _operators(before)
        words = known_words(kind, sight) if "NAME" in self.accepts else []
        yield from _words(found for found in words if not found.paths)
        yield from _keywords(self.accepts)
        yield from _words(found for found in words if found.paths)


def _place(before: str) -> Place | None:
    """Return the place at the end of a text; None where it makes no sense up to there."""
    parser = PARSER.parse_interactive(before, start="condition")
    try:
        tokens = list(parser.exhaust_lexer())
        accepts = frozenset(parser.accepts())
    except UnexpectedInput:
        return None
    open_brackets: list[tuple[str, str]] = []
    word = ""
    for index, token in enumerate(tokens):
        previous: Token | None = tokens[index - 1] if index else None
        if token.type == "NAME":
            word = str(token).lower()
        elif token.value == "(":
            opens = previous.type if previous is not None else ""
            open_brackets.append((opens, word))
        elif token.value == ")" and open_brackets:
            _opened, word = open_brackets.pop()
    last, last_text = (tokens[-1].type, str(tokens[-1])) if tokens else ("", "")
    opened, asked = open_brackets[-1] if open_brackets else ("", "")
    if opened == "NAME" and (last_text == "(" or last == "COMMA"):
        return Place(accepts, argument=asked)
    if opened == "IN" and (last_text == "(" or last == "COMMA"):
        return Place(accepts, word=asked, is_value=True)
    is_value = last in ("OPERATOR", "CONTAINS", "WITH")
    return Place(accepts, word=word if is_value or "OPERATOR" in accepts else "", is_value=is_value)


def _words(words: Iterable[Found]) -> Iterator[Item]:
    for found in words:
        opening = '("' if found.word.needs_argument else ""
        yield Item(f"{found.name}{opening}", found.label, str(found.word.description), "word")


def _operators(found: Found) -> Iterator[Item]:
    labels = operator_labels()
    if found.word.type != Type.BOOLEAN:
        for operator in (*found.word.type.operators, "in", "not in"):
            yield Item(f"{operator} (" if operator.endswith("in") else f"{operator} ", labels[operator], "", "operator")
    for operator in ("is empty", "is not empty"):
        yield Item(operator, labels[operator], "", "operator")


def _values(found: Found, kind: str, sight: Sight, typed: str) -> Iterator[Item]:
    word = found.word
    if word.type == Type.CHOICE:
        for code, label in word.choices:
            yield Item(quoted(code), str(label), "", "value")
    elif word.type == Type.BOOLEAN:
        yield Item("true", _("yes"), "", "value")
        yield Item("false", _("no"), "", "value")
    elif word.type == Type.DATE:
        yield Item("today", _("today"), "", "value")
        yield Item("today + 30 days", _("today + %(days)d days") % {"days": 30}, "", "value")
        yield Item("today - 30 days", _("today − %(days)d days") % {"days": 30}, "", "value")
        yield Item(today().isoformat(), _("a certain day"), "", "value")
    elif word.type == Type.TEXT and word.suggests is not None:
        yield from codes(word.suggests, sight, typed)
    if word.type.is_figure and sight.in_rule:
        yield Item("threshold", _("the threshold"), _("The rule's threshold, as the unit has it."), "value")
    if word.type not in (Type.CHOICE, Type.BOOLEAN, Type.TEXT):
        same = [other for other in known_words(kind, sight) if other.word.type == word.type]
        yield from _words(other for other in same if other.name != found.name)


def codes(argument: Argument, sight: Sight, typed: str = "", closing: str = "") -> Iterator[Item]:
    """Yield the codes that may be named there, as far as the person may see them."""
    from django.db.models import Q

    rows = argument.choices(sight.user)
    if typed:
        rows = rows.filter(Q(code__icontains=typed) | Q(name__icontains=typed))
    for code, name in rows.order_by("code").values_list("code", "name")[:MOST]:
        yield Item(quoted(code) + closing, name, "", "value")


def _keywords(accepts: frozenset[str]) -> Iterator[Item]:
    said = {
        "AND": Item("and ", _("and"), _("Both must hold."), "keyword"),
        "OR": Item("or ", _("or"), _("One of them must hold."), "keyword"),
        "NOT": Item("not ", _("not"), _("The opposite."), "keyword"),
        "EMPTY": Item("empty", _("empty"), "", "keyword"),
        "DAYS": Item("days", _("days"), "", "keyword"),
        "WITH": Item("with ", _("starts with"), "", "keyword"),
    }
    if "OPERATOR" in accepts:
        said.pop("NOT")  # it stands there for “not in” only
    yield from (item for name, item in said.items() if name in accepts)
