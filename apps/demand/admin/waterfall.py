"""What changed between two weeks: a page beside the adjustments, the records behind each cause, and its file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.common.admin.dialogs import PAGE_MEDIA
from apps.common.badges import Tone
from apps.common.columns import short_day
from apps.common.hours import to_hours
from apps.common.weekbars import hours_text
from apps.common.weeks import horizon, parse_week, week_code
from apps.imports.exporting import MOST_ROWS, answer_table
from apps.org.enums import LeaveKind
from apps.org.filters import unit_asked, units_offered
from apps.org.models import Employee, OrgUnit, Position
from apps.org.querysets import scope_of

from ..overview import Figures
from ..templatetags.coverage import as_percent
from ..waterfall import BRIDGED, Behind, Cause, Moved, Part, Place, Record, Waterfall, closed_weeks, waterfall

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
else:
    Screen = object

VIEW, EXPORT = "demand.view_positioncoverage", "demand.export_positioncoverage"
PAGE_SIZE = 50
# A drawing whose causes are small beside the whole begins its axis near them.
NEAR = 0.4
WIDTH = 100.0

RECORDS = {
    **dict.fromkeys((Cause.NEW, Cause.ENDED, Cause.HOURS, Cause.BEGUN, Cause.OVER), "assignments_assignment"),
    **dict.fromkeys((Cause.JOINED, Cause.LEFT, Cause.REINSTATED, Cause.SUSPENDED), "org_employee"),
    **dict.fromkeys((Cause.RETURN, Cause.LEAVE), "org_leave"),
    **dict.fromkeys((Cause.TAG_HELD, Cause.TAG_LOST), "tags_employeetag"),
    **dict.fromkeys((Cause.OPENED, Cause.CLOSED, Cause.CORRECTION), "org_position"),
    **dict.fromkeys((Cause.ADJUSTED, Cause.UNADJUSTED), "demand_demandadjustment"),
}
# What more of a figure means, and less of it.
TONES = {
    "assigned": (Tone.GREEN, Tone.RED),
    "required": (Tone.YELLOW, Tone.PETROL),
    "unqualified": (Tone.YELLOW, Tone.GREEN),
}


@dataclass(frozen=True)
class Where:
    """The part of the organisation that is looked at; neither = all that the reader may see: `scope`, None = all."""

    unit: OrgUnit | None = None
    position: Position | None = None
    scope: OrgUnit | None = None

    @property
    def place(self) -> Place:
        return Place(
            root=self.unit.pk if self.unit else None,
            position=self.position.pk if self.position else None,
            scope=self.scope.pk if self.scope else None,
        )

    @property
    def asked(self) -> dict[str, str]:
        if self.position:
            return {"position": self.position.code}
        return {"unit": self.unit.code} if self.unit else {}

    @property
    def title(self) -> str:
        if self.position:
            return f"{self.position.title} ({self.position.code})"
        unit = self.unit or self.scope
        return f"{unit.name} ({unit.code})" if unit else _("All units")


@dataclass(frozen=True)
class Asked:
    """What the reader wants to see."""

    where: Where
    first: date
    second: date
    cause: Cause | None = None
    page: int = 1

    def query(self, **changed: str) -> str:
        asked = {
            **self.where.asked,
            "from": week_code(self.first),
            "to": week_code(self.second),
            "cause": self.cause.value if self.cause else "",
        } | changed
        return "?" + urlencode({name: value for name, value in asked.items() if value})


class WaterfallPage(Screen):  # type: ignore[misc]
    """Adds the page and its file to a screen."""

    def get_urls(self) -> list[Any]:
        guarded, name = self.admin_site.admin_view, "demand_positioncoverage_waterfall"
        return [
            path("waterfall/", guarded(self.waterfall_view), name=name),
            path("waterfall/export/", guarded(self.waterfall_export_view), name=f"{name}_export"),
            *super().get_urls(),
        ]

    def waterfall_view(self, request: HttpRequest) -> HttpResponse:
        """Show what makes two weeks differ, and the records behind the cause that was chosen."""
        where = where_asked(request, VIEW)
        gone, to_come = closed_weeks(horizon()[0]), horizon()
        asked = _asked(request, where, gone, to_come)
        found = _found(asked)
        site = self.admin_site.name
        export = reverse(f"{site}:demand_positioncoverage_waterfall_export")
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
            "shortcuts": _shortcuts(asked, gone, to_come),
            "found": found,
            "tiles": figure_tiles(found.before.figures, found.after.figures),
            "bridges": [_bridge(asked, found, figure) for figure in ("assigned", "required", "unqualified")],
            "moved": [] if where.position else [_moved(asked, item) for item in found.moved],
            "behind": self._behind(request, asked, found),
            "trend_url": f"{reverse(f'{site}:demand_positioncoverage_trend')}?{urlencode(where.asked)}",
            "export_url": export + asked.query() if request.user.has_perm(EXPORT) else "",
            "media": PAGE_MEDIA,
        }
        request.current_app = site  # type: ignore[attr-defined]
        return TemplateResponse(request, "demand/waterfall.html", context)

    def _behind(self, request: HttpRequest, asked: Asked, found: Waterfall) -> dict[str, Any] | None:
        """Return the chosen cause's records, a page of them; None where no cause is chosen."""
        if asked.cause is None:
            return None
        part = next((part for part in found.parts if part.cause == asked.cause), Part(asked.cause, 0, 0, 0, 0))
        pages = _pages(part)
        page = min(asked.page, pages)
        rows = found.records
        seen = Seen.of(request, rows)
        shown = [name for name in BRIDGED if getattr(part, name)] or ["assigned"]
        return {
            "cause": asked.cause.label,
            "part": part,
            "count": _count(part.records),
            "figures": [(FIGURE_NAMES[name](), signed(getattr(part, name))) for name in shown],
            "rows": [_row(row, seen, shown, self.admin_site.name) for row in rows],
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
        asked = _asked(request, where, closed_weeks(horizon()[0]), horizon())
        rows = _record_rows(request, asked, asked.cause) if asked.cause else _cause_rows(asked)
        return answer_table(request, rows, title=_("What changed"), kind="waterfall")


FIGURE_NAMES = {
    "assigned": lambda: _("Assigned hours"),
    "required": lambda: _("Required hours"),
    "unqualified": lambda: _("Unqualified hours"),
}


# What is asked for


def where_asked(request: HttpRequest, permission: str) -> Where:
    """Return the part of the organisation asked for; what is out of sight is not found."""
    if request.method not in ("GET", "HEAD") or not request.user.has_perm(permission):
        raise PermissionDenied
    user: Any = request.user
    position = None
    # A position is narrower than any unit asked for beside it.
    if code := request.GET.get("position", "").replace("\x00", "").strip():
        position = Position.objects.visible_to(user).filter(code=code).first()
        if position is None:
            raise Http404
    unit = None if position else unit_asked(request)
    scope = scope_of(user)
    return Where(unit, position, None if scope is None else OrgUnit.objects.get(pk=scope))


def _asked(request: HttpRequest, where: Where, gone: Sequence[date], to_come: Sequence[date]) -> Asked:
    """Return what is asked for; what is no choice is as if it were not asked, and the earlier week comes first."""
    known = [*gone, *to_come]

    def week(name: str) -> date | None:
        try:
            monday = parse_week(request.GET.get(name, ""))
        except ValueError:
            return None
        return monday if monday in known else None

    first, second = week("from"), week("to")
    now = known.index(to_come[0])
    if first is None and second is None:
        # From the last week to this one; before any week was closed, from this one to the next.
        first, second = (known[now - 1], known[now]) if now else (known[0], known[1])
    elif first is None or second is None or first == second:
        place = known.index(first or second or to_come[0])
        first, second = (known[place], known[place + 1]) if place + 1 < len(known) else (known[place - 1], known[place])
    cause, page = request.GET.get("cause", ""), request.GET.get("page", "")
    return Asked(
        where,
        min(first, second),
        max(first, second),
        Cause(cause) if cause in Cause else None,
        int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 7 and int(page) else 1,
    )


def _shortcuts(asked: Asked, gone: Sequence[date], to_come: Sequence[date]) -> list[dict[str, Any]]:
    choices = [
        (_("This week and the next"), to_come[0], to_come[1]),
        (_("This week and in 4 weeks"), to_come[0], to_come[4]),
        (_("This week and in 12 weeks"), to_come[0], to_come[-1]),
    ]
    if gone:
        choices.insert(0, (_("Last week and this one"), gone[-1], to_come[0]))
    return [
        {
            "label": label,
            "link": asked.query(**{"from": week_code(first), "to": week_code(second), "cause": ""}),
            "is_chosen": (first, second) == (asked.first, asked.second),
        }
        for label, first, second in choices
    ]


def _found(asked: Asked) -> Waterfall:
    """Return the waterfall with the page of records that was asked for, the last one if that lies beyond it."""

    def page(number: int) -> Waterfall:
        behind = Behind(asked.cause, PAGE_SIZE, PAGE_SIZE * (number - 1)) if asked.cause else None
        return waterfall(asked.where.place, asked.first, asked.second, behind=behind)

    found = page(asked.page)
    part = next((part for part in found.parts if part.cause == asked.cause), None)
    return page(_pages(part)) if part and asked.page > _pages(part) else found


def _pages(part: Part) -> int:
    return max(1, -(-part.records // PAGE_SIZE))


# What is shown


def signed(hour_days: int) -> str:
    """Return weekly hours with their sign in the reader's notation."""
    sign = "+" if hour_days > 0 else "−" if hour_days < 0 else ""
    return f"{sign}{hours_text(abs(hour_days))}"


def _count(number: int) -> str:
    return ngettext("%(n)d record", "%(n)d records", number) % {"n": number}


def figure_tiles(was: Figures, now: Figures) -> list[dict[str, Any]]:
    """Return what the page says of two weeks, or two states of one, figure by figure."""
    tiles = []
    for name, label, good in (
        ("required", _("Required hours"), 0),
        ("assigned", _("Assigned hours"), 1),
        ("filled", _("Filled hours"), 1),
        ("deficit", _("Missing hours"), -1),
        ("unqualified", _("Unqualified hours"), -1),
    ):
        before, after = getattr(was, name), getattr(now, name)
        change = (after - before) * good
        tiles.append(
            {
                "label": label,
                "before": hours_text(before),
                "after": hours_text(after),
                "change": signed(after - before) if after != before else "",
                "tone": Tone.GREEN if change > 0 else Tone.RED if change < 0 else "",
            }
        )
    before, after = was.coverage_percent, now.coverage_percent
    points = after - before if before is not None and after is not None else Decimal(0)
    tiles.append(
        {
            "label": _("Coverage"),
            "before": as_percent(before),
            "after": as_percent(after),
            "change": _("%(points)s points")
            % {"points": ("+" if points > 0 else "−") + number_format(abs(points), decimal_pos=1)}
            if points
            else "",
            "tone": Tone.GREEN if points > 0 else Tone.RED if points < 0 else "",
        }
    )
    return tiles


def _bridge(asked: Asked, found: Waterfall, figure: str) -> dict[str, Any]:
    """Return one drawing: the figure before, what each cause adds or takes, the figure after."""
    before, after = (getattr(side.figures, figure) for side in (found.before, found.after))
    parts = found.bridge(figure)
    levels = [before]
    for part in parts:
        levels.append(levels[-1] + getattr(part, figure))
    low, high = min(*levels, after), max(*levels, after)
    start = 0
    if parts and low > 0 and high - low < high * NEAR:
        # Whole hours, a little before the lowest level.
        start = max(0, (low - (high - low) // 3) // 700 * 700)
    start = min(start, low)
    scale = WIDTH / ((high - start) or 1)

    def bar(one: int, other: int) -> dict[str, str]:
        left, right = sorted(((one - start) * scale, (other - start) * scale))
        return {"left": f"{left:.2f}", "width": f"{max(right - left, 0.4 if one != other else 0):.2f}"}

    more, less = TONES[figure]
    rows = []
    for part, level, upto in zip(parts, levels, levels[1:], strict=False):
        change = upto - level
        rows.append(
            {
                "label": part.cause.label,
                "bar": bar(level, upto),
                "tone": Tone.GREY if part.cause == Cause.CORRECTION else more if change > 0 else less,
                "is_less": change < 0,
                "hours": signed(change),
                "records": _count(part.records),
                "link": asked.query(cause=part.cause.value) + "#records",
                "is_chosen": part.cause == asked.cause,
            }
        )
    return {
        "figure": figure,
        "title": FIGURE_NAMES[figure](),
        "rows": rows,
        "before": {"hours": hours_text(before), "bar": bar(start, before)},
        "after": {"hours": hours_text(after), "bar": bar(start, after)},
        "change": signed(after - before) if after != before else "",
        "axis": hours_text(start) if start > 0 else "",
        "is_empty": not (before or after or parts),
    }


def _moved(asked: Asked, item: Moved) -> dict[str, Any]:
    where = Where(position=Position(pk=item.position_id, code=item.code))
    link = Asked(where, asked.first, asked.second).query()

    def pair(values: tuple[int, int]) -> dict[str, Any]:
        return {"before": hours_text(values[0]), "after": hours_text(values[1]), "moves": values[0] != values[1]}

    return {
        "item": item,
        "link": link,
        "required": pair(item.required),
        "assigned": pair(item.assigned),
        "deficit": pair(item.deficit),
        "change": signed(item.deficit[1] - item.deficit[0]) if item.deficit[0] != item.deficit[1] else "",
        "is_worse": item.deficit[1] > item.deficit[0],
    }


@dataclass(frozen=True)
class Seen:
    """Which employees and positions the reader may follow: people who left a unit may be out of sight by now."""

    employees: frozenset[int]
    positions: frozenset[int]

    @classmethod
    def of(cls, request: HttpRequest, rows: Iterable[Record]) -> Seen:
        user: Any = request.user
        rows = list(rows)
        people = {row.employee_id for row in rows if row.employee_id}
        positions = {row.position_id for row in rows}
        return cls(
            frozenset(Employee.objects.visible_to(user).filter(pk__in=people).values_list("pk", flat=True)),
            frozenset(Position.objects.visible_to(user).filter(pk__in=positions).values_list("pk", flat=True)),
        )


def _row(row: Record, seen: Seen, figures: Sequence[str], site: str) -> dict[str, Any]:
    model = RECORDS[row.cause]
    followed = (
        row.position_id in seen.positions
        if model in ("assignments_assignment", "org_position", "demand_demandadjustment")
        else row.employee_id in seen.employees
    )
    return {
        "item": row,
        "text": _text(row, seen),
        "url": reverse(f"{site}:{model}_change", args=(row.record_id,)) if followed and row.record_id else "",
        "position_url": reverse(f"{site}:org_position_coverage", args=(row.position_id,))
        if row.position_id in seen.positions
        else "",
        "employee": _employee(row, seen),
        "employee_url": reverse(f"{site}:org_employee_change", args=(row.employee_id,))
        if row.employee_id in seen.employees
        else "",
        "number": row.employee_number if row.employee_id in seen.employees else "",
        "hours": [signed(getattr(row, name)) for name in figures],
    }


def _employee(row: Record, seen: Seen) -> str:
    if row.employee_id is None:
        return ""
    return row.employee_name or "" if row.employee_id in seen.employees else _("Somebody out of your sight")


def _days(row: Record) -> str:
    if row.starts and row.ends:
        return _("%(first)s to %(last)s") % {"first": short_day(row.starts), "last": short_day(row.ends)}
    if row.starts:
        return _("from %(first)s on") % {"first": short_day(row.starts)}
    return _("until %(last)s") % {"last": short_day(row.ends)} if row.ends else ""


def _text(row: Record, seen: Seen) -> str:
    """Return the record in words."""
    model, days = RECORDS[row.cause], _days(row)
    if model == "assignments_assignment":
        hours = number_format(row.hours, decimal_pos=2) if row.hours is not None else "–"
        return _("%(hours)s h a week, %(days)s") % {"hours": hours, "days": days}
    if model == "org_leave":
        # Why somebody is away is for those who may see the person.
        kind = LeaveKind(row.name).label if row.employee_id in seen.employees and row.name else _("Leave")
        return f"{kind}, {days}"
    if model == "tags_employeetag":
        return f"{row.name}, {days}" if row.name else _("No record")
    if model == "demand_demandadjustment":
        more = row.hours or Decimal(0)
        said = _("%(hours)s h a week, %(days)s") % {
            "hours": ("+" if more > 0 else "−") + number_format(abs(more), decimal_pos=2),
            "days": days,
        }
        return f"{said}: {row.name}" if row.name else said
    if row.cause == Cause.CORRECTION:
        return _("Kept for %(week)s, and what today's records say") % {"week": week_code(row.week) if row.week else ""}
    if row.cause == Cause.OPENED:
        return _("Opens on %(day)s") % {"day": short_day(row.starts)} if row.starts else _("Position")
    if row.cause == Cause.CLOSED:
        return _("Closes on %(day)s") % {"day": short_day(row.ends)} if row.ends else _("Position")
    if row.cause == Cause.LEFT and row.ends:
        return _("Works until %(day)s") % {"day": short_day(row.ends)}
    return _("Employee's page")


# The file

Cells = list[str | int | Decimal]


def _cause_rows(asked: Asked) -> list[Cells]:
    found = waterfall(asked.where.place, asked.first, asked.second)
    rows: list[Cells] = [[_("Figure"), _("Cause"), _("Hours"), _("Hundredths of an hour × days"), _("Records")]]

    def add(figure: str, label: str, amount: int, number: int | str = "") -> None:
        rows.append([figure, label, to_hours(amount), amount, number])

    for name in ("assigned", "required", "unqualified"):
        figure = FIGURE_NAMES[name]()
        add(figure, week_code(asked.first), getattr(found.before.figures, name))
        for part in found.bridge(name):
            add(figure, str(part.cause.label), getattr(part, name), part.records)
        add(figure, week_code(asked.second), getattr(found.after.figures, name))
    for name, figure in (
        ("filled", _("Filled hours")),
        ("deficit", _("Missing hours")),
        ("surplus", _("Surplus hours")),
    ):
        for side in (found.before, found.after):
            add(figure, week_code(side.week), getattr(side.figures, name))
    return rows


def _record_rows(request: HttpRequest, asked: Asked, cause: Cause) -> list[Cells]:
    behind = Behind(cause, limit=MOST_ROWS)
    found = waterfall(asked.where.place, asked.first, asked.second, behind=behind).records
    seen = Seen.of(request, found)
    rows: list[Cells] = [
        [_("Cause"), _("Behind it"), _("Position"), _("Title"), _("Unit name"), _("Employee"), _("Name"),
         *(FIGURE_NAMES[name]() for name in BRIDGED),
         *(_("%(figure)s, hundredths × days") % {"figure": FIGURE_NAMES[name]()} for name in BRIDGED)]
    ]  # fmt: skip
    for row in found:
        amounts = [getattr(row, name) for name in BRIDGED]
        number = (row.employee_number or "") if row.employee_id in seen.employees else ""
        rows.append(
            [str(cause.label), _text(row, seen), row.position_code, row.position_title, row.unit_name, number,
             _employee(row, seen), *map(to_hours, amounts), *amounts]
        )  # fmt: skip
    return rows
