"""Which column of a file is which column of a kind: by its name, by what a person said, never by closeness alone."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from apps.common.cells import as_shown, fold, is_empty
from apps.common.resources import REFUSED_BECAUSE, REFUSED_BECAUSE_SPANISH, VERSION, Column, SheetResource

LEFT_ASIDE = frozenset({fold(REFUSED_BECAUSE), fold(REFUSED_BECAUSE_SPANISH)})
# What a mapping says of a column that a person leaves aside.
ASIDE = ""
# Names less alike than this are not even suggested.
ALIKE = 0.6
Given = Mapping[str, str]  # key of a file's column → column of the kind, or ASIDE


@dataclass(frozen=True)
class FileColumn:
    """A column of a file: where it stands, what it is called, and what it was taken for.

    `key` names it within the file (its folded title; the n-th of the same title, or its place where it has none).
    `how` is name, given, aside (left so), unknown or nameless; `suggestion` the likeliest column for an unknown one.
    """

    place: int
    title: str
    key: str
    how: str
    column: str | None = None
    suggestion: str | None = None


def keys_of(header: Sequence[Any]) -> list[str]:
    """Return a key for each column of a file that stays the same in the next file of the same make."""
    seen: Counter[str] = Counter()
    keys = []
    for place, title in enumerate(header):
        name = "" if is_empty(title) else fold(as_shown(title))
        seen[name] += 1
        keys.append(f"#{place + 1}" if not name else name if seen[name] == 1 else f"{name}#{seen[name]}")
    return keys


def fingerprint_of(header: Sequence[Any]) -> str:
    """Return what headers have in common that are the same set of names, in whatever order."""
    names = sorted(key for key in keys_of(header) if not key.startswith("#") and key not in LEFT_ASIDE)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def file_columns(resource: type[SheetResource], header: Sequence[Any], given: Given) -> list[FileColumn]:
    """Return what each column of a file is taken for. What a person said comes before what its name says."""
    known = resource.headers()
    may_be = {*resource.columns(), VERSION}
    found = []
    for place, (title, key) in enumerate(zip(header, keys_of(header), strict=True)):
        shown = as_shown(title)
        if given.get(key) == ASIDE:
            found.append(FileColumn(place, shown, key, "aside"))
        elif given.get(key) in may_be:
            found.append(FileColumn(place, shown, key, "given", given[key]))
        elif is_empty(title):
            found.append(FileColumn(place, shown, key, "nameless"))
        elif fold(title) in LEFT_ASIDE:
            found.append(FileColumn(place, shown, key, "aside"))
        elif (name := known.get(fold(title))) is not None:
            found.append(FileColumn(place, shown, key, "name", name))
        else:
            found.append(FileColumn(place, shown, key, "unknown"))
    return _with_suggestions(resource, found)


def lacking(resource: type[SheetResource], columns: Sequence[FileColumn]) -> tuple[list[Column], list[Column]]:
    """Return the columns a file lacks: those rows are known by, and those that new records need besides."""
    present = {column.column for column in columns}
    absent = [column for column in resource.columns().values() if column.required and column.name not in present]
    keys = [column for column in absent if column.key and column.meaning(None, resource.model()) is None]
    return keys, [column for column in absent if not column.key]


def _with_suggestions(resource: type[SheetResource], found: list[FileColumn]) -> list[FileColumn]:
    """Give each unknown column the likeliest one that no other column is, the most alike first."""
    taken = {column.column for column in found}
    free = {
        name: {fold(name), fold(column.spanish)} for name, column in resource.columns().items() if name not in taken
    }
    pairs = sorted(
        (
            (_likeness(fold(column.title), names), column.place, name)
            for column in found
            if column.how == "unknown"
            for name, names in free.items()
        ),
        key=lambda pair: (-pair[0], pair[1]),
    )
    suggested: dict[int, str] = {}
    for likeness, place, name in pairs:
        if likeness >= ALIKE and place not in suggested and name not in suggested.values():
            suggested[place] = name
    return [FileColumn(one.place, one.title, one.key, one.how, one.column, suggested.get(one.place)) for one in found]


def _likeness(title: str, names: set[str]) -> float:
    """Return how alike two names are, 0 to 1; a name that holds the other whole is rather alike."""
    best = max(SequenceMatcher(None, title, name).ratio() for name in names)
    words = set(title.split("_"))
    if any(words >= set(name.split("_")) or words <= set(name.split("_")) for name in names):
        best = max(best, 0.75)
    return best
