"""All that can be read over the interface, and the ways to ask for it: found, so that nothing new is forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import resolve
from rest_framework.pagination import CursorPagination

from .operations import operations

ROOT = "/api/v1/"
# What the machinery of lists understands, and what is tried in ways of its own.
MACHINERY = frozenset({"page", "page_size", "cursor", "search", "ordering"})
DAY, MOMENT, WEEK = "2026-12-09", "2026-12-01T00:00:00Z", "2026-W50"
MISSED = "zzq9"
# Judges every candidate by the gate, as if proposed and accepted: statements of that, but no more for more of them.
JUDGING = frozenset({f"{ROOT}demand/candidates/"})


@dataclass(frozen=True)
class Reading:
    """One GET operation: its path, its parameters by name (as described), those it needs, and its view."""

    path: str
    parameters: Mapping[str, Mapping[str, Any]]
    needed: frozenset[str]
    view: Any

    @property
    def is_list(self) -> bool:
        return "page_size" in self.parameters

    @property
    def is_log(self) -> bool:
        return self.is_list and issubclass(self.view.pagination_class, CursorPagination)

    @property
    def list_path(self) -> str:
        """Return where a record of a path with `{id}` can be found."""
        return self.path.partition("{id}")[0]


def readings() -> list[Reading]:
    """Return every GET operation of the description, but for the description itself."""
    found = []
    for operation in operations():
        if operation.method != "get" or operation.path == f"{ROOT}schema/":
            continue
        asked = [one for one in operation.parameters if one["in"] == "query"]
        view: Any = resolve(operation.path.replace("{id}", "1")).func
        found.append(
            Reading(
                operation.path,
                {one["name"]: one["schema"] for one in asked},
                frozenset(one["name"] for one in asked if one.get("required")),
                getattr(view, "cls", None) or view.view_class,
            )
        )
    return found


def ways(reading: Reading, known: Mapping[str, str], rows: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield (what it is called, query string) for each way of asking: plainly, narrowed, searched, sorted.

    `known` are values for parameters no row of the list tells; a parameter that is needed has to be among them.
    """
    needed = {name: known[name] for name in sorted(reading.needed)}

    def way(name: str, **said: str) -> tuple[str, str]:
        return name, urlencode(needed | said)

    yield way("")
    for name, schema in reading.parameters.items():
        if name not in MACHINERY | reading.needed:
            yield way(name, **{name: _value(name, schema, known, rows)})
    if not reading.is_list:
        return
    if fields := getattr(reading.view, "search_fields", ()):
        row = rows[len(rows) // 2] if rows else {}
        told = str(next((row[field] for field in fields if row.get(field)), MISSED))
        yield way("search", search=told)
        yield way("search: a letter", search=told[-1])
        yield way("search: nothing", search=MISSED)
    if "ordering" in reading.parameters:
        # Where a view names none, the machinery lets people sort by whatever a row tells.
        for name in getattr(reading.view, "ordering_fields", None) or reading.view.serializer_class.Meta.fields:
            yield way(f"ordering {name}", ordering=name)
            yield way(f"ordering -{name}", ordering=f"-{name}")


def _value(name: str, schema: Mapping[str, Any], known: Mapping[str, str], rows: list[dict[str, Any]]) -> str:
    if name in known:
        return known[name]
    told = next((row[name] for row in rows if row.get(name) not in (None, "")), None)
    if schema.get("type") == "boolean":
        return "true"
    if told is not None:
        return str(told)
    if "enum" in schema:
        return str(schema["enum"][0])
    match schema.get("format"):
        case "date":
            return DAY
        case "date-time":
            return MOMENT
        case "uuid":
            return "00000000-0000-4000-8000-000000000000"
    if schema.get("type") in ("integer", "number"):
        return "1"
    return WEEK if name == "week" else MISSED
