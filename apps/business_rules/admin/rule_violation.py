"""Violations: what is wrong now, why, and what somebody decided about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.common.admin import HistoryMixin, ReadOnlyAdmin
from apps.common.admin.dialogs import Dialog, Dialogs, date_field, text_field
from apps.common.badges import two_lines
from apps.common.clock import today
from apps.common.errors import Refusal
from apps.common.filters import AutocompleteSelectFilter
from apps.imports.exporting import ListExportMixin
from apps.org.models import OrgUnit
from apps.users.permissions import WAIVES

from ..enums import UNRESOLVED, Severity, SubjectKind, ViolationState
from ..models import RuleViolation
from ..services.evaluation import setting_for
from ..services.sweeps import request_sweep
from ..services.violations import acknowledge_violation
from ..services.waivers import waive_violation
from ..subjects import kind_named
from .explaining import judged_by, origin_of, story_of, waivers_of
from .words import (
    facts_of,
    measured,
    records_behind,
    sentence_of,
    severity_badge,
    state_badge,
    subject_link,
    verdict_of,
)

DAYS_PROPOSED = 30


class StateFilter(admin.SimpleListFilter):
    """Unresolved ones by themselves: the list answers what is wrong now."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("unresolved", _("All unresolved")), *ViolationState.choices, ("all", _("All"))]

    def choices(self, changelist: Any) -> Any:
        for value, title in self.lookup_choices:
            yield {
                "selected": (self.value() or "unresolved") == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": title,
            }

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        if value == "all":
            return queryset
        return queryset.filter(state=value) if value in ViolationState else queryset.filter(state__in=UNRESOLVED)


class UnderFilter(admin.SimpleListFilter):
    """Those of a unit and below, for links of other pages; offered once one is chosen."""

    title = _("unit")
    parameter_name = "under"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        asked = request.GET.get(self.parameter_name, "")
        if not (asked.isascii() and asked.isdigit() and len(asked) < 19):
            return []
        rows = OrgUnit.objects.visible_to(request.user).filter(pk=asked)  # type: ignore[arg-type]
        return [(str(unit.pk), str(unit)) for unit in rows]

    def has_output(self) -> bool:
        return True

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if not self.value():
            return queryset
        known = [int(value) for value, _title in self.lookup_choices]
        return queryset.under(known[0]) if known else queryset.none()


@admin.register(RuleViolation)
class RuleViolationAdmin(ListExportMixin, Dialogs, HistoryMixin, ReadOnlyAdmin):
    """Nobody edits a violation: it is acknowledged or waived, and resolves by itself."""

    icon = "report"
    list_display = ("sentence", "severity_shown", "state_shown", "subject", "measured_shown", "since")
    list_filter = (StateFilter, UnderFilter, "severity", "subject_kind", ("rule", AutocompleteSelectFilter))
    list_select_related = ("rule",)
    search_fields = ("subject_code",)
    search_help_text = _("Code of the employee, position, assignment or unit")
    change_list_template = "business_rules/violation_list.html"
    linked_lookups = ("severity__exact", "state")

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path("evaluate/", wrap(self.evaluate_view), name="business_rules_ruleviolation_evaluate"),
            path("<int:pk>/acknowledge/", wrap(self.acknowledge_view), name="business_rules_ruleviolation_acknowledge"),
            path("<int:pk>/waive/", wrap(self.waive_view), name="business_rules_ruleviolation_waive"),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        may = request.user.has_perm("business_rules.add_evaluationrun")
        return super().changelist_view(request, {**(extra_context or {}), "may_evaluate": may})

    # One violation

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one violation in words, with the records behind it and what may be done about it."""
        if object_id is None or request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        violation = self._violation(request, unquote(object_id))
        model = kind_named(violation.subject_kind).model
        subject = model.objects.visible_to(request.user).filter(pk=violation.subject_id).first()
        who = str(subject) if subject is not None else violation.subject_code
        verdict = verdict_of(violation, who)
        context = {
            **self.admin_site.each_context(request),
            "title": str(violation.rule),
            "subtitle": violation.subject_code,
            "opts": self.opts,
            "original": violation,
            "violation": violation,
            "severity": severity_badge(violation.severity),
            "state": state_badge(violation.state),
            "sentence": verdict.message,
            "remedy": verdict.remedy,
            "who": who,
            "kind": SubjectKind(violation.subject_kind).label,
            "subject_link": subject_link(violation.subject_kind, violation.subject_id) if subject is not None else "",
            "records": records_behind(violation, request.user),
            "facts": facts_of(violation),
            "waivers": waivers_of(violation, request.user),
            "origin": origin_of(violation, request.user),
            "judged": judged_by(violation, request.user),
            "story": story_of(violation, request.user),
            "observed": measured(violation.observed),
            "limit": measured(violation.limit),
            "today": today(),
            "may_acknowledge": self._may_acknowledge(request, violation),
            "may_waive": self._may_waive(request, violation),
            "timeline_link": reverse("admin:audit_log_auditentry_changelist")
            + "?"
            + urlencode({"record": f"business_rules.ruleviolation:{violation.pk}"}),
            "media": self.media,
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "business_rules/violation.html", context)

    def _violation(self, request: HttpRequest, pk: Any) -> RuleViolation:
        violation = self.get_object(request, str(pk))
        if violation is None:
            raise Http404
        return violation

    def _may_acknowledge(self, request: HttpRequest, violation: RuleViolation) -> bool:
        return violation.state == ViolationState.OPEN and request.user.has_perm("business_rules.change_ruleviolation")

    def _may_waive(self, request: HttpRequest, violation: RuleViolation) -> bool:
        stands = violation.state in (ViolationState.OPEN, ViolationState.ACKNOWLEDGED)
        if not stands or not request.user.has_perm("business_rules.add_waiver"):
            return False
        # As the service asks: the severity on the violation is as old as the last sweep.
        _code, severity = setting_for(violation.rule, violation.subject_kind, violation.subject_id)
        role: Any = getattr(request.user, "role", "")
        return role in WAIVES[Severity(severity)]

    # Deeds; the services ask again whether they may happen

    def acknowledge_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        violation = self._violation(request, pk)
        if not request.user.has_perm("business_rules.change_ruleviolation"):
            raise PermissionDenied
        dialog = Dialog(
            title=_("Acknowledge"),
            about=sentence_of(violation),
            help=_("It stays on the list, marked as seen, until it is resolved or waived."),
            submit=_("Acknowledge"),
            back=self._back(request, violation),
            fields={"reason": text_field(label=_now("Note"), required=False)},
        )

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            acknowledge_violation(violation=violation, actor=request.user, reason=values["reason"])  # type: ignore[arg-type]
            return _now("Acknowledged.")

        return self.run_dialog(request, dialog, deed)

    def waive_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        violation = self._violation(request, pk)
        if not request.user.has_perm("business_rules.add_waiver"):
            raise PermissionDenied
        proposed = today() + timedelta(days=DAYS_PROPOSED)
        dialog = Dialog(
            title=_("Waive"),
            about=sentence_of(violation),
            help=_("You answer for letting this stand until the day you name. It reopens by itself on the day after."),
            submit=_("Waive"),
            back=self._back(request, violation),
            change=severity_badge(violation.severity),
            fields={
                "reason": text_field(label=_now("Reason"), required=True),
                "expires_on": date_field(label=_now("In force until"), required=True, initial=proposed),
            },
        )

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            waive_violation(
                violation=violation,
                actor=request.user,  # type: ignore[arg-type]
                reason=values["reason"],
                expires_on=values["expires_on"],
            )
            day = date_format(values["expires_on"], "SHORT_DATE_FORMAT")
            return _now("Waived until %(day)s.") % {"day": day}

        return self.run_dialog(request, dialog, deed)

    def evaluate_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for an evaluation of the reader's part of the organisation, and show how it goes."""
        if request.method != "POST" or not request.user.has_perm("business_rules.add_evaluationrun"):
            raise PermissionDenied
        try:
            run = request_sweep(actor=request.user)  # type: ignore[arg-type]
        except Refusal as refusal:
            raise PermissionDenied(str(refusal)) from refusal
        return HttpResponseRedirect(reverse("admin:business_rules_evaluationrun_change", args=(run.pk,)))

    def _back(self, request: HttpRequest, violation: RuleViolation) -> str:
        return self.back_from(request, reverse("admin:business_rules_ruleviolation_change", args=(violation.pk,)))

    # Columns

    @display(description=_("what is wrong"))
    def sentence(self, violation: RuleViolation) -> Any:
        return two_lines(violation.rule.name, sentence_of(violation))

    @display(description=_("severity"))
    def severity_shown(self, violation: RuleViolation) -> Any:
        return severity_badge(violation.severity)

    @display(description=_("state"))
    def state_shown(self, violation: RuleViolation) -> Any:
        return state_badge(violation.state)

    @display(description=_("about"))
    def subject(self, violation: RuleViolation) -> Any:
        link = subject_link(violation.subject_kind, violation.subject_id)
        kind = SubjectKind(violation.subject_kind).label
        if not link:
            return two_lines(violation.subject_code, kind)
        return two_lines(format_html('<a class="underline" href="{}">{}</a>', link, violation.subject_code), kind)

    @display(description=_("observed / limit"))
    def measured_shown(self, violation: RuleViolation) -> Any:
        if violation.observed is None:
            return "–"
        return f"{measured(violation.observed)} / {measured(violation.limit)}"

    @display(description=_("since"))
    def since(self, violation: RuleViolation) -> Any:
        return date_format(violation.first_seen, "SHORT_DATE_FORMAT")

    since.admin_order_field = "first_seen"
