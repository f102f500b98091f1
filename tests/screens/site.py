"""One of each: a scoped tree, a record with tabs, dialogs and a service that says no, inlines, a log."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.common.admin import BaseAdmin, BaseTabularInline, HistoryMixin, ReadOnlyAdmin
from apps.common.badges import badge, progress, sparkline, two_lines
from apps.common.errors import ConfirmationNeeded, Reason, Refusal
from apps.common.filters import AutocompleteSelectFilter
from apps.fsm.models import EmployeeTransitionLog
from apps.org.models import Employee, Leave, OrgUnit, Position
from apps.org.services.employees import save_employees
from apps.org.services.leaves import cancel_leave, save_leaves
from apps.org.services.positions import save_positions
from apps.org.services.units import remove_unit, save_units
from project.admin_site import CoverisAdminSite

site = CoverisAdminSite(name="admin")


@admin.register(OrgUnit, site=site)
class UnitScreen(HistoryMixin, BaseAdmin):
    list_display = ["code", "name", "kind", "parent", "is_active"]
    list_filter = [
        ("kind", ChoicesDropdownFilter),
        ("is_active", BooleanRadioFilter),
        ("parent", AutocompleteSelectFilter),
    ]
    search_fields = ["code", "name"]
    list_select_related = ["parent"]
    in_palette = True
    icon = "account_tree"

    def perform_save(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_units(units=[obj], actor=request.user)

    def perform_delete(self, request: HttpRequest, obj: Any) -> None:
        remove_unit(unit=obj, actor=request.user)


class ReasonForm(BaseDialogForm):
    reason = forms.CharField(widget=UnfoldAdminTextareaWidget)


@admin.register(Position, site=site)
class PositionScreen(HistoryMixin, BaseAdmin):
    """Its service refuses the title “no”, and asks to confirm the title “warn”."""

    list_display = ["code", "title_cell", "org_unit", "required_weekly_hours", "filled", "weeks", "state"]
    list_filter = [("org_unit", AutocompleteSelectFilter), ("opens_on", RangeDateFilter)]
    search_fields = ["code", "title"]
    list_select_related = ["org_unit"]
    in_palette = True
    icon = "work"
    fieldsets = [
        (None, {"fields": ["code", "title", "org_unit", "required_weekly_hours"]}),
        ("Dates", {"fields": ["opens_on", "closes_on"], "classes": ["tab"]}),
        ("Times", {"fields": ["created_at", "updated_at"], "classes": ["tab"]}),
    ]
    actions = ["count_them"]
    actions_detail = ["tell", {"title": "More", "items": ["tell_again"]}]

    @admin.action(description="Count them", permissions=["change"])
    def count_them(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self.message_user(request, f"{queryset.count()} counted")

    @action(
        description="Tell", url_path="tell", icon="campaign", dialog={"title": "Tell why", "form_class": ReasonForm}
    )
    def tell(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        self.message_user(request, f"Told: {form.cleaned_data['reason']}")
        return HttpResponse(headers={"HX-Redirect": request.path.rpartition("/tell")[0] + "/change/"})

    @action(description="Tell again", url_path="tell-again", dialog={"title": "Again", "form_class": ReasonForm})
    def tell_again(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return HttpResponse(headers={"HX-Redirect": request.path.rpartition("/tell")[0] + "/change/"})

    @display(description="title", ordering="title")
    def title_cell(self, obj: Position) -> str:
        return two_lines(obj.title, obj.code, obj.title[:2])

    @display(description="filled")
    def filled(self, obj: Position) -> str:
        return progress(63.2, "63,2 %", "yellow")

    @display(description="weeks")
    def weeks(self, obj: Position) -> str:
        return sparkline([1, 4, 2, None, 5, 6, 7], "Hours of seven weeks", goal=5)

    @display(description="state")
    def state(self, obj: Position) -> str:
        return badge("Parcial", "yellow")

    def perform_save(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if obj.title == "warn" and not self.confirmed(request):
            save_positions(positions=[obj], actor=request.user)
            raise ConfirmationNeeded(Reason("This goes 4,00 hours over the pool."))
        if obj.title == "no":
            save_positions(positions=[obj], actor=request.user)
            raise Refusal(
                [Reason("The unit is closed.", fixable=60), Reason("“no” is no title.", field="title", fixable=1)]
            )
        save_positions(positions=[obj], actor=request.user)


class LeaveInline(BaseTabularInline):
    model = Leave
    fields = ["kind", "starts_on", "ends_on", "reason"]
    can_delete = True

    def perform_save(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_leaves(leaves=[obj], actor=request.user)

    def perform_delete(self, request: HttpRequest, obj: Any) -> None:
        cancel_leave(leave=obj, actor=request.user)


@admin.register(Employee, site=site)
class EmployeeScreen(HistoryMixin, BaseAdmin):
    list_display = ["employee_number", "family_name", "given_name", "home_unit", "status", "hired_on"]
    list_filter = [("status", ChoicesDropdownFilter), ("home_unit", AutocompleteSelectFilter)]
    search_fields = ["employee_number", "family_name", "given_name"]
    list_select_related = ["home_unit"]
    inlines = [LeaveInline]
    in_palette = True
    icon = "badge"

    def perform_save(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_employees(employees=[obj], actor=request.user)


@admin.register(EmployeeTransitionLog, site=site)
class LogScreen(ReadOnlyAdmin):
    list_display = ["subject", "transition", "actor", "created_at"]
    list_select_related = ["subject", "actor"]
