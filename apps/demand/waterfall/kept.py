"""Comparisons that workers carry out and keep, for what takes longer than anybody waits.

One is asked for by a row (services.request_comparison), which a worker finds within seconds (carrying_out.py and
../kept_answers.py). What it found stays readable while it is looked for again.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from ..models import ComparedRecord, Comparison
from ..overview import Figures
from .answer import Behind, Moved, Part, Place, Waterfall
from .causes import Cause
from .comparing import Looked, as_waterfall


def key_of(place: Place, first: date, second: date) -> dict[str, Any]:
    """Return what tells the comparison of two weeks of a place from any other."""
    root = None if place.root == place.scope else place.root
    return {"root_id": root, "scope_id": place.scope, "first": first, "second": second}


def read(kept: Comparison, *, behind: Behind | None = None) -> Waterfall | None:
    """Return what a comparison found last, with a page of the records behind a cause; None before it found anything."""
    if kept.answer is None:
        return None
    place, told = place_of(kept), kept.answer
    rows: list[tuple[Any, ...]] = []
    if behind is not None:
        found = ComparedRecord.objects.filter(comparison=kept, run=kept.run, cause=behind.cause.value)
        found = found.order_by("-worth", "-short", "record_id", "position_id", "side")
        upto = None if behind.limit is None else behind.offset + behind.limit
        rows = list(
            found.values_list("record_id", "position_id", "employee_id", "side", "required", "assigned", "unqualified")[
                behind.offset : upto
            ]
        )
    looked = Looked(
        (Figures(**told["sides"][0]), Figures(**told["sides"][1])),
        {Cause(part["cause"]): Part(**{**part, "cause": Cause(part["cause"])}) for part in told["parts"]},
        [_moved(row) for row in told["moved"]],
        rows,
    )
    closed = {kept.first: told["closed"][0], kept.second: told["closed"][1]}
    when = {week: datetime.fromisoformat(text) for week, text in closed.items() if text}
    return as_waterfall(place, kept.first, kept.second, when, looked, behind)


def _moved(row: dict[str, Any]) -> Moved:
    required, assigned, deficit = (tuple(row[name]) for name in ("required", "assigned", "deficit"))
    return Moved(row["position_id"], row["code"], row["title"], required, assigned, deficit)


def place_of(kept: Comparison) -> Place:
    """Return the part of the house a comparison is of."""
    return Place(root=kept.root_id, scope=kept.scope_id)
