"""Measuring: variants alternate in one process, and a figure is the median of its ratios to the base of its round."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Variant = Callable[[], Any]


@dataclass
class Figure:
    """A measured ratio. `goal` is what it must not exceed (or must reach, for `at_least`); None = for information."""

    name: str
    size: str
    value: float
    low: float
    high: float
    goal: float | None = None
    at_least: bool = False
    note: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal


@dataclass
class Report:
    """Every figure of a run, told as it comes, and once more as lines of JSON at the end."""

    figures: list[Figure] = field(default_factory=list)

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def add(self, figure: Figure) -> None:
        self.figures.append(figure)
        mark = {None: " ", True: "✓", False: "✗"}[figure.holds]
        goal = "" if figure.goal is None else f"  goal {'≥' if figure.at_least else '≤'} {figure.goal:g}"
        spread = f"[{figure.low:.3g} – {figure.high:.3g}]"
        print(
            f"{mark} {figure.size}  {figure.name:<58} {figure.value:>10.3g}  {spread:<22}{goal}  {figure.note}",
            flush=True,
        )

    def finish(self) -> int:
        """Print the JSON lines; return 1 if a goal was missed."""
        for figure in self.figures:
            print(json.dumps({**figure.__dict__, "more": dict(figure.more), "holds": figure.holds}, default=str))
        return 1 if any(figure.holds is False for figure in self.figures) else 0


def alternate(variants: Mapping[str, Variant], *, rounds: int) -> dict[str, list[float]]:
    """Run every variant once a round, in an order that turns; return the seconds of each, a warm-up round left out."""
    names = list(variants)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            begun = time.perf_counter()
            variants[name]()
            if number:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def ratio(seconds: Mapping[str, list[float]], name: str, base: str) -> tuple[float, float, float]:
    """Return (median, lowest, highest) of the rounds' ratios."""
    ratios = [one / floor for one, floor in zip(seconds[name], seconds[base], strict=True)]
    return statistics.median(ratios), min(ratios), max(ratios)


def percentile(values: list[float], share: float) -> float:
    """Return the value that so much of the values lie at or below."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, round(share * (len(ranked) - 1)))]
