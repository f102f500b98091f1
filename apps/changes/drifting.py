"""Drift as people read it: figure by figure and week by week, stored beside computed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from apps.common.weeks import week_code

from .figures import kept
from .models import Kind

ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
# A proof that found more than so many is told up to here.
MOST_TOLD = 200


@dataclass(frozen=True)
class Difference:
    """One figure of one week, in hour-days or positions, as kept and as computed; None where there was none.

    `figure` is what people call it; `week` is empty for what is not of a week.
    """

    figure: str
    week: str
    stored: Any
    computed: Any

    stored_text = property(lambda self: _shown(self.stored))
    computed_text = property(lambda self: _shown(self.computed))


@dataclass(frozen=True)
class Drifted:
    """A subject, by kind and id, whose row was not as computed."""

    kind: str
    subject: int
    differences: list[Difference]


def told(drift: Iterable[Mapping[str, Any]]) -> list[Drifted]:
    """Return lines of a proof ({kind, subject, stored, computed}) as what differs in each."""
    return [
        Drifted(
            str(Kind(line["kind"]).label),
            line["subject"],
            list(_differences(line["stored"], line["computed"], _labels(line["kind"]))),
        )
        for line in drift
    ]


def _labels(kind: str) -> Mapping[str, Any]:
    """Return what people call the figures of a kind."""
    own: Mapping[str, Any] = next((figures.labels for figures in kept() if figures.kind == kind), {})
    return {"first_week": _("First week"), **own}


def _differences(
    stored: Mapping[str, Any] | None, computed: Mapping[str, Any] | None, labels: Mapping[str, Any]
) -> Iterable[Difference]:
    if stored is None or computed is None:
        yield Difference("", "", stored and "…", computed and "…")
        return
    first = date.fromisoformat(computed["first_week"])
    for name, right in computed.items():
        was_kept = stored.get(name)
        if was_kept == right:
            continue
        figure = str(labels.get(name, name))
        if not isinstance(right, list):
            yield Difference(figure, "", was_kept, right)
        elif stored["first_week"] == computed["first_week"]:  # else that the weeks differ says it all
            for number, value in enumerate(right):
                was = was_kept[number] if was_kept and number < len(was_kept) else None
                if was != value:
                    week = week_code(first + timedelta(weeks=number))
                    yield Difference(figure, week, was, value)


def _shown(value: Any) -> Any:
    """Return a number as the reader writes it, a day too; anything else as it is."""
    if value is None:
        return _("none")
    if isinstance(value, int):
        return number_format(value, force_grouping=True)
    if isinstance(value, str) and ISO_DAY.fullmatch(value):
        return date_format(date.fromisoformat(value), "SHORT_DATE_FORMAT")
    return value
