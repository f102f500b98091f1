"""Filters of the lists of people and work."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter

from apps.common.clock import today
from apps.common.filters import AutocompleteSelectFilter

from .models import OrgUnit

LEAVING_SOON_DAYS = 30
UNITS_OFFERED = 300


def units_offered(request: HttpRequest) -> dict[str, Any]:
    """Return the units to choose from, for org/unit_choice.html; beyond so many their code is typed."""
    user: Any = request.user
    units = list(OrgUnit.objects.visible_to(user).order_by("path")[: UNITS_OFFERED + 1])
    return {"units": units[:UNITS_OFFERED], "units_are_cut": len(units) > UNITS_OFFERED}


def unit_asked(request: HttpRequest) -> OrgUnit | None:
    """Return the unit a page is asked for by its code; None without one. Raise Http404 for one out of sight."""
    user: Any = request.user
    code = request.GET.get("unit", "").replace("\x00", "").strip()
    if not code:
        return None
    unit: OrgUnit | None = OrgUnit.objects.visible_to(user).filter(code=code).first()
    if unit is None:
        raise Http404
    return unit


class UnitFilter(AutocompleteSelectFilter):
    """A unit and everything below it."""

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        narrowed = super().queryset(request, queryset)
        if narrowed is queryset or not self.value() or narrowed.query.is_empty():
            return narrowed
        return queryset.filter(**{f"{self.field_path}__path__contains": [int(self.value())]})


class OnLeaveFilter(DropdownFilter):
    """Who is away today, by a leave that covers the day."""

    title = _("on leave today")
    parameter_name = "on_leave"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("On leave today")), ("no", _("Not on leave today"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        if self.value() == "yes":
            return queryset.on_leave_on(today())
        if self.value() == "no":
            return queryset.exclude(pk__in=queryset.model.objects.on_leave_on(today()).values("pk"))
        return queryset


class LeavingFilter(DropdownFilter):
    """Whose last day is near."""

    title = _("leaving")
    parameter_name = "leaving"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("soon", _("Within %(days)d days") % {"days": LEAVING_SOON_DAYS}), ("any", _("Last day known"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        ahead = queryset.filter(last_day__gte=today())
        if self.value() == "soon":
            return ahead.filter(last_day__lte=today() + timedelta(days=LEAVING_SOON_DAYS))
        return ahead if self.value() == "any" else queryset


class OpenFilter(DropdownFilter):
    """Positions needed today, or not."""

    title = _("open")
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Open today")), ("no", _("Not open today"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any]:
        if self.value() == "yes":
            return queryset.open_on(today())
        if self.value() == "no":
            return queryset.exclude(pk__in=queryset.model.objects.open_on(today()).values("pk"))
        return queryset
