"""The board of coverage: the tree with its figures, a week at a time or thirteen side by side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef
from django.forms import Media
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from apps.changes.freshness import freshness_shown
from apps.common.admin import ReadOnlyAdmin
from apps.common.admin.dialogs import PAGE_MEDIA
from apps.common.weeks import horizon, week_code
from apps.org.enums import UnitKind
from apps.org.models import OrgUnit
from apps.tags.enums import Level
from apps.tags.models import PositionTag, TagCatalog

from ..board import closed_weeks
from ..enums import CoverageState
from ..levels import NET_ZERO, UNQUALIFIED, Answer, Order, UnitAt
from ..models import UnitCoverage
from .board_asked import EXPORT, OPEN_AT_MOST, VIEW, WEEKS, Asked, answered, read_asked
from .board_files import BoardFiles
from .board_pack import BoardPack
from .board_rows import MOST_SHOWN, closed_figures, rows_of, units_on
from .cliffs import CliffsPage
from .corrections import CorrectionPage, correction_links
from .dependence import DependencePage
from .trend import TrendPage
from .waterfall import WaterfallPage

BOARD_MEDIA = PAGE_MEDIA + Media(js=["coveris/js/board.js"])
COLUMNS = 9  # of the board, without the second target
TAGS_OFFERED, CLOSED_OFFERED = 300, 104


@admin.register(UnitCoverage)
class UnitCoverageAdmin(
    CliffsPage, DependencePage, WaterfallPage, TrendPage, CorrectionPage, BoardFiles, BoardPack, ReadOnlyAdmin
):
    """The organisation by its coverage, from the whole to a unit, its positions and who is on them."""

    icon = "grid_view"

    def get_urls(self) -> list[Any]:
        guarded = self.admin_site.admin_view
        return [
            path("export/", guarded(self.export_view), name="demand_unitcoverage_export"),
            path("print/", guarded(self.print_view), name="demand_unitcoverage_print"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the levels that are open; how many queries it takes does not depend on how many rows there are."""
        asked = read_asked(request, VIEW)
        answer, asked = answered(asked)
        if not answer.places and asked.page > 1:
            return HttpResponseRedirect(asked.query(page=""))
        context = self._board(request, asked, answer) | (extra_context or {})
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "demand/board.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead from a unit's stored figures to their place on the board."""
        stored = self.get_object(request, object_id)
        if stored is None or not self.has_view_permission(request, stored):
            raise Http404
        board = reverse(f"{self.admin_site.name}:demand_unitcoverage_changelist")
        return HttpResponseRedirect(f"{board}?{urlencode({'unit': stored.org_unit.code})}")

    def _board(self, request: HttpRequest, asked: Asked, answer: Answer) -> dict[str, Any]:
        user: Any = request.user
        paths = [place.line.path for place in answer.places if isinstance(place.line, UnitAt) and place.level == 0]
        units = units_on(request, [*paths, asked.unit.path if asked.unit else ()])
        site = self.admin_site.name
        closed = closed_weeks(CLOSED_OFFERED)
        required = PositionTag.objects.filter(tag=OuterRef("pk"), level=Level.REQUIRED)
        tags = TagCatalog.objects.visible_to(user).filter(Exists(required)).order_by("name")[:TAGS_OFFERED]
        rows = rows_of(asked, answer, units, site, was=closed_figures(asked, answer))
        title = _("Coverage, 13 weeks") if asked.view == WEEKS else _("Coverage board")
        return {
            **self.admin_site.each_context(request),
            "title": title,
            "content_title": title,
            "subtitle": None,
            "asked": asked,
            "is_weeks": asked.view == WEEKS,
            "is_flat": asked.is_flat,
            "is_worst_first": asked.order == Order.WORST,
            "rows": rows,
            "has_headroom": answer.has_headroom,
            "columns": COLUMNS + answer.has_headroom,
            "is_cut": len(answer.places) > MOST_SHOWN,
            "most": MOST_SHOWN,
            "most_open": OPEN_AT_MOST if len(answer.opened) >= OPEN_AT_MOST else 0,
            "weeks": [(week_code(week), week) for week in asked.weeks],
            "week_code": week_code(asked.week),
            "week_last": asked.week + timedelta(days=6),
            "weeks_to_come": _choices(horizon()),
            "weeks_closed": _choices(closed),
            "around": _around(asked, {*closed, *horizon()}),
            "above": _above(asked, units),
            "kinds": UnitKind.choices,
            "states": [*CoverageState.choices, (UNQUALIFIED, _("Unqualified hours")), (NET_ZERO, _("Net-zero units"))],
            "tags": tags,
            "hidden": _hidden(asked),
            "closed_at": answer.closed_at,
            **correction_links(request, asked, answer, site),
            "freshness": None if answer.closed_at else freshness_shown(),
            "pages": answer.pages,
            "page_links": _pages(asked, answer),
            "board_url": asked.query(view="", page=""),
            "weeks_url": asked.query(view=WEEKS, page=""),
            "whole_url": asked.query(unit="", open=None, page=""),
            "plain_url": asked.query(kind="", state="", tag="", page=""),
            "files": self.file_links(asked) if user.has_perm(EXPORT) and rows else [],
            "print_url": reverse(f"{site}:demand_unitcoverage_print") + asked.query(view="", page="") if rows else "",
            "media": BOARD_MEDIA,
        }


def _above(asked: Asked, units: Mapping[int, OrgUnit]) -> list[tuple[str, str]]:
    """Return the way down to the unit at the top: the names of those above it, and their boards."""
    above = [units[pk] for pk in asked.unit.path[:-1] if pk in units] if asked.unit else []
    return [(unit.name, asked.query(unit=unit.code, open=None, page="")) for unit in above]


def _choices(weeks: list[date]) -> list[tuple[str, date]]:
    return [(week_code(week), week) for week in weeks]


def _around(asked: Asked, known: set[date]) -> dict[str, str]:
    """Return the addresses of the weeks before and after, where there are figures."""
    found = {}
    for name, days in (("before", -7), ("after", 7)):
        week = asked.week + timedelta(days=days)
        found[name] = asked.query(week=week_code(week)) if week in known else ""
    return found


def _hidden(asked: Asked) -> list[tuple[str, str]]:
    """Return what the form of filters hands on as it is."""
    kept = ("view", "unit", "open", "week") if asked.view == WEEKS else ("view", "unit", "open")
    return [(name, value) for name, value in asked.parameters().items() if name in kept]


def _pages(asked: Asked, answer: Answer) -> dict[str, str]:
    links = {}
    if asked.page > 1:
        links["before"] = asked.query(page=asked.page - 1 if asked.page > 2 else "")
    if asked.page < answer.pages:
        links["after"] = asked.query(page=asked.page + 1)
    return links
