"""The files of the waterfall: its causes, or the records behind one of them."""

from __future__ import annotations

from decimal import Decimal

from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.common.hours import to_hours
from apps.common.weeks import week_code

from ..waterfall import BRIDGED, Cause, Waterfall
from .waterfall_bars import FIGURE_NAMES
from .waterfall_records import Seen, employee_text, record_text

Cells = list[str | int | Decimal]


def cause_rows(found: Waterfall) -> list[Cells]:
    """Return both weeks of each figure and what each cause is worth in between."""
    rows: list[Cells] = [[_("Figure"), _("Cause"), _("Hours"), _("Hundredths of an hour × days"), _("Records")]]

    def add(figure: str, label: str, amount: int, number: int | str = "") -> None:
        rows.append([figure, label, to_hours(amount), amount, number])

    for name in ("assigned", "required", "unqualified"):
        figure = FIGURE_NAMES[name]()
        add(figure, week_code(found.before.week), getattr(found.before.figures, name))
        for part in found.bridge(name):
            add(figure, str(part.cause.label), getattr(part, name), part.records)
        add(figure, week_code(found.after.week), getattr(found.after.figures, name))
    for name, figure in (
        ("filled", _("Filled hours")),
        ("deficit", _("Missing hours")),
        ("surplus", _("Surplus hours")),
    ):
        for side in (found.before, found.after):
            add(figure, week_code(side.week), getattr(side.figures, name))
    return rows


def record_rows(request: HttpRequest, found: Waterfall, cause: Cause) -> list[Cells]:
    """Return the records behind a cause, those worth most first."""
    seen = Seen.of(request, found.records)
    rows: list[Cells] = [
        [_("Cause"), _("Behind it"), _("Position"), _("Title"), _("Unit name"), _("Employee"), _("Name"),
         *(FIGURE_NAMES[name]() for name in BRIDGED),
         *(_("%(figure)s, hundredths × days") % {"figure": FIGURE_NAMES[name]()} for name in BRIDGED)]
    ]  # fmt: skip
    for row in found.records:
        amounts = [getattr(row, name) for name in BRIDGED]
        number = (row.employee_number or "") if row.employee_id in seen.employees else ""
        rows.append(
            [str(cause.label), record_text(row, seen), row.position_code, row.position_title, row.unit_name, number,
             employee_text(row, seen), *map(to_hours, amounts), *amounts]
        )  # fmt: skip
    return rows
