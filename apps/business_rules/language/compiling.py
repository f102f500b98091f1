"""From tree to SQL: names only from the vocabulary, every value bound.

Logic has two values everywhere: a comparison with an empty value is false, and `not` and `!=` are always the opposite.
Negations are carried down to the single conditions, so that a semi-join stays one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _

from .errors import ConditionError, nearest
from .reading import Reading
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
    atoms,
)
from .vocabulary import Argument, Found, Sight, Type, find, known_words

LONGEST_ARGUMENTS = 200


@dataclass(frozen=True)
class Typed:
    """A word of the condition that was found in the vocabulary, with its arguments as the catalogue writes them."""

    found: Found
    arguments: tuple[str, ...]

    @property
    def type(self) -> Type:
        return self.found.word.type


def look_up(ref: Ref, kind: str, sight: Sight, text: str = "") -> Typed:
    """Return what a word means; raise ConditionError with what was probably meant."""
    found = find(kind, ref.name, sight)
    if found is None:
        names = [known.name for known in known_words(kind, sight)]
        raise ConditionError(
            _("There is no word “%(word)s” here.") % {"word": ref.name},
            code="word", text=text, span=(ref.span[0], ref.span[0] + len(ref.name)),
            suggestions=nearest(ref.name, names),
        )  # fmt: skip
    word = found.word
    if len(ref.arguments) > len(word.arguments) or (word.needs_argument and not ref.arguments):
        message = (
            _("“%(word)s” takes nothing in brackets.")
            if not word.arguments
            else _("“%(word)s” takes one text in brackets: %(what)s.")
        )
        raise ConditionError(
            message % {"word": ref.name, "what": word.arguments[0].label if word.arguments else ""},
            code="argument", text=text, span=ref.span,
        )  # fmt: skip
    return Typed(found, tuple(one.value for one in ref.arguments))


def check(condition: Condition, kind: str, sight: Sight, text: str = "") -> None:
    """Refuse words, types and values that do not fit; asks the database once for each list of codes."""
    asked: dict[Argument, list[Text]] = {}
    for atom, _as_it_stands in atoms(condition):
        _check_atom(atom, kind, sight, text)
        for ref in (atom.ref, getattr(atom, "value", None)):
            if isinstance(ref, Ref):
                word = look_up(ref, kind, sight, text).found.word
                for argument, given in zip(word.arguments, ref.arguments, strict=False):
                    asked.setdefault(argument, []).append(given)
    for argument, named in asked.items():
        check_codes(argument, named, sight, text)


def check_codes(argument: Argument, given: list[Text], sight: Sight, text: str) -> None:
    """Refuse codes that do not exist, or not for this person, with the nearest that do."""
    choices = argument.choices(sight.user)
    there = set(choices.filter(code__in=[one.value for one in given]).values_list("code", flat=True))
    for one in given:
        if one.value not in there:
            codes = list(choices.values_list("code", flat=True).order_by("code")[:LONGEST_ARGUMENTS])
            raise ConditionError(
                _("%(what)s: there is no “%(code)s”.") % {"what": argument.label, "code": one.value},
                code="argument", text=text, span=one.span, suggestions=nearest(one.value, codes),
            )  # fmt: skip


def _check_atom(atom: Atom, kind: str, sight: Sight, text: str) -> None:
    typed = look_up(atom.ref, kind, sight, text)
    name, type_ = atom.ref.name, typed.type
    if isinstance(atom, Holds):
        if type_ != Type.BOOLEAN:
            raise ConditionError(
                _("“%(word)s” is %(type)s: compare it with a value.") % {"word": name, "type": type_.label},
                code="type", text=text, span=atom.ref.span,
            )  # fmt: skip
    elif isinstance(atom, Within):
        for value in atom.values:
            _check_value(value, typed, name, sight, text)
    elif isinstance(atom, Compare):
        if atom.operator not in type_.operators:
            raise ConditionError(
                _("“%(word)s” is %(type)s and is not compared by “%(operator)s”.")
                % {"word": name, "type": type_.label, "operator": atom.operator},
                code="type", text=text, span=atom.span, suggestions=type_.operators,
            )  # fmt: skip
        if isinstance(atom.value, Ref):
            other = look_up(atom.value, kind, sight, text)
            if other.type != type_:
                raise ConditionError(
                    _("“%(word)s” is %(type)s, “%(other)s” is %(other_type)s: they cannot be compared.")
                    % {"word": name, "type": type_.label, "other": atom.value.name, "other_type": other.type.label},
                    code="type", text=text, span=atom.value.span,
                )  # fmt: skip
        else:
            _check_value(atom.value, typed, name, sight, text)


FITS: dict[Type, tuple[type, ...]] = {
    Type.HOURS: (Number, Threshold),
    Type.NUMBER: (Number, Threshold),
    Type.PERCENT: (Number, Threshold),
    Type.DATE: (Day, Today),
    Type.TEXT: (Text,),
    Type.BOOLEAN: (Truth,),
    Type.CHOICE: (Text,),
}


def _check_value(value: Literal, typed: Typed, name: str, sight: Sight, text: str) -> None:
    if isinstance(value, Threshold) and not sight.in_rule:
        raise ConditionError(
            _("Only a rule has a threshold: write a number."), code="threshold", text=text, span=value.span
        )
    if not isinstance(value, FITS[typed.type]):
        examples = {
            Type.DATE: "2026-01-31, today + 30 days",
            Type.TEXT: '"…"',
            Type.CHOICE: '"…"',
            Type.BOOLEAN: "true, false",
        }
        raise ConditionError(
            _("“%(word)s” is %(type)s: write for example %(example)s.")
            % {"word": name, "type": typed.type.label, "example": examples.get(typed.type, "36.5")},
            code="type", text=text, span=value.span,
        )  # fmt: skip
    if isinstance(value, Text) and not value.value.strip():
        raise ConditionError(
            _("For what is not filled in write “%(word)s is empty”.") % {"word": name},
            code="value", text=text, span=value.span,
        )  # fmt: skip
    if typed.type == Type.CHOICE and isinstance(value, Text):
        codes = [code for code, _label in typed.found.word.choices]
        if value.value.upper() not in codes:
            labels = {str(label).casefold(): code for code, label in typed.found.word.choices}
            meant = labels.get(value.value.casefold())
            raise ConditionError(
                _("“%(word)s” has no value “%(value)s”. There are: %(codes)s.")
                % {"word": name, "value": value.value, "codes": ", ".join(codes)},
                code="value", text=text, span=value.span,
                suggestions=(meant,) if meant else nearest(value.value.upper(), codes),
            )  # fmt: skip


class Compiler:
    """Turns conditions about one subject into SQL; the joins they need gather in `reading`."""

    def __init__(self, reading: Reading, sight: Sight, *, threshold: str = "", text: str = ""):
        self.reading, self.sight, self.threshold, self.text = reading, sight, threshold, text
        self.kind = reading.subject.kind

    def where(self, condition: Condition, holds: bool = True) -> str:
        """Return SQL that is true exactly where the condition holds (or, `holds` false, where it does not)."""
        if isinstance(condition, Not):
            return self.where(condition.term, not holds)
        if isinstance(condition, And | Or):
            word = " AND " if isinstance(condition, And) == holds else " OR "
            return f"({word.join(self.where(term, holds) for term in condition.terms)})"
        if isinstance(condition, Compare) and condition.operator == "!=":
            condition, holds = replace(condition, operator="="), not holds
        sql = self._atom(condition)
        if holds:
            return sql
        # Only what is surely never NULL may be negated as it stands.
        return f"NOT {sql}" if sql.startswith("EXISTS") or isinstance(condition, Empty) else f"{sql} IS NOT TRUE"

    def _atom(self, atom: Atom) -> str:
        typed = look_up(atom.ref, self.kind, self.sight, self.text)
        value = self.value(atom.ref)
        if isinstance(atom, Holds):
            return value if value.startswith("EXISTS") else f"({value})"
        if isinstance(atom, Empty):
            is_text = typed.type in (Type.TEXT, Type.CHOICE)
            return f"(COALESCE({value}, '') = '')" if is_text else f"({value} IS NULL)"
        if isinstance(atom, Within):
            values = ", ".join(self._literal(one, typed) for one in atom.values)
            return f"({_folded(value, typed.type)} IN ({values}))"
        if atom.operator in ("contains", "starts with"):
            return f"({_folded(value, typed.type)} LIKE {self._pattern(atom)})"
        if isinstance(atom.value, Ref):
            other = _folded(self.value(atom.value), typed.type)
            if typed.type == Type.TEXT:
                # An empty text is no value: two of them are not equal.
                other = f"NULLIF({other}, '')"
        else:
            other = self._literal(atom.value, typed)
        return f"({_folded(value, typed.type)} {atom.operator} {other})"

    def _pattern(self, atom: Compare) -> str:
        assert isinstance(atom.value, Text)  # noqa: S101 (check() has seen to it)
        sought = atom.value.value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return f"UPPER({self.reading.bind(('%' if atom.operator == 'contains' else '') + sought + '%')}::text)"

    def value(self, ref: Ref) -> str:
        """Return the SQL of a word's value; of a word that counts days, their number."""
        return self.raw(ref, counted=True)

    def raw(self, ref: Ref, counted: bool = False) -> str:
        """Return the SQL of a word; of a word that counts days, the day itself unless `counted`."""
        typed = look_up(ref, self.kind, self.sight, self.text)
        at = self.reading.subject
        for path in typed.found.paths:
            at = at.reach(path)
        word = typed.found.word
        sql = word.sql(at, *(self.reading.bind_once(code) for code in typed.arguments))
        if word.counts and counted:
            return f"({sql} - {at.today})" if word.counts == "to" else f"({at.today} - {sql})"
        return sql

    def _literal(self, value: Literal, typed: Typed) -> str:
        match value:
            case Number(number):
                return f"{self.reading.bind(number)}::numeric"
            case Text(content):
                # Codes of choices are upper case; texts are compared without regard to case.
                if typed.type == Type.CHOICE:
                    return f"{self.reading.bind(content.upper())}::text"
                return f"UPPER({self.reading.bind(content)}::text)"
            case Day(day):
                return f"{self.reading.bind(day)}::date"
            case Today(offset):
                return f"{self.reading.bind(self.reading.question.on + timedelta(days=offset))}::date"
            case Truth(truth):
                return "TRUE" if truth else "FALSE"
            case Threshold():
                return self.threshold


def _folded(sql: str, type_: Type) -> str:
    return f"UPPER({sql})" if type_ == Type.TEXT else sql


def matching(condition: Condition, reading: Reading, sight: Sight, text: str = "") -> tuple[str, dict[str, Any]]:
    """Return SQL of the ids of the subjects that match, and its parameters."""
    from ..subjects import kind_named

    where = Compiler(reading, sight, text=text).where(condition)
    subject = reading.subject
    table = kind_named(subject.kind).table
    return f"SELECT {subject.row}.id FROM {table} {subject.row} {reading.joined} WHERE {where}", reading.params
