"""The weeks of a position as bars: what it has, what it misses, what is proposed."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from apps.common.badges import Tone
from apps.common.weekbars import MISSING, PROPOSED, Part, WeekBar
from apps.common.weeks import week_code

from ..coverage import state_of
from ..enums import COVERAGE_COLOURS


def tone_of(required: int, assigned: int, unqualified: int) -> str:
    """Return the colour of a position's week: never green, nor the blue of a surplus, while somebody is unqualified."""
    tone = COVERAGE_COLOURS[state_of(required, assigned)]
    return Tone.YELLOW if unqualified and tone in (Tone.GREEN, Tone.BLUE) else tone


def week_bars(figures: Any, *, chosen: date | None = None, linked: bool = False) -> list[WeekBar]:
    """Return a bar for each week of stored figures (None = not computed yet: no bars), to choose it by if `linked`."""
    bars = []
    for place in range(len(figures.required) if figures else 0):
        monday = figures.first_week + timedelta(weeks=place)
        required, assigned = figures.required[place], figures.assigned[place]
        reinforcement = figures.reinforcement[place]
        tone = tone_of(required, assigned, figures.unqualified[place])
        if tone == Tone.BLUE:
            tone = Tone.GREEN  # blue is kept for reinforcement
        parts = [
            Part(assigned - reinforcement, tone),
            Part(reinforcement, Tone.BLUE),
            Part(max(0, required - assigned), Tone.RED, MISSING),
            Part(figures.proposed[place], Tone.PETROL, PROPOSED),
        ]
        href = f"?week={week_code(monday)}" if linked else ""
        bars.append(WeekBar(monday, required, parts, assigned, href=href, chosen=monday == chosen))
    return bars
