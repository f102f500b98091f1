"""The health of the rules: a page beside the catalogue for who answers for waivers."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from apps.common.admin.dialogs import PAGE_MEDIA
from apps.common.badges import Tone, progress
from apps.common.walking import number_or_more
from apps.org.querysets import scope_of

from ..enums import ViolationState
from ..health import RuleHealth, health_of
from .words import page_of, severity_badge, state_badge

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
else:
    Screen = object

# Who may decide about other people's waivers is who has to know how the rules are doing.
PERMISSION = "business_rules.change_waiver"


class RuleHealthPage(Screen):  # type: ignore[misc]
    """Adds the page to the catalogue of rules, and the button that leads there."""

    change_list_template = "business_rules/rule_list.html"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.health_view)
        return [path("health/", view, name="business_rules_businessrule_health"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        may = request.user.has_perm(PERMISSION)
        return super().changelist_view(request, {"may_see_health": may, **(extra_context or {})})

    def health_view(self, request: HttpRequest) -> HttpResponse:
        """Show how the rules are doing in the reader's part of the organisation."""
        if request.method not in ("GET", "HEAD") or not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        user: Any = request.user
        rules = health_of(user)
        slowest = max((item.milliseconds for item in rules if item.milliseconds is not None), default=0)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Health of the rules"),
            "subtitle": None,
            "opts": self.opts,
            "is_scoped": scope_of(user) is not None,
            "rules": [_row(item) for item in rules],
            "attention": [_row(item) for item in rules if item.failed or item.contradictions or item.off],
            "never": [item for item in rules if item.never_fired],
            "most_waived": [_row(item) for item in sorted(rules, key=_by_waivers) if item.waivers or item.waived],
            "slowest": [
                {"name": item.rule.label, "bar": _bar(item, slowest)}
                for item in sorted(rules, key=lambda item: -(item.milliseconds or 0))
                if item.milliseconds is not None
            ],
            "media": PAGE_MEDIA,
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "business_rules/rule_health.html", context)


def _by_waivers(item: RuleHealth) -> tuple[float, int, str]:
    return -(item.waived_percent or 0), -item.waivers, item.rule.code


def _row(item: RuleHealth) -> dict[str, Any]:
    query = {"rule__id__exact": str(item.rule.pk)}
    violations = reverse("admin:business_rules_ruleviolation_changelist")
    return {
        "health": item,
        "name": item.rule.label,
        "link": page_of(type(item.rule), item.rule.pk),
        "severity": severity_badge(item.rule.severity),
        "states": [
            (
                state_badge(state),
                number_or_more(item.states[state], item.most),
                f"{violations}?{urlencode({**query, 'state': state})}",
            )
            for state in (ViolationState.OPEN, ViolationState.ACKNOWLEDGED, ViolationState.WAIVED)
            if item.states[state]
        ],
        "waivers_link": reverse("admin:business_rules_waiver_changelist")
        + "?"
        + urlencode({**query, "standing": "force"}),
        "share": _share(item),
        "off": [(off, page_of(type(off.unit), off.unit.pk)) for off in item.off],
        "contradictions": [
            (one, page_of(type(one.unit), one.unit.pk) if one.unit is not None else "") for one in item.contradictions
        ],
    }


def _share(item: RuleHealth) -> Any:
    share = item.waived_percent
    if share is None and item.unresolved:
        return "–"  # more than were counted
    if item.is_at_most:
        return progress(share, f"≤ {number_format(ceil(share or 0), 0)} %", Tone.BLUE)
    return progress(share, f"{number_format(share or 0, 0)} %", Tone.BLUE)


def _bar(item: RuleHealth, slowest: float) -> Any:
    took = item.milliseconds or 0
    text = _("%(time)s ms") % {"time": number_format(took, 1)}
    return progress(100 * took / slowest if slowest else 0, text, Tone.PETROL)
