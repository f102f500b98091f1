"""The log of transitions of assignments, read only."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from apps.common.admin import ReadOnlyAdmin
from apps.common.badges import two_lines
from apps.fsm.reading import LogScreen, gone, move_filter
from apps.imports.exporting import ListExportMixin

from ..assignment_fsm import MACHINE
from ..models import AssignmentTransitionLog


@admin.register(AssignmentTransitionLog)
class AssignmentTransitionLogAdmin(LogScreen, ListExportMixin, ReadOnlyAdmin):
    machine = MACHINE
    list_filter = (move_filter(MACHINE), ("created_at", RangeDateTimeFilter))
    list_select_related = ("subject__employee", "subject__position", "actor")
    search_fields = (
        "subject__employee__family_name",
        "subject__employee__employee_number",
        "subject__position__code",
        "subject_code",
    )
    search_help_text = gettext_lazy("Employee or position: name or code")

    @display(description=gettext_lazy("assignment"))
    def whom(self, obj: AssignmentTransitionLog) -> str:
        if obj.subject is None:
            return gone(obj.subject_code)
        employee, position = obj.subject.employee, obj.subject.position
        return two_lines(f"{employee.family_name}, {employee.given_name}", position)
