"""The catalogue of tags: the administrator's, read by all."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.db.models import IntegerField, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter
from unfold.decorators import display

from apps.common.admin import BaseAdmin, HistoryMixin
from apps.common.admin.tabs import RecordTabs
from apps.common.badges import badge, two_lines
from apps.common.clock import today
from apps.imports.exporting import SheetExportMixin

from ..badges import type_badge
from ..models import EmployeeTag, TagCatalog
from ..services import save_catalogue

# Holders are counted so far: a contract of a large house has hundreds of thousands.
MOST_COUNTED = 1_000


class NumberOf(Subquery):
    """How many rows a subquery has."""

    template = "(SELECT count(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


@admin.register(TagCatalog)
class TagCatalogAdmin(SheetExportMixin, RecordTabs, HistoryMixin, BaseAdmin):
    list_display = ("tag", "kind", "hours_delta", "end", "warnings", "holders_now", "offer")
    list_filter = (("type", ChoicesDropdownFilter), ("expires", BooleanRadioFilter), ("is_active", BooleanRadioFilter))
    search_fields = ("code", "name")
    search_help_text = gettext_lazy("Name or code")
    ordering = ("name",)
    in_palette = True
    icon = "sell"
    fieldsets = (
        (gettext_lazy("Tag"), {"fields": (("code", "name"), ("type", "hours_delta"))}),
        (gettext_lazy("Validity"), {"fields": ("expires", ("first_warning_days", "last_warning_days"), "is_active")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        holding = EmployeeTag.objects.in_force_on(today()).filter(tag=OuterRef("pk")).order_by().values("pk")
        return rows.annotate(number_of_holders=NumberOf(holding[: MOST_COUNTED + 1]))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        rows: Any
        rows, distinct = super().get_search_results(request, queryset, search_term)
        view = getattr(request.resolver_match, "func", None)
        if getattr(view, "__name__", "") == "autocomplete_view" or isinstance(view, AutocompleteJsonView):
            rows = rows.offered()
        return rows, distinct

    def perform_save(self, request: HttpRequest, obj: TagCatalog, form: Any, change: bool) -> None:
        save_catalogue(tags=[obj], actor=request.user)  # type: ignore[arg-type]

    def record_facts(self, request: HttpRequest, obj: TagCatalog) -> list[Any]:
        return [type_badge(obj.type), *([] if obj.is_active else [badge(_("not offered"), "grey", "visibility_off")])]

    @display(description=gettext_lazy("tag"), ordering="name")
    def tag(self, obj: TagCatalog) -> str:
        return two_lines(obj.name, obj.code)

    @display(description=gettext_lazy("type"))
    def kind(self, obj: TagCatalog) -> str:
        return type_badge(obj.type)

    @display(description=gettext_lazy("must have an end"))
    def end(self, obj: TagCatalog) -> str:
        return badge(_("expires"), "yellow", "event_busy") if obj.expires else "–"

    @display(description=gettext_lazy("offered in choices"))
    def offer(self, obj: TagCatalog) -> str:
        return badge(_("offered"), "green") if obj.is_active else badge(_("not offered"), "grey", "visibility_off")

    @display(description=gettext_lazy("warns before"))
    def warnings(self, obj: TagCatalog) -> str:
        days = [str(number) for number in (obj.first_warning_days, obj.last_warning_days) if number is not None]
        return _("%(days)s days") % {"days": " / ".join(days)} if days else "–"

    @display(description=gettext_lazy("holders today"))
    def holders_now(self, obj: Any) -> str:
        if obj.number_of_holders > MOST_COUNTED:
            return _("over %(number)s") % {"number": number_format(MOST_COUNTED, force_grouping=True)}
        return number_format(obj.number_of_holders, force_grouping=True)
