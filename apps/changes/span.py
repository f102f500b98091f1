"""The weeks a formula is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.conf import settings

from apps.common.clock import monday_of
from apps.common.clock import today as clock_today


@dataclass(frozen=True)
class Span:
    """So many weeks from a Monday on, seen from a day: the only notion of time the formulas have."""

    first_week: date
    weeks: int
    today: date

    @classmethod
    def current(cls, today: date | None = None) -> Span:
        """Return the current ISO week and the 12 to come."""
        day = today or clock_today()
        return cls(monday_of(day), settings.COVERIS_HORIZON_WEEKS, day)

    @property
    def days(self) -> int:
        return 7 * self.weeks

    @property
    def mondays(self) -> list[date]:
        return [self.first_week + timedelta(weeks=number) for number in range(self.weeks)]

    @property
    def last_day(self) -> date:
        return self.first_week + timedelta(days=self.days - 1)

    @property
    def params(self) -> dict[str, Any]:
        """Return what the SQL of the formulas calls span_first, span_last and span_today."""
        return {"span_first": self.first_week, "span_last": self.last_day, "span_today": self.today}
