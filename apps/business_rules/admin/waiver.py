"""The register of waivers: which are in force, which end soon, which are over. Granted on a violation's page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.common.admin import HistoryMixin, ReadOnlyAdmin
from apps.common.badges import badge, two_lines
from apps.common.clock import today
from apps.common.filters import AutocompleteSelectFilter

from ..enums import SubjectKind
from ..models import Waiver
from .words import subject_link

SOON = timedelta(days=14)


class StandingFilter(admin.SimpleListFilter):
    title = _("standing")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("force", _("in force")), ("soon", _("ends within 14 days")), ("over", _("over"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        day = today()
        match self.value():
            case "force":
                return queryset.in_force_on(day)
            case "soon":
                return queryset.in_force_on(day).filter(expires_on__lte=day + SOON)
            case "over":
                return queryset.filter(expires_on__lt=day)
        return queryset


@admin.register(Waiver)
class WaiverAdmin(HistoryMixin, ReadOnlyAdmin):
    icon = "verified_user"
    list_display = ("what", "subject", "reason", "granted_by", "until", "standing")
    list_filter = (StandingFilter, "subject_kind", ("rule", AutocompleteSelectFilter))
    list_select_related = ("rule", "granted_by", "org_unit")
    search_fields = ("subject_code",)
    ordering = ("-expires_on", "-id")
    fields = ("rule", "subject", "reason", "granted_by", "until", "standing", "created_at")
    readonly_fields = ("subject", "until", "standing")

    @display(description=_("rule"))
    def what(self, waiver: Waiver) -> Any:
        return two_lines(waiver.rule.name, waiver.rule.code)

    @display(description=_("about"))
    def subject(self, waiver: Waiver) -> Any:
        if waiver.org_unit is not None:
            link = subject_link(SubjectKind.UNIT, waiver.org_unit.pk)
            return two_lines(
                format_html('<a class="underline" href="{}">{}</a>', link, waiver.org_unit), _("whole unit")
            )
        link, kind = subject_link(waiver.subject_kind, waiver.subject_id or 0), SubjectKind(waiver.subject_kind).label
        shown = (
            format_html('<a class="underline" href="{}">{}</a>', link, waiver.subject_code)
            if link
            else waiver.subject_code
        )
        return two_lines(shown, kind)

    @display(description=_("in force until"))
    def until(self, waiver: Waiver) -> Any:
        return waiver.expires_on

    @display(description=_("standing"))
    def standing(self, waiver: Waiver) -> Any:
        day = today()
        if waiver.expires_on < day:
            return badge(_("over"), "grey")
        if waiver.expires_on <= day + SOON:
            return badge(_("ends soon"), "yellow", "schedule")
        return badge(_("in force"), "green")
