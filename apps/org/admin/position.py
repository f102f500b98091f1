"""Positions: what is needed, how far it is covered, what whoever fills it must hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display

from apps.assignments.models import Assignment
from apps.business_rules.admin.conditions import ConditionSearchMixin
from apps.common.admin import BaseAdmin, HistoryMixin
from apps.common.admin.dialogs import with_back
from apps.common.admin.tabs import RecordTabs, Tab
from apps.common.badges import Tone, badge, progress, two_lines
from apps.common.columns import day_column
from apps.common.hours import to_percent
from apps.common.weekbars import draw, hours_cell, hours_text, this_week
from apps.common.weeks import week_code
from apps.demand.admin.candidates import CandidatesTab
from apps.demand.admin.position_weeks import tone_of, week_bars
from apps.demand.coverage import state_of
from apps.demand.templatetags.coverage import SHAPES, state_badge
from apps.fsm.buttons import status_badge
from apps.imports.exporting import SheetExportMixin
from apps.tags.enums import Level
from apps.tags.models import PositionTag, TagCatalog
from apps.tags.services import set_position_tags

from ..filters import OpenFilter, UnitFilter
from ..models import Position
from ..services.positions import save_positions

LATEST = 100


def tags_field(label: Any, help_text: Any) -> forms.ModelMultipleChoiceField:
    return forms.ModelMultipleChoiceField(
        queryset=TagCatalog.objects.all(),
        required=False,
        label=label,
        help_text=help_text,
        widget=AutocompleteSelectMultiple(PositionTag._meta.get_field("tag"), admin.site),
    )


class PositionForm(forms.ModelForm):
    """A position with the tags it asks for."""

    required_tags = tags_field(
        gettext_lazy("required tags"),
        gettext_lazy("Whoever lacks one may not be assigned, and their hours count as unqualified."),
    )
    preferred_tags = tags_field(gettext_lazy("preferred tags"), gettext_lazy("Counts in favour of a candidate."))

    class Meta:
        model = Position
        fields = ("code", "title", "org_unit", "required_weekly_hours", "opens_on", "closes_on")

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        levels: dict[str, list[int]] = {Level.REQUIRED: [], Level.PREFERRED: []}
        if self.instance.pk is not None:
            for tag, level in self.instance.tags.values_list("tag", "level"):
                levels[level].append(tag)
        for name, level in (("required_tags", Level.REQUIRED), ("preferred_tags", Level.PREFERRED)):
            if name in self.fields:
                self.fields[name].label = capfirst(self.fields[name].label)
                self.initial.setdefault(name, levels[level])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        both = set(cleaned.get("required_tags") or ()) & set(cleaned.get("preferred_tags") or ())
        if both:
            names = ", ".join(sorted(tag.name for tag in both))
            self.add_error("preferred_tags", ValidationError(_("Already required: %(tags)s.") % {"tags": names}))
        return cleaned


@admin.register(Position)
class PositionAdmin(CandidatesTab, ConditionSearchMixin, SheetExportMixin, RecordTabs, HistoryMixin, BaseAdmin):
    form = PositionForm
    list_display = ("name", "unit", "covered", "state", "required_weekly_hours", "opens", "closes")
    list_filter = (("org_unit", UnitFilter), OpenFilter, ("closes_on", RangeDateFilter))
    list_select_related = ("org_unit", "coverage")
    search_fields = ("code", "title")
    search_help_text = gettext_lazy("Title or code")
    ordering = ("code",)
    in_palette = True
    icon = "work"
    record_tabs = (
        Tab("coverage", gettext_lazy("Coverage"), "demand.positioncoverage"),
        Tab("candidates", gettext_lazy("Find somebody"), "org.employee"),
        Tab("assignments", gettext_lazy("Assignments"), "assignments.assignment"),
        Tab("adjustments", gettext_lazy("Adjustments"), "demand.demandadjustment"),
    )
    fieldsets = (
        (gettext_lazy("Position"), {"fields": (("code", "title"), ("org_unit", "required_weekly_hours"),
                                               ("opens_on", "closes_on"))}),
        (gettext_lazy("What it asks for"), {"fields": ("required_tags", "preferred_tags")}),
    )  # fmt: skip

    def perform_save(self, request: HttpRequest, obj: Position, form: Any, change: bool) -> None:
        save_positions(positions=[obj], actor=request.user)  # type: ignore[arg-type]
        if {"required_tags", "preferred_tags"} & set(form.changed_data):
            wanted = {tag.pk: Level.PREFERRED for tag in form.cleaned_data["preferred_tags"]}
            wanted |= {tag.pk: Level.REQUIRED for tag in form.cleaned_data["required_tags"]}
            set_position_tags(wanted={obj.pk: wanted}, actor=request.user)  # type: ignore[arg-type]

    # What a person who may only look sees in place of the two fields.

    @display(description=gettext_lazy("required tags"))
    def required_tags(self, obj: Position) -> str:
        return self._names(obj, Level.REQUIRED)

    @display(description=gettext_lazy("preferred tags"))
    def preferred_tags(self, obj: Position) -> str:
        return self._names(obj, Level.PREFERRED)

    def _names(self, obj: Position, level: str) -> str:
        names = obj.tags.filter(level=level).order_by("tag__name").values_list("tag__name", flat=True)
        return ", ".join(names) or "–"

    # The list

    @display(description=gettext_lazy("position"), ordering="title")
    def name(self, obj: Position) -> str:
        return two_lines(obj.title, obj.code)

    opens = day_column("opens_on", gettext_lazy("opens on"))
    closes = day_column("closes_on", gettext_lazy("closes on"))

    @display(description=gettext_lazy("unit"))
    def unit(self, obj: Position) -> str:
        return obj.org_unit.name

    @display(description=gettext_lazy("coverage, this week"))
    def covered(self, obj: Position) -> str:
        figures: Any = getattr(obj, "coverage", None)
        if (place := this_week(figures)) is None:
            return progress(None, _("not computed yet"))
        required, assigned = figures.required[place], figures.assigned[place]
        percent = to_percent(assigned, required)
        text = f"{hours_text(assigned)} / {hours_text(required)}"
        return progress(percent or 0, text, tone_of(required, assigned, figures.unqualified[place]))

    @display(description=gettext_lazy("state"))
    def state(self, obj: Position) -> str:
        figures: Any = getattr(obj, "coverage", None)
        place = this_week(figures)
        return "–" if place is None else standing(figures, place)

    # The page

    def record_facts(self, request: HttpRequest, obj: Position) -> list[Any]:
        facts = [str(obj.org_unit)]
        figures: Any = getattr(obj, "coverage", None)
        if (place := this_week(figures)) is not None:
            facts.insert(0, standing(figures, place))
        if obj.closes_on:
            facts.append(_("closes %(day)s") % {"day": date_format(obj.closes_on, "SHORT_DATE_FORMAT")})
        return facts

    def coverage_tab(self, request: HttpRequest, obj: Position) -> dict[str, Any]:
        figures: Any = getattr(obj, "coverage", None)
        weeks = []
        for place in range(len(figures.required) if figures else 0):
            monday = figures.first_week + timedelta(weeks=place)
            required, assigned = figures.required[place], figures.assigned[place]
            reinforcement, proposed = figures.reinforcement[place], figures.proposed[place]
            unqualified = figures.unqualified[place]
            percent = to_percent(assigned, required)
            weeks.append(
                {"code": week_code(monday), "monday": monday, "required": hours_cell(required),
                 "assigned": hours_cell(assigned), "reinforcement": hours_cell(reinforcement),
                 "proposed": hours_cell(proposed), "unqualified": hours_cell(unqualified),
                 "percent": percent, "state": standing(figures, place)}
            )  # fmt: skip
        return {"coverage": figures, "weeks": weeks, "drawing": draw(week_bars(figures))}

    def assignments_tab(self, request: HttpRequest, obj: Position) -> dict[str, Any]:
        rows = (
            Assignment.objects.visible_to(request.user)  # type: ignore[arg-type]
            .filter(position=obj)
            .select_related("employee", "position")
            .order_by("-starts_on", "-id")[:LATEST]
        )
        add = with_back(reverse("admin:assignments_assignment_add"), request.get_full_path()) + f"&position={obj.pk}"
        return {
            "rows": [{"assignment": row, "state": status_badge(row.machine, row.status)} for row in rows],
            "add_url": add if request.user.has_perm("assignments.add_assignment") else "",
        }

    def adjustments_tab(self, request: HttpRequest, obj: Position) -> dict[str, Any]:
        here = request.get_full_path()
        may = self.may_edit(request, obj)

        def link(verb: str, *args: Any) -> str:
            if not may or not request.user.has_perm(f"demand.{verb}_demandadjustment"):
                return ""
            try:
                return with_back(reverse(f"admin:demand_demandadjustment_{verb}", args=args), here)
            except NoReverseMatch:
                return ""

        rows = obj.adjustments.order_by("-from_day", "-id")[:LATEST]
        add = link("add")
        return {
            "rows": [{"adjustment": row, "change": link("change", row.pk)} for row in rows],
            "add_url": f"{add}&position={obj.pk}" if add else "",
        }


def standing(figures: Any, place: int) -> SafeString:
    """Return how a position stands in one week of its stored figures: never green while somebody is unqualified."""
    state = state_of(figures.required[place], figures.assigned[place])
    if not figures.unqualified[place]:
        return state_badge(state)
    lacking = badge(_("unqualified hours"), Tone.RED, "workspace_premium")
    return format_html(
        "{} {}",
        badge(state.label, tone_of(figures.required[place], figures.assigned[place], 1), SHAPES[state]),
        lacking,
    )
