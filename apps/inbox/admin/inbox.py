"""The page of the inbox: what waits for somebody in the reader's part of the organisation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.business_rules.enums import SEVERITY_COLOURS, Severity
from apps.common.admin.dialogs import PAGE_MEDIA
from apps.common.badges import Tone, badge
from apps.common.clock import today
from apps.common.columns import short_day, short_moment
from apps.common.errors import Refusal
from apps.common.paginator import REACHABLE_ROWS
from apps.org.filters import unit_asked, units_offered
from apps.org.models import OrgUnit

from ..enums import RANKS, AlertKind
from ..items import COUNTED, Sleep, Whose, find
from ..models import AlertRefresh
from ..reading import asked_by, kinds_of, may, subscription_of
from ..services import request_refresh
from ..telling import Told, tell
from .looks import LOOKS

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
    from apps.users.models import User
else:
    Screen = object

VIEW = "inbox.view_attention"
LONGEST_SEARCH = 100
SHAPES = {Severity.BLOCKING: "block", Severity.WARNING: "warning", Severity.INFO: "info"}


@dataclass(frozen=True)
class Wanted:
    """What the reader wants to see; what is no choice is as if it were not asked."""

    kind: AlertKind | None
    severity: Severity | None
    whose: Whose
    asleep: bool
    words: str
    unit: OrgUnit | None
    page: int

    def query(self, **changed: Any) -> str:
        asked: dict[str, Any] = {
            "kind": self.kind.value if self.kind else "",
            "severity": self.severity.value if self.severity else "",
            "whose": self.whose.value if self.whose != Whose.ALL else "",
            "state": Sleep.ASLEEP.value if self.asleep else "",
            "q": self.words,
            "unit": self.unit.code if self.unit else "",
            "page": self.page if self.page > 1 else "",
        } | changed
        return "?" + urlencode({name: value for name, value in asked.items() if value})

    @property
    def is_narrowed(self) -> bool:
        return self.query(page="") != "?"


class InboxPage(Screen):  # type: ignore[misc]
    """Adds the page to a screen."""

    def get_urls(self) -> list[Any]:
        guarded = self.admin_site.admin_view
        return [
            path("inbox/", guarded(self.inbox_view), name="inbox_attention_inbox"),
            path("inbox/refresh/", guarded(self.refresh_view), name="inbox_attention_refresh"),
            *super().get_urls(),
        ]

    def inbox_view(self, request: HttpRequest) -> HttpResponse:
        """Show one page of what waits, the worst and most urgent first, with counts by kind."""
        if request.method not in ("GET", "HEAD") or not request.user.has_perm(VIEW):
            raise PermissionDenied
        context = self._context(request)
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "inbox/inbox.html", {**self.admin_site.each_context(request), **context})

    def _context(self, request: HttpRequest) -> dict[str, Any]:
        user: Any = request.user
        wanted, size = _wanted(request), settings.COVERIS_PAGE_SIZE
        subscription = subscription_of(user)
        found = find(
            asked_by(
                user, subscription,
                root=wanted.unit.pk if wanted.unit else None,
                kinds=[wanted.kind] if wanted.kind else (),
                ranks=[RANKS.index(wanted.severity)] if wanted.severity else (),
                whose=wanted.whose,
                sleep=Sleep.ASLEEP if wanted.asleep else Sleep.AWAKE,
                words=wanted.words,
            ),
            limit=size, offset=(wanted.page - 1) * size,
        )  # fmt: skip
        number = found.count_of([wanted.kind] if wanted.kind else ())
        pages = max(1, -(-min(number, REACHABLE_ROWS) // size))
        refreshed = AlertRefresh.objects.first()
        acts = may(user, "change")
        told = tell(found.items, user, back=request.get_full_path())
        return {
            "title": _("Inbox"),
            "content_title": _("Inbox"),
            "subtitle": None,
            "wanted": wanted,
            "kinds": kinds_of(user),
            "severities": list(Severity),
            "whose_choices": [
                (Whose.ALL.value, _("Anybody's")),
                (Whose.MINE.value, _("Mine")),
                (Whose.NOBODY.value, _("Nobody's yet")),
            ],
            **units_offered(request),
            "tiles": _tiles(user, wanted, found.counts, found.count_of()),
            "rows": [_row(each, user, acts) for each in told],
            "number": _number(number),
            "pages": pages,
            "previous": wanted.query(page=wanted.page - 1) if 1 < wanted.page <= pages else "",
            "next": wanted.query(page=wanted.page + 1) if wanted.page < pages else "",
            "is_beyond": number > REACHABLE_ROWS and wanted.page == pages,
            "acts": acts,
            "refreshed": short_moment(refreshed.finished_at) if refreshed and refreshed.finished_at else "",
            "is_refreshing": bool(refreshed and refreshed.requested_at),
            "subscription": subscription,
            "sends_mail": settings.COVERIS_SENDS_MAIL,
            "here": request.get_full_path(),
            "media": PAGE_MEDIA,
        }  # fmt: skip

    def refresh_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for the cliffs ahead to be looked for again."""
        if request.method != "POST":
            raise PermissionDenied
        try:
            request_refresh(actor=request.user)  # type: ignore[arg-type]
        except Refusal as refusal:
            raise PermissionDenied(str(refusal)) from refusal
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:inbox_attention_inbox"))


def _wanted(request: HttpRequest) -> Wanted:
    """Return what is asked for; a unit out of sight is none."""
    asked = {name: request.GET.get(name, "").replace("\x00", "").strip()
             for name in ("kind", "severity", "whose", "state", "q", "page")}  # fmt: skip
    user: Any = request.user
    kind = AlertKind(asked["kind"]) if asked["kind"] in AlertKind else None
    last = REACHABLE_ROWS // settings.COVERIS_PAGE_SIZE
    number = asked["page"]
    page = int(number) if number.isascii() and number.isdigit() and len(number) < 6 else 1
    return Wanted(
        kind=kind if kind in kinds_of(user) else None,
        severity=Severity(asked["severity"]) if asked["severity"] in Severity else None,
        whose=Whose(asked["whose"]) if asked["whose"] in Whose else Whose.ALL,
        asleep=asked["state"] == Sleep.ASLEEP,
        words=asked["q"][:LONGEST_SEARCH],
        unit=unit_asked(request),
        page=min(max(1, page), last),
    )


def _number(number: int) -> str:
    """Return a count; beyond 10,000 it is no longer counted."""
    return str(number) if number <= COUNTED else _("more than 10,000")


def _tiles(user: User, wanted: Wanted, counts: dict[AlertKind, int], all_of_them: int) -> list[dict[str, Any]]:
    tiles = [
        {
            "label": _("Everything"), "number": _number(all_of_them), "icon": "inbox", "tone": "",
            "link": wanted.query(kind="", page=""), "is_chosen": wanted.kind is None,
        }
    ]  # fmt: skip
    for kind in kinds_of(user):
        number = counts.get(kind, 0)
        tone, icon = LOOKS[kind]
        tiles.append(
            {
                "label": kind.label, "number": _number(number), "icon": icon, "tone": tone if number else "",
                "link": wanted.query(kind=kind.value, page=""), "is_chosen": wanted.kind == kind,
            }
        )  # fmt: skip
    return tiles


def _row(told: Told, user: User, acts: bool) -> dict[str, Any]:
    item = told.item
    severity = RANKS[item.rank]
    token = item.key.token
    return {
        "told": told,
        "item": item,
        "kind": badge(item.key.kind.label, *LOOKS[item.key.kind]),
        "severity": badge(severity.label, SEVERITY_COLOURS[severity], SHAPES[severity]),
        "when": _when(item.day),
        "is_near": item.day is not None and item.day >= today(),
        "since": short_day(localtime(item.since).date()),
        "state": _state(told, user),
        "deeds": [
            (reverse("admin:inbox_attention_deed", args=(token, deed)), text, icon)
            for deed, text, icon, fits in (
                ("acknowledge", _("Acknowledge"), "visibility", not item.is_noted),
                ("assign", _("Assign"), "person_add", True),
                ("snooze", _("Snooze"), "snooze", not item.is_asleep),
                ("wake", _("Wake"), "alarm", item.is_asleep),
            )
            if fits
        ]
        if acts
        else [],
    }


def _when(day: date | None) -> str:
    """Return the day an item is about, as far from today as it is."""
    if day is None:
        return _("now")
    days = (day - today()).days
    if days < 0:
        return ngettext("since %(day)s, %(n)d day ago", "since %(day)s, %(n)d days ago", -days) % {
            "day": short_day(day), "n": -days,
        }  # fmt: skip
    if days == 0:
        return _("today")
    return ngettext("by %(day)s, in %(n)d day", "by %(day)s, in %(n)d days", days) % {"day": short_day(day), "n": days}


def _state(told: Told, user: User) -> list[Any]:
    item, shown = told.item, []
    if item.assigned_to_id is not None:
        mine = item.assigned_to_id == user.pk
        shown.append(badge(_("yours") if mine else item.assigned_to, Tone.PETROL, "person"))
    else:
        shown.append(badge(_("nobody's yet"), Tone.GREY, "person_off"))
    if item.is_noted:
        shown.append(badge(_("acknowledged"), Tone.GREEN, "visibility"))
    if item.is_asleep:
        shown.append(badge(_("sleeps until %(day)s") % {"day": short_day(item.snoozed_until)}, Tone.GREY, "snooze"))
    elif item.snoozed_until is not None and item.snoozed_until > today():
        shown.append(badge(_("got worse: awake again"), Tone.RED, "alarm"))
    return shown
