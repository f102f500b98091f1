"""Small pieces of a page: badges, two-line cells, bars and sparklines. Text and shape as well as colour, no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


class Tone(StrEnum):
    """What a colour means here; the pairs of ground and ink keep 4.5 : 1 in light and dark (coveris.css)."""

    GREEN = "green"  # exactly covered, done, in force
    RED = "red"  # missing, blocked
    YELLOW = "yellow"  # partly, soon, warning
    BLUE = "blue"  # reinforcement, information
    GREY = "grey"  # closed, no demand, off
    PETROL = "petrol"  # neutral highlight


# The shape that goes with a tone when the caller names none.
SHAPES: Mapping[str, str] = {
    Tone.GREEN: "check_circle",
    Tone.RED: "error",
    Tone.YELLOW: "warning",
    Tone.BLUE: "add_circle",
    Tone.GREY: "remove_circle_outline",
    Tone.PETROL: "info",
}


def badge(text: Any, tone: str = Tone.GREY, icon: str | None = None, hint: Any = "") -> SafeString:
    """Return a badge. `icon=""` leaves the shape out (only where the text alone tells states apart)."""
    tone = tone if tone in Tone else Tone.GREY
    shape = SHAPES[tone] if icon is None else icon
    return format_html(
        '<span class="coveris-badge coveris-badge-{}"{}>{}{}</span>',
        tone,
        format_html(' title="{}"', hint) if hint else "",
        format_html('<span class="material-symbols-outlined" aria-hidden="true">{}</span>', shape) if shape else "",
        text,
    )


def choice_badge(value: Any, enum: Any) -> SafeString:
    """Return the badge of a choice: its label in the tone (`tone` or `color`) and with the `icon` the enum gives it."""
    member = enum(value)
    tone = getattr(member, "tone", None) or getattr(member, "color", Tone.GREY)
    return badge(member.label, str(tone), getattr(member, "icon", None))


def two_lines(first: Any, second: Any = "", initials: str = "") -> SafeString:
    """Return a cell with a main line and a quieter one below."""
    return format_html(
        '<span class="coveris-two-lines">{}<span><span class="coveris-first-line">{}</span>{}</span></span>',
        format_html('<span class="coveris-initials" aria-hidden="true">{}</span>', initials) if initials else "",
        first,
        format_html('<span class="coveris-second-line">{}</span>', second) if second not in ("", None) else "",
    )


def progress(percent: Decimal | float | int | str | None, text: Any = "", tone: str = Tone.PETROL) -> SafeString:
    """Return a bar of 0 to 100 % with its text; above 100 it is full and its text says how much. Nothing is “–”."""
    if percent in (None, ""):
        return format_html('<span class="coveris-subtle">{}</span>', text or "–")
    width = min(100.0, max(0.0, float(percent or 0)))
    return format_html(
        '<span class="coveris-progress coveris-tone-{}"><svg viewBox="0 0 100 8" preserveAspectRatio="none"'
        ' aria-hidden="true"><rect class="coveris-track" width="100" height="8" rx="4"/>'
        '<rect class="coveris-bar" width="{}" height="8" rx="4"/></svg><span>{}</span></span>',
        tone if tone in Tone else Tone.PETROL,
        f"{width:.2f}",
        text,
    )


def sparkline(
    values: Sequence[Decimal | float | int | None], label: str, goal: float | None = None, tone: str = Tone.PETROL
) -> SafeString:
    """Return a little line of values in order, gaps where a value is None; `label` is what a screen reader says."""
    width, height, pad = 96.0, 24.0, 3.0
    known = [float(value) for value in values if value is not None]
    if not known:
        return format_html('<span class="coveris-subtle">{}</span>', "–")
    top = max([*known, goal or 0.0]) or 1.0
    step = (width - 2 * pad) / max(1, len(values) - 1)

    def place(index: int, value: float) -> tuple[str, str]:
        return f"{pad + index * step:.1f}", f"{height - pad - value / top * (height - 2 * pad):.1f}"

    runs: list[list[tuple[str, str]]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(place(index, float(value)))
    lines = format_html_join(
        "", '<polyline points="{}"/>', ((" ".join(f"{x},{y}" for x, y in run),) for run in runs if len(run) > 1)
    )
    dots = format_html_join("", '<circle cx="{}" cy="{}" r="2"/>', (run[0] for run in runs if len(run) == 1))
    line = ""
    if goal is not None:
        level = place(0, goal)[1]
        line = format_html(
            '<line class="coveris-goal" x1="{}" x2="{}" y1="{}" y2="{}"/>', pad, width - pad, level, level
        )
    return format_html(
        '<svg class="coveris-sparkline coveris-tone-{}" viewBox="0 0 96 24" role="img" aria-label="{}">{}{}{}</svg>',
        tone if tone in Tone else Tone.PETROL,
        label,
        line,
        lines,
        dots,
    )
