"""Drawings of coverage: the weeks of a horizon as bars, the positions of a unit by state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.common.badges import badge, progress
from apps.common.hours import to_hours
from apps.common.weeks import week_code
from apps.demand.coverage import state_of
from apps.demand.enums import COVERAGE_COLOURS, CoverageState
from apps.demand.overview import Figures

register = template.Library()

STEP, BAR, TOP, GROUND = 52, 30, 26, 146
SHAPES = {
    CoverageState.VACANT: "error",
    CoverageState.PARTIAL: "contrast",
    CoverageState.COVERED: "check_circle",
    CoverageState.OVER_COVERED: "add_circle",
    CoverageState.NO_DEMAND: "remove_circle_outline",
}


@register.filter
def as_percent(value: Decimal | None) -> str:
    """Show a percentage with its one decimal; without demand there is none."""
    return "–" if value is None else f"{number_format(value, decimal_pos=1)} %"


@register.inclusion_tag("demand/coverage_weeks.html")
def coverage_weeks(weeks: Sequence[date], figures: Sequence[Figures], chosen: date | None = None) -> dict[str, Any]:
    """Draw one bar a week: what is filled, and on it what is missing, to one scale; the same figures as a table.

    A second target is a dashed line across the bar, so that it is told from the first.
    """
    highest = max((item.second_target for item in figures), default=0) or 1
    bars = []
    for place, (week, item) in enumerate(zip(weeks, figures, strict=True)):
        scale = (GROUND - TOP) / highest
        filled, missing = item.filled * scale, item.deficit * scale
        left = place * STEP + (STEP - BAR) / 2
        top = GROUND - filled - missing
        second_top = GROUND - item.second_target * scale
        bars.append(
            {
                "week": week,
                "code": week_code(week),
                "short": week_code(week).split("-")[1],
                "figures": item,
                "left": f"{left:.1f}",
                "middle": f"{left + BAR / 2:.1f}",
                "filled_top": f"{GROUND - filled:.1f}",
                "filled_height": f"{filled:.1f}",
                "missing_top": f"{top:.1f}",
                "missing_height": f"{max(0.0, missing - 1.5):.1f}" if missing else "0",
                "second_left": f"{left - 5:.1f}",
                "second_right": f"{left + BAR + 5:.1f}",
                "second_top": f"{second_top:.1f}" if item.headroom else "",
                "label_top": f"{(second_top if item.headroom else top) - 7:.1f}",
                "percent": as_percent(item.coverage_percent),
                "chosen": week == chosen,
            }
        )
    return {
        "bars": bars,
        "bar": BAR,
        "ground": GROUND,
        "width": STEP * max(1, len(bars)),
        "has_demand": any(item.required for item in figures),
        "has_headroom": any(item.headroom for item in figures),
    }


@register.simple_tag
def state_badges(figures: Figures) -> Any:
    """Show how many positions stand in each state, without the states nobody is in."""
    counts = {
        CoverageState.VACANT: figures.vacant,
        CoverageState.PARTIAL: figures.partial,
        CoverageState.COVERED: figures.covered,
        CoverageState.OVER_COVERED: figures.over_covered,
        CoverageState.NO_DEMAND: figures.no_demand,
    }
    return [
        badge(number, COVERAGE_COLOURS[state], SHAPES[state], hint=f"{state.label}: {number}")
        for state, number in counts.items()
        if number
    ]


@register.simple_tag
def state_badge(state: str) -> Any:
    """Show the state of a position in words, colour and shape."""
    known = CoverageState(state)
    return badge(known.label, COVERAGE_COLOURS[known], SHAPES[known])


@register.simple_tag
def position_badge(figures: Figures) -> Any:
    """Show the state of one position: never green, nor the blue of a surplus, while somebody is unqualified."""
    state = state_of(figures.required, figures.assigned)
    colour = COVERAGE_COLOURS[state]
    return badge(state.label, "yellow" if figures.unqualified and colour != "red" else colour, SHAPES[state])


@register.simple_tag
def coverage_bar(percent: Decimal | None, tone: str) -> Any:
    """Show a percentage as a bar with its number; a dash without demand."""
    return progress(percent, as_percent(percent), tone)


@register.simple_tag
def figure_flags(figures: Figures, is_unit: bool) -> list[Any]:
    """Return what a line has to say beside its numbers: net-zero, unqualified, reinforcement and proposed hours."""
    flags = []
    if figures.net_zero and is_unit:
        hint = _("As many hours are assigned as required, yet some are missing: surplus hides the gap.")
        flags.append(badge(_("Net-zero"), "yellow", "balance", hint))
    if figures.unqualified:
        flags.append(badge(_("%(hours)s h unqualified") % {"hours": _hours(figures.unqualified)}, "yellow", "school"))
    if figures.reinforcement:
        flags.append(
            badge(_("%(hours)s h reinforcement") % {"hours": _hours(figures.reinforcement)}, "blue", "add_circle")
        )
    if figures.proposed:
        flags.append(badge(_("%(hours)s h proposed") % {"hours": _hours(figures.proposed)}, "petrol", "pending"))
    return flags


def _hours(hour_days: int) -> str:
    return number_format(to_hours(hour_days), decimal_pos=2)


@register.simple_tag
def unit_verdict(figures: Figures | None, short: bool = False) -> Any:
    """Show in one badge whether a unit is covered: green only if every position with demand is, by qualified people.

    `short` leaves out how many positions are short, where they stand beside it by state.
    """
    if figures is None or not figures.required:
        return badge(_("No demand"), "grey")
    if figures.is_green:
        return badge(_("Covered"), "green")
    open_positions = figures.vacant + figures.partial
    if short:
        return ""
    if open_positions:
        text = ngettext("%(n)d position short", "%(n)d positions short", open_positions) % {"n": open_positions}
        return badge(text, "red" if figures.vacant else "yellow", "error" if figures.vacant else "contrast")
    return badge(_("Unqualified hours"), "yellow")
