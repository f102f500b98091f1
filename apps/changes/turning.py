"""Days and weeks go by: what that does to the figures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from apps.common import prepared
from apps.common.clock import monday_of, today
from apps.common.prepared import Statement

from .figures import kept
from .marks import mark_by_query, mark_everything
from .models import Calendar
from .span import Span

logger = logging.getLogger(__name__)

PIN: Statement = ("SELECT first_week FROM changes_calendar WHERE id = 1 FOR SHARE", {})


def calendar() -> Calendar:
    """Return the calendar; the first computation of an installation begins it."""
    found = Calendar.objects.filter(pk=1).first()
    if found is None:
        day = today()
        Calendar.objects.bulk_create([Calendar(pk=1, first_week=monday_of(day), day=day)], ignore_conflicts=True)
        found = Calendar.objects.get(pk=1)
    return found


def pinned_span() -> Span:
    """Return the span of the stored figures and keep it from moving until this transaction ends.

    The day is read after the lock: a pass that waited for a closing sees the day on which it closed.
    """
    return pinned(prepared.fetch(*PIN))


def pinned(rows: Sequence[Any]) -> Span:
    """Return the same, of the answer to PIN."""
    if not rows:
        calendar()
        rows = prepared.fetch(*PIN)
    return Span(rows[0][0], settings.COVERIS_HORIZON_WEEKS, today())


def turn_day() -> int:
    """Mark whose figures change because a new day came; return how many. Safe to call at any time.

    A Monday whose closing did not come is closed from Tuesday on, whoever asks first.
    """
    day = today()
    if calendar().day >= day:
        return 0
    with transaction.atomic():
        held = Calendar.objects.select_for_update().get(pk=1)
        if held.day >= day:
            return 0
        marked = 0
        for figures in kept():
            if (query := figures.turned_by(held.day, day)) is not None:
                marked += mark_by_query(figures.kind, *query)
        held.day = day
        held.save(update_fields=["day"])
    if day > monday_of(day):
        close_weeks()
    return marked


def close_weeks() -> int:
    """Close every week that is over: keep its figures for good, then move the stored ones on. Return how many weeks.

    One transaction closes, moves the calendar and marks everything; doing it twice, or from two places at once,
    finds nothing left to do. A week's figures are computed anew at its closing, so that a change whose mark still
    waits is in them.
    """
    monday = monday_of(today())
    if calendar().first_week >= monday:
        return 0
    with transaction.atomic():
        held = Calendar.objects.select_for_update().get(pk=1)
        closed = 0
        while held.first_week < monday:
            weeks = min((monday - held.first_week).days // 7, settings.COVERIS_HORIZON_WEEKS)
            span = Span(held.first_week, weeks, today())
            for figures in kept():
                figures.close_weeks(span)
            held.first_week += timedelta(weeks=weeks)
            closed += weeks
        if closed:
            held.save(update_fields=["first_week"])
            mark_everything()
            logger.info("closed %d week(s); the figures start at %s", closed, held.first_week)
    return closed
