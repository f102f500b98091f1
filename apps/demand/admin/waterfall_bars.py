"""How the waterfall is drawn: tiles of both weeks, a bar a cause, the positions where it changed most."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.common.badges import Tone
from apps.common.weekbars import hours_text
from apps.org.models import Position

from ..overview import Figures
from ..templatetags.coverage import as_percent
from ..waterfall import Cause, Moved, Waterfall
from .waterfall_asked import Asked, Where

# A drawing whose causes are small beside the whole begins its axis near them.
NEAR = 0.4
WIDTH = 100.0
# What more of a figure means, and less of it.
TONES = {
    "assigned": (Tone.GREEN, Tone.RED),
    "required": (Tone.YELLOW, Tone.PETROL),
    "unqualified": (Tone.YELLOW, Tone.GREEN),
}
FIGURE_NAMES = {
    "assigned": lambda: _("Assigned hours"),
    "required": lambda: _("Required hours"),
    "unqualified": lambda: _("Unqualified hours"),
}


def signed(hour_days: int) -> str:
    """Return weekly hours with their sign in the reader's notation."""
    sign = "+" if hour_days > 0 else "−" if hour_days < 0 else ""
    return f"{sign}{hours_text(abs(hour_days))}"


def counted(number: int) -> str:
    return ngettext("%(n)d record", "%(n)d records", number) % {"n": number}


def figure_tiles(was: Figures, now: Figures) -> list[dict[str, Any]]:
    """Return what the page says of two weeks, or two states of one, figure by figure."""
    tiles = []
    for name, label, good in (
        ("required", _("Required hours"), 0),
        ("assigned", _("Assigned hours"), 1),
        ("filled", _("Filled hours"), 1),
        ("deficit", _("Missing hours"), -1),
        ("unqualified", _("Unqualified hours"), -1),
    ):
        before, after = getattr(was, name), getattr(now, name)
        change = (after - before) * good
        tiles.append(
            {
                "label": label,
                "before": hours_text(before),
                "after": hours_text(after),
                "change": signed(after - before) if after != before else "",
                "tone": Tone.GREEN if change > 0 else Tone.RED if change < 0 else "",
            }
        )
    before, after = was.coverage_percent, now.coverage_percent
    points = after - before if before is not None and after is not None else Decimal(0)
    tiles.append(
        {
            "label": _("Coverage"),
            "before": as_percent(before),
            "after": as_percent(after),
            "change": _("%(points)s points")
            % {"points": ("+" if points > 0 else "−") + number_format(abs(points), decimal_pos=1)}
            if points
            else "",
            "tone": Tone.GREEN if points > 0 else Tone.RED if points < 0 else "",
        }
    )
    return tiles


def bridge(asked: Asked, found: Waterfall, figure: str) -> dict[str, Any]:
    """Return one drawing: the figure before, what each cause adds or takes, the figure after."""
    before, after = (getattr(side.figures, figure) for side in (found.before, found.after))
    parts = found.bridge(figure)
    levels = [before]
    for part in parts:
        levels.append(levels[-1] + getattr(part, figure))
    low, high = min(*levels, after), max(*levels, after)
    start = 0
    if parts and low > 0 and high - low < high * NEAR:
        # Whole hours, a little before the lowest level.
        start = max(0, (low - (high - low) // 3) // 700 * 700)
    start = min(start, low)
    scale = WIDTH / ((high - start) or 1)

    def bar(one: int, other: int) -> dict[str, str]:
        left, right = sorted(((one - start) * scale, (other - start) * scale))
        return {"left": f"{left:.2f}", "width": f"{max(right - left, 0.4 if one != other else 0):.2f}"}

    more, less = TONES[figure]
    rows = []
    for part, level, upto in zip(parts, levels, levels[1:], strict=False):
        change = upto - level
        rows.append(
            {
                "label": part.cause.label,
                "bar": bar(level, upto),
                "tone": Tone.GREY if part.cause == Cause.CORRECTION else more if change > 0 else less,
                "is_less": change < 0,
                "hours": signed(change),
                "records": counted(part.records),
                "link": asked.query(cause=part.cause.value) + "#records",
                "is_chosen": part.cause == asked.cause,
            }
        )
    return {
        "figure": figure,
        "title": FIGURE_NAMES[figure](),
        "rows": rows,
        "before": {"hours": hours_text(before), "bar": bar(start, before)},
        "after": {"hours": hours_text(after), "bar": bar(start, after)},
        "change": signed(after - before) if after != before else "",
        "axis": hours_text(start) if start > 0 else "",
        "is_empty": not (before or after or parts),
    }


def moved_row(asked: Asked, item: Moved) -> dict[str, Any]:
    where = Where(position=Position(pk=item.position_id, code=item.code))
    link = Asked(where, asked.first, asked.second).query()

    def pair(values: tuple[int, int]) -> dict[str, Any]:
        return {"before": hours_text(values[0]), "after": hours_text(values[1]), "moves": values[0] != values[1]}

    return {
        "item": item,
        "link": link,
        "required": pair(item.required),
        "assigned": pair(item.assigned),
        "deficit": pair(item.deficit),
        "change": signed(item.deficit[1] - item.deficit[0]) if item.deficit[0] != item.deficit[1] else "",
        "is_worse": item.deficit[1] > item.deficit[0],
    }
