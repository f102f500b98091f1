"""What lists can be narrowed by: what a view names, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from apps.common.weeks import parse_week

# Asked for by the machinery of lists.
OTHERS = frozenset({"page", "page_size", "cursor", "search", "ordering", "format"})


def refuse_unknown(request: Request, known: Iterable[str]) -> None:
    """Raise ValidationError for a parameter nobody named: who misspells one would take everything for the answer."""
    if unknown := set(request.query_params) - set(known):
        raise ValidationError(
            {name: [_("There is no such parameter here.")] for name in sorted(unknown)}, code="unknown_parameter"
        )


def week_asked(request: Request) -> date | None:
    """Return the Monday of the week a request asks for, None without one; raise ValidationError."""
    if not (text := request.query_params.get("week", "")):
        return None
    try:
        return parse_week(text)
    except ValueError as error:
        raise ValidationError({"week": [_("An ISO week, like 2026-W48.")]}) from error


class Narrowed:
    """A parameter of a list: the lookup behind it, and how its text is read."""

    def __init__(self, lookup: str, field: serializers.Field | None = None, help: str = ""):
        self.lookup, self.field, self.help = lookup, field or serializers.CharField(max_length=200), help

    def narrow(self, queryset: Any, value: Any) -> Any:
        return queryset.filter(**{self.lookup: value})


class NamedFilters(BaseFilterBackend):
    """Narrow a list by `view.narrowed` (parameter → Narrowed). `view.asked_of_one` is what a record reads itself."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        known: dict[str, Narrowed] = getattr(view, "narrowed", {})
        refuse_unknown(request, OTHERS.union(known, getattr(view, "asked_of_one", ()) if view.detail else ()))
        for name, how in known.items():
            if name in request.query_params:
                try:
                    value = how.field.run_validation(request.query_params[name])
                except ValidationError as error:
                    raise ValidationError({name: error.detail}) from error
                queryset = how.narrow(queryset, value)
        return queryset

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {"name": name, "in": "query", "required": False, "description": how.help, "schema": _schema(how.field)}
            for name, how in getattr(view, "narrowed", {}).items()
        ]


def _schema(field: serializers.Field) -> dict[str, Any]:
    match field:
        case serializers.BooleanField():
            return {"type": "boolean"}
        case serializers.DateField():
            return {"type": "string", "format": "date"}
        case serializers.DateTimeField():
            return {"type": "string", "format": "date-time"}
        case serializers.UUIDField():
            return {"type": "string", "format": "uuid"}
        case serializers.IntegerField():
            return {"type": "integer"}
        case serializers.ChoiceField():
            return {"type": "string", "enum": list(field.choices)}
    return {"type": "string"}
