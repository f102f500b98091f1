"""ISO weeks as people write them: 2026-W48."""

import re
from datetime import date, timedelta

from django.conf import settings
from django.utils.translation import gettext as _

from .clock import monday_of, today

WEEK = re.compile(r"(\d{4})-W(\d{2})")


def week_code(monday: date) -> str:
    """Return "2026-W48" for the week that begins on this Monday."""
    year, week, _day = monday.isocalendar()
    return f"{year:04d}-W{week:02d}"


def parse_week(code: str) -> date:
    """Return the Monday of "2026-W48"; raise ValueError with a sentence for people otherwise."""
    match = WEEK.fullmatch(code.strip())
    if match:
        try:
            monday = date.fromisocalendar(int(match[1]), int(match[2]), 1)
            # The calendar ends within the last week of the year 9999: it has no Sunday.
            monday + timedelta(days=6)
        except (ValueError, OverflowError):
            pass
        else:
            return monday
    raise ValueError(_("“%(code)s” is not a week: write it like 2026-W48.") % {"code": code})


def horizon(day: date | None = None) -> list[date]:
    """Return the Mondays figures are kept for: the week of the day (today) and the 12 to come."""
    first = monday_of(day or today())
    return [first + timedelta(weeks=number) for number in range(settings.COVERIS_HORIZON_WEEKS)]
