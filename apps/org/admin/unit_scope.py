"""Which part of the tree each user works in."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.common.admin import BaseAdmin, HistoryMixin
from apps.common.filters import AutocompleteSelectFilter
from apps.imports.exporting import ListExportMixin

from ..models import UnitScope
from ..services.units import limit_sight


@admin.register(UnitScope)
class UnitScopeAdmin(ListExportMixin, HistoryMixin, BaseAdmin):
    """Read and taken away here; given on the user's own page or here."""

    scoped = False
    list_display = ("user", "org_unit", "updated_at")
    list_select_related = ("user", "org_unit")
    list_filter = (("org_unit", AutocompleteSelectFilter),)
    search_fields = ("user__email", "user__family_name", "org_unit__code")
    search_help_text = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # A scope belongs to one person for good; another person gets one of their own.
        return [*super().get_readonly_fields(request, obj), *(["user"] if obj is not None else [])]

    def perform_save(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> Any:
        limit_sight(user=obj.user, unit=obj.org_unit, actor=request.user)  # type: ignore[arg-type]
        return UnitScope.objects.get(user=obj.user)

    def perform_delete(self, request: HttpRequest, obj: Any) -> None:
        limit_sight(user=obj.user, unit=None, actor=request.user)  # type: ignore[arg-type]
