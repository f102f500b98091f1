"""A condition as rows of word, operator and value, where every row must hold; and back to text without loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext as _

from .compiling import look_up
from .errors import ConditionError
from .grammar import parse, parse_reference
from .tree import And, Atom, Compare, Condition, Empty, Holds, Not, Ref, Text, Within, all_of
from .vocabulary import Sight, Type
from .writing import quoted, written

MOST_ROWS = 40
# Operators that take no value, by what they say.
HOLDS, HOLDS_NOT, EMPTY, FILLED = "is true", "is not true", "is empty", "is not empty"
WITHOUT_VALUE = (HOLDS, HOLDS_NOT, EMPTY, FILLED)
LISTS = ("in", "not in")


@dataclass(frozen=True)
class Row:
    """One row. A text stands without quotes; `is_word` says that the value is another word."""

    word: str
    operator: str
    values: tuple[str, ...] = ()
    argument: str = ""
    is_word: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def as_rows(condition: Condition) -> list[Row] | None:
    """Return the rows of a condition; None where it has an `or`, or a `not` that is no row."""
    terms = condition.terms if isinstance(condition, And) else (condition,)
    rows = [_row(term) for term in terms]
    return None if None in rows else rows  # type: ignore[return-value]


def _row(term: Condition) -> Row | None:
    negated = isinstance(term, Not)
    atom = term.term if isinstance(term, Not) else term
    if isinstance(atom, Holds):
        return _of(atom, HOLDS_NOT if negated else HOLDS)
    if isinstance(atom, Empty):
        return _of(atom, FILLED if negated else EMPTY)
    if isinstance(atom, Within):
        return _of(atom, "not in" if negated else "in", tuple(_plain(value) for value in atom.values))
    if isinstance(atom, Compare) and not negated:
        return _of(atom, atom.operator, (_plain(atom.value),), isinstance(atom.value, Ref))
    return None


def _of(atom: Atom, operator: str, values: tuple[str, ...] = (), is_word: bool = False) -> Row:
    argument = atom.ref.arguments[0].value if atom.ref.arguments else ""
    return Row(atom.ref.name, operator, values, argument, is_word)


def _plain(value: Any) -> str:
    return value.value if isinstance(value, Text) else written(value)


def from_rows(rows: Sequence[Row], kind: str, sight: Sight) -> Condition:
    """Return the condition that the rows say together; raise ConditionError about the first that says nothing."""
    if not rows:
        raise ConditionError(_("Add a row."), code="syntax")
    if len(rows) > MOST_ROWS:
        raise ConditionError(_("At most %(most)d rows.") % {"most": MOST_ROWS}, code="too_many")
    return all_of(tuple(_term(row, kind, sight) for row in rows))


def _term(row: Row, kind: str, sight: Sight) -> Condition:
    word = row.word + (f"({quoted(row.argument)})" if row.argument else "")
    typed = look_up(parse_reference(word), kind, sight, word)
    if row.operator in (HOLDS, HOLDS_NOT):
        return parse(word if row.operator == HOLDS else f"not {word}")
    if row.operator in (EMPTY, FILLED):
        return parse(f"{word} {row.operator}")
    if row.operator not in (*typed.type.operators, *LISTS) or not row.values or not all(row.values):
        raise ConditionError(_("Fill in the operator and the value."), code="value", text=word, span=(0, len(word)))
    is_text = typed.type in (Type.TEXT, Type.CHOICE) and not row.is_word
    values = [quoted(value) if is_text else value for value in row.values]
    joined = f"({', '.join(values)})" if row.operator in LISTS else values[0]
    term = parse(f"{word} {row.operator} {joined}")
    # A value that holds more than a value would make the row say something else.
    if _row(term) is None:
        raise ConditionError(_("This is no value."), code="value", text=word, span=(0, len(word)))
    return term
