"""The cliff calendar: a page beside the adjustments, of what will stop being covered, and its file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import date_format, localize_input, number_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.changes.freshness import freshness_shown
from apps.changes.span import Span
from apps.common.admin.dialogs import PAGE_MEDIA
from apps.common.badges import Tone, badge, progress
from apps.common.clock import monday_of, today
from apps.common.columns import short_day
from apps.common.weekbars import Part, WeekBar, draw
from apps.common.weeks import week_code
from apps.imports.exporting import stream_table
from apps.org.enums import LeaveKind
from apps.org.filters import unit_asked, units_offered
from apps.org.models import Employee, OrgUnit
from apps.org.querysets import scope_of

from ..cliffs import Calendar, Cause, Cliff, Total, hours_of, kept_cliffs, kept_cliffs_in_turn, number_of_kept

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
else:
    Screen = object

VIEW, EXPORT = "demand.view_positioncoverage", "demand.export_positioncoverage"
HORIZONS = (30, 90, 180)
MOST_SHOWN = 300
# Beyond so many weeks the drawing is as wide as it has to be and scrolls in its frame.
WEEKS_IN_SIGHT = 14
FEW_WEEKS = 6
DAY = timedelta(days=1)

LOOKS: dict[Cause, tuple[str, str]] = {
    Cause.ASSIGNMENT: (Tone.RED, "event_busy"),
    Cause.LAST_DAY: (Tone.RED, "logout"),
    Cause.LEAVE: (Tone.BLUE, "beach_access"),
    Cause.TAG: (Tone.YELLOW, "workspace_premium"),
    Cause.CONTRACT: (Tone.GREY, "description"),
}
RECORDS = {
    Cause.ASSIGNMENT: "assignments_assignment",
    Cause.LAST_DAY: "org_employee",
    Cause.LEAVE: "org_leave",
    Cause.TAG: "tags_employeetag",
    Cause.CONTRACT: "tags_employeetag",
}


@dataclass(frozen=True)
class Asked:
    """What the reader wants to see."""

    days: int
    cause: Cause | None
    unit: OrgUnit | None

    @property
    def first(self) -> date:
        return today()

    @property
    def last(self) -> date:
        return today() + DAY * self.days

    def query(self, **changed: Any) -> str:
        asked: dict[str, Any] = {
            "days": self.days,
            "cause": self.cause.value if self.cause else "",
            "unit": self.unit.code if self.unit else "",
        } | changed
        return "?" + urlencode({name: value for name, value in asked.items() if value})


class CliffsPage(Screen):  # type: ignore[misc]
    """Adds the page and its file to a screen."""

    def get_urls(self) -> list[Any]:
        guarded = self.admin_site.admin_view
        return [
            path("cliffs/", guarded(self.cliffs_view), name="demand_positioncoverage_cliffs"),
            path("cliffs/export/", guarded(self.cliffs_export_view), name="demand_positioncoverage_cliffs_export"),
            *super().get_urls(),
        ]

    def cliffs_view(self, request: HttpRequest) -> HttpResponse:
        """Show what will stop being covered in the reader's part of the organisation."""
        asked = _asked(request, VIEW)
        calendar = _calendar(request, asked, MOST_SHOWN)
        rows = _rows(request, calendar.cliffs, self.admin_site.name)
        drawn = _weeks(asked, calendar)
        export = reverse(f"{self.admin_site.name}:demand_positioncoverage_cliffs_export")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Coverage running out"),
            "content_title": _("Coverage running out"),
            "subtitle": None,
            "asked": asked,
            "horizons": HORIZONS,
            "causes": list(Cause),
            **units_offered(request),
            "totals": [_tile(asked, None, sum(calendar.totals.values(), Total()))]
            + [_tile(asked, cause, total) for cause, total in calendar.totals.items()],
            "drawing": draw(drawn),
            "size": "long" if len(drawn) > WEEKS_IN_SIGHT else "short" if len(drawn) <= FEW_WEEKS else "",
            "show_all": Asked(asked.days, None, None).query(),
            "months": _months(rows, calendar, asked),
            "found": calendar.found,
            "shown": len(rows),
            "is_cut": calendar.is_cut,
            "export_url": export + asked.query() if request.user.has_perm(EXPORT) else "",
            "freshness": freshness_shown(),
            "media": PAGE_MEDIA,
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "demand/cliffs.html", context)

    def cliffs_export_view(self, request: HttpRequest) -> StreamingHttpResponse:
        """Answer the file of what the page shows, those beyond its last row too."""
        asked = _asked(request, EXPORT)
        place = _place(request, asked)
        number = number_of_kept(asked.first, asked.last, **place)
        return stream_table(request, _file(request, asked, place), rows_told=number, kind="cliffs")


def _asked(request: HttpRequest, permission: str) -> Asked:
    """Return what is asked for; what is no choice is as if it were not asked, a unit out of sight is none."""
    if request.method not in ("GET", "HEAD") or not request.user.has_perm(permission):
        raise PermissionDenied
    days, cause = (request.GET.get(name, "") for name in ("days", "cause"))
    return Asked(
        days=int(days) if days in map(str, HORIZONS) else HORIZONS[0],
        cause=Cause(cause) if cause in Cause else None,
        unit=unit_asked(request),
    )


def _place(request: HttpRequest, asked: Asked) -> dict[str, Any]:
    """Return which cliffs are asked for, of those the reader may see."""
    user: Any = request.user
    return {
        "root": asked.unit.pk if asked.unit else None,
        "scope": scope_of(user),
        "causes": [asked.cause] if asked.cause else (),
    }


def _calendar(request: HttpRequest, asked: Asked, limit: int) -> Calendar:
    return kept_cliffs(asked.first, asked.last, today=today(), limit=limit, **_place(request, asked))


def _file(request: HttpRequest, asked: Asked, place: dict[str, Any]) -> Iterator[Sequence[Any]]:
    """Yield the lines of the file, read so many at a time."""
    yield _header()
    for items in kept_cliffs_in_turn(asked.first, asked.last, today=today(), **place):
        seen = _seen(request, items)
        for item in items:
            yield (
                item.day, (item.day - today()).days, item.cause.label, _detail(item, seen),
                item.position_code, item.position_title, item.unit_code, item.unit_name, item.employee_number,
                item.employee_name, hours_of(item.hours), hours_of(item.needs), hours_of(item.left),
                hours_of(item.replacement), hours_of(item.proposed), item.replacement_on, item.back_on,
                item.owner,
            )  # fmt: skip


def _seen(request: HttpRequest, items: Iterable[Cliff]) -> set[int]:
    """Return which of the employees the reader may follow; somebody who left a unit may be out of sight by now."""
    user: Any = request.user
    return set(
        Employee.objects.visible_to(user)
        .filter(pk__in={item.employee_id for item in items})
        .values_list("pk", flat=True)
    )


def hours_text(hundredths: int) -> str:
    """Return weekly hours in the reader's notation, without decimals that say nothing."""
    return number_format(hours_of(hundredths), decimal_pos=2 if hundredths % 100 else 0, use_l10n=True)


def _detail(item: Cliff, seen: set[int]) -> str:
    """Return what is behind the cause, in words."""
    if item.cause == Cause.ASSIGNMENT:
        return _("Assignment until %(day)s") % {"day": short_day(item.day - DAY)}
    if item.cause == Cause.LAST_DAY:
        return _("Works until %(day)s") % {"day": short_day(item.day - DAY)}
    if item.cause == Cause.LEAVE:
        # Why somebody is away is for those who may see the person.
        kind = LeaveKind(item.record_name).label if item.employee_id in seen else _("Leave")
        if item.until is None:
            return _("%(kind)s, without a known end") % {"kind": kind}
        return _("%(kind)s until %(day)s") % {"kind": kind, "day": short_day(item.until)}
    return item.record_name


def _after(item: Cliff) -> str:
    """Return what becomes of the hours."""
    if item.cause == Cause.LEAVE:
        return _("Back on %(day)s") % {"day": short_day(item.back_on)} if item.back_on else ""
    if item.cause == Cause.TAG:
        return _("The hours go on, unqualified.")
    if item.cause == Cause.CONTRACT:
        return _("The hours stay covered; the employee's capacity ends.")
    return ""


def _rows(request: HttpRequest, items: Sequence[Cliff], site: str) -> list[dict[str, Any]]:
    seen = _seen(request, items)
    may_propose = request.user.has_perm("assignments.add_assignment")
    return [_row(item, seen, site, may_propose) for item in items]


def _row(item: Cliff, seen: set[int], site: str, may_propose: bool) -> dict[str, Any]:
    tone, icon = LOOKS[item.cause]
    followed = item.employee_id in seen or item.cause == Cause.ASSIGNMENT
    return {
        "item": item,
        "days_left": _days_left(item.day),
        "cause": badge(item.cause.label, tone, icon),
        "detail": _detail(item, seen),
        "after": _after(item),
        "hours": hours_text(item.hours),
        "left": hours_text(item.left),
        "needs": hours_text(item.needs),
        "still": progress(
            100 * item.left / item.needs,
            _("%(left)s of %(needs)s h") % {"left": hours_text(item.left), "needs": hours_text(item.needs)},
            Tone.GREEN if item.left >= item.needs else Tone.YELLOW,
        ),
        "replacement": _replacement(item),
        "position_url": reverse(f"{site}:org_position_coverage", args=(item.position_id,)),
        "employee_url": reverse(f"{site}:org_employee_change", args=(item.employee_id,))
        if item.employee_id in seen
        else "",
        "record_url": reverse(f"{site}:{RECORDS[item.cause]}_change", args=(item.record_id,)) if followed else "",
        "find_url": _find(item, site) if may_propose else "",
    }


def _days_left(day: date) -> str:
    days = (day - today()).days
    if days == 0:
        return _("today")
    if days == 1:
        return _("tomorrow")
    return ngettext("in %(n)d day", "in %(n)d days", days) % {"n": days}


def _replacement(item: Cliff) -> Any:
    if not item.replacement:
        # While the hours go on nobody is missing yet.
        return badge(_("Nobody follows"), Tone.GREY if item.cause == Cause.CONTRACT else Tone.RED, "person_off")
    words = {"hours": hours_text(item.replacement), "day": short_day(item.replacement_on)}
    if not item.proposed:
        return badge(_("%(hours)s h follow from %(day)s") % words, Tone.GREEN, "how_to_reg")
    if item.proposed == item.replacement:
        return badge(_("%(hours)s h proposed from %(day)s") % words, Tone.YELLOW, "pending")
    words["proposed"] = hours_text(item.proposed)
    return badge(_("%(hours)s h follow from %(day)s, %(proposed)s of them proposed") % words, Tone.YELLOW, "pending")


def _find(item: Cliff, site: str) -> str:
    """Return where somebody is looked for, for what is at stake."""
    until = item.until if item.cause == Cause.LEAVE else None
    values = {"hours": localize_input(hours_of(item.hours)), "starts_on": item.day.isoformat()}
    if until:
        values["ends_on"] = until.isoformat()
    if item.day <= Span.current().last_day:
        values["week"] = week_code(monday_of(item.day))
    return f"{reverse(f'{site}:org_position_candidates', args=(item.position_id,))}?{urlencode(values)}"


def _tile(asked: Asked, cause: Cause | None, total: Total) -> dict[str, Any]:
    tone, icon = LOOKS[cause] if cause else ("", "event_upcoming")
    return {
        "label": cause.label if cause else _("All causes"),
        "number": total.cliffs,
        "hours": hours_text(total.hours),
        "icon": icon,
        "tone": tone,
        "link": asked.query(cause=cause.value if cause else ""),
        "is_chosen": asked.cause == cause,
    }


def _parts(asked: Asked, week: Any) -> tuple[int, int]:
    """Return the hours of a week that stop and those that go on without what was asked, of the causes asked for."""
    stop = goes_on = 0
    for cause, total in week.items():
        if asked.cause in (None, cause):
            if cause.goes_on:
                goes_on += total.hours
            else:
                stop += total.hours
    return stop, goes_on


def _weeks(asked: Asked, calendar: Calendar) -> list[WeekBar]:
    bars, monday = [], monday_of(asked.first)
    shown = {monday_of(item.day) for item in calendar.cliffs}
    while monday <= asked.last:
        stop, goes_on = _parts(asked, calendar.weeks.get(monday, {}))
        parts = [Part(stop * 7, Tone.RED), Part(goes_on * 7, Tone.YELLOW)]
        bars.append(
            WeekBar(
                monday, 0, parts, (stop + goes_on) * 7, f"#{week_code(monday)}" if monday in shown else "",
                note=_week_note(stop, goes_on),
            )
        )  # fmt: skip
        monday += 7 * DAY
    return bars


def _week_note(stop: int, goes_on: int) -> str:
    said = []
    if stop:
        said.append(_("%(hours)s h stop") % {"hours": hours_text(stop)})
    if goes_on:
        said.append(_("%(hours)s h go on without a tag or contract") % {"hours": hours_text(goes_on)})
    return ", ".join(said) or _("nothing stops")


def _months(rows: Sequence[dict[str, Any]], calendar: Calendar, asked: Asked) -> list[dict[str, Any]]:
    """Return the rows by month, week and day. A week that two months share stands in each with its own days."""
    most = max((sum(_parts(asked, week)) for week in calendar.weeks.values()), default=0) or 1
    months, anchored = [], set()
    for month, of_month in groupby(rows, key=lambda row: row["item"].day.replace(day=1)):
        weeks = []
        for monday, of_week in groupby(of_month, key=lambda row: monday_of(row["item"].day)):
            stop, goes_on = _parts(asked, calendar.weeks[monday])
            days = [(day, list(group)) for day, group in groupby(of_week, key=lambda row: row["item"].day)]
            weeks.append(
                {
                    "code": week_code(monday),
                    "anchor": "" if monday in anchored else week_code(monday),
                    "first": monday,
                    "last": monday + 6 * DAY,
                    "bar": progress(100 * (stop + goes_on) / most, "", Tone.RED if stop else Tone.YELLOW),
                    "text": _week_note(stop, goes_on),
                    "days": days,
                }
            )
            anchored.add(monday)
        months.append({"month": month, "title": date_format(month, "F Y"), "weeks": weeks})
    return months


def _header() -> list[str]:
    return [
        _("Day"), _("Days left"), _("Cause"), _("Behind it"), _("Position"), _("Title"), _("Unit"), _("Unit name"),
        _("Employee"), _("Name"), _("Hours at stake"), _("Required h"), _("Still assigned h"), _("Replacement h"),
        _("Of these proposed h"), _("Replacement from"), _("Hours back on"), _("Owner"),
    ]  # fmt: skip
