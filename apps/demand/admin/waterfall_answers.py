"""Where the page's answer comes from: found while the reader waits, or kept by workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from ..models import Comparison
from ..services import request_comparison
from ..waterfall import Behind, Part, TooMuch, Waterfall, waterfall
from ..waterfall.kept import read
from .waterfall_asked import Asked

PAGE_SIZE = 50


@dataclass(frozen=True)
class Answer:
    """What makes the two weeks differ; None while workers look for it the first time. `kept` is set where they do."""

    found: Waterfall | None
    kept: Comparison | None = None


def answer_of(request: HttpRequest, asked: Asked, behind: Behind | None = None) -> Answer:
    """Return the answer with the records asked for: without `behind` the page of them, the last one beyond its end."""
    if behind is not None:
        return _answer(request, asked, behind)
    answer = _answer(request, asked, _page(asked, asked.page))
    found = answer.found
    part = found and next((part for part in found.parts if part.cause == asked.cause), None)
    if part and asked.page > pages_of(part):
        return _answer(request, asked, _page(asked, pages_of(part)))
    return answer


def _page(asked: Asked, number: int) -> Behind | None:
    return Behind(asked.cause, PAGE_SIZE, PAGE_SIZE * (number - 1)) if asked.cause else None


def _answer(request: HttpRequest, asked: Asked, behind: Behind | None) -> Answer:
    weeks = asked.where.place, asked.first, asked.second
    try:
        return Answer(waterfall(*weeks, behind=behind, while_waited_for=True))
    except TooMuch:
        user: Any = request.user
        kept = request_comparison(actor=user, place=weeks[0], first=weeks[1], second=weeks[2])
        return Answer(read(kept, behind=behind), kept)


def pages_of(part: Part) -> int:
    """Return how many pages the records behind a cause fill."""
    return max(1, -(-part.records // PAGE_SIZE))
