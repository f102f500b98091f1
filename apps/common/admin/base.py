"""The admin of every model of the product."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.admin import FieldListFilter, ShowFacets, SimpleListFilter
from django.core import checks
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field, ForeignKey, Model, QuerySet
from django.http import HttpRequest
from django_fsm import FSMFieldMixin
from unfold.admin import ModelAdmin

from ..paginator import CappedPaginator, counting_for
from .changelist import CappedChangeList, as_paths, first_columns, lookup_path
from .scope import Scoped
from .writes import ServiceWrites

RECORDED = ("created_at", "updated_at")
SEARCH_WORDS, SEARCH_LENGTH = 6, 200
# Filters that load every related row; AutocompleteSelectFilter asks the server instead.
WHOLE_TABLE_FILTERS = ("RelatedFieldListFilter", "RelatedDropdownFilter", "RelatedCheckboxFilter")


class BaseAdmin(Scoped, ServiceWrites, ModelAdmin):
    """A screen that is scoped, writes through services, and costs the same at 20 rows and at 1,000,000.

    A subclass says what is shown (list_display, list_filter, search_fields, list_select_related, fieldsets), and how
    a save reaches its service (`perform_save`). FKs are autocompletes by themselves, a protected status and the
    times of creation and change are read-only by themselves, columns sort only where an index stands.
    """

    paginator = CappedPaginator
    list_per_page = settings.COVERIS_PAGE_SIZE
    list_max_show_all = 200
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_filter_submit = True
    list_filter_sheet = True
    list_fullwidth = True
    save_on_top = True
    warn_unsaved_form = True
    compressed_fields = True
    empty_value_display = "–"
    # Columns whose admin_order_field no index can prove, but which are known to sort well (few rows).
    sortable_anyway: ClassVar[tuple[str, ...]] = ()
    # Lookups that links of our own pages use, beyond the list's filters.
    linked_lookups: ClassVar[tuple[str, ...]] = ()

    def get_paginator(
        self,
        request: HttpRequest,
        queryset: QuerySet[Any],
        per_page: int,
        orphans: int = 0,
        allow_empty_first_page: bool = True,
    ) -> CappedPaginator:
        counting = counting_for(request.user) if self.scoped else None
        return self.paginator(queryset, per_page, orphans, allow_empty_first_page, counting=counting)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[CappedChangeList]:
        return CappedChangeList

    def get_sortable_by(self, request: HttpRequest) -> list[Any]:
        indexed = first_columns(self.model)
        return [
            name
            for name in self.get_list_display(request)
            if isinstance(name, str) and (name in self.sortable_anyway or self._order_of(name) in indexed)
        ]

    def _order_of(self, name: str) -> str | None:
        try:
            return self.model._meta.get_field(name).name
        except FieldDoesNotExist:
            pass
        order = getattr(getattr(self, name, None) or getattr(self.model, name, None), "admin_order_field", None)
        return order.lstrip("-") if isinstance(order, str) else None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Add what no form may write: a protected status answers a posted value with an error of the server."""
        named = list(super().get_readonly_fields(request, obj))
        for field in self.model._meta.concrete_fields:
            guarded = isinstance(field, FSMFieldMixin) and field.protected
            if (guarded or field.name in RECORDED) and field.name not in named:
                named.append(field.name)
        return named

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        fields = list(super().get_fields(request, obj))
        return fields if obj is not None else [name for name in fields if name not in RECORDED]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """Search by a few words; what no name contains (a NUL) never reaches the database."""
        words = search_term.replace("\x00", "")[:SEARCH_LENGTH].split()[:SEARCH_WORDS]
        return super().get_search_results(request, queryset, " ".join(words))

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Allow what the list offers as a filter and nothing else.

        Django lets any column of the model through, so that `?national_id__startswith=2` reads a hidden one
        letter by letter.
        """
        filters: Any = self.get_list_filter(request) if request is not None else self.list_filter
        own: set[str] = set()
        paths: set[str] = set()
        for item in filters:
            if isinstance(item, type) and issubclass(item, SimpleListFilter):
                own.add(str(item.parameter_name))
            elif isinstance(item, list | tuple):
                paths.add(item[0])
                own |= _parameters(item[1], item[0])
            elif isinstance(item, str):
                paths.add(item)
        if self.date_hierarchy:
            paths.add(self.date_hierarchy)
        if lookup in own or lookup in self.linked_lookups:
            return True
        return lookup_path(self.model, lookup) in as_paths(self.model, paths)

    def check(self, **kwargs: Any) -> list[Any]:
        return [*super().check(**kwargs), *self._check_filters()]

    def _check_filters(self) -> list[Any]:
        errors = []
        items: Any = self.list_filter
        for item in items:
            name, kind = (item[0], item[1].__name__) if isinstance(item, list | tuple) else (item, "")
            if not isinstance(name, str):
                continue
            field = _field_at(self.model, name)
            if isinstance(field, ForeignKey) and (not kind or kind in WHOLE_TABLE_FILTERS):
                errors.append(
                    checks.Error(
                        f"{type(self).__name__} filters by “{name}” with a list of the whole table.",
                        hint="Use apps.common.filters.AutocompleteSelectFilter.",
                        obj=type(self),
                        id="coveris.E012",
                    )
                )
        return errors


def _parameters(kind: Any, name: str) -> set[str]:
    """Return the query parameters a filter class reads beside plain lookups (`hired_on_from`)."""
    if not (isinstance(kind, type) and issubclass(kind, FieldListFilter)):
        return set()
    return {f"{name}_{suffix}" for suffix in ("from", "to", "from_0", "from_1", "to_0", "to_1")}


def _field_at(model: type[Model], path: str) -> Field[Any, Any] | None:
    field: Any = None
    current: Any = model
    for part in path.split("__"):
        try:
            field = current._meta.get_field(part)
        except FieldDoesNotExist:
            return None
        current = field.related_model
    return field
