"""Rows of another model on a record's page."""

from __future__ import annotations

from typing import Any

from django.forms import BaseModelForm
from django.http import HttpRequest
from unfold.admin import StackedInline, TabularInline

from .scope import Scoped


class BaseInlineMixin(Scoped):
    """An inline whose rows are written by a service, as `BaseAdmin` writes its record.

    A subclass defines `perform_save(request, obj, form, change)` and, with can_delete, `perform_delete(request, obj)`.
    """

    extra = 0
    tab = True
    show_change_link = True
    can_delete = False
    per_page: int | None = 20

    def perform_save(self, request: HttpRequest, obj: Any, form: BaseModelForm[Any], change: bool) -> Any:
        raise NotImplementedError(f"{type(self).__name__} writes nothing: define perform_save.")

    def perform_delete(self, request: HttpRequest, obj: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} deletes nothing: define perform_delete.")


class BaseTabularInline(BaseInlineMixin, TabularInline):
    pass


class BaseStackedInline(BaseInlineMixin, StackedInline):
    pass


class ReadOnlyInline(BaseTabularInline):
    """Rows that are only shown."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
