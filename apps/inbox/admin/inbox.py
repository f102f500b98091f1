"""The page of the inbox: what waits for somebody in the reader's part of the organisation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.forms import Media
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
from apps.common.walking import number_or_more
from apps.imports.exporting import answer_table
from apps.org.filters import unit_asked, units_offered
from apps.org.models import OrgUnit

from ..enums import RANKS, AlertKind
from ..items import Asked, Found, Sleep, Whose, find
from ..models import AlertRefresh, Subscription
from ..reading import asked_by, kinds_of, may, subscription_of
from ..services import request_refresh
from ..telling import Told, tell
from .looks import LOOKS

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
    from apps.users.models import User
else:
    Screen = object

VIEW, EXPORT = "inbox.view_attention", "inbox.export_attention"
# A file holds as many items as the pages of the whole house reach.
MOST_TAKEN_OUT = REACHABLE_ROWS
CHOOSING = Media(js=["coveris/js/choosing.js"])
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
            path("inbox/export/", guarded(self.export_view), name="inbox_attention_export"),
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
        asked = _asked(user, subscription, wanted)
        reachable = min(REACHABLE_ROWS, asked.counted)
        page = min(wanted.page, max(1, reachable // size))
        found = find(asked, limit=size, offset=(page - 1) * size)
        number = found.count_of([wanted.kind] if wanted.kind else ())
        pages = max(1, -(-min(number, reachable) // size))
        refreshed = AlertRefresh.objects.first()
        acts = may(user, "change")
        told = tell(found.items, user, back=request.get_full_path())
        return {
            "title": _("Inbox"),
            "content_title": _("Inbox"),
            "subtitle": None,
            "wanted": wanted,
            "page": page,
            "kinds": kinds_of(user),
            "severities": list(Severity),
            "whose_choices": [
                (Whose.ALL.value, _("Anybody's")),
                (Whose.MINE.value, _("Mine")),
                (Whose.NOBODY.value, _("Nobody's yet")),
            ],
            **units_offered(request),
            "tiles": _tiles(user, wanted, found),
            "rows": [_row(each, user, acts) for each in told],
            "number": number_or_more(number, found.most),
            "pages": pages,
            "previous": wanted.query(page=page - 1) if 1 < page <= pages else "",
            "next": wanted.query(page=page + 1) if page < pages else "",
            "is_beyond": number > reachable and page == pages,
            "acts": acts,
            "exports": _exports(request, wanted, self.admin_site.name),
            "refreshed": short_moment(refreshed.finished_at) if refreshed and refreshed.finished_at else "",
            "is_refreshing": bool(refreshed and refreshed.requested_at),
            "subscription": subscription,
            "sends_mail": settings.COVERIS_SENDS_MAIL,
            "here": request.get_full_path(),
            "media": PAGE_MEDIA + CHOOSING,
        }  # fmt: skip

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Answer the file of what the page shows, its other pages too."""
        if request.method not in ("GET", "HEAD") or not request.user.has_perm(EXPORT):
            raise PermissionDenied
        user: Any = request.user
        # All of it is read: of a large part too its subjects are found first.
        asked = replace(_asked(user, subscription_of(user), _wanted(request)), walked=False)
        items = find(asked, limit=MOST_TAKEN_OUT, counted=False).items
        rows = [_header(), *(_line(told) for told in tell(items, user))]
        format = "xlsx" if request.GET.get("format") == "xlsx" else "csv"
        return answer_table(request, rows, title=_("Inbox"), kind="inbox", format=format)

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


def _asked(user: User, subscription: Subscription, wanted: Wanted) -> Asked:
    return asked_by(
        user, subscription,
        root=wanted.unit.pk if wanted.unit else None,
        kinds=[wanted.kind] if wanted.kind else (),
        ranks=[RANKS.index(wanted.severity)] if wanted.severity else (),
        whose=wanted.whose,
        sleep=Sleep.ASLEEP if wanted.asleep else Sleep.AWAKE,
        words=wanted.words,
    )  # fmt: skip


def _exports(request: HttpRequest, wanted: Wanted, site: str) -> list[tuple[str, str, str]]:
    """Return name, icon and address of each file the reader may take out."""
    if not request.user.has_perm(EXPORT):
        return []
    link = reverse(f"{site}:inbox_attention_export")
    return [
        (_("Export CSV"), "download", link + wanted.query(page="")),
        (_("Export Excel"), "table_view", link + wanted.query(page="", format="xlsx")),
    ]


def _header() -> list[str]:
    return [
        _("Severity"), _("Kind"), _("About"), _("Unit"), _("What is wrong"), _("Day"), _("Told since"),
        _("Assigned to"), _("Acknowledged"), _("Sleeps until"), _("Note"),
    ]  # fmt: skip


def _line(told: Told) -> list[Any]:
    item = told.item
    return [
        RANKS[item.rank].label, item.key.kind.label, told.subject, told.unit, told.what, item.day,
        localtime(item.since).date(), item.assigned_to, _("yes") if item.is_noted else "",
        item.snoozed_until if item.is_asleep else None, item.note,
    ]  # fmt: skip


def _tiles(user: User, wanted: Wanted, found: Found) -> list[dict[str, Any]]:
    tiles = [
        {
            "label": _("Everything"), "number": number_or_more(found.count_of(), found.most), "icon": "inbox",
            "tone": "", "link": wanted.query(kind="", page=""), "is_chosen": wanted.kind is None,
        }
    ]  # fmt: skip
    for kind in kinds_of(user):
        number = found.counts.get(kind, 0)
        tone, icon = LOOKS[kind]
        tiles.append(
            {
                "label": kind.label, "number": number_or_more(number, found.most), "icon": icon,
                "tone": tone if number else "", "link": wanted.query(kind=kind.value, page=""),
                "is_chosen": wanted.kind == kind,
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
        "token": token,
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
