"""The sidebar: the product's rooms in the words of the people who work in them.

A line appears when its model has a screen and the person may see it; a group without lines does not appear.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from django.apps import apps
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from apps.common.clock import today
from apps.inbox.items import count_mine


class Line(NamedTuple):
    """One entry: a model's list, or a named page of the admin. Without a title it is called as its model."""

    icon: str
    model: str = ""
    page: str = ""
    title: Any = ""
    permission: str = ""
    counter: Callable[[Any, date], int] | None = None  # how many wait for the user today


MENU: list[tuple[Any, list[Line]]] = [
    (
        None,
        [
            Line("dashboard", page="index", title=_("Overview")),
            Line(
                "inbox",
                page="inbox_attention_inbox",
                title=_("Inbox"),
                permission="inbox.view_attention",
                counter=count_mine,
            ),
        ],
    ),
    (
        _("Structure"),
        [
            Line("account_tree", "org.orgunit"),
            Line("work", "org.position"),
            Line("tune", "demand.demandadjustment"),
        ],
    ),
    (
        _("People"),
        [
            Line("badge", "org.employee"),
            Line("beach_access", "org.leave"),
            Line("verified", "tags.employeetag"),
            Line("sell", "tags.tagcatalog"),
        ],
    ),
    (
        _("Coverage"),
        [
            Line("assignment_ind", "assignments.assignment"),
            Line("grid_view", "demand.unitcoverage", title=_("Coverage board")),
            Line("view_week", "demand.positioncoverage"),
            Line(
                "event_upcoming",
                page="demand_positioncoverage_cliffs",
                title=_("Coverage running out"),
                permission="demand.view_positioncoverage",
            ),
            Line(
                "person_alert",
                page="demand_positioncoverage_dependence",
                title=_("Hanging on one person"),
                permission="demand.view_positioncoverage",
            ),
            Line(
                "waterfall_chart",
                page="demand_positioncoverage_waterfall",
                title=_("What changed"),
                permission="demand.view_positioncoverage",
            ),
            Line(
                "show_chart",
                page="demand_positioncoverage_trend",
                title=_("Trend of coverage"),
                permission="demand.view_positioncoverage",
            ),
            Line("history_edu", "changes.correction"),
            Line("account_balance_wallet", "offer.ledgerweek"),
            Line(
                "balance",
                page="offer_ledgerweek_usage",
                title=_("Over- and under-used people"),
                permission="offer.view_ledgerweek",
            ),
        ],
    ),
    (
        _("Rules"),
        [
            Line("report", "business_rules.ruleviolation"),
            Line("gavel", "business_rules.businessrule"),
            Line("edit_note", "business_rules.ruledraft"),
            Line("verified_user", "business_rules.waiver"),
            Line("play_circle", "business_rules.evaluationrun"),
            Line(
                "monitor_heart",
                page="business_rules_businessrule_health",
                title=_("Health of the rules"),
                permission="business_rules.change_waiver",
            ),
        ],
    ),
    (
        _("Sheets and records"),
        [
            Line("upload_file", "imports.importjob"),
            Line("download", "imports.exportjob"),
            Line("history", "audit_log.auditentry"),
        ],
    ),
    (
        _("Administration"),
        [
            Line("group", "users.user"),
            Line("policy", "org.unitscope"),
            Line("schedule", "django_celery_beat.periodictask"),
            Line("sync_problem", "changes.deadletter"),
            Line("fact_check", "changes.proof"),
            Line("mail", "inbox.digest"),
            Line("webhook", "webhooks.webhookendpoint"),
            Line("outbox", "webhooks.webhookdelivery"),
        ],
    ),
]


def navigation(request: HttpRequest, site: AdminSite) -> list[dict[str, Any]]:
    """Return the sidebar of this person."""
    groups = []
    for title, lines in MENU:
        items = [item for line in lines if (item := _item(line, request, site)) is not None]
        if items:
            groups.append({"title": title, "separator": False, "collapsible": False, "items": items})
    found: list[dict[str, Any]] = [item for group in groups for item in group["items"]]
    # A page that hangs below another's address is itself and not the other too.
    pages = [item["link"] for item in found if request.path.startswith(item["link"])]
    for item in found:
        if item["link"] in pages and item["link"] != max(pages, key=len):
            item["active"] = False
    return groups


def _item(line: Line, request: HttpRequest, site: AdminSite) -> dict[str, Any] | None:
    if line.page:
        if line.permission and not request.user.has_perm(line.permission):
            return None
        try:
            item = {"title": line.title, "icon": line.icon, "link": reverse(f"{site.name}:{line.page}")}
        except NoReverseMatch:  # a site without that screen
            return None
        if line.counter is not None and (number := line.counter(request.user.pk, today())):
            item["badge"] = number
        return item
    try:
        model = apps.get_model(line.model)
    except LookupError:
        return None
    screen = site._registry.get(model)
    if screen is None or not screen.has_view_or_change_permission(request):
        return None
    opts = model._meta
    return {
        "title": line.title or capfirst(str(opts.verbose_name_plural)),
        "icon": line.icon,
        "link": reverse(f"{site.name}:{opts.app_label}_{opts.model_name}_changelist"),
    }
