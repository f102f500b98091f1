"""List filters that cost the same whatever the size of the table, and show nobody more than they may see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.core.validators import EMPTY_VALUES
from django.db.models import Field, QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst
from unfold.contrib.filters.admin import AutocompleteSelectFilter as ThemeAutocompleteFilter
from unfold.contrib.filters.forms import AutocompleteDropdownForm

from .admin.scope import visible


class ScopedAutocompleteForm(AutocompleteDropdownForm):
    """The theme's form with the choices kept in scope: the chosen value is named only to who may see it."""

    def __init__(
        self,
        request: HttpRequest,
        name: str,
        label: str,
        choices: tuple[Any, ...],
        field: Field,
        model_admin: ModelAdmin,
        multiple: bool = False,
        *args: Any,
        **kwargs: Any,
    ):
        super().__init__(request, name, label, choices, field, model_admin, multiple, *args, **kwargs)
        rows = field.remote_field.model._default_manager.all()  # type: ignore[union-attr]
        self.fields[name].queryset = visible(rows, request)  # type: ignore[attr-defined]


class AutocompleteSelectFilter(ThemeAutocompleteFilter):
    """Choose one related record by typing; the server answers with those in scope."""

    form_class = ScopedAutocompleteForm

    def __init__(self, field: Any, request: HttpRequest, params: Any, model: Any, model_admin: Any, field_path: str):
        super().__init__(field, request, params, model, model_admin, field_path)
        asked = super().value()
        self.is_unknown = asked not in EMPTY_VALUES and not self._is_visible(asked, request)

    def _is_visible(self, key: Any, request: HttpRequest) -> bool:
        rows = visible(self.field.remote_field.model._default_manager.all(), request)
        try:
            return bool(rows.filter(pk=key).exists())
        except (ValueError, TypeError, ValidationError):
            return False

    def value(self) -> Any:
        return None if self.is_unknown else super().value()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        # A record out of scope filters like one that does not exist, so that nothing can be told from the answer.
        return queryset.none() if self.is_unknown else super().queryset(request, queryset)

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            choice["form"].fields[self.lookup_kwarg].label = capfirst(str(self.title))
            yield choice
