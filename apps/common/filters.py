"""List filters that cost the same whatever the size of the table, and show nobody more than they may see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.validators import EMPTY_VALUES
from django.db.models import Field, QuerySet
from django.http import HttpRequest
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

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value in EMPTY_VALUES:
            return queryset
        rows = visible(self.field.remote_field.model._default_manager.all(), request)
        try:
            known = rows.filter(pk=value).exists()
        except (ValueError, TypeError):
            known = False
        # A record out of scope filters like one that does not exist, so that nothing can be told from the answer.
        return super().queryset(request, queryset) if known else queryset.none()

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            form = choice["form"]
            form.fields[self.lookup_kwarg].label = self.title[:1].upper() + self.title[1:]
            yield choice
