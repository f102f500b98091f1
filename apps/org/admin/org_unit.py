"""Units: the tree with its figures rolled up, and the page of one unit."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from apps.business_rules.admin.conditions import WHERE, ConditionSearchMixin
from apps.business_rules.language.bounds import in_time_for_a_list
from apps.business_rules.language.errors import ConditionError
from apps.common.admin import BaseAdmin, HistoryMixin
from apps.common.clock import monday_of, today
from apps.common.tree import DEEPEST_INDENT, opened_in, toggled, walk
from apps.common.weeks import horizon, parse_week, week_code
from apps.demand.coverage import FIGURES
from apps.demand.headroom import headroom_of
from apps.demand.models import PositionCoverage
from apps.demand.overview import Figures, of_position, rolled_up, totals_by_week
from apps.imports.exporting import SheetExportMixin

from ..models import OrgUnit, Position
from ..services.units import remove_unit, save_units

CHILDREN_SHOWN, OPEN_AT_MOST, FOUND_SHOWN, POSITIONS_SHOWN = 200, 200, 50, 100


class Node:
    """A row of the tree: a unit, how deep it hangs, whether it is open, and its figures with all below."""

    def __init__(self, unit: Any, level: int, is_open: bool):
        self.unit, self.level, self.is_open = unit, min(level, DEEPEST_INDENT), is_open
        self.has_children: bool = unit.has_children
        self.figures = Figures()
        self.toggle = ""
        self.above = ""


@admin.register(OrgUnit)
class OrgUnitAdmin(ConditionSearchMixin, SheetExportMixin, HistoryMixin, BaseAdmin):
    """The organisation with its coverage. Everybody in scope reads it; structure is the ADMIN's."""

    in_palette = True
    icon = "account_tree"
    search_fields = ("code", "name")
    list_display = ("code", "name", "kind", "parent")
    list_select_related = ("parent", "manager")
    autocomplete_fields = ("parent", "manager")
    change_form_outer_before_template = "org/unit_figures.html"
    fieldsets = (
        (None, {"fields": (("code", "name"), ("kind", "parent"), ("manager", "is_active"))}),
        (_("Limits"), {"fields": (("max_weekly_hours", "coverage_target"), ("headroom",))}),
        (_("Recorded"), {"fields": (("created_at", "updated_at"),)}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fieldsets(request, obj) if obj is not None else self.fieldsets[:2]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        for field in form.base_fields.values():
            # The tree has no pop-ups of its own, and users have their own screen.
            for name in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
                if hasattr(field.widget, name):
                    setattr(field.widget, name, False)
        return form

    # Writing

    def perform_save(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> Any:
        return save_units(units=[obj], actor=request.user)[0]  # type: ignore[arg-type]

    def perform_delete(self, request: HttpRequest, obj: Any) -> None:
        remove_unit(unit=obj, actor=request.user)  # type: ignore[arg-type]

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> Any:
        if db_field.name == "manager":
            # Users are visible to administrators alone; whoever edits units is one.
            return db_field.remote_field.model._default_manager.filter(is_active=True)
        return super().get_field_queryset(db, db_field, request)

    # The tree

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the tree; what only asks for a list (the pop-up that chooses a unit) gets the list."""
        if request.method != "GET" or "_popup" in request.GET or not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        week = chosen_week(request)
        term = request.GET.get("q", "").replace("\x00", "").strip()[:200]
        units = self.get_queryset(request).select_related("manager")
        children = OrgUnit.objects.filter(parent=OuterRef("pk"))
        units = units.annotate(has_children=Exists(children))
        opened = opened_in(request.GET.get("open"), OPEN_AT_MOST)
        where, error = request.GET.get(WHERE, "").strip(), None
        if where:
            units, error = self.meeting(request, units)
        is_search = bool(term or where)
        if where and error is None:
            try:
                with in_time_for_a_list(where):
                    nodes, is_cut = self._found(units, request, term)
            except ConditionError as too_long:
                nodes, is_cut, error = [], False, too_long
        else:
            nodes, is_cut = self._found(units, request, term) if is_search else self._tree(units, request, opened)
        figures = rolled_up(unit_ids=[node.unit.pk for node in nodes], week=week)
        is_open = {node.unit.pk for node in nodes if node.is_open}
        for node in nodes:
            node.figures = figures.get(node.unit.pk, Figures())
            node.toggle = toggle(is_open, node.unit.pk, week) if node.has_children and not is_search else ""
        context = {
            **self.admin_site.each_context(request),
            **self.sheet_links(request, keep=("q", WHERE)),
            "title": _("Units"),
            "subtitle": None,
            "opts": self.opts,
            "nodes": nodes,
            "is_cut": is_cut,
            "term": term,
            "where": where,
            "where_form": self.where_form(where, error, [("q", term), ("week", week_code(week))]),
            "week": week,
            "week_code": week_code(week),
            "weeks": [(week_code(monday), monday) for monday in horizon()],
            "open_ids": ",".join(map(str, sorted(is_open))),
            "has_add_permission": self.has_add_permission(request),
            "media": self.media,
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "org/unit_tree.html", context)

    def _tree(self, units: Any, request: HttpRequest, opened: set[int] | None) -> tuple[list[Node], bool]:
        """Return the visible rows in order: the roots of the reader's sight, and the children of what is open.

        One query a level, never one a unit.
        """
        visible_ids = self.get_queryset(request).order_by().values("pk")
        level = list(units.exclude(parent__in=visible_ids).order_by("code")[: CHILDREN_SHOWN + 1])
        is_cut = len(level) > CHILDREN_SHOWN
        by_parent: dict[int | None, list[Any]] = {None: level[:CHILDREN_SHOWN]}
        if opened is None:
            opened = {unit.pk for unit in by_parent[None]}
        ask = [unit.pk for unit in by_parent[None] if unit.pk in opened and unit.has_children]
        while ask:
            # One row more than is shown, of each parent, tells that there are more.
            rows = list(units.filter(parent__in=ask).order_by("code")[: CHILDREN_SHOWN * len(ask) + 1])
            for unit in rows:
                siblings = by_parent.setdefault(unit.parent_id, [])
                if len(siblings) < CHILDREN_SHOWN:
                    siblings.append(unit)
                else:
                    is_cut = True
            ask = [unit.pk for unit in rows if unit.pk in opened and unit.has_children]
        tops = by_parent.pop(None)
        rows_in_order = walk(tops, by_parent, opened, lambda unit: unit.pk)
        return [Node(unit, level, unit.pk in opened and unit.has_children) for level, unit in rows_in_order], is_cut

    def _found(self, units: Any, request: HttpRequest, term: str) -> tuple[list[Node], bool]:
        """Return the units that match, each with the names above it."""
        rows, _distinct = self.get_search_results(request, units, term)
        found = list(rows.order_by("code")[: FOUND_SHOWN + 1])
        visible = self.get_queryset(request)
        names = dict(visible.filter(pk__in={pk for unit in found for pk in unit.path}).values_list("pk", "name"))
        nodes = []
        for unit in found[:FOUND_SHOWN]:
            node = Node(unit, 0, False)
            node.above = " › ".join(names[pk] for pk in unit.path[:-1] if pk in names)
            nodes.append(node)
        return nodes, len(found) > FOUND_SHOWN

    # One unit

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        unit = kwargs.get("obj")
        if unit is not None:
            context |= self._unit_context(request, unit)
        return super().render_change_form(request, context, *args, **kwargs)

    def _unit_context(self, request: HttpRequest, unit: Any) -> dict[str, Any]:
        week, weeks = chosen_week(request), horizon()
        visible = self.get_queryset(request)
        children = list(visible.filter(parent=unit).order_by("code")[:CHILDREN_SHOWN])
        rolled = rolled_up(unit_ids=[unit.pk, *(child.pk for child in children)], week=week)
        above = dict(visible.filter(pk__in=unit.path[:-1]).values_list("pk", "name"))
        return {
            "unit": unit,
            "week": week,
            "week_code": week_code(week),
            "week_choices": [(week_code(monday), monday) for monday in weeks],
            "weeks": weeks,
            "by_week": totals_by_week(root=unit.pk, weeks=weeks),
            "now": rolled.get(unit.pk, Figures()),
            "headroom": headroom_of(unit),
            "above": [(name, reverse("admin:org_orgunit_change", args=(pk,))) for pk, name in above.items()],
            "children": [(child, rolled.get(child.pk, Figures())) for child in children],
            "positions": positions_of(unit, week, request.user),
            "timeline_link": timeline_of("org.orgunit", unit.pk),
            "board_links": board_links(unit, week, request),
        }


def positions_of(unit: Any, week: date, user: Any) -> list[dict[str, Any]]:
    """Return the unit's own positions with their figures of a week, those that miss most first."""
    positions = Position.objects.visible_to(user).filter(org_unit=unit).order_by("code")[:POSITIONS_SHOWN]
    stored = {row.position_id: row for row in PositionCoverage.objects.filter(position__in=[p.pk for p in positions])}
    rows = []
    for position in positions:
        rows.append({"position": position, "figures": own_figures(stored.get(position.pk), week)})
    return sorted(rows, key=lambda row: (-row["figures"].deficit, row["position"].code))


def own_figures(stored: Any, week: date) -> Figures:
    """Return one position's figures of a week as a unit's are written."""
    if stored is None:
        return Figures()
    index = (week - stored.first_week).days // 7

    def at(values: list[int]) -> int:
        return values[index] if 0 <= index < len(values) else 0

    return of_position(*(at(getattr(stored, name)) for name in FIGURES))


def chosen_week(request: HttpRequest) -> date:
    """Return the Monday asked for; the current week when it is none of those figures are kept for."""
    try:
        week = parse_week(request.GET.get("week", ""))
    except ValueError:
        return monday_of(today())
    return week if week in horizon() else monday_of(today())


def toggle(opened: set[int], pk: int, week: date) -> str:
    """Return the address that opens a closed unit or closes an open one."""
    return f"?{urlencode({'open': toggled(opened, pk), 'week': week_code(week)})}#unit-{pk}"


def board_links(unit: Any, week: date, request: HttpRequest) -> list[tuple[str, Any]]:
    """Return the addresses of the unit's board in this week and of its 13 weeks, for whom they are open."""
    if not request.user.has_perm("demand.view_unitcoverage"):
        return []
    board = reverse("admin:demand_unitcoverage_changelist")
    return [
        (f"{board}?{urlencode({'unit': unit.code, 'week': week_code(week)})}", _("Coverage board")),
        (f"{board}?{urlencode({'unit': unit.code, 'view': 'weeks'})}", _("13 weeks")),
    ]


def timeline_of(label: str, pk: Any) -> str:
    """Return the address of a record's own timeline."""
    return f"{reverse('admin:audit_log_auditentry_changelist')}?{urlencode({'record': f'{label}:{pk}'})}"
