"""What is wrong with a condition, where, and what was probably meant; in words of the active language."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from .tree import Span


class ConditionError(Exception):
    """A condition that cannot be taken as it is. `start` and `length` are characters of its text.

    `code` is for machines: too_long, too_many, too_deep, character, syntax, number, word, permission is never told
    apart from word, type, argument, value, threshold, cost, time.
    """

    def __init__(
        self, message: str, *, code: str, text: str = "", span: Span = (0, 0), suggestions: Iterable[str] = ()
    ):
        super().__init__(message)
        self.message, self.code, self.text = message, code, text
        self.start = min(max(span[0], 0), len(text))
        self.length = max(min(span[1], len(text)) - self.start, 0)
        self.suggestions = tuple(suggestions)

    @property
    def line(self) -> int:
        """Return the line, counted from 1."""
        return self.text.count("\n", 0, self.start) + 1

    @property
    def column(self) -> int:
        """Return the column in its line, counted from 1."""
        return self.start - (self.text.rfind("\n", 0, self.start) + 1) + 1

    def as_json(self) -> dict[str, Any]:
        return {
            "message": self.message,
            "code": self.code,
            "line": self.line,
            "column": self.column,
            "start": self.start,
            "length": self.length,
            "suggestions": list(self.suggestions),
        }


def nearest(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return what was probably meant: the closest names, and those of which only the beginning was written."""
    names = list(known)
    close = get_close_matches(name, names, n=3, cutoff=0.6)
    begun = [other for other in names if (name and other.startswith(name)) or other.endswith(f".{name}")]
    return tuple(dict.fromkeys([*close, *sorted(begun)]))[:3]
