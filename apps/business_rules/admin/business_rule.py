"""The catalogue of rules: how severe, from which threshold, when, and what is different in which unit."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.forms import Media
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.common.admin import BaseAdmin, BaseTabularInline, HistoryMixin
from apps.common.admin.dialogs import PAGE_MEDIA, Dialog, text_field, with_back
from apps.common.admin.tabs import RecordTabs, Tab
from apps.common.badges import badge, two_lines
from apps.common.clock import today
from apps.common.walking import number_or_more
from apps.imports.exporting import ListExportMixin

from ..counting import RuleCounts, count_by_rule
from ..definitions import definition_of
from ..enums import UNRESOLVED, DraftState, SubjectKind
from ..models import BusinessRule, RuleDraft, RuleOverride
from ..services.catalogue import remove_override, save_override, save_rules
from ..services.drafts import draft_rule, roll_back
from ..unjudged import Unjudged, unjudged
from ..versions import said_in, version_of, versions_of
from .conditions import RuleConditionMixin
from .contents import condition_in_words, difference_lines, told_content, told_differences
from .pinned_cases import PinnedCases
from .rule_draft import LOOKS, draft_badge, effect_page
from .rule_health import RuleHealthPage
from .words import severity_badge

DRAFTS_TOLD = 50


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
class BusinessRuleAdmin(
    RuleHealthPage, PinnedCases, RuleConditionMixin, ListExportMixin, RecordTabs, HistoryMixin, BaseAdmin
):
    """Everybody reads the catalogue; the ADMIN edits it, drafts rules of one's own and takes versions back."""

    icon = "gavel"
    in_palette = True
    list_display = ("rule", "subject_kind", "severity_shown", "threshold", "in_effect", "exceptions")
    list_filter = ("severity", "subject_kind", "enabled")
    search_fields = ("code", "name")
    readonly_fields = ("code", "subject_kind", "said_condition", "said_message", "said_measure")
    inlines = (OverrideInline,)
    change_list_template = "business_rules/rule_list.html"
    form_tab_title = _("Rule")
    record_tabs = (
        Tab("versions", _("Versions")),
        Tab("drafts", _("Drafts"), "business_rules.ruledraft"),
        Tab("cases", _("Pinned cases"), "business_rules.ruleexample"),
    )
    fieldsets = (
        (None, {"fields": (("code", "subject_kind"), "name", "description")}),
        (_("How it is judged"), {"fields": (("severity", "threshold"), ("enabled",))}),
        (_("When"), {"fields": (("effective_from", "effective_until"),)}),
        (_("Recorded"), {"fields": (("created_at", "updated_at"),)}),
    )

    @property
    def media(self) -> Media:
        return super().media + LOOKS

    def get_urls(self) -> list[Any]:
        wrap, base = self.admin_site.admin_view, "business_rules_businessrule"
        return [
            path("<int:object_id>/draft/", wrap(self.draft_view), name=f"{base}_draft"),
            path("<int:object_id>/versions/<int:version>/back/", wrap(self.roll_back_view), name=f"{base}_roll_back"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        may = request.user.has_perm("business_rules.add_ruledraft")
        open_drafts = RuleDraft.objects.visible_to(request.user).filter(state=DraftState.DRAFT).count() if may else 0  # type: ignore[arg-type]
        context = {**(extra_context or {}), "may_draft": may, "open_drafts": open_drafts}
        return super().changelist_view(request, context)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets: list[Any] = list(super().get_fieldsets(request, obj))
        if obj is not None and obj.is_own:
            says = {
                "fields": ("said_condition", "said_message", "said_measure"),
                "description": _("These change by a draft, whose effect is seen before it acts: “Draft a change”."),
            }
            fieldsets.insert(1, (_("What it says"), says))
        return fieldsets

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
        counts = self._counts(request)

        @display(description=_("violations"))
        def violations(rule: BusinessRule) -> Any:
            states = counts.of(rule)
            if counts.most is not None and any(number > counts.most for number in states.values()):
                return number_or_more(counts.most + 1, counts.most)
            return sum(states.values()) or "–"

        failing = unjudged(BusinessRule.objects.filter(enabled=True).exclude(condition=""))

        @display(description=_("in effect"))
        def in_effect(rule: BusinessRule) -> Any:
            return self.in_effect(rule, failing)

        columns = (in_effect if name == "in_effect" else name for name in self.list_display)
        return (*columns, violations)

    def _counts(self, request: HttpRequest) -> RuleCounts:
        """Return what the reader sees of each rule; counted once a request, though columns are asked for twice."""
        known: dict[str, RuleCounts] = request.__dict__.setdefault("_coveris_rule_counts", {})
        if not known:
            reader: Any = request.user
            known["now"] = count_by_rule(BusinessRule.objects.visible_to(reader), reader, UNRESOLVED)
        return known["now"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def perform_save(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> Any:
        return save_rules(rules=[obj], actor=request.user)[0]  # type: ignore[arg-type]

    # What it says

    @display(description=_("condition"))
    def said_condition(self, rule: BusinessRule) -> Any:
        return two_lines(condition_in_words(rule), rule.condition)

    @display(description=_("message"))
    def said_message(self, rule: BusinessRule) -> Any:
        return rule.message

    @display(description=_("measure"))
    def said_measure(self, rule: BusinessRule) -> Any:
        return rule.measure or "–"

    # The head and the tabs of its page

    def record_title(self, obj: BusinessRule) -> str:
        return obj.label

    def record_facts(self, request: HttpRequest, obj: BusinessRule) -> list[Any]:
        judges = _now("judges each %(kind)s") % {"kind": SubjectKind(obj.subject_kind).label}
        return [severity_badge(obj.severity), self.in_effect(obj), judges,
                _now("version %(version)s") % {"version": obj.version}]  # fmt: skip

    def record_context(self, request: HttpRequest, obj: BusinessRule, current: str) -> dict[str, Any]:
        may = request.user.has_perm("business_rules.add_ruledraft")
        draft = reverse("admin:business_rules_businessrule_draft", args=(obj.pk,))
        return {
            **super().record_context(request, obj, current),
            "record_extras": ["business_rules/rule_buttons.html"] if may else [],
            "draft_link": with_back(draft, self.tab_url(obj, current)),
        }

    def versions_tab(self, request: HttpRequest, obj: BusinessRule) -> dict[str, Any]:
        rows = versions_of(obj)
        may = request.user.has_perm("business_rules.add_ruledraft")
        versions = []
        for place, row in enumerate(rows):
            before = said_in(rows[place + 1]) if place + 1 < len(rows) else None
            back = reverse("admin:business_rules_businessrule_roll_back", args=(obj.pk, row.version))
            versions.append({
                "row": row,
                "is_current": row.version == obj.version,
                "differences": told_differences(before, said_in(row)) if before is not None else [],
                "content": told_content(said_in(row)) if before is None else [],
                "back": back if may and row.version != obj.version else "",
            })  # fmt: skip
        return {"versions": versions, "media": PAGE_MEDIA + LOOKS}

    def drafts_tab(self, request: HttpRequest, obj: BusinessRule) -> dict[str, Any]:
        rows = RuleDraft.objects.visible_to(request.user).filter(rule=obj)  # type: ignore[arg-type]
        drafts = rows.select_related("created_by")[:DRAFTS_TOLD]
        return {
            "drafts": [
                {
                    "draft": draft,
                    "state": draft_badge(draft),
                    "link": effect_page(draft),
                    "stale": draft.is_open and draft.based_on != obj.version,
                }
                for draft in drafts
            ],
            "media": PAGE_MEDIA + LOOKS,
        }

    def cases_tab(self, request: HttpRequest, obj: BusinessRule) -> dict[str, Any]:
        return {**self.cases_of(request, obj), "media": PAGE_MEDIA + LOOKS}

    # Deeds; the services ask again whether they may happen

    def draft_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        rule = self._draftable(request, object_id)
        dialog = Dialog(
            title=_("Draft a change"),
            about=rule.label,
            help=_("The rule goes on acting as it is until the draft is published."),
            submit=_("Begin the draft"),
            back=self.back_from(request, self.tab_url(rule, "drafts")),
            fields={"note": text_field(label=_now("Why"), required=False)},
        )

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            draft = draft_rule(rule=rule, actor=request.user, note=values["note"])  # type: ignore[arg-type]
            dialog.back = reverse("admin:business_rules_ruledraft_change", args=(draft.pk,))
            return _now("The draft says what the rule says now. Change it, then simulate it.")

        return self.run_dialog(request, dialog, deed)

    def roll_back_view(self, request: HttpRequest, object_id: int, version: int) -> HttpResponse:
        rule = self._draftable(request, object_id)
        # Asked of the list: one that never was is not found.
        if version not in {row.version for row in versions_of(rule)}:
            raise Http404
        dialog = Dialog(
            title=_now("Go back to version %(version)s") % {"version": version},
            about=rule.label,
            help=_("It becomes a new version, simulated and held to the pinned cases like any other."),
            lines=difference_lines(rule, version_of(rule, version)),
            submit=_("Go back"),
            back=self.tab_url(rule, "versions"),
            fields={"reason": text_field(label=_now("Reason"), required=True)},
        )

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            back = roll_back(rule=rule, version=version, actor=request.user, reason=values["reason"])  # type: ignore[arg-type]
            return _now("The rule says again what it said in version %(old)s, as version %(new)s.") % {
                "old": version, "new": back.version,
            }  # fmt: skip

        return self.run_dialog(request, dialog, deed)

    def _draftable(self, request: HttpRequest, pk: int) -> BusinessRule:
        rule: Any = self.get_object(request, str(pk))
        if rule is None:
            raise Http404
        if not request.user.has_perm("business_rules.add_ruledraft"):
            raise PermissionDenied
        found: BusinessRule = rule
        return found

    # Columns

    @display(description=_("rule"))
    def rule(self, rule: BusinessRule) -> Any:
        return two_lines(rule.label, f"{rule.code} · {_now('own rule')}" if rule.is_own else rule.code)

    rule.admin_order_field = "code"

    @display(description=_("severity"))
    def severity_shown(self, rule: BusinessRule) -> Any:
        return severity_badge(rule.severity)

    @display(description=_("in effect"))
    def in_effect(self, rule: BusinessRule, failing: Unjudged | None = None) -> Any:
        day = today()
        if definition_of(rule) is None:
            return badge(_("not judged yet"), "grey", hint=_("No code stands behind this rule in this version."))
        if not rule.enabled:
            return badge(_("off"), "grey")
        if rule.effective_from and rule.effective_from > day:
            return badge(_("later"), "blue", "schedule")
        if rule.effective_until and rule.effective_until < day:
            return badge(_("over"), "grey")
        if rule.code in (unjudged([rule]) if failing is None else failing):
            return badge(
                _("cannot be judged"),
                "red",
                "error",
                hint=_("Its condition cannot be read, or failed: nobody is held to it."),
            )
        return badge(_("on"), "green")

    @display(description=_("exceptions"))
    def exceptions(self, rule: BusinessRule) -> Any:
        return getattr(rule, "exceptions_seen", 0) or "–"
