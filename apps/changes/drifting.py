"""Drift as people read it: figure by figure and week by week, stored beside computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from apps.common.weeks import week_code

from .models import Kind

# A proof that found more than so many is told up to here.
MOST_TOLD = 200


@dataclass(frozen=True)
class Difference:
    """One figure of one week, in hour-days or positions, as kept and as computed; None where there was none.

    `week` is empty for what is not of a week.
    """

    figure: str
    week: str
    stored: Any
    computed: Any


@dataclass(frozen=True)
class Drifted:
    """A subject, by kind and id, whose row was not as computed."""

    kind: str
    subject: int
    differences: list[Difference]


def told(drift: Iterable[Mapping[str, Any]]) -> list[Drifted]:
    """Return lines of a proof ({kind, subject, stored, computed}) as what differs in each."""
    return [
        Drifted(str(Kind(line["kind"]).label), line["subject"], list(_differences(line["stored"], line["computed"])))
        for line in drift
    ]


def _differences(stored: Mapping[str, Any] | None, computed: Mapping[str, Any] | None) -> Iterable[Difference]:
    if stored is None or computed is None:
        yield Difference("", "", stored and "…", computed and "…")
        return
    first = date.fromisoformat(computed["first_week"])
    for name, right in computed.items():
        kept = stored.get(name)
        if kept == right:
            continue
        if not isinstance(right, list):
            yield Difference(name, "", kept, right)
        elif stored["first_week"] == computed["first_week"]:  # else that the weeks differ says it all
            for number, value in enumerate(right):
                was = kept[number] if kept and number < len(kept) else None
                if was != value:
                    yield Difference(name, week_code(first + timedelta(weeks=number)), was, value)
