"""What changed between two weeks: a page beside the adjustments, the records behind each cause, and its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from apps.common.admin.dialogs import PAGE_MEDIA
from apps.common.weeks import horizon, week_code
from apps.imports.exporting import MOST_ROWS, answer_table
from apps.org.filters import units_offered

from ..services import request_comparison
from ..waterfall import BRIDGED, Behind, Part, Waterfall, closed_weeks
from .kept_answers import told
from .waterfall_answers import answer_of, pages_of
from .waterfall_asked import EXPORT, VIEW, Asked, shortcuts, weeks_asked, where_asked
from .waterfall_bars import FIGURE_NAMES, bridge, counted, figure_tiles, moved_row, signed
from .waterfall_files import cause_rows, record_rows
from .waterfall_records import Seen, record_row

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
else:
    Screen = object


class WaterfallPage(Screen):  # type: ignore[misc]
    """Adds the page and its file to a screen."""

    def get_urls(self) -> list[Any]:
        guarded, name = self.admin_site.admin_view, "demand_positioncoverage_waterfall"
        return [
            path("waterfall/", guarded(self.waterfall_view), name=name),
            path("waterfall/anew/", guarded(self.waterfall_anew_view), name=f"{name}_anew"),
            path("waterfall/export/", guarded(self.waterfall_export_view), name=f"{name}_export"),
            *super().get_urls(),
        ]

    def waterfall_view(self, request: HttpRequest) -> HttpResponse:
        """Show what makes two weeks differ, and the records behind the cause that was chosen."""
        where = where_asked(request, VIEW)
        gone, to_come = closed_weeks(horizon()[0]), horizon()
        asked = weeks_asked(request, where, gone, to_come)
        answer = answer_of(request, asked)
        found = answer.found
        site = self.admin_site.name
        name = f"{site}:demand_positioncoverage_waterfall"
        context = {
            **self.admin_site.each_context(request),
            "title": _("What changed"),
            "content_title": _("What changed"),
            "subtitle": None,
            "asked": asked,
            "where": where,
            **units_offered(request),
            "weeks_gone": [(week_code(week), week) for week in reversed(gone)],
            "weeks_to_come": [(week_code(week), week) for week in to_come],
            "first_code": week_code(asked.first),
            "second_code": week_code(asked.second),
            "shortcuts": shortcuts(asked, gone, to_come),
            "found": found,
            "kept": told(answer.kept),
            "anew_url": reverse(f"{name}_anew") + asked.query() if answer.kept else "",
            "trend_url": f"{reverse(f'{site}:demand_positioncoverage_trend')}?{urlencode(where.asked)}",
            "export_url": reverse(f"{name}_export") + asked.query() if found and request.user.has_perm(EXPORT) else "",
            "media": PAGE_MEDIA,
        }
        if found:
            context |= {
                "tiles": figure_tiles(found.before.figures, found.after.figures),
                "bridges": [bridge(asked, found, figure) for figure in ("assigned", "required", "unqualified")],
                "moved": [] if where.position else [moved_row(asked, item) for item in found.moved],
                "behind": self._behind(request, asked, found),
            }
        request.current_app = site  # type: ignore[attr-defined]
        return TemplateResponse(request, "demand/waterfall.html", context)

    def _behind(self, request: HttpRequest, asked: Asked, found: Waterfall) -> dict[str, Any] | None:
        """Return the chosen cause's records, a page of them; None where no cause is chosen."""
        if asked.cause is None:
            return None
        part = next((part for part in found.parts if part.cause == asked.cause), Part(asked.cause, 0, 0, 0, 0))
        pages = pages_of(part)
        page = min(asked.page, pages)
        rows = found.records
        seen = Seen.of(request, rows)
        shown = [name for name in BRIDGED if getattr(part, name)] or ["assigned"]
        return {
            "cause": asked.cause.label,
            "part": part,
            "count": counted(part.records),
            "figures": [(FIGURE_NAMES[name](), signed(getattr(part, name))) for name in shown],
            "rows": [record_row(row, seen, shown, self.admin_site.name) for row in rows],
            "has_people": any(row.employee_id for row in rows),
            "page": page,
            "pages": pages,
            "previous": asked.query(page=str(page - 1)) if page > 1 else "",
            "next": asked.query(page=str(page + 1)) if page < pages else "",
            "without": asked.query(cause=""),
        }

    def waterfall_export_view(self, request: HttpRequest) -> HttpResponse:
        """Answer the file of what the page shows: the causes, or all records behind the one that was chosen."""
        where = where_asked(request, EXPORT)
        asked = weeks_asked(request, where, closed_weeks(horizon()[0]), horizon())
        found = answer_of(request, asked, Behind(asked.cause, limit=MOST_ROWS) if asked.cause else None).found
        if found is None:  # the page says how far it is
            page = reverse(f"{self.admin_site.name}:demand_positioncoverage_waterfall")
            return HttpResponseRedirect(page + asked.query())
        rows = record_rows(request, found, asked.cause) if asked.cause else cause_rows(found)
        return answer_table(request, rows, title=_("What changed"), kind="waterfall")

    def waterfall_anew_view(self, request: HttpRequest) -> HttpResponse:
        """Have workers compare the two weeks anew, and show how far they are."""
        if request.method != "POST":
            raise PermissionDenied
        where = where_asked(request, VIEW, reading=False)
        asked = weeks_asked(request, where, closed_weeks(horizon()[0]), horizon())
        if not where.position:
            request_comparison(
                actor=request.user,  # type: ignore[arg-type]
                place=where.place, first=asked.first, second=asked.second, anew=True,
            )  # fmt: skip
        page = reverse(f"{self.admin_site.name}:demand_positioncoverage_waterfall")
        return HttpResponseRedirect(page + asked.query())
