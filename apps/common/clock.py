"""What day it is for this installation."""

from datetime import date, timedelta

from django.conf import settings
from django.utils import timezone


def today() -> date:
    """Return the installation's local day (COVERIS_TIME_ZONE); every dated question starts here.

    SQL never asks the database for its date: the day is always passed in, so that one clock decides.
    """
    return settings.COVERIS_TODAY or timezone.localdate()


def monday_of(day: date) -> date:
    """Return the Monday of the ISO week the day is in."""
    return day - timedelta(days=day.weekday())
