"""What a comparison of two weeks says: its sides, its causes, where it changed most, the records behind a cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from ..corrected import Stamp
from ..overview import Figures
from .causes import Cause

BRIDGED = ("required", "assigned", "unqualified")
MOST_POSITIONS = 12


@dataclass(frozen=True)
class Part:
    """What one cause is worth between the two weeks, in hour-days, and how many records are behind it."""

    cause: Cause
    records: int
    required: int
    assigned: int
    unqualified: int

    def __add__(self, other: Part) -> Part:
        return Part(
            self.cause,
            self.records + other.records,
            self.required + other.required,
            self.assigned + other.assigned,
            self.unqualified + other.unqualified,
        )


@dataclass(frozen=True)
class Moved:
    """A position whose figures differ most, in hour-days, before and after."""

    position_id: int
    code: str
    title: str
    required: tuple[int, int]
    assigned: tuple[int, int]
    deficit: tuple[int, int]


@dataclass(frozen=True)
class Side:
    """One of the two weeks. `closed_at` is set for a week that is kept for good, `stamp` if that was corrected."""

    week: date
    closed_at: datetime | None
    figures: Figures
    stamp: Stamp | None = None


@dataclass(frozen=True)
class Record:
    """One record behind a cause and what it is worth in a position, in hour-days.

    `record_id` is that of an assignment, employee, leave, tag of an employee, adjustment or position, as the cause
    says; `name` the kind of leave, the name of the tag or the reason of the adjustment; `hours` the weekly hours of an
    assignment or adjustment; `week` the closed week of a correction.
    """

    cause: Cause
    record_id: int
    position_id: int
    position_code: str
    position_title: str
    unit_name: str
    employee_id: int | None
    employee_number: str | None
    employee_name: str | None
    starts: date | None
    ends: date | None
    name: str
    hours: Decimal | None
    week: date | None
    required: int
    assigned: int
    unqualified: int


@dataclass(frozen=True)
class Behind:
    """Which records are wanted: those behind a cause, worth most first; `limit` None = all."""

    cause: Cause
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True)
class Waterfall:
    """Two weeks of a part of the organisation and everything that makes them differ; `records` as asked for."""

    before: Side
    after: Side
    parts: Sequence[Part]
    moved: Sequence[Moved]
    records: Sequence[Record] = ()

    def bridge(self, figure: str) -> list[Part]:
        """Return the causes that move one of the BRIDGED figures, in the order of the drawing."""
        return [part for part in self.parts if getattr(part, figure)]

    def change(self, figure: str) -> int:
        return int(getattr(self.after.figures, figure) - getattr(self.before.figures, figure))


@dataclass(frozen=True)
class Place:
    """The positions asked about: those under a unit (None = all), or one, as far as they are in a scope."""

    root: int | None = None
    position: int | None = None
    scope: int | None = None

    @property
    def params(self) -> dict[str, int | None]:
        return {"root": self.root, "position": self.position, "scope": self.scope}


@dataclass(frozen=True)
class Range:
    """The positions looked at in one go: those after one id up to another; None = no bound."""

    after: int | None = None
    upto: int | None = None


@dataclass(frozen=True)
class Movers:
    """What can differ between two weeks, by ids: assignments, and positions by what they need.

    `positions` are all of those in which anything can.
    """

    assignments: Sequence[int]
    needs: Sequence[int]
    positions: Sequence[int]
