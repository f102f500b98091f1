"""The logs of transitions of employees, read only."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from apps.common.admin import ReadOnlyAdmin
from apps.common.badges import two_lines
from apps.common.columns import day_column
from apps.common.filters import AutocompleteSelectFilter
from apps.imports.exporting import ListExportMixin

from .buttons import status_badge
from .employee_fsm import MACHINE
from .models import EmployeeStatusPeriod, EmployeeTransitionLog
from .reading import LogScreen, gone, move_filter


@admin.register(EmployeeTransitionLog)
class EmployeeTransitionLogAdmin(LogScreen, ListExportMixin, ReadOnlyAdmin):
    machine = MACHINE
    list_filter = (
        move_filter(MACHINE),
        ("subject", AutocompleteSelectFilter),
        ("created_at", RangeDateTimeFilter),
    )
    list_select_related = ("subject", "actor")
    search_fields = ("subject__family_name", "subject__given_name", "subject__employee_number", "subject_code")
    search_help_text = gettext_lazy("Name or employee number")

    @display(description=gettext_lazy("employee"))
    def whom(self, obj: EmployeeTransitionLog) -> str:
        if obj.subject is None:
            return gone(obj.subject_code)
        return two_lines(f"{obj.subject.family_name}, {obj.subject.given_name}", obj.subject.employee_number)


@admin.register(EmployeeStatusPeriod)
class EmployeeStatusPeriodAdmin(ListExportMixin, ReadOnlyAdmin):
    list_display = ("whom", "state", "first", "last")
    list_filter = (("status", ChoicesDropdownFilter), ("employee", AutocompleteSelectFilter))
    list_select_related = ("employee",)
    search_fields = ("employee__family_name", "employee__given_name", "employee__employee_number")
    ordering = ("-id",)
    fields = ("employee", "state", "first", "last")
    first = day_column("from_day", gettext_lazy("from"))
    last = day_column("until_day", gettext_lazy("until"))

    @display(description=gettext_lazy("employee"))
    def whom(self, obj: EmployeeStatusPeriod) -> str:
        return two_lines(f"{obj.employee.family_name}, {obj.employee.given_name}", obj.employee.employee_number)

    @display(description=gettext_lazy("status"))
    def state(self, obj: EmployeeStatusPeriod) -> str:
        return status_badge(MACHINE, obj.status)
