"""Columns of lists that many screens share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display


def short_day(day: date | None) -> str:
    """Return a day as short as the language writes it; “–” for none."""
    return date_format(day, "SHORT_DATE_FORMAT") if day else "–"


def short_moment(moment: datetime | None) -> str:
    """Return an instant in the installation's time, as short as the language writes it; “–” for none."""
    return date_format(timezone.localtime(moment), "SHORT_DATETIME_FORMAT") if moment else "–"


def day_column(name: str, description: Any) -> Callable[[Any, Any], SafeString]:
    """Return a column that shows a date field on one short line."""

    @display(description=description, ordering=name)
    def column(screen: Any, obj: Any) -> SafeString:
        return format_html('<span class="coveris-nowrap">{}</span>', short_day(getattr(obj, name)))

    return column


def moment_column(name: str, description: Any) -> Callable[[Any, Any], SafeString]:
    """Return a column that shows an instant on one short line."""

    @display(description=description, ordering=name)
    def column(screen: Any, obj: Any) -> SafeString:
        return format_html('<span class="coveris-nowrap">{}</span>', short_moment(getattr(obj, name)))

    return column
