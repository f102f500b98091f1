"""Dated changes of what a position needs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display

from apps.common.admin import BaseAdmin, HistoryMixin
from apps.common.admin.dialogs import BACK, Dialogs
from apps.common.badges import badge, two_lines
from apps.common.clock import today
from apps.common.columns import day_column
from apps.common.filters import AutocompleteSelectFilter
from apps.imports.exporting import SheetExportMixin

from ..models import DemandAdjustment
from ..services.adjustments import remove_adjustment, save_adjustments


@admin.register(DemandAdjustment)
class DemandAdjustmentAdmin(SheetExportMixin, Dialogs, HistoryMixin, BaseAdmin):
    """More or fewer hours for some time, beside the position's baseline."""

    icon = "tune"
    list_display = ("of_position", "hours_shown", "begins", "ends", "standing", "reason")
    list_select_related = ("position",)
    list_filter = (("position", AutocompleteSelectFilter), ("from_day", RangeDateFilter))
    search_fields = ("position__code", "position__title")
    search_help_text = _("Code or title of the position")
    fields = ("position", "hours", ("from_day", "until_day"), "reason")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        # An adjustment of another position is another adjustment.
        named = list(super().get_readonly_fields(request, obj))
        return named if obj is None else ["position", *named]

    def perform_save(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> Any:
        return save_adjustments(adjustments=[obj], actor=request.user)[0]  # type: ignore[arg-type]

    def perform_delete(self, request: HttpRequest, obj: Any) -> None:
        remove_adjustment(adjustment=obj, actor=request.user)  # type: ignore[arg-type]

    # Back to the position's page, when the person came from there

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        return self._return(request, super().response_post_save_add(request, obj))

    def response_post_save_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        return self._return(request, super().response_post_save_change(request, obj))

    def _return(self, request: HttpRequest, otherwise: HttpResponse) -> HttpResponseRedirect:
        return HttpResponseRedirect(self.back_from(request, otherwise.headers["Location"]))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {name: value for name, value in super().get_changeform_initial_data(request).items() if name != BACK}

    # Columns

    @display(description=_("position"))
    def of_position(self, adjustment: DemandAdjustment) -> Any:
        return two_lines(adjustment.position.title, adjustment.position.code)

    @display(description=_("hours a week"))
    def hours_shown(self, adjustment: DemandAdjustment) -> Any:
        sign = "+" if adjustment.hours > 0 else "−"
        return format_html('<span class="coveris-number">{}{}</span>', sign, number_format(abs(adjustment.hours)))

    begins = day_column("from_day", _("from"))
    ends = day_column("until_day", _("until"))

    @display(description=_("state"))
    def standing(self, adjustment: DemandAdjustment) -> Any:
        day = today()
        if adjustment.from_day > day:
            return badge(_("to come"), "blue", "schedule")
        if adjustment.until_day is not None and adjustment.until_day < day:
            return badge(_("over"), "grey")
        return badge(_("in force"), "green")
