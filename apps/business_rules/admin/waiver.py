"""The register of waivers: in force, ending soon or over, who answers for them and what they cover."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from apps.common.admin import HistoryMixin, ReadOnlyAdmin
from apps.common.admin.dialogs import Dialog, Dialogs, date_field, text_field
from apps.common.badges import Tone, badge, progress, two_lines
from apps.common.clock import today
from apps.common.filters import AutocompleteSelectFilter
from apps.imports.exporting import ListExportMixin
from apps.users.models import User

from ..enums import SubjectKind
from ..models import BusinessRule, Waiver
from ..services.waivers import end_waiver, grant_unit_waiver
from ..waived import Covered, covered_by
from .unit_field import UnitField
from .words import severity_badge, subject_link

SOON = timedelta(days=14)
DAYS_PROPOSED = 30
GRANTERS = 50


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


class GranterFilter(admin.SimpleListFilter):
    """Who granted them; chosen in the table above the list, which knows them all."""

    title = _("granted by")
    parameter_name = "granter"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        rows = Waiver.objects.visible_to(request.user).order_by().values("granted_by")  # type: ignore[arg-type]
        people = User.objects.filter(pk__in=rows).order_by("family_name", "given_name")[:GRANTERS]
        return [(str(person.pk), str(person)) for person in people]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        known = {value for value, _title in self.lookup_choices}
        if not self.value():
            return queryset
        return queryset.filter(granted_by=self.value()) if self.value() in known else queryset.none()


@admin.register(Waiver)
class WaiverAdmin(ListExportMixin, Dialogs, HistoryMixin, ReadOnlyAdmin):
    """Nobody edits a waiver: it is granted for a violation or a unit, and ended."""

    icon = "verified_user"
    list_display = ("what", "subject", "severity_shown", "reason_shown", "granted_by", "days_left", "covers")
    list_filter = (StandingFilter, GranterFilter, "severity", "subject_kind", ("rule", AutocompleteSelectFilter))
    list_select_related = ("rule", "granted_by", "org_unit")
    search_fields = ("subject_code",)
    ordering = ("-expires_on", "-id")
    fields = (
        "rule",
        "subject",
        "severity_shown",
        "reason",
        "granted_by",
        "expires_on",
        "days_left",
        "covers",
        "created_at",
    )
    readonly_fields = ("subject", "severity_shown", "days_left", "covers")
    change_list_template = "business_rules/waiver_list.html"
    change_form_template = "business_rules/waiver.html"

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path("unit/", wrap(self.unit_view), name="business_rules_waiver_unit"),
            path("<int:pk>/end/", wrap(self.end_view), name="business_rules_waiver_end"),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {
            "may_grant": request.user.has_perm("business_rules.add_waiver"),
            "granters": self._granters(request),
            "granter_chosen": request.GET.get(GranterFilter.parameter_name, ""),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Add to each waiver of the page what it covers, in one query for all of them."""
        changelist = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        covered = covered_by(rows)
        for row in rows:
            row.covered = covered.get(row.pk)
        changelist.result_list = rows
        return changelist

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        waiver = self.get_object(request, object_id)
        context = {"may_end": waiver is not None and self._may_end(request, waiver)}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def _granters(self, request: HttpRequest) -> list[dict[str, Any]]:
        """Return who granted what the reader may see: in force, soon over, over; the busiest first. One query."""
        day = today()
        force = Q(expires_on__gte=day)
        rows = (
            Waiver.objects.visible_to(request.user)  # type: ignore[arg-type]
            .order_by()
            .values("granted_by_id", "granted_by__given_name", "granted_by__family_name", "granted_by__email")
            .annotate(
                force=Count("pk", filter=force),
                soon=Count("pk", filter=force & Q(expires_on__lte=day + SOON)),
                over=Count("pk", filter=~force),
            )
            .order_by("-force", "-over", "granted_by__family_name")[:GRANTERS]
        )
        chosen = request.GET.get(GranterFilter.parameter_name, "")
        return [
            {
                **row,
                "name": f"{row['granted_by__given_name']} {row['granted_by__family_name']}".strip()
                or row["granted_by__email"],
                "link": "?" + urlencode({GranterFilter.parameter_name: row["granted_by_id"]}),
                "is_chosen": str(row["granted_by_id"]) == chosen,
            }
            for row in rows
        ]

    def _may_end(self, request: HttpRequest, waiver: Waiver) -> bool:
        own = waiver.granted_by_id == request.user.pk
        return waiver.expires_on >= today() and (own or request.user.has_perm("business_rules.change_waiver"))

    # Deeds; the services ask again whether they may happen

    def unit_view(self, request: HttpRequest) -> HttpResponse:
        """Grant a waiver for a unit with all below it."""
        if not request.user.has_perm("business_rules.add_waiver"):
            raise PermissionDenied
        rules = BusinessRule.objects.visible_to(request.user)  # type: ignore[arg-type]
        dialog = Dialog(
            title=_("Waive for a unit"),
            help=_(
                "The rule does not count in the unit and everything below it until the day you name. It covers what "
                "is no more severe than the rule is there today; the violations that stand are waived within seconds."
            ),
            submit=_("Waive"),
            back=self.back_from(request, reverse("admin:business_rules_waiver_changelist")),
            fields={
                "rule": forms.ModelChoiceField(
                    rules, label=_now("Rule"), required=True, widget=UnfoldAdminSelectWidget(), empty_label="–"
                ),
                "unit": UnitField(request.user, label=_now("Unit"), required=True, help_text=_now("Code or name")),
                "reason": text_field(label=_now("Reason"), required=True),
                "expires_on": date_field(
                    label=_now("In force until"), required=True, initial=today() + timedelta(days=DAYS_PROPOSED)
                ),
            },
        )

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            grant_unit_waiver(
                rule=values["rule"],
                unit=values["unit"],
                actor=request.user,  # type: ignore[arg-type]
                reason=values["reason"],
                expires_on=values["expires_on"],
            )
            day = date_format(values["expires_on"], "SHORT_DATE_FORMAT")
            return _now("Waived for %(unit)s until %(day)s.") % {"unit": values["unit"], "day": day}

        return self.run_dialog(request, dialog, deed)

    def end_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """End a waiver before its day."""
        waiver = self.get_object(request, str(pk))
        if waiver is None:
            raise Http404
        if not request.user.has_perm("business_rules.add_waiver"):
            raise PermissionDenied
        dialog = Dialog(
            title=_("End the waiver"),
            about=str(waiver),
            help=_("It is over as of today. What it covers is open again at once; of a unit, within seconds."),
            submit=_("End"),
            danger=True,
            back=self.back_from(request, reverse("admin:business_rules_waiver_change", args=(waiver.pk,))),
            fields={"reason": text_field(label=_now("Reason"), required=True)},
        )

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            end_waiver(waiver=waiver, actor=request.user, reason=values["reason"])  # type: ignore[arg-type]
            return _now("The waiver is over.")

        return self.run_dialog(request, dialog, deed)

    # Columns

    @display(description=_("rule"))
    def what(self, waiver: Waiver) -> Any:
        return two_lines(waiver.rule.label, waiver.rule.code)

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

    @display(description=_("granted for"))
    def severity_shown(self, waiver: Waiver) -> Any:
        return severity_badge(waiver.severity)

    @display(description=_("reason"))
    def reason_shown(self, waiver: Waiver) -> Any:
        return format_html('<span class="coveris-reason" title="{0}">{0}</span>', waiver.reason)

    @display(description=_("in force until"))
    def days_left(self, waiver: Waiver) -> Any:
        day = today()
        until = date_format(waiver.expires_on, "SHORT_DATE_FORMAT")
        if waiver.expires_on < day:
            return two_lines(until, badge(_("over"), "grey"))
        left = (waiver.expires_on - day).days + 1
        whole = max(left, (waiver.expires_on - timezone.localdate(waiver.created_at)).days + 1)
        soon = waiver.expires_on <= day + SOON
        text = ngettext("%(count)d day left", "%(count)d days left", left) % {"count": left}
        bar = progress(100 * left / whole, text, Tone.YELLOW if soon else Tone.GREEN)
        return two_lines(until, format_html("{} {}", bar, badge(_("ends soon"), "yellow", "schedule") if soon else ""))

    days_left.admin_order_field = "expires_on"

    @display(description=_("covers now"))
    def covers(self, waiver: Waiver) -> Any:
        found = waiver.covered if hasattr(waiver, "covered") else covered_by([waiver]).get(waiver.pk)
        if found is None:
            return "–"
        text = ngettext("%(count)d violation", "%(count)d violations", found.number) % {"count": found.number}
        return format_html('<a class="underline" href="{}">{}</a>', covered_link(waiver, found), text)


def covered_link(waiver: Waiver, covered: Covered) -> str:
    """Return the address of the violation a waiver covers, or of the list of them."""
    if covered.number == 1:
        return reverse("admin:business_rules_ruleviolation_change", args=(covered.violation,))
    query = {"state": "WAIVED", "rule__id__exact": str(waiver.rule_id), "under": str(waiver.org_unit_id)}
    return reverse("admin:business_rules_ruleviolation_changelist") + "?" + urlencode(query)
