"""What happened to the tags of employees, read only."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from apps.common.admin import ReadOnlyAdmin
from apps.common.badges import badge, two_lines
from apps.common.columns import moment_column, short_day
from apps.common.filters import AutocompleteSelectFilter
from apps.imports.exporting import ListExportMixin

from ..enums import TagChange
from ..models import TagChangeLog

CHANGES = {
    TagChange.ADDED: ("green", "add"),
    TagChange.CHANGED: ("petrol", "edit"),
    TagChange.REMOVED: ("red", "remove"),
}


@admin.register(TagChangeLog)
class TagChangeLogAdmin(ListExportMixin, ReadOnlyAdmin):
    list_display = ("happened", "person", "which", "what", "days", "by", "reason")
    list_filter = (
        ("change", ChoicesDropdownFilter),
        ("employee", AutocompleteSelectFilter),
        ("tag", AutocompleteSelectFilter),
    )
    list_select_related = ("employee", "tag", "actor")
    search_fields = ("employee__family_name", "employee__given_name", "employee__employee_number")
    search_help_text = gettext_lazy("Name or employee number")
    ordering = ("-id",)
    happened = moment_column("created_at", gettext_lazy("when"))
    fields = ("happened", "person", "which", "what", "days_before", "days_after", "by", "reason")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TagChangeLog]:
        """Join whose and which on the page of one entry too: an undo may have taken them away."""
        rows: QuerySet[TagChangeLog] = super().get_queryset(request).select_related(*self.list_select_related)
        return rows

    @display(description=gettext_lazy("employee"))
    def person(self, obj: TagChangeLog) -> str:
        if obj.employee is None:
            return two_lines(f"#{obj.employee_id}", _("no longer there"))
        return two_lines(f"{obj.employee.family_name}, {obj.employee.given_name}", obj.employee.employee_number)

    @display(description=gettext_lazy("tag"))
    def which(self, obj: TagChangeLog) -> str:
        return str(obj.tag or f"#{obj.tag_id}")

    @display(description=gettext_lazy("change"))
    def what(self, obj: TagChangeLog) -> str:
        tone, icon = CHANGES[TagChange(obj.change)]
        return badge(TagChange(obj.change).label, tone, icon)

    @display(description=gettext_lazy("validity"))
    def days(self, obj: TagChangeLog) -> str:
        if obj.before and obj.after:
            return f"{span(obj.before)} → {span(obj.after)}"
        return span(obj.after or obj.before)

    @display(description=gettext_lazy("before"))
    def days_before(self, obj: TagChangeLog) -> str:
        return span(obj.before)

    @display(description=gettext_lazy("after"))
    def days_after(self, obj: TagChangeLog) -> str:
        return span(obj.after)

    @display(description=gettext_lazy("by"))
    def by(self, obj: TagChangeLog) -> str:
        return str(obj.actor) if obj.actor else _("the system")


def span(values: dict[str, Any] | None) -> str:
    """Return the days of a stored version of a held tag."""
    if not values:
        return "–"
    first, last = values.get("valid_from"), values.get("valid_until")
    return f"{day(first)} – {day(last) if last else '…'}"


def day(value: str | None) -> str:
    return short_day(date.fromisoformat(value) if value else None)
