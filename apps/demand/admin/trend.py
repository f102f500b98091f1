"""The trend of coverage: a page of the weeks gone by, the current one and those to come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from apps.common.admin.dialogs import PAGE_MEDIA
from apps.common.weekbars import hours_text
from apps.common.weeks import week_code
from apps.org.filters import units_offered
from apps.org.models import OrgUnit

from ..templatetags.coverage import as_percent
from ..trend import Week, trend
from .waterfall_asked import VIEW, where_asked

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
else:
    Screen = object

BACK = (13, 26, 52)
# The drawing: hours above, percent below; the weeks share its width.
LEFT, WIDTH, NARROWEST = 60, 900, 14
TOP, GROUND = 24, 184
PERCENT_TOP, PERCENT_GROUND = 232, 304
HEIGHT = 318
MOST_PERCENT = 100


class TrendPage(Screen):  # type: ignore[misc]
    """Adds the page to a screen."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.trend_view)
        return [path("trend/", view, name="demand_positioncoverage_trend"), *super().get_urls()]

    def trend_view(self, request: HttpRequest) -> HttpResponse:
        """Show how coverage went and where it goes, week by week."""
        where = where_asked(request, VIEW)
        back = request.GET.get("back", "")
        number = int(back) if back in map(str, BACK) else BACK[1]
        weeks = trend(where.place, back=number)
        waterfall = reverse(f"{self.admin_site.name}:demand_positioncoverage_waterfall")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Trend of coverage"),
            "content_title": _("Trend of coverage"),
            "subtitle": None,
            "where": where,
            **units_offered(request),
            "choices": BACK,
            "back": number,
            "drawing": _draw(weeks),
            "rows": list(reversed(_rows(weeks, waterfall, where.asked, self._corrections(request, where.unit)))),
            "closed": sum(week.is_closed for week in weeks),
            "has_figures": any(week.figures and (week.figures.required or week.figures.assigned) for week in weeks),
            "waterfall_url": f"{waterfall}?{urlencode(where.asked)}",
            "media": PAGE_MEDIA,
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "demand/trend.html", context)

    def _corrections(self, request: HttpRequest, unit: OrgUnit | None) -> Callable[[Week], dict[str, str]]:
        """Return what gives the addresses of a week's correction, and of where it is corrected."""
        site, may = self.admin_site.name, request.user.has_perm("changes.add_correction")
        page = reverse(f"{site}:demand_positioncoverage_correct")

        def links(week: Week) -> dict[str, str]:
            if not week.is_closed:
                return {}
            query = {"week": week_code(week.monday), **({"unit": unit.code} if unit else {})}
            stamp = week.stamp
            return {
                "correct": f"{page}?{urlencode(query)}" if may and week.figures is not None else "",
                "stamp_url": reverse(f"{site}:changes_correction_change", args=(stamp.correction,)) if stamp else "",
            }

        return links


def _rows(
    weeks: Sequence[Week], waterfall: str, asked: dict[str, str], links: Callable[[Week], dict[str, str]]
) -> list[dict[str, Any]]:
    rows = []
    for place, week in enumerate(weeks):
        before = weeks[place - 1] if place else None
        compare = ""
        if week.figures is not None and before is not None and before.figures is not None:
            query = {**asked, "from": week_code(before.monday), "to": week_code(week.monday)}
            compare = f"{waterfall}?{urlencode(query)}"
        rows.append({**links(week), "week": week,
                     "code": week_code(week.monday), "compare": compare, "figures": week.figures,
                     "was_percent": as_percent(week.was.coverage_percent) if week.was else "–",
                     "percent": as_percent(week.figures.coverage_percent) if week.figures else "–"})  # fmt: skip
    return rows


def _draw(weeks: Sequence[Week]) -> dict[str, Any]:
    """Return what the template needs to draw filled, missing and surplus hours, and coverage below, to one scale each.

    The line of percents is broken where a week has none.
    """
    known = [week.figures for week in weeks if week.figures is not None]
    highest = max((figures.filled + figures.deficit + figures.surplus for figures in known), default=0) or 1
    scale = (GROUND - TOP) / highest
    step = max(NARROWEST, WIDTH / max(1, len(weeks)))
    thickness = step * 0.62
    bars: list[dict[str, Any]] = []
    runs: list[list[str]] = [[]]
    dots = []
    for place, week in enumerate(weeks):
        left = LEFT + place * step + (step - thickness) / 2
        code = week_code(week.monday)
        item: dict[str, Any] = {
            "left": f"{left:.1f}",
            "middle": f"{left + thickness / 2:.1f}",
            "hit": f"{LEFT + place * step:.1f}",
            "code": code,
            "label": code.split("-")[1] if step > 40 or not place % 4 else "",
            "monday": week.monday,
            "figures": week.figures,
            "stamp": week.stamp,
        }
        percent = week.figures.coverage_percent if week.figures is not None else None
        if week.figures is not None:
            level, parts = float(GROUND), []
            for name in ("filled", "deficit", "surplus"):
                height = getattr(week.figures, name) * scale
                if height:
                    level -= height
                    parts.append({"name": name, "top": f"{level:.2f}", "height": f"{max(0.5, height - 0.8):.2f}"})
            item["parts"] = parts
            item["percent"] = as_percent(percent)
        if percent is None:
            runs.append([])
        else:
            height = PERCENT_GROUND - float(percent) / MOST_PERCENT * (PERCENT_GROUND - PERCENT_TOP)
            runs[-1].append(f"{left + thickness / 2:.1f},{height:.1f}")
            dots.append((f"{left + thickness / 2:.1f}", f"{height:.1f}", percent == MOST_PERCENT))
        bars.append(item)
    closed = sum(week.is_closed for week in weeks)
    return {
        "bars": bars,
        "lines": [" ".join(run) for run in runs if len(run) > 1],
        "dots": dots,
        "width": f"{LEFT + step * max(1, len(weeks)) + 8:.0f}",
        "height": HEIGHT,
        "left": LEFT,
        "bar": f"{thickness:.1f}",
        "step": f"{step:.1f}",
        "top": TOP,
        "ground": GROUND,
        "percent_top": PERCENT_TOP,
        "percent_ground": PERCENT_GROUND,
        "highest": hours_text(highest),
        "gone": f"{closed * step:.1f}",
        "now": f"{LEFT + (closed + 0.5) * step:.1f}",
    }
