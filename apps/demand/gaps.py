"""What a position lacks, week by week, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from apps.changes.span import Span
from apps.org.models import Position


@dataclass(frozen=True)
class Gap:
    """What is missing in a week, in hour-days, as last computed.

    `until` is the last day of the weeks running in which anything is; None if that goes on beyond the weeks kept, or if
    nothing is missing.
    """

    week: date
    missing: int
    until: date | None


def gap(position: Position, week: date | None = None) -> Gap:
    """Return the gap of a week; without one, of the first week in which hours are missing, or else the current one.

    Raise ValueError for a week of which no figures are kept.
    """
    mondays = Span.current().mondays
    missing = _missing(position, mondays)
    place = next((number for number, hours in enumerate(missing) if hours), 0) if week is None else mondays.index(week)
    after = next((number for number in range(place, len(mondays)) if not missing[number]), None)
    until = mondays[after] - timedelta(days=1) if after is not None and missing[place] else None
    return Gap(mondays[place], missing[place], until)


def _missing(position: Position, mondays: list[date]) -> list[int]:
    figures: Any = getattr(position, "coverage", None)
    if figures is None:
        return [0] * len(mondays)
    known = {
        figures.first_week + timedelta(weeks=number): max(0, required - assigned)
        for number, (required, assigned) in enumerate(zip(figures.required, figures.assigned, strict=True))
    }
    return [known.get(monday, 0) for monday in mondays]
