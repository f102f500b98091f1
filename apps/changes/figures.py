"""Stored figures and who keeps them: higher apps register theirs, the drain knows only kinds and ids."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

from django.db import connection

from .models import Kind
from .span import Span


def _ids() -> defaultdict[str, set[int]]:
    return defaultdict(set)


@dataclass
class Touched:
    """What one pass of the drain is about, ids by kind.

    `marked`: the subjects of its marks. `spreading`: those of them on which other figures hang too (a mark that is
    `alone` asks for its own figures only). `rewritten`: subjects whose stored figures this pass has changed so far.
    """

    marked: defaultdict[str, set[int]] = field(default_factory=_ids)
    spreading: defaultdict[str, set[int]] = field(default_factory=_ids)
    rewritten: defaultdict[str, set[int]] = field(default_factory=_ids)

    @classmethod
    def by(cls, marks: Iterable[tuple[str, int, bool]]) -> Touched:
        """Return what marks (kind, id, alone) are about."""
        touched = cls()
        for kind, subject, alone in marks:
            touched.marked[kind].add(subject)
            if not alone:
                touched.spreading[kind].add(subject)
        return touched


class Figures(ABC):
    """One derived table: a row of figures a subject. Registered once, worked in the order of `rank`.

    The rank is also the lock order: two passes that meet take their rows in the same order.
    """

    kind: ClassVar[Kind]
    rank: ClassVar[int]
    subjects: ClassVar[str]  # SQL for the ids of everything that has, or should have, a row
    columns: ClassVar[tuple[str, ...]]  # the arrays of week figures
    foreseen: ClassVar[bool] = True  # whether a preview says what becomes of them
    labels: ClassVar[Mapping[str, Any]] = {}  # what people call the figures of a proof, by their names
    adds_up: ClassVar[bool] = True  # whether the figures of many subjects may be summed without counting twice

    @abstractmethod
    def reached_by(self, touched: Touched) -> set[int]:
        """Return the ids of own subjects whose figures hang on what was touched; only reads."""

    @abstractmethod
    def refresh(self, ids: Iterable[int], span: Span) -> set[int]:
        """Lock the rows of these subjects, then compute and write them by difference; return the ids rewritten.

        Rows of vanished subjects go. The lock comes in a statement of its own before the sum: a sum taken in the
        locking statement would use the snapshot from before the wait.
        """

    @abstractmethod
    def formula(
        self, ids: Sequence[int], span: Span, due: Mapping[str, set[int]] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Return a query (id first, then the `columns`) for figures as people read them, and its parameters.

        Computed from the records of this moment, a transaction's own uncommitted ones included. Figures that add up
        others may read what is kept of those, except of whom a waiting mark is about to change (`due`, see
        apps.changes.due). Nothing is written.
        """

    def seen_in(self, ids: Iterable[int]) -> set[int]:
        """Return the subjects in whose figures, as people read them, those of these subjects are contained."""
        return set(ids)

    def computed(
        self, ids: Iterable[int], span: Span, due: Mapping[str, set[int]] | None = None
    ) -> dict[int, dict[str, list[int]]]:
        """Return {id: {column: hour-days a week}} by the formula; who does not exist is left out."""
        if not (asked := sorted(set(ids))):
            return {}
        sql, params = self.formula(asked, span, due)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM ({sql}) AS computed", params)
            names = [column.name for column in cursor.description][1:]
            return {row[0]: dict(zip(names, row[1:], strict=True)) for row in cursor.fetchall()}

    def total(self, ids: Iterable[int], span: Span, due: Mapping[str, set[int]] | None = None) -> dict[str, list[int]]:
        """Return {column: hour-days a week}, summed over these subjects in the database."""
        sql, params = self.formula(sorted(set(ids)), span, due)
        sums = ", ".join(
            f"COALESCE(sum(computed.{column}[{week}]), 0)::bigint"
            for column in self.columns
            for week in range(1, span.weeks + 1)
        )
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {sums} FROM ({sql}) AS computed", params)
            row = cursor.fetchone()
        return {
            column: list(row[place * span.weeks : (place + 1) * span.weeks])
            for place, column in enumerate(self.columns)
        }

    @abstractmethod
    def close_weeks(self, span: Span) -> int:
        """Keep the figures of weeks gone by for good; return how many rows. A week closed before stays as it is."""

    @abstractmethod
    def correct_week(self, span: Span, correction: int, unit: int | None) -> int:
        """Write rows of a correction (id) of a closed week, the only one of the span, for a unit and all below it.

        A row for each subject whose figures differ from those in force; return how many. Closed rows stay.
        """

    @abstractmethod
    def drift(self, span: Span) -> list[dict[str, Any]]:
        """Compare everything stored with everything computed; return {subject, stored, computed} where they differ."""

    def hand_on(self, touched: Touched) -> None:  # noqa: B027
        """Turn marks of a kind without figures of its own, on which many subjects may hang, into marks of those.

        Takes them out of `touched`; so no pass grows beyond the marks it claimed.
        """

    def turned_by(self, after: date, until: date) -> tuple[str, dict[str, Any]] | None:
        """Return a query for the own subjects whose figures change because these days came, or None."""
        return None


# Whoever draws conclusions from figures: called at the end of each pass, in its transaction.
Follower = Callable[[Touched], object]
_followers: list[Follower] = []


def follow(follower: Follower) -> None:
    """Have a pass of the drain call this when its figures are fresh; called from AppConfig.ready."""
    _followers.append(follower)


def followers() -> Sequence[Follower]:
    return tuple(_followers)


_kept: dict[Kind, Figures] = {}


def keep(figures: Figures) -> None:
    """Register stored figures; called from AppConfig.ready of the app that owns the table."""
    _kept[figures.kind] = figures


def forget(kind: Kind) -> Figures | None:
    """Take figures out again (tests) and return them."""
    return _kept.pop(kind, None)


def kept() -> Iterator[Figures]:
    """Yield the registered figures in the order they are worked."""
    yield from sorted(_kept.values(), key=lambda figures: figures.rank)


def foreseen() -> Iterator[Figures]:
    """Yield those of them of which a preview speaks."""
    yield from (figures for figures in kept() if figures.foreseen)
