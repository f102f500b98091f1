"""Weeks as bars: what is needed or available as a line, what is used as a stack, drawn to one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from .clock import monday_of, today
from .hours import to_hours
from .weeks import week_code

STEP, BAR, TOP, GROUND, HEIGHT = 64, 32, 24, 148, 172


PROPOSED, MISSING = "proposed", "missing"


@dataclass(frozen=True)
class Part:
    """A piece of a bar, in hour-days. `kind` is "" for a solid one, "proposed" or "missing".

    What is missing stands where proposed hours would go, so it takes no place of its own in the stack.
    """

    amount: int
    tone: str
    kind: str = ""


@dataclass(frozen=True)
class WeekBar:
    """One week: the goal line, the stack below or above it, the figure on top. Amounts in hour-days."""

    monday: date
    goal: int
    parts: Sequence[Part]
    figure: int
    href: str = ""
    chosen: bool = False
    note: str = ""  # what else is said of the week where the drawing is read out

    @property
    def height(self) -> int:
        return max(self.goal, sum(part.amount for part in self.parts if part.kind != MISSING))


def draw(bars: Sequence[WeekBar]) -> dict[str, Any]:
    """Return what common/week_bars.html needs to draw the weeks."""
    highest = (
        max((max(bar.goal, sum(part.amount for part in bar.parts if part.kind != MISSING)) for bar in bars), default=0)
        or 1
    )
    scale = (GROUND - TOP) / highest
    drawn = []
    for place, bar in enumerate(bars):
        left, level, parts = place * STEP + (STEP - BAR) / 2, float(GROUND), []
        for part in bar.parts:
            height = part.amount * scale
            if part.amount <= 0:
                continue
            top = level - height
            # A thin gap between the pieces, so that they are told apart without their colours.
            parts.append({"tone": part.tone, "kind": part.kind, "top": f"{top + 0.75:.1f}",
                          "height": f"{max(1.0, height - 1.5):.1f}"})  # fmt: skip
            level = level if part.kind == MISSING else top
        goal = GROUND - bar.goal * scale
        drawn.append(
            {
                "code": week_code(bar.monday),
                "short": week_code(bar.monday).split("-")[1],
                "monday": bar.monday,
                "href": bar.href,
                "chosen": bar.chosen,
                "note": bar.note,
                "hit": f"{place * STEP + 2}",
                "left": f"{left:.1f}",
                "middle": f"{left + BAR / 2:.1f}",
                "parts": parts,
                "goal": f"{goal:.1f}",
                "goal_left": f"{left - 6:.1f}",
                "goal_right": f"{left + BAR + 6:.1f}",
                "figure": hours_text(bar.figure),
                "figure_top": f"{min(level, goal) - 7:.1f}",
            }
        )
    return {"bars": drawn, "width": STEP * max(1, len(bars)), "height": HEIGHT, "ground": GROUND, "bar": BAR,
            "hit_width": STEP - 4}  # fmt: skip


def hours_text(hour_days: int) -> str:
    """Return weekly hours in the reader's notation."""
    return number_format(to_hours(hour_days), decimal_pos=2, use_l10n=True)


def hours_cell(hour_days: int | None) -> SafeString:
    """Return a figure for a column: aligned, and red where it is negative."""
    if hour_days is None:
        return format_html('<span class="coveris-subtle">{}</span>', "–")
    tone = " coveris-negative" if hour_days < 0 else ""
    return format_html('<span class="coveris-number{}">{}</span>', tone, hours_text(hour_days))


def this_week(row: Any) -> int | None:
    """Return the place of the current week in a stored row's arrays; None if it has not been computed yet."""
    if row is None:
        return None
    place = (monday_of(today()) - row.first_week).days // 7
    return place if 0 <= place < len(row.assigned) else None
