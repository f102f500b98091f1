"""Drafts: a rule is written, tried on everybody there is, published or put aside."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.forms import Media
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.common.admin import BaseAdmin, HistoryMixin
from apps.common.admin.changelist import CappedChangeList
from apps.common.admin.dialogs import PAGE_MEDIA, Dialog, text_field
from apps.common.admin.tabs import RecordTabs, Tab
from apps.common.badges import badge, two_lines
from apps.common.columns import moment_column
from apps.common.errors import Refusal
from apps.imports.exporting import ListExportMixin

from ..enums import DraftState, SubjectKind
from ..language.errors import ConditionError
from ..models import RuleDraft
from ..services.drafts import discard_draft, publish_draft, save_draft, simulate_draft, take_over
from ..versions import examples_of, version_of
from .contents import difference_lines, told_content, told_differences
from .draft_form import OWN, ask_why, code_from, kind_choices, known_kind, write_fields
from .outcome import told_cases, told_outcome
from .pinned_cases import PinnedCases
from .words import severity_badge

STATES = {
    DraftState.DRAFT: ("yellow", "edit"),
    DraftState.PUBLISHED: ("green", None),
    DraftState.DISCARDED: ("grey", None),
}
LOOKS = Media(css={"all": ["coveris/css/overview.css", "coveris/css/rules.css"]}, js=["coveris/js/busy.js"])


def draft_badge(draft: RuleDraft) -> Any:
    """Return the badge of where a draft stands."""
    tone, shape = STATES[DraftState(draft.state)]
    return badge(DraftState(draft.state).label, tone, shape)


class DraftStateFilter(admin.SimpleListFilter):
    """Open ones by themselves: the others are over."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*DraftState.choices, ("all", _("All"))]

    def choices(self, changelist: Any) -> Any:
        for value, title in self.lookup_choices:
            yield {
                "selected": (self.value() or DraftState.DRAFT) == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": title,
            }

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value() or DraftState.DRAFT
        return queryset.filter(state=value) if value in DraftState else queryset


class DraftList(CappedChangeList):
    def url_for_result(self, result: Any) -> str:
        return effect_page(result)


def effect_page(draft: RuleDraft) -> str:
    """Return the address of what a draft would do."""
    return reverse("admin:business_rules_ruledraft_effect", args=(quote(draft.pk),))


@admin.register(RuleDraft)
class RuleDraftAdmin(PinnedCases, ListExportMixin, RecordTabs, HistoryMixin, BaseAdmin):
    """The drafts of administrators; nobody else knows of them."""

    icon = "edit_note"
    list_display = ("draft", "state_shown", "what", "severity_shown", "looked_at", "by", "touched")
    list_filter = (DraftStateFilter, "subject_kind")
    list_select_related = ("rule", "created_by")
    search_fields = ("code", "name")
    form_tab_title = _("What it says")
    record_tabs = (Tab("effect", _("What it would do")), Tab("cases", _("Pinned cases"), "business_rules.ruleexample"))

    @property
    def media(self) -> Media:
        return super().media + LOOKS

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[CappedChangeList]:
        return DraftList

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        deeds = (
            ("simulate", self.simulate_view),
            ("publish", self.publish_view),
            ("take-over", self.take_over_view),
            ("discard", self.discard_view),
        )
        return [
            *(
                path(f"<int:object_id>/{name}/", wrap(view), name=f"business_rules_ruledraft_{name.replace('-', '_')}")
                for name, view in deeds
            ),
            *super().get_urls(),
        ]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        over = isinstance(obj, RuleDraft) and not obj.is_open
        return not over and super().has_change_permission(request, obj)

    # The form

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Ask first what a new rule is about: its words depend on it."""
        context = {**(extra_context or {}), "show_save_and_add_another": False, "show_save_and_continue": False}
        if object_id is None:
            if not self.has_add_permission(request):
                raise PermissionDenied
            if not known_kind(request.GET.get("kind", "")):
                return self._choose_kind(request)
            context["title"] = _now("New rule")
        return super().changeform_view(request, object_id, form_url, context)

    def _choose_kind(self, request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise Http404
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _now("New rule"),
            "subtitle": None,
            "kinds": kind_choices(),
            "media": PAGE_MEDIA + LOOKS,
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "business_rules/choose_kind.html", context)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = (("code", "subject_kind"),) if obj is not None else ("code",)
        own = obj is None or obj.is_own
        return [
            (None, {"fields": ("name", *fixed), "description": self._about(request, obj)}),
            *([(_("What it says"), {"fields": OWN})] if own else []),
            (_("How it is judged"), {"fields": (("severity", "threshold"), "enabled")}),
            (_("When"), {"fields": (("effective_from", "effective_until"),)}),
            (_("Why"), {"fields": ("note", "description")}),
        ]

    def _about(self, request: HttpRequest, obj: RuleDraft | None) -> str:
        if obj is not None:
            return ""
        kind = SubjectKind(known_kind(request.GET.get("kind", ""))).label
        return _now("New rule: judges each %(kind)s") % {"kind": kind}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        named = [*super().get_readonly_fields(request, obj)]
        if obj is not None:
            # Of another kind it is another rule, and a rule keeps its code.
            named += ["subject_kind", *(["code"] if obj.rule_id is not None else [])]
        return named

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        kind = obj.subject_kind if obj is not None else known_kind(request.GET.get("kind", ""))
        if obj is None or obj.is_own:
            refusal = getattr(request, "_coveris_refusal", None)
            write_fields(form, kind, obj.measure if obj is not None else "", refusal)
        ask_why(form)
        return form

    def perform_save(self, request: HttpRequest, obj: RuleDraft, form: Any, change: bool) -> RuleDraft:
        if not change:
            obj.subject_kind = known_kind(request.GET.get("kind", ""))
        obj.code = obj.code or code_from(obj.name)
        try:
            return save_draft(draft=obj, actor=request.user)  # type: ignore[arg-type]
        except Refusal as refusal:
            raise _placed(refusal, obj) from refusal

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        return HttpResponseRedirect(effect_page(obj))

    def response_post_save_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        return HttpResponseRedirect(effect_page(obj))

    # The head of its pages

    def record_title(self, obj: RuleDraft) -> str:
        return obj.label

    def record_facts(self, request: HttpRequest, obj: RuleDraft) -> list[Any]:
        facts = [draft_badge(obj), severity_badge(obj.severity)]
        if obj.rule is not None:
            link = reverse("admin:business_rules_businessrule_change", args=(obj.rule.pk,))
            named = _now("of the rule %(code)s") % {"code": obj.rule.code}
            facts.append(format_html('<a href="{}">{}</a>', link, named))
        else:
            facts.append(_now("new rule: judges each %(kind)s") % {"kind": SubjectKind(obj.subject_kind).label})
        return facts

    def record_context(self, request: HttpRequest, obj: RuleDraft, current: str) -> dict[str, Any]:
        may = obj.is_open and self.has_change_permission(request, obj)
        base = "admin:business_rules_ruledraft"
        return {
            **super().record_context(request, obj, current),
            "record_extras": ["business_rules/draft_buttons.html"] if may else [],
            "deeds": {
                name: reverse(f"{base}_{name}", args=(obj.pk,))
                for name in ("simulate", "publish", "discard", "take_over")
            },
            "hindrances": hindrances(obj) if may else [],
        }

    # Its tabs

    def effect_tab(self, request: HttpRequest, obj: RuleDraft) -> dict[str, Any]:
        return {
            "draft": obj,
            "differences": told_differences(obj.rule, obj) if obj.rule is not None and obj.is_open else [],
            "content": told_content(obj),
            "outcome": told_outcome(obj),
            "cases": told_cases(examples_of(obj), obj.outcome),
            "kind": SubjectKind(obj.subject_kind).label,
            "is_current": obj.is_simulated,
            "is_stale": _is_stale(obj),
            "may": self.has_change_permission(request, obj),
            "edit": self.tab_url(obj, "change"),
            "cases_link": self.tab_url(obj, "cases"),
            "media": PAGE_MEDIA + LOOKS,
        }

    def cases_tab(self, request: HttpRequest, obj: RuleDraft) -> dict[str, Any]:
        return {**self.cases_of(request, obj), "media": PAGE_MEDIA + LOOKS}

    # Deeds; the services ask again whether they may happen

    def simulate_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        draft = self._draft(request, object_id)
        try:
            simulate_draft(draft=draft, actor=request.user)  # type: ignore[arg-type]
        except (Refusal, ConditionError) as error:
            for sentence in error.explain() if isinstance(error, Refusal) else [str(error)]:
                messages.error(request, sentence)
        else:
            messages.success(request, _now("Simulated: this is what it would do. Nothing was changed."))
        return HttpResponseRedirect(effect_page(draft))

    def publish_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        draft = self._draft(request, object_id)
        before = draft.rule
        dialog = Dialog(
            title=_("Publish"),
            about=draft.label,
            help=_("From now on it acts: at the gate at once, on the violations within seconds."),
            lines=[*_effects(draft), *(difference_lines(before, draft) if before is not None else [])],
            submit=_("Publish"),
            back=effect_page(draft),
            fields={"reason": text_field(label=_now("Why"), required=False, initial=draft.note)},
        )

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            rule = publish_draft(draft=draft, actor=request.user, reason=values["reason"])  # type: ignore[arg-type]
            dialog.back = reverse("admin:business_rules_businessrule_versions", args=(rule.pk,))
            return _now("Published as version %(version)s.") % {"version": rule.version}

        return self.run_dialog(request, dialog, deed)

    def take_over_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        draft = self._draft(request, object_id)
        dialog = Dialog(
            title=_("Compare and take over"),
            about=draft.label,
            help=_("The rule was changed since the draft began. Taken over, the draft stands as it is and replaces "
                   "what changed meanwhile."),
            lines=_meanwhile(draft),
            submit=_("Take over"),
            back=effect_page(draft),
        )  # fmt: skip

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            take_over(draft=draft, actor=request.user)  # type: ignore[arg-type]
            return _now("The draft is now based on the version that acts. Simulate it before it is published.")

        return self.run_dialog(request, dialog, deed)

    def discard_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        draft = self._draft(request, object_id)
        dialog = Dialog(
            title=_("Discard"),
            about=draft.label,
            help=_("It is put aside and stays among the discarded ones."),
            submit=_("Discard"),
            back=reverse("admin:business_rules_ruledraft_changelist"),
            fields={"reason": text_field(label=_now("Why"), required=False)},
            danger=True,
        )

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            discard_draft(draft=draft, actor=request.user, reason=values["reason"])  # type: ignore[arg-type]
            return _now("Discarded.")

        return self.run_dialog(request, dialog, deed)

    def _draft(self, request: HttpRequest, pk: int) -> RuleDraft:
        draft: Any = self.get_object(request, str(pk))
        if draft is None:
            raise Http404
        if not request.user.has_perm("business_rules.change_ruledraft"):
            raise PermissionDenied
        found: RuleDraft = draft
        return found

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("rule", "created_by")

    # Columns

    @display(description=_("draft"))
    def draft(self, draft: RuleDraft) -> Any:
        return two_lines(draft.label, draft.code)

    @display(description=_("state"))
    def state_shown(self, draft: RuleDraft) -> Any:
        return draft_badge(draft)

    @display(description=_("what becomes of it"))
    def what(self, draft: RuleDraft) -> Any:
        if draft.published_version is not None:
            return _now("became version %(version)s") % {"version": draft.published_version}
        if draft.rule is None:
            return _now("a new rule")
        return _now("changes version %(version)s") % {"version": draft.based_on}

    @display(description=_("severity"))
    def severity_shown(self, draft: RuleDraft) -> Any:
        return severity_badge(draft.severity)

    @display(description=_("simulated"))
    def looked_at(self, draft: RuleDraft) -> Any:
        if not draft.simulated:
            return badge(_now("not yet"), "grey", "schedule")
        return badge(_now("as it stands"), "green") if draft.is_simulated else badge(_now("before a change"), "yellow")

    @display(description=_("drafted by"))
    def by(self, draft: RuleDraft) -> Any:
        return draft.created_by

    touched = moment_column("updated_at", _("last change"))


def hindrances(draft: RuleDraft) -> list[str]:
    """Return what keeps a draft from being published as far as its page knows; the service asks everything again."""
    found = []
    if _is_stale(draft):
        found.append(_now("The rule was changed since the draft began: compare the two and take it over."))
    if not draft.simulated:
        found.append(_now("Look at what it would do first: simulate it."))
    elif not draft.is_simulated:
        found.append(_now("It was changed since it was simulated: simulate it again."))
    elif broken := sum(not case["holds"] for case in draft.outcome.get("cases", ())):
        found.append(_now("Pinned cases it contradicts: %(count)d.") % {"count": broken})
    return found


def _is_stale(draft: RuleDraft) -> bool:
    return draft.rule is not None and draft.is_open and draft.rule.version != draft.based_on


def _meanwhile(draft: RuleDraft) -> list[str]:
    if draft.rule is None or draft.based_on is None:
        return []
    since = difference_lines(version_of(draft.rule, draft.based_on), draft.rule)
    would = difference_lines(draft.rule, draft)
    return [
        *(_now("Changed meanwhile – %(what)s") % {"what": line} for line in since),
        *(_now("The draft would make of it – %(what)s") % {"what": line} for line in would),
    ]


def _effects(draft: RuleDraft) -> list[str]:
    if not draft.is_simulated:
        return []
    told = _now("Violations: %(now)d now, %(then)d then. %(opens)d open, %(closes)d close, %(changes)d change.")
    outcome = draft.outcome
    return [
        told % {
            "now": outcome["standing"], "then": outcome["proposed"], "opens": outcome["opens"],
            "closes": outcome["closes"], "changes": outcome["changes"],
        }
    ]  # fmt: skip


def _placed(refusal: Refusal, draft: RuleDraft) -> Refusal:
    """Return the refusal with the place in the text told in words too, for who sees no mark."""
    told = _now("%(sentence)s (“%(part)s”, character %(place)d)")
    reasons = []
    for reason in refusal.reasons:
        text = getattr(draft, reason.field, "") if reason.field in OWN else ""
        start, length = reason.facts.get("start", 0), reason.facts.get("length", 0)
        if text and length:
            part = {"sentence": reason.message, "part": text[start : start + length], "place": start + 1}
            reason = replace(reason, message=told % part)
        reasons.append(reason)
    return Refusal(reasons)
