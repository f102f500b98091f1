"""What a condition means: a tree of frozen nodes, equal when they say the same, wherever they stood in the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

# The places of the text a node came from: (start, end). Never part of what it means.
Span = tuple[int, int]
NOWHERE: Span = (0, 0)


def _span() -> Span:
    return field(default=NOWHERE, compare=False, repr=False)  # type: ignore[return-value]


# Values


@dataclass(frozen=True)
class Number:
    value: Decimal
    span: Span = _span()


@dataclass(frozen=True)
class Text:
    value: str
    span: Span = _span()


@dataclass(frozen=True)
class Day:
    value: date
    span: Span = _span()


@dataclass(frozen=True)
class Today:
    """The day of the evaluation, so many days later (or, negative, before)."""

    offset: int = 0
    span: Span = _span()


@dataclass(frozen=True)
class Truth:
    value: bool
    span: Span = _span()


@dataclass(frozen=True)
class Threshold:
    """The rule's threshold in the subject's unit."""

    span: Span = _span()


Literal = Number | Text | Day | Today | Truth | Threshold


@dataclass(frozen=True)
class Ref:
    """A word of the vocabulary, by its full name, with what it is asked for."""

    name: str
    arguments: tuple[Text, ...] = ()
    span: Span = _span()


# Conditions


@dataclass(frozen=True)
class Holds:
    """A word that is itself true or false."""

    ref: Ref
    span: Span = _span()


@dataclass(frozen=True)
class Compare:
    ref: Ref
    operator: str
    value: Literal | Ref
    span: Span = _span()


@dataclass(frozen=True)
class Within:
    ref: Ref
    values: tuple[Literal, ...]
    span: Span = _span()


@dataclass(frozen=True)
class Empty:
    ref: Ref
    span: Span = _span()


@dataclass(frozen=True)
class Not:
    term: Condition
    span: Span = _span()


@dataclass(frozen=True)
class And:
    terms: tuple[Condition, ...]
    span: Span = _span()


@dataclass(frozen=True)
class Or:
    terms: tuple[Condition, ...]
    span: Span = _span()


Atom = Holds | Compare | Within | Empty
Condition = Atom | Not | And | Or
OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "contains", "starts with")


def all_of(terms: tuple[Condition, ...], span: Span = NOWHERE) -> Condition:
    """Return terms joined by `and`; what is joined so already is taken apart first, and one alone stays itself."""
    return _joined(And, terms, span)


def any_of(terms: tuple[Condition, ...], span: Span = NOWHERE) -> Condition:
    """Return terms joined by `or`, flattened as `all_of` does."""
    return _joined(Or, terms, span)


def _joined(kind: type[And] | type[Or], terms: tuple[Condition, ...], span: Span) -> Condition:
    flat: list[Condition] = []
    for term in terms:
        flat += term.terms if isinstance(term, kind) else (term,)
    return flat[0] if len(flat) == 1 else kind(tuple(flat), span)


def atoms(condition: Condition) -> Iterator[tuple[Atom, bool]]:
    """Yield every single condition of the tree, left to right, with whether it counts as it stands or negated."""
    yield from _atoms(condition, True)


def _atoms(condition: Condition, as_it_stands: bool) -> Iterator[tuple[Atom, bool]]:
    if isinstance(condition, Not):
        yield from _atoms(condition.term, not as_it_stands)
    elif isinstance(condition, And | Or):
        for term in condition.terms:
            yield from _atoms(term, as_it_stands)
    else:
        yield condition, as_it_stands


def refs(condition: Condition) -> list[Ref]:
    """Return the words a condition uses, each once, in the order they are first named."""
    found: dict[Ref, None] = {}
    for atom, _as_it_stands in atoms(condition):
        found.setdefault(atom.ref)
        if isinstance(atom, Compare) and isinstance(atom.value, Ref):
            found.setdefault(atom.value)
    return list(found)
