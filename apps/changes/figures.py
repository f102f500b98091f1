"""Stored figures and who keeps them: higher apps register theirs, the drain knows only kinds and ids."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

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


class Figures(ABC):
    """One derived table: a row of figures a subject. Registered once, worked in the order of `rank`.

    The rank is also the lock order: two passes that meet take their rows in the same order.
    """

    kind: ClassVar[Kind]
    rank: ClassVar[int]
    subjects: ClassVar[str]  # SQL for the ids of everything that has, or should have, a row

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
    def close_weeks(self, span: Span) -> int:
        """Keep the figures of weeks gone by for good; return how many rows. A week closed before stays as it is."""

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
