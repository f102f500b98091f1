"""What a condition means: a tree of frozen nodes, equal when they say the same, wherever they stood in the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

# The places of the text a node came from: (start, end). Never part of what it means.
Span = tuple[int, int]
NOWHERE: Span = (0, 0)


@dataclass(frozen=True)
class Node:
    """Knows where it stood."""

    span: Span = field(default=NOWHERE, compare=False, repr=False, kw_only=True)


# Values


@dataclass(frozen=True)
class Number(Node):
    value: Decimal


@dataclass(frozen=True)
class Text(Node):
    value: str


@dataclass(frozen=True)
class Day(Node):
    value: date


@dataclass(frozen=True)
class Today(Node):
    """The day of the evaluation, so many days later (or, negative, before)."""

    offset: int = 0


@dataclass(frozen=True)
class Truth(Node):
    value: bool


@dataclass(frozen=True)
class Threshold(Node):
    """The rule's threshold in the subject's unit."""


Literal = Number | Text | Day | Today | Truth | Threshold


@dataclass(frozen=True)
class Ref(Node):
    """A word of the vocabulary, by its full name, with what it is asked for."""

    name: str
    arguments: tuple[Text, ...] = ()


# Conditions


@dataclass(frozen=True)
class Holds(Node):
    """A word that is itself true or false."""

    ref: Ref


@dataclass(frozen=True)
class Compare(Node):
    ref: Ref
    operator: str
    value: Literal | Ref


@dataclass(frozen=True)
class Within(Node):
    ref: Ref
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Empty(Node):
    ref: Ref


@dataclass(frozen=True)
class Not(Node):
    term: Condition


@dataclass(frozen=True)
class And(Node):
    terms: tuple[Condition, ...]


@dataclass(frozen=True)
class Or(Node):
    terms: tuple[Condition, ...]


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
    return flat[0] if len(flat) == 1 else kind(tuple(flat), span=span)


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
