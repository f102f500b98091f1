"""From tree back to text: the language's own, and words for people."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from ..verdicts import day as told_day
from ..verdicts import hours as told_hours
from .tree import (
    And,
    Atom,
    Compare,
    Condition,
    Day,
    Empty,
    Holds,
    Literal,
    Not,
    Number,
    Or,
    Ref,
    Text,
    Threshold,
    Today,
    Truth,
    Within,
)
from .vocabulary import Sight, Type, Word, find


class Writer:
    """Writes the canonical text: parse(unparse(t)) == t for every t the parser gives."""

    joints = {"and": "and", "or": "or", "not": "not", "in": "in", "not in": "not in", "is empty": "is empty"}
    joints |= {"is not empty": "is not empty"}

    def joint(self, word: str) -> str:
        return self.joints[word]

    def condition(self, condition: Condition, binds: int = 0) -> str:
        if isinstance(condition, Or):
            return self._joined(condition, "or", 1, binds > 0)
        if isinstance(condition, And):
            return self._joined(condition, "and", 2, binds > 1)
        if isinstance(condition, Not):
            if isinstance(condition.term, Empty):
                return f"{self.ref(condition.term.ref)} {self.joint('is not empty')}"
            if isinstance(condition.term, Within):
                return self._within(condition.term, "not in")
            return f"{self.joint('not')} {self.condition(condition.term, 2)}"
        return self._atom(condition)

    def _joined(self, condition: And | Or, word: str, binds: int, bracketed: bool) -> str:
        text = f" {self.joint(word)} ".join(self.condition(term, binds) for term in condition.terms)
        return f"({text})" if bracketed else text

    def _atom(self, atom: Atom) -> str:
        if isinstance(atom, Holds):
            return self.ref(atom.ref)
        if isinstance(atom, Empty):
            return f"{self.ref(atom.ref)} {self.joint('is empty')}"
        if isinstance(atom, Within):
            return self._within(atom, "in")
        value = self.ref(atom.value) if isinstance(atom.value, Ref) else self.literal(atom.value, atom.ref)
        return f"{self.ref(atom.ref)} {self.operator(atom)} {value}"

    def _within(self, atom: Within, word: str) -> str:
        values = ", ".join(self.literal(value, atom.ref) for value in atom.values)
        return f"{self.ref(atom.ref)} {self.joint(word)} ({values})"

    def operator(self, atom: Compare) -> str:
        return atom.operator

    def ref(self, ref: Ref) -> str:
        return f"{ref.name}({', '.join(quoted(one.value) for one in ref.arguments)})" if ref.arguments else ref.name

    def literal(self, value: Literal, of: Ref) -> str:
        return written(value)


class Speaker(Writer):
    """Writes a condition for people, in the active language."""

    def __init__(self, kind: str):
        self.kind = kind

    def joint(self, word: str) -> str:
        spoken = {
            "and": _("and"),
            "or": _("or"),
            "not": _("not"),
            "in": _("is one of"),
            "not in": _("is none of"),
            "is empty": _("is empty"),
            "is not empty": _("is not empty"),
        }
        return spoken[word]

    def operator(self, atom: Compare) -> str:
        spoken = {"!=": "≠", "<=": "≤", ">=": "≥", "contains": _("contains"), "starts with": _("starts with")}
        return spoken.get(atom.operator, atom.operator)

    def ref(self, ref: Ref) -> str:
        found = find(self.kind, ref.name, EVERYTHING)
        label = found.label if found else ref.name
        return f"{label} “{ref.arguments[0].value}”" if ref.arguments else label

    def literal(self, value: Literal, of: Ref) -> str:
        found = find(self.kind, of.name, EVERYTHING)
        match value:
            case Today(0):
                return _("today")
            case Today(offset) if offset > 0:
                return _("today + %(days)d days") % {"days": offset}
            case Today(offset):
                return _("today − %(days)d days") % {"days": -offset}
            case Threshold():
                return _("the threshold")
            case Truth(truth):
                return _("yes") if truth else _("no")
            case Day(day):
                return told_day(day)
            case Number(number):
                return told(found.word, number) if found else str(number)
            case Text(text):
                choices = dict(found.word.choices) if found else {}
                return f"“{choices.get(text.upper(), text)}”"


# For telling what was already allowed to be said; rights are looked at where a condition is taken in.
class _Everything(Sight):
    def knows(self, word: Word) -> bool:
        return True


EVERYTHING = _Everything()


def unparse(condition: Condition) -> str:
    """Return the canonical text of a condition."""
    return Writer().condition(condition)


def in_words(condition: Condition, kind: str) -> str:
    """Return a condition as people say it, in the active language."""
    return Speaker(kind).condition(condition)


def quoted(value: str) -> str:
    """Return a text as the language writes it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def written(part: Literal | Ref) -> str:
    """Return a word or a value as text."""
    match part:
        case Ref():
            return Writer().ref(part)
        case Number(number):
            return f"{number:f}"
        case Text(text):
            return quoted(text)
        case Day(day):
            return day.isoformat()
        case Today(0):
            return "today"
        case Today(offset):
            return f"today {'+' if offset > 0 else '-'} {abs(offset)} {'day' if abs(offset) == 1 else 'days'}"
        case Truth(truth):
            return "true" if truth else "false"
        case Threshold():
            return "threshold"


def told(word: Word, value: Any) -> str:
    """Return a word's value for people, in the active language."""
    if value is None or value == "":
        return _("nothing")
    if word.type == Type.BOOLEAN:
        return _("yes") if value else _("no")
    if word.type == Type.CHOICE:
        return str(dict(word.choices).get(value, value))
    if word.type == Type.DATE:
        return told_day(value)
    if word.type == Type.TEXT:
        return str(value)
    if word.type == Type.NUMBER:
        number = Decimal(value)
        return str(int(number)) if number == number.to_integral_value() else told_hours(number)
    return told_hours(value)
