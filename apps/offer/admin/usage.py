"""Who is used too much and who too little, by unit: a page beside the accounts, and its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.changes.freshness import freshness_shown
from apps.common.admin.dialogs import PAGE_MEDIA
from apps.common.paginator import page_asked
from apps.common.tree import DEEPEST_INDENT, opened_in, toggled, walk
from apps.common.weekbars import hours_cell, hours_text
from apps.common.weeks import horizon, week_code
from apps.fsm.buttons import status_badge
from apps.imports.exporting import answer_table
from apps.imports.writing import FORMATS
from apps.org.enums import UnitKind
from apps.org.filters import unit_asked, units_offered
from apps.org.models import Employee, OrgUnit
from apps.org.querysets import scope_of, sees_the_house

from ..usage import SPARE_HOURS
from ..used import Order, Part, PersonUsed, UnitUsed, Use, Used, people_used, sole_root, total_used, units_used

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
else:
    Screen = object

VIEW, EXPORT = "offer.view_ledgerweek", "offer.export_ledgerweek"
TITLE = gettext_lazy("Over- and under-used people")
PER_LEVEL, OPEN_AT_MOST, LAST_PAGE = 50, 60, 10_000
# Further down the list a unit is chosen: each page looks at the people of so many more units.
PER_PAGE, MOST_PAGES = 50, 10
MOST_IN_FILE = 10_000
UNITS, PEOPLE = "units", "people"
KINDS = dict(UnitKind.choices)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the reader wants to see: a week, a unit, which units are open and how they stand, which people."""

    week: date
    unit: OrgUnit | None
    opened: frozenset[int]
    order: Order
    use: Use
    units_page: int
    people_page: int
    part: Part

    def query(self, **changed: Any) -> str:
        asked: dict[str, Any] = {
            "week": week_code(self.week),
            "unit": self.unit.code if self.unit else "",
            "open": ",".join(map(str, sorted(self.opened))),
            "order": "" if self.order == Order.OVER else self.order.value,
            "use": "" if self.use == Use.OVER else self.use.value,
            "units_page": self.units_page if self.units_page > 1 else "",
            "page": self.people_page if self.people_page > 1 else "",
        } | changed
        return "?" + urlencode({name: value for name, value in asked.items() if value})


@dataclass(frozen=True, kw_only=True)
class Row:
    """A unit on the page, or (`more`) how many of those beside it are not shown."""

    unit: UnitUsed
    level: int
    is_open: bool = False
    toggle: str = ""
    focus: str = ""
    kind: Any = ""
    more: int = 0


class UsagePage(Screen):  # type: ignore[misc]
    """Adds the page and its files to a screen."""

    def get_urls(self) -> list[Any]:
        guarded = self.admin_site.admin_view
        return [
            path("usage/", guarded(self.usage_view), name="offer_ledgerweek_usage"),
            path("usage/export/", guarded(self.usage_export_view), name="offer_ledgerweek_usage_export"),
            *super().get_urls(),
        ]

    def usage_view(self, request: HttpRequest) -> HttpResponse:
        """Show how the people of the reader's part of the organisation are used, by unit, and who stands out."""
        asked = _asked(request, VIEW)
        found = units_used(
            asked.part, opened=sorted(asked.opened), order=asked.order, per_level=PER_LEVEL, page=asked.units_page
        )
        if not found and asked.units_page > 1:
            return HttpResponseRedirect(asked.query(units_page=""))
        offset = (asked.people_page - 1) * PER_PAGE
        people = people_used(asked.part, asked.use, limit=PER_PAGE + 1, offset=offset)
        offered = units_offered(request)
        above = _above(request, asked)
        total = total_used(asked.part)
        rows = _rows(asked, found)
        pages = max(1, -(-max((row.unit.sisters for row in rows if not row.level), default=0) // PER_LEVEL))
        export = reverse(f"{self.admin_site.name}:offer_ledgerweek_usage_export")
        may_export = request.user.has_perm(EXPORT)
        context = {
            **self.admin_site.each_context(request),
            "title": TITLE,
            "content_title": TITLE,
            "subtitle": None,
            "asked": asked,
            "weeks": [(week_code(week), week) for week in horizon()],
            "week_code": week_code(asked.week),
            **offered,
            "hidden": [(name, value) for name, value in _kept(asked).items() if value],
            "tiles": _tiles(asked, total),
            "spare": SPARE_HOURS,
            "above": above,
            "whole_url": asked.query(unit="", open="", units_page="", page=""),
            "rows": rows,
            "orders": [(value.value, label) for value, label in _orders()],
            "pages": pages,
            "earlier_units": asked.query(units_page=asked.units_page - 1) if asked.units_page > 1 else "",
            "later_units": asked.query(units_page=asked.units_page + 1) if asked.units_page < pages else "",
            "people": [self._person(person) for person in people[:PER_PAGE]],
            "people_title": _title_of(asked.use),
            "earlier": asked.query(page=asked.people_page - 1) + "#people" if asked.people_page > 1 else "",
            "later": asked.query(page=asked.people_page + 1) + "#people"
            if len(people) > PER_PAGE and asked.people_page < MOST_PAGES
            else "",
            "is_last": len(people) > PER_PAGE and asked.people_page == MOST_PAGES,
            "most": PER_PAGE * MOST_PAGES,
            "freshness": freshness_shown(),
            "unit_files": _files(export, asked, UNITS) if may_export and rows else [],
            "people_files": _files(export, asked, PEOPLE) if may_export and people else [],
            "media": PAGE_MEDIA,
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "offer/usage.html", context)

    def usage_export_view(self, request: HttpRequest) -> HttpResponse:
        """Answer the file of the units shown, all of each level, or of the people, those beyond the page too."""
        asked = _asked(request, EXPORT)
        format = request.GET.get("format", "")
        answer = partial(answer_table, request, title=str(TITLE), format=format if format in FORMATS else "csv")
        code = week_code(asked.week)
        if request.GET.get("of") == PEOPLE:
            people = people_used(asked.part, asked.use, limit=MOST_IN_FILE)
            return answer(rows=_people_table(asked, people), kind=f"{asked.use}_used_people_{code}")
        found = units_used(asked.part, opened=sorted(asked.opened), order=asked.order, per_level=None)
        return answer(rows=_units_table(asked, _rows(asked, found)), kind=f"used_people_by_unit_{code}")

    def _person(self, person: PersonUsed) -> dict[str, Any]:
        return {
            "person": person,
            "link": reverse(f"{self.admin_site.name}:org_employee_hours", args=(person.id,)),
            "status": status_badge(Employee.machine, person.status),
            "pool": hours_cell(person.pool),
            "assigned": hours_cell(person.assigned),
            "balance": hours_cell(person.balance),
        }


def _asked(request: HttpRequest, permission: str) -> Asked:
    """Return what is asked for; what is no choice is as if it were not asked, a unit out of sight is none: 404."""
    user: Any = request.user
    if request.method not in ("GET", "HEAD") or not user.has_perm(permission) or not sees_the_house(user):
        raise PermissionDenied
    weeks = {week_code(week): week for week in horizon()}
    order, use = request.GET.get("order", ""), request.GET.get("use", "")
    week = weeks.get(request.GET.get("week", "").strip(), horizon()[0])
    unit, scope = unit_asked(request), scope_of(user)
    root = unit.pk if unit is not None else sole_root() if scope is None else None
    return Asked(
        week=week,
        unit=unit,
        part=Part(week=week, root=root, scope=scope),
        opened=frozenset(opened_in(request.GET.get("open"), OPEN_AT_MOST) or ()),
        order=Order(order) if order in Order else Order.OVER,
        use=Use(use) if use in Use else Use.OVER,
        units_page=page_asked(request.GET.get("units_page", "").strip(), LAST_PAGE),
        people_page=page_asked(request.GET.get("page", "").strip(), MOST_PAGES),
    )


def _kept(asked: Asked) -> dict[str, str]:
    """Return what the form of filters hands on as it is; which units are open is for the unit they lie in."""
    return {"use": "" if asked.use == Use.OVER else asked.use.value}


def _orders() -> list[tuple[Order, str]]:
    return [
        (Order.OVER, _("Most hours over")),
        (Order.UNDER, _("Most hours left")),
        (Order.CODE, _("By code")),
    ]


def _title_of(use: Use) -> str:
    if use == Use.OVER:
        return _("Over the pool, furthest first")
    return _("More than %(hours)d hours left, most first") % {"hours": SPARE_HOURS}


def _rows(asked: Asked, found: Sequence[UnitUsed]) -> list[Row]:
    """Return the units in reading order, and after the units of an open one how many more it has."""
    top = asked.part.top
    below: dict[int | None, list[UnitUsed]] = {}
    for unit in found:
        below.setdefault(unit.parent, []).append(unit)
    # What a scope hides above is no parent here.
    tops = below.get(top, []) if top is not None else [unit for unit in found if unit.parent is None]
    rows: list[Row] = []
    ending: list[tuple[int, Row]] = []

    def end(level: int) -> None:
        while ending and ending[-1][0] >= level:
            rows.append(ending.pop()[1])

    for level, unit in walk(tops, below, set(asked.opened), lambda unit: unit.id):
        end(level)
        is_open = unit.id in asked.opened and unit.id in below
        focus = asked.query(unit=unit.code, open="", units_page="", page="")
        toggle = f"{asked.query(open=toggled(set(asked.opened), unit.id))}#unit-{unit.id}" if unit.has_units else ""
        indent = min(level, DEEPEST_INDENT)
        rows.append(Row(unit=unit, level=indent, is_open=is_open, toggle=toggle, focus=focus, kind=KINDS[unit.kind]))
        if is_open and (more := below[unit.id][0].sisters - len(below[unit.id])):
            ending.append((level, Row(unit=unit, level=min(level + 1, DEEPEST_INDENT), focus=focus, more=more)))
    end(0)
    return rows


def _above(request: HttpRequest, asked: Asked) -> list[tuple[str, str]]:
    """Return the way down to the unit at the top: the names of those above it that the reader sees, and their pages."""
    if asked.unit is None:
        return []
    user: Any = request.user
    seen: Mapping[int, OrgUnit] = OrgUnit.objects.visible_to(user).only("code", "name").in_bulk(asked.unit.path[:-1])
    return [
        (seen[pk].name, asked.query(unit=seen[pk].code, open="", units_page="", page=""))
        for pk in asked.unit.path[:-1]
        if pk in seen
    ]


def _tiles(asked: Asked, total: Used) -> list[dict[str, Any]]:
    """Return the figures of everybody; those of the two kinds of people choose which are listed below."""
    over, left = hours_text(total.over_hour_days), hours_text(total.under_hour_days)
    return [
        {"use": use, "label": use.label, "number": number, "icon": icon, "tone": tone if number else "", "text": text,
         "link": asked.query(use="" if use == Use.OVER else use.value, page="") + "#people",
         "is_chosen": use == asked.use}
        for use, number, icon, tone, text in (
            (Use.OVER, total.over, "trending_up", "red",
             _("%(hours)s h over, of %(people)d people") % {"hours": over, "people": total.people}),
            (Use.UNDER, total.under, "trending_down", "yellow",
             _("%(hours)s h left, of %(people)d people") % {"hours": left, "people": total.people}),
        )
    ]  # fmt: skip


def _files(export: str, asked: Asked, of: str) -> list[tuple[str, str]]:
    return [(name.upper(), export + asked.query(of=of, format=name, page="", units_page="")) for name in FORMATS]


def _units_table(asked: Asked, rows: Sequence[Row]) -> Iterator[Sequence[Any]]:
    yield (
        _("Week"), _("Level"), _("Kind"), _("Code"), _("Name"), _("People"), _("Over the pool"), _("Hours over"),
        _("With hours left"), _("Hours left"),
    )  # fmt: skip
    for row in rows:
        used = row.unit.used
        yield (
            week_code(asked.week), row.level, str(row.kind), row.unit.code, row.unit.name, used.people, used.over,
            used.over_hours, used.under, used.under_hours,
        )  # fmt: skip


def _people_table(asked: Asked, people: Sequence[PersonUsed]) -> Iterator[Sequence[Any]]:
    yield (
        _("Week"), _("Employee number"), _("Name"), _("Unit code"), _("Unit"), _("Status"), _("Pool h"),
        _("Assigned h"), _("Balance h"),
    )  # fmt: skip
    for person in people:
        yield (
            week_code(asked.week), person.number, person.name, person.unit_code, person.unit_name,
            str(Employee.machine.states(person.status).label), person.pool_hours, person.assigned_hours,
            person.balance_hours,
        )  # fmt: skip
