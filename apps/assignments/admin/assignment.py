"""Assignments: propose, change while they live, accept, reject, close."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display

from apps.business_rules.admin.conditions import ConditionSearchMixin
from apps.common.admin import BaseAdmin, HistoryMixin
from apps.common.admin.base import SEARCH_LENGTH, SEARCH_WORDS
from apps.common.admin.tabs import RecordTabs, Tab
from apps.common.badges import badge, two_lines
from apps.common.columns import day_column
from apps.common.filters import AutocompleteSelectFilter
from apps.fsm.buttons import TransitionButtons, status_badge
from apps.fsm.moves import Move
from apps.fsm.reading import log_rows
from apps.imports.exporting import SheetExportMixin
from apps.org.filters import UnitFilter
from apps.org.models import Employee, Position

from ..assignment_fsm import AssignmentStatus
from ..models import Assignment
from ..services import change_assignment, propose_assignment
from .preview import AssignmentPreview

LATEST = 100


class AssignmentForm(forms.ModelForm):
    """What may be said about an assignment."""

    class Meta:
        model = Assignment
        fields = ("employee", "position", "effective_hours", "is_reinforcement", "starts_on", "ends_on", "expires_on")

    def _get_validation_exclusions(self) -> set[str]:
        # Django fails on an exclusion constraint whose condition names a field left out (the status), unless an
        # expression of it is left out too. The database answers instead, in the same words.
        return super()._get_validation_exclusions() | {"employee"}


@admin.register(Assignment)
class AssignmentAdmin(
    AssignmentPreview, ConditionSearchMixin, SheetExportMixin, TransitionButtons, RecordTabs, HistoryMixin, BaseAdmin
):
    form = AssignmentForm
    list_display = ("person", "place", "hours", "starts", "ends", "state", "kind")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("position__org_unit", UnitFilter),
        ("employee", AutocompleteSelectFilter),
        ("position", AutocompleteSelectFilter),
        ("is_reinforcement", BooleanRadioFilter),
        ("starts_on", RangeDateFilter),
    )
    list_select_related = ("employee", "position__org_unit")
    # Named for the search field of the page; `get_search_results` asks through the indexes of each end.
    search_fields = ("employee__employee_number",)
    search_help_text = gettext_lazy("Employee or position: name or code")
    ordering = ("-starts_on", "-id")
    icon = "assignment_ind"
    form_tab_title = gettext_lazy("Assignment")
    record_tabs = (Tab("log", gettext_lazy("Transitions and rules"), "assignments.assignmenttransitionlog"),)
    fieldsets = (
        (gettext_lazy("Who and where"), {"fields": (("employee", "position"),)}),
        (gettext_lazy("How much and when"), {"fields": (("effective_hours", "is_reinforcement"),
                                                        ("starts_on", "ends_on"), "expires_on")}),
        (gettext_lazy("Record"), {"fields": (("status", "created_by"), "accepted_at",
                                             ("created_at", "updated_at"))}),
    )  # fmt: skip

    # The form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if obj is not None else fieldsets[:2]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        named = list(super().get_readonly_fields(request, obj))
        if obj is None:
            return named
        # Another employee or position is another assignment.
        return ["employee", "position", "created_by", "accepted_at", *named]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        closed = isinstance(obj, Assignment) and obj.status == AssignmentStatus.CLOSED
        return not closed and super().has_change_permission(request, obj)

    def perform_save(self, request: HttpRequest, obj: Assignment, form: Any, change: bool) -> Assignment:
        confirmed = self.confirmed(request)
        if change:
            return change_assignment(assignment=obj, actor=request.user, confirmed=confirmed)  # type: ignore[arg-type]
        return propose_assignment(
            employee=obj.employee,
            position=obj.position,
            hours=obj.effective_hours,
            starts_on=obj.starts_on,
            ends_on=obj.ends_on,
            expires_on=obj.expires_on,
            is_reinforcement=obj.is_reinforcement,
            actor=request.user,  # type: ignore[arg-type]
            confirmed=confirmed,
        )

    def lock(self, request: HttpRequest, obj: Any) -> None:
        # The employee stands before the assignment in the house order.
        len(Assignment.objects.locked([obj.pk]))

    # The list

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """Find by either end, each through its own trigram index: joined first, neither could be used."""
        for word in search_term.replace("\x00", "")[:SEARCH_LENGTH].split()[:SEARCH_WORDS]:
            employees = Employee.objects.filter(
                Q(family_name__icontains=word) | Q(given_name__icontains=word) | Q(employee_number__icontains=word)
            )
            positions = Position.objects.filter(Q(title__icontains=word) | Q(code__icontains=word))
            queryset = queryset.filter(Q(employee__in=employees.values("pk")) | Q(position__in=positions.values("pk")))
        return queryset, False

    @display(description=gettext_lazy("employee"))
    def person(self, obj: Assignment) -> str:
        return two_lines(f"{obj.employee.family_name}, {obj.employee.given_name}", obj.employee.employee_number)

    @display(description=gettext_lazy("position"))
    def place(self, obj: Assignment) -> str:
        return two_lines(obj.position.title, f"{obj.position.code} · {obj.position.org_unit.name}")

    @display(description=gettext_lazy("hours a week"))
    def hours(self, obj: Assignment) -> str:
        return format_html('<span class="coveris-number">{}</span>', number_format(obj.effective_hours, 2))

    starts = day_column("starts_on", gettext_lazy("from"))
    ends = day_column("ends_on", gettext_lazy("until"))

    @display(description=gettext_lazy("status"))
    def state(self, obj: Assignment) -> str:
        return status_badge(obj.machine, obj.status)

    @display(description=gettext_lazy("kind"))
    def kind(self, obj: Assignment) -> str:
        if obj.voided:
            return badge(_("never in force"), "grey", "do_not_disturb_on")
        return badge(_("reinforcement"), "blue") if obj.is_reinforcement else ""

    # The page

    def record_title(self, obj: Assignment) -> str:
        who = f"{obj.employee.given_name} {obj.employee.family_name}"
        return f"{who} → {obj.position.title}"

    def record_facts(self, request: HttpRequest, obj: Assignment) -> list[Any]:
        who = reverse("admin:org_employee_change", args=(obj.employee_id,))
        where = reverse("admin:org_position_change", args=(obj.position_id,))
        facts = [
            status_badge(obj.machine, obj.status),
            self._if_visible(request, Employee, obj.employee, who),
            self._if_visible(request, Position, obj.position, where),
            _("%(hours)s hours a week") % {"hours": number_format(obj.effective_hours, 2)},
        ]
        if obj.is_reinforcement:
            facts.append(badge(_("reinforcement"), "blue"))
        if obj.voided:
            facts.append(badge(_("never in force"), "grey", "do_not_disturb_on"))
        return facts

    def _if_visible(self, request: HttpRequest, model: Any, row: Any, url: str) -> Any:
        """Link to an end of the assignment where the person may follow."""
        seen = model.objects.visible_to(request.user).filter(pk=row.pk).exists()
        return format_html('<a href="{}">{}</a>', url, row) if seen else str(row)

    def transition_impact(self, request: HttpRequest, rows: Sequence[Assignment], move: Move) -> list[str]:
        if len(rows) != 1:
            return []
        row = rows[0]
        until = date_format(row.ends_on, "SHORT_DATE_FORMAT") if row.ends_on else _("no end")
        days = f"{date_format(row.starts_on, 'SHORT_DATE_FORMAT')} – {until}"
        return [_("%(hours)s hours a week, %(days)s.") % {"hours": number_format(row.effective_hours, 2), "days": days}]

    def log_tab(self, request: HttpRequest, obj: Assignment) -> dict[str, Any]:
        logs = obj.transition_logs.select_related("actor").order_by("-id")[:LATEST]
        return {"rows": log_rows(obj.machine, logs)}
