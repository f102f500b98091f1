"""A tree that a page shows level by level: which of its rows are open, and in which order they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

DEEPEST_INDENT = 6


def opened_in(text: str | None, at_most: int) -> set[int] | None:
    """Return the ids a reader opened, of “4,8,15”; None when nothing was said, so that a page opens what it likes."""
    if text is None:
        return None
    named = text.split(",")[:at_most]
    return {int(item) for item in named if item.isascii() and item.isdigit() and len(item) < 19}


def toggled(opened: set[int], pk: int) -> str:
    """Return the open ids as text once a closed row is opened or an open one closed."""
    return ",".join(map(str, sorted(opened ^ {pk})))


def walk[Item](
    tops: Sequence[Item], below: Mapping[int | None, Sequence[Item]], opened: set[int], key: Callable[[Item], int]
) -> Iterator[tuple[int, Item]]:
    """Yield (level, item) in the order in which they are read: each item, then what is below it if it is open."""
    waiting = [(0, item) for item in reversed(tops)]
    while waiting:
        level, item = waiting.pop()
        yield level, item
        if key(item) in opened:
            waiting += [(level + 1, child) for child in reversed(below.get(key(item), ()))]
