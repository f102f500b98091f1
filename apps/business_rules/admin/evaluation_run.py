"""Evaluations: when the rules were asked, how it went, what each found."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.common.admin import ReadOnlyAdmin
from apps.common.badges import badge
from apps.imports.exporting import ListExportMixin
from apps.org.models import OrgUnit
from apps.org.querysets import scope_of

from ..models import BusinessRule, EvaluationRun

REASONS = {
    "manual": _("asked for"),
    "nightly": _("every night"),
    "command": _("command"),
    "task": _("scheduled job"),
    "change": _("something changed"),
}


@admin.register(EvaluationRun)
class EvaluationRunAdmin(ListExportMixin, ReadOnlyAdmin):
    scoped = False
    icon = "play_circle"
    list_display = (
        "asked",
        "why",
        "started_by",
        "unit_code",
        "progress_shown",
        "lasted",
        "subjects",
        "opened",
        "resolved",
    )
    list_select_related = ("started_by",)
    list_filter = ("trigger",)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave out the counts of other parts of the organisation."""
        rows = super().get_queryset(request)
        user: Any = request.user
        if scope_of(user) is None:
            return rows
        codes = OrgUnit.objects.visible_to(user).values("code")
        return rows.filter(Q(unit_code__in=codes) | Q(started_by_id=user.pk))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one evaluation; while it goes on, the page renews itself."""
        run = self.looked_at(request, object_id)
        names = dict(BusinessRule.objects.values_list("code", "name"))
        results = [
            {"code": code, "name": names.get(code, code), **result, "failed": result.get("failed", "")}
            for code, result in sorted(run.results.items())
        ]
        asked = len(run.rules) or BusinessRule.objects.filter(enabled=True).count()
        context = {
            **self.admin_site.each_context(request),
            "title": _now("Evaluation"),
            "subtitle": None,
            "opts": self.opts,
            "run": run,
            "state": self.progress_shown(run),
            "why": self.why(run),
            "lasted": self.lasted(run),
            "results": results,
            "done": len(results),
            "asked": max(asked, len(results)),
            "percent": 100 if run.finished_at else len(results) * 100 // max(asked, 1),
            "is_running": run.finished_at is None,
            "media": self.media,
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "business_rules/evaluation.html", context)

    @display(description=_("asked for"))
    def asked(self, run: EvaluationRun) -> Any:
        return run.requested_at

    asked.admin_order_field = "id"

    @display(description=_("why"))
    def why(self, run: EvaluationRun) -> Any:
        return REASONS.get(run.trigger, run.trigger)

    @display(description=_("state"))
    def progress_shown(self, run: EvaluationRun) -> Any:
        if run.finished_at is None:
            return badge(_("under way"), "blue", "sync") if run.started_at else badge(_("waiting"), "grey", "schedule")
        return badge(_("failed in part"), "red") if run.failure else badge(_("done"), "green")

    @display(description=_("lasted"))
    def lasted(self, run: EvaluationRun) -> Any:
        if run.started_at is None or run.finished_at is None:
            return "–"
        return _now("%(seconds)s s") % {"seconds": f"{(run.finished_at - run.started_at).total_seconds():.1f}"}
