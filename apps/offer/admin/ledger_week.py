"""The hours of everybody: who is over the pool, who has hours left."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import BigIntegerField, DateField, F, Func, IntegerField, QuerySet, Value
from django.db.models.expressions import Expression
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from apps.common.admin import ReadOnlyAdmin
from apps.common.badges import two_lines
from apps.common.clock import monday_of, today
from apps.common.hours import HOUR_DAYS
from apps.common.weekbars import hours_cell
from apps.fsm.buttons import status_badge
from apps.imports.exporting import ListExportMixin
from apps.org.filters import UnitFilter

from ..models import LedgerWeek
from ..usage import SPARE_HOURS
from .usage import UsagePage


def now_of(name: str) -> Expression:
    """Return an array's figure of the current week; NULL where it has not been computed."""
    weeks = Func(
        Value(monday_of(today()), DateField()), F("first_week"),
        template="((%(expressions)s) / 7 + 1)", arg_joiner=" - ", output_field=IntegerField(),
    )  # fmt: skip
    return Func(F(name), weeks, template="(%(expressions)s]", arg_joiner=")[", output_field=BigIntegerField())


class BalanceFilter(DropdownFilter):
    """Over the pool, with hours left, or even."""

    title = gettext_lazy("balance, this week")
    parameter_name = "balance"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("over", _("Over the pool")),
            ("spare", _("More than %(hours)d hours left") % {"hours": SPARE_HOURS}),
            ("idle", _("Nothing assigned")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "over":
            return queryset.filter(balance_now__lt=0)
        if self.value() == "spare":
            return queryset.filter(balance_now__gt=SPARE_HOURS * HOUR_DAYS)
        if self.value() == "idle":
            return queryset.filter(assigned_now=0, pool_now__gt=0)
        return queryset


@admin.register(LedgerWeek)
class LedgerWeekAdmin(UsagePage, ListExportMixin, ReadOnlyAdmin):
    list_display = ("person", "unit", "state", "pool_hours", "assigned_hours", "balance_hours", "proposed_hours")
    list_filter = (BalanceFilter, ("employee__home_unit", UnitFilter))
    list_select_related = ("employee__home_unit",)
    search_fields = ("employee__family_name", "employee__given_name", "employee__employee_number")
    search_help_text = gettext_lazy("Name or employee number")
    # No index on what this week's element is: one pass over short rows.
    sortable_anyway = ("pool_hours", "assigned_hours", "balance_hours", "proposed_hours")

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:
        # Whoever is furthest over the pool first: by the first week kept, which has an index, and which is the current
        # one but for the minutes in which a week is being closed.
        return ((F("pool__0") - F("assigned__0")).asc(), "employee_id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.annotate(
            pool_now=now_of("pool"), assigned_now=now_of("assigned"), proposed_now=now_of("proposed")
        ).annotate(balance_now=F("pool_now") - F("assigned_now"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The account is a tab of the employee's page."""
        if (row := self.get_object(request, object_id)) is not None and self.has_view_permission(request, row):
            return HttpResponseRedirect(reverse("admin:org_employee_hours", args=(row.pk,)))
        return super().change_view(request, object_id, form_url, extra_context)

    @display(description=gettext_lazy("employee"))
    def person(self, obj: LedgerWeek) -> str:
        who = obj.employee
        initials = f"{who.given_name[:1]}{who.family_name[:1]}".upper()
        return two_lines(f"{who.family_name}, {who.given_name}", who.employee_number, initials)

    @display(description=gettext_lazy("home unit"))
    def unit(self, obj: LedgerWeek) -> str:
        return obj.employee.home_unit.name

    @display(description=gettext_lazy("status"))
    def state(self, obj: LedgerWeek) -> str:
        return status_badge(obj.employee.machine, obj.employee.status)

    @display(description=gettext_lazy("pool, this week"), ordering="pool_now")
    def pool_hours(self, obj: Any) -> str:
        return hours_cell(obj.pool_now)

    @display(description=gettext_lazy("assigned, this week"), ordering="assigned_now")
    def assigned_hours(self, obj: Any) -> str:
        return hours_cell(obj.assigned_now)

    @display(description=gettext_lazy("balance, this week"), ordering="balance_now")
    def balance_hours(self, obj: Any) -> str:
        return hours_cell(obj.balance_now)

    @display(description=gettext_lazy("proposed, this week"), ordering="proposed_now")
    def proposed_hours(self, obj: Any) -> str:
        return hours_cell(obj.proposed_now)
