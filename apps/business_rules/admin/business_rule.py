"""The catalogue of rules: how severe, from which threshold, when, and what is different in which unit."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.common.admin import BaseAdmin, BaseTabularInline, HistoryMixin
from apps.common.badges import badge, two_lines
from apps.common.clock import today

from ..models import BusinessRule, RuleOverride, RuleViolation
from ..registry import rule_with_code
from ..services.catalogue import remove_override, save_override, save_rules
from .conditions import RuleConditionMixin
from .words import severity_badge


class OverrideInline(BaseTabularInline):
    """What units do otherwise; the nearest one up the tree wins."""

    model = RuleOverride
    fields = ("org_unit", "severity", "threshold")
    verbose_name_plural = _("exceptions of units, with all below them")
    can_delete = True
    tab = False
    show_change_link = False

    def perform_save(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> Any:
        return save_override(override=obj, actor=request.user)  # type: ignore[arg-type]

    def perform_delete(self, request: HttpRequest, obj: Any) -> None:
        remove_override(override=obj, actor=request.user)  # type: ignore[arg-type]


@admin.register(BusinessRule)
class BusinessRuleAdmin(RuleConditionMixin, HistoryMixin, BaseAdmin):
    """Everybody reads the catalogue; the ADMIN edits it. Rules come with the code that judges them."""

    icon = "gavel"
    in_palette = True
    list_display = ("rule", "subject_kind", "severity_shown", "threshold", "in_effect", "exceptions")
    list_filter = ("severity", "subject_kind", "enabled")
    search_fields = ("code", "name")
    readonly_fields = ("code", "subject_kind")
    inlines = (OverrideInline,)
    fieldsets = (
        (None, {"fields": (("code", "subject_kind"), "name", "description")}),
        (_("How it is judged"), {"fields": (("severity", "threshold"), ("enabled",))}),
        (_("When"), {"fields": (("effective_from", "effective_until"),)}),
        (_("Recorded"), {"fields": (("created_at", "updated_at"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        if request.resolver_match is None or not str(request.resolver_match.url_name).endswith("_changelist"):
            return rows
        reader: Any = request.user
        visible = RuleOverride.objects.visible_to(reader).order_by().values("pk")
        return rows.annotate(
            exceptions_seen=Count("overrides", filter=Q(overrides__in=visible), distinct=True),
        )

    def get_list_display(self, request: HttpRequest) -> Any:
        """Add the column that counts, in one query for all rules, the violations the reader may see."""
        rows = RuleViolation.objects.visible_to(request.user).unresolved().order_by()  # type: ignore[arg-type]
        counted = dict(rows.values_list("rule_id").annotate(Count("pk")))

        @display(description=_("violations"))
        def violations(rule: BusinessRule) -> Any:
            return counted.get(rule.pk, 0) or "–"

        return (*self.list_display, violations)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def perform_save(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> Any:
        return save_rules(rules=[obj], actor=request.user)[0]  # type: ignore[arg-type]

    # Columns

    @display(description=_("rule"))
    def rule(self, rule: BusinessRule) -> Any:
        return two_lines(rule.name, rule.code)

    rule.admin_order_field = "code"

    @display(description=_("severity"))
    def severity_shown(self, rule: BusinessRule) -> Any:
        return severity_badge(rule.severity)

    @display(description=_("in effect"))
    def in_effect(self, rule: BusinessRule) -> Any:
        day = today()
        if rule_with_code(rule.code) is None:
            return badge(_("not judged yet"), "grey", hint=_("No code stands behind this rule in this version."))
        if not rule.enabled:
            return badge(_("off"), "grey")
        if rule.effective_from and rule.effective_from > day:
            return badge(_("later"), "blue", "schedule")
        if rule.effective_until and rule.effective_until < day:
            return badge(_("over"), "grey")
        return badge(_("on"), "green")

    @display(description=_("exceptions"))
    def exceptions(self, rule: BusinessRule) -> Any:
        return getattr(rule, "exceptions_seen", 0) or "–"
