"""Employees: the list, and a page of tabs with everything about one person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import Count, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter
from unfold.decorators import display

from apps.assignments.models import Assignment
from apps.business_rules.admin.conditions import ConditionSearchMixin
from apps.common.admin import BaseAdmin, HistoryMixin
from apps.common.admin.dialogs import with_back
from apps.common.admin.history import MASK
from apps.common.admin.tabs import RecordTabs, Tab
from apps.common.badges import progress, two_lines
from apps.common.clock import monday_of, today
from apps.common.columns import day_column
from apps.common.weekbars import PROPOSED, Part, WeekBar, draw, hours_cell, hours_text, this_week
from apps.common.weeks import parse_week, week_code
from apps.demand.impact import ImpactPreview, impact, positions_losing
from apps.demand.preview import ledger_weeks, preview_transition
from apps.fsm.buttons import TransitionButtons, status_badge
from apps.fsm.moves import Move
from apps.fsm.reading import log_rows
from apps.imports.exporting import SheetExportMixin
from apps.tags.badges import tag_state, type_badge
from apps.tags.models import EmployeeTag
from apps.users.enums import Role
from apps.users.permissions import sees_sensitive

from ..badges import leave_state
from ..filters import LeavingFilter, OnLeaveFilter, UnitFilter
from ..models import Employee
from ..services.employees import save_employees
from .account import account_lines

LATEST = 100


@admin.register(Employee)
class EmployeeAdmin(
    ImpactPreview, ConditionSearchMixin, SheetExportMixin, TransitionButtons, RecordTabs, HistoryMixin, BaseAdmin
):
    list_display = ("person", "state", "unit", "hired", "hours_used", "balance")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("home_unit", UnitFilter),
        OnLeaveFilter,
        LeavingFilter,
        ("hired_on", RangeDateFilter),
    )
    list_select_related = ("home_unit", "ledger")
    search_fields = ("employee_number", "family_name", "given_name")
    search_help_text = gettext_lazy("Name or employee number")
    ordering = ("family_name", "given_name", "id")
    in_palette = True
    icon = "badge"
    record_tabs = (
        Tab("tags", gettext_lazy("Tags"), "tags.employeetag"),
        Tab("leaves", gettext_lazy("Leaves"), "org.leave"),
        Tab("assignments", gettext_lazy("Assignments"), "assignments.assignment"),
        Tab("hours", gettext_lazy("Hours"), "offer.ledgerweek"),
        Tab("log", gettext_lazy("Transitions"), "fsm.employeetransitionlog"),
    )
    fieldsets = (
        (gettext_lazy("Person"), {"fields": (("family_name", "given_name"), ("employee_number", "email"),
                                             "national_id")}),
        (gettext_lazy("Work"), {"fields": (("home_unit", "hired_on"), ("last_day", "status"), "user")}),
        (gettext_lazy("Record"), {"fields": (("created_at", "updated_at"),), "classes": ("collapse",)}),
    )  # fmt: skip

    # The form

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        named = ["last_day", *super().get_readonly_fields(request, obj)]
        if request.user.role != Role.ADMIN:  # type: ignore[union-attr]
            # Logins are the administrator's; others would not even find the one that is there.
            named.append("user")
        return named

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        masked = not sees_sensitive(request.user)  # type: ignore[arg-type]
        fieldsets = []
        for title, options in super().get_fieldsets(request, obj):
            if obj is None and title == _("Record"):
                continue
            fields = tuple(self._shown(field, masked, obj) for field in options["fields"])
            fieldsets.append((title, {**options, "fields": tuple(field for field in fields if field)}))
        return fieldsets

    def _shown(self, field: Any, masked: bool, obj: Any) -> Any:
        if isinstance(field, tuple):
            return tuple(part for part in (self._shown(item, masked, obj) for item in field) if part)
        if field == "national_id" and masked:
            return "masked_national_id"
        # Nobody is born with a status chosen by hand, nor with a last day.
        return None if obj is None and field in ("status", "last_day", "user") else field

    @display(description=gettext_lazy("national id"))
    def masked_national_id(self, obj: Employee) -> str:
        return MASK if obj.national_id else "–"

    def perform_save(self, request: HttpRequest, obj: Employee, form: Any, change: bool) -> None:
        save_employees(employees=[obj], actor=request.user)  # type: ignore[arg-type]

    # The list

    @display(description=gettext_lazy("employee"), ordering="family_name")
    def person(self, obj: Employee) -> str:
        initials = f"{obj.given_name[:1]}{obj.family_name[:1]}".upper()
        return two_lines(f"{obj.family_name}, {obj.given_name}", obj.employee_number, initials)

    hired = day_column("hired_on", gettext_lazy("hired on"))

    @display(description=gettext_lazy("home unit"))
    def unit(self, obj: Employee) -> str:
        return obj.home_unit.name

    @display(description=gettext_lazy("status"), ordering="status")
    def state(self, obj: Employee) -> str:
        return status_badge(obj.machine, obj.status)

    @display(description=gettext_lazy("assigned / pool, this week"))
    def hours_used(self, obj: Employee) -> str:
        ledger: Any = getattr(obj, "ledger", None)
        if (place := this_week(ledger)) is None:
            return progress(None, _("not computed yet"))
        pool, assigned = ledger.pool[place], ledger.assigned[place]
        text = f"{hours_text(assigned)} / {hours_text(pool)}"
        return progress(_share(assigned, pool), text, "red" if assigned > pool else "petrol")

    @display(description=gettext_lazy("balance, this week"))
    def balance(self, obj: Employee) -> str:
        ledger: Any = getattr(obj, "ledger", None)
        place = this_week(ledger)
        return hours_cell(None if place is None else ledger.pool[place] - ledger.assigned[place])

    # The head of the page

    def record_facts(self, request: HttpRequest, obj: Employee) -> list[Any]:
        facts = [status_badge(obj.machine, obj.status), str(obj.home_unit)]
        if obj.last_day:
            facts.append(_("last day %(day)s") % {"day": date_format(obj.last_day, "SHORT_DATE_FORMAT")})
        return facts

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        known = request.__dict__.setdefault("_coveris_employees", {})
        key = (object_id, from_field)
        if request.method != "GET" or key not in known:
            known[key] = super().get_object(request, object_id, from_field)
        return known[key]

    def transition_impact(self, request: HttpRequest, rows: Sequence[Employee], move: Move) -> list[str]:
        """Say how many hours of live assignments a deed that takes capacity away touches."""
        if not move.ends and move.name != "start_leave":
            return []
        live = Assignment.objects.live().filter(employee__in=[row.pk for row in rows])
        sums = live.aggregate(count=Count("pk"), hours=Sum("effective_hours"))
        if not sums["count"]:
            return [_("No live assignment is affected.")]
        return [
            ngettext(
                "%(count)d live assignment is affected: %(hours)s hours a week.",
                "%(count)d live assignments are affected: %(hours)s hours a week.",
                sums["count"],
            )
            % {"count": sums["count"], "hours": number_format(sums["hours"], 2, use_l10n=True)}
        ]

    impact_moves = frozenset({"terminate", "suspend", "start_leave", "give_notice"})

    def transition_impact_of(
        self, request: HttpRequest, obj: Employee, move: Move, reason: str, inputs: Mapping[str, Any]
    ) -> dict[str, Any]:
        actor: Any = request.user
        answer = preview_transition(subject=obj, name=move.name, actor=actor, reason=reason, inputs=inputs)
        return impact(
            answer,
            user=actor,
            ledger=ledger_weeks(answer, obj.pk),
            coverage=positions_losing(answer, actor),
            gated=False,
        )

    # The tabs

    def _may_write(self, request: HttpRequest, obj: Employee, permission: str) -> bool:
        return bool(request.user.has_perm(permission) and self.may_edit(request, obj))

    def tags_tab(self, request: HttpRequest, obj: Employee) -> dict[str, Any]:
        here = request.get_full_path()
        day = today()
        held = EmployeeTag.objects.filter(employee=obj).select_related("tag").order_by("-valid_from", "-id")
        may_change = self._may_write(request, obj, "tags.change_employeetag")
        may_delete = self._may_write(request, obj, "tags.delete_employeetag")
        rows = []
        for row in held:
            running = row.valid_until is None or row.valid_until >= day
            rows.append(
                {
                    "held": row,
                    "type": type_badge(row.tag.type),
                    "state": tag_state(row, day),
                    "change": with_back(reverse("admin:tags_employeetag_change", args=(row.pk,)), here)
                    if may_change else "",
                    "end": with_back(reverse("admin:tags_employeetag_end", args=(row.pk,)), here)
                    if may_change and running else "",
                    "revoke": with_back(reverse("admin:tags_employeetag_revoke", args=(row.pk,)), here)
                    if may_delete else "",
                }
            )  # fmt: skip
        add = with_back(reverse("admin:tags_employeetag_add"), here) + f"&employee={obj.pk}"
        return {"rows": rows, "add_url": add if self._may_write(request, obj, "tags.add_employeetag") else ""}

    def leaves_tab(self, request: HttpRequest, obj: Employee) -> dict[str, Any]:
        here = request.get_full_path()
        may_change = self._may_write(request, obj, "org.change_leave")
        may_delete = self._may_write(request, obj, "org.delete_leave")
        rows = [
            {
                "leave": leave,
                "state": leave_state(leave, today()),
                "change": with_back(reverse("admin:org_leave_change", args=(leave.pk,)), here) if may_change else "",
                "cancel": with_back(reverse("admin:org_leave_cancel", args=(leave.pk,)), here) if may_delete else "",
            }
            for leave in obj.leaves.order_by("-starts_on", "-id")[:LATEST]
        ]
        add = with_back(reverse("admin:org_leave_add"), here) + f"&employee={obj.pk}"
        return {"rows": rows, "add_url": add if self._may_write(request, obj, "org.add_leave") else ""}

    def assignments_tab(self, request: HttpRequest, obj: Employee) -> dict[str, Any]:
        rows = (
            Assignment.objects.visible_to(request.user)  # type: ignore[arg-type]
            .filter(employee=obj)
            .select_related("position__org_unit", "employee")
            .order_by("-starts_on", "-id")[:LATEST]
        )
        add = with_back(reverse("admin:assignments_assignment_add"), request.get_full_path()) + f"&employee={obj.pk}"
        return {
            "rows": [{"assignment": row, "state": status_badge(row.machine, row.status)} for row in rows],
            "add_url": add if request.user.has_perm("assignments.add_assignment") else "",
        }

    def hours_tab(self, request: HttpRequest, obj: Employee) -> dict[str, Any]:
        ledger: Any = getattr(obj, "ledger", None)
        mondays = [ledger.first_week + timedelta(weeks=n) for n in range(len(ledger.pool))] if ledger else []
        chosen = _chosen_week(request, mondays)
        weeks, bars = [], []
        for place, monday in enumerate(mondays):
            pool, assigned, proposed = ledger.pool[place], ledger.assigned[place], ledger.proposed[place]
            code = week_code(monday)
            within, over = min(pool, assigned), max(0, assigned - pool)
            parts = [Part(within, "petrol"), Part(over, "red"), Part(proposed, "blue", PROPOSED)]
            bars.append(WeekBar(monday, pool, parts, assigned, f"?week={code}#account", monday == chosen))
            weeks.append(
                {"code": code, "monday": monday, "chosen": monday == chosen, "pool": hours_cell(pool),
                 "assigned": hours_cell(assigned), "balance": hours_cell(pool - assigned),
                 "proposed": hours_cell(proposed)}
            )  # fmt: skip
        return {
            "ledger": ledger,
            "weeks": weeks,
            "drawing": draw(bars),
            "chosen": chosen,
            "chosen_code": week_code(chosen),
            "lines": account_lines(obj, chosen, request.user),  # type: ignore[arg-type]
        }

    def log_tab(self, request: HttpRequest, obj: Employee) -> dict[str, Any]:
        logs = obj.transition_logs.select_related("actor").order_by("-id")[:LATEST]
        periods = obj.status_periods.order_by("-from_day")[:LATEST]
        return {
            "rows": log_rows(obj.machine, logs),
            "periods": [{"period": row, "state": status_badge(obj.machine, row.status)} for row in periods],
        }


def _share(part: int, whole: int) -> Decimal | None:
    if not whole:
        return Decimal(100) if part else Decimal(0)
    return Decimal(part) * 100 / Decimal(whole)


def _chosen_week(request: HttpRequest, mondays: Sequence[date]) -> date:
    """Return the week asked for if it is one of those shown, else the current one."""
    try:
        asked = parse_week(request.GET.get("week", ""))
    except ValueError:
        asked = monday_of(today())
    if asked in mondays:
        return asked
    current = monday_of(today())
    return current if current in mondays or not mondays else mondays[0]
