"""Who could cover a position: a tab of its page, from the gap of a week to the filled-in proposal."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.formats import localize_input
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.assignments.models import Assignment
from apps.common.admin.dialogs import with_back
from apps.common.badges import Tone, badge
from apps.common.clock import today
from apps.common.columns import short_day
from apps.common.hours import to_hours
from apps.common.weekbars import draw, hours_text
from apps.common.weeks import parse_week, week_code
from apps.org.models import Position

from ..candidates import Candidate, Wanted, candidates
from ..gaps import gap
from .position_weeks import week_bars

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
else:
    Screen = object

SHOWN = 25
DAY = partial(forms.DateInput, attrs={"type": "date"}, format="%Y-%m-%d")
# What stands in the way: nothing, something to confirm, a no.
LOOKS = ((Tone.GREEN, "check_circle"), (Tone.YELLOW, "warning"), (Tone.RED, "block"))


class CandidatesTab(Screen):  # type: ignore[misc]
    """Adds the tab to the screen of positions, as `candidates`."""

    def candidates_tab(self, request: HttpRequest, obj: Position) -> dict[str, Any]:
        user: Any = request.user
        form = SearchForm(obj, request.GET)
        wanted, found = None, []
        if form.is_valid() and form.cleaned_data["hours"]:
            asked = form.cleaned_data
            wanted = Wanted(obj, asked["hours"], asked["starts_on"], asked["ends_on"], asked["reinforcement"])
            found = candidates(wanted, user=user, limit=SHOWN, widely=True, untrained=asked["untrained"])
        may = user.has_perm("assignments.add_assignment")
        back = request.get_full_path()
        return {
            "form": form,
            "wanted": wanted,
            "week": week_code(form.gap.week),
            "gap": hours_text(form.gap.missing) if form.gap.missing else "",
            "drawing": draw(week_bars(getattr(obj, "coverage", None), chosen=form.gap.week, linked=True)),
            "is_capped": len(found) == SHOWN,
            "rows": [
                {
                    "one": one,
                    **told(one),
                    "where": where(one),
                    "room": hours_text(one.least_free),
                    "contract": _contract(one),
                    "absences": [_absence(leave) for leave in one.away],
                    "propose_url": _propose(wanted, one, back) if wanted and may and one.allowed else "",
                }
                for one in found
            ],
        }


class SearchForm(forms.Form):
    """What somebody is sought for. What is not said: the first gap there is, for as long as it lasts."""

    week = forms.CharField(required=False, widget=forms.HiddenInput)
    hours = forms.DecimalField(
        label=gettext_lazy("Hours a week"), max_digits=8, decimal_places=2, min_value=Decimal("0.01"), localize=True,
        required=False, widget=forms.TextInput(attrs={"inputmode": "decimal", "size": 6}),
    )  # fmt: skip
    starts_on = forms.DateField(label=gettext_lazy("From"), widget=DAY())
    ends_on = forms.DateField(label=gettext_lazy("Until"), widget=DAY(), required=False)
    untrained = forms.BooleanField(label=gettext_lazy("Also who lacks a required tag"), required=False)
    reinforcement = forms.BooleanField(label=gettext_lazy("As reinforcement"), required=False)

    def __init__(self, position: Position, asked: QueryDict):
        self.is_unknown_week = False
        try:
            week = asked.get("week")
            self.gap = gap(position, parse_week(week) if week else None)
        except ValueError:  # no week, or none of those kept
            self.gap, self.is_unknown_week = gap(position), True
        values: dict[str, Any] = {
            "week": week_code(self.gap.week),
            "hours": localize_input(to_hours(self.gap.missing)) if self.gap.missing else "",
            "starts_on": max(self.gap.week, today()).isoformat(),
            "ends_on": self.gap.until.isoformat() if self.gap.until else "",
        }
        if "hours" in asked:
            # Who says how much, says for how long.
            values["ends_on"] = ""
        super().__init__(values | {name: asked[name] for name in self.base_fields if name in asked and name != "week"})

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.is_unknown_week:
            self.add_error(None, _("Figures are kept of the current week and the 12 to come: choose one of those."))
        first, last = cleaned.get("starts_on"), cleaned.get("ends_on")
        if first and last and last < max(first, today()):
            self.add_error("ends_on", _("The last day is before the first, or gone by."))
        return cleaned


def told(candidate: Candidate) -> dict[str, Any]:
    """Return a candidate as pages and dialogs tell of them: who, from where, how free, what stands in the way."""
    employee = candidate.employee
    tone, icon = LOOKS[candidate.standing]
    against = [finding.message for finding in candidate.findings if not finding.waived]
    against += [str(reason.message) for reason in candidate.refusal]
    return {
        "name": str(employee),
        "url": reverse("admin:org_employee_change", args=(employee.pk,)),
        "unit": employee.home_unit.name,
        "free": _("%(hours)s h free in %(week)s") % {
            "hours": hours_text(candidate.free), "week": week_code(candidate.week),
        },
        "tone": tone,
        "icon": icon,
        "says": " ".join(against) or _("Nothing stands in the way."),
        "against": against,
    }  # fmt: skip


def where(candidate: Candidate) -> str:
    """Return how far from the position somebody works."""
    match candidate.steps:
        case 0:
            return _("in this unit")
        case 1:
            return _("in a unit below")
        case 2:
            return _("in a unit beside")
    away = candidate.steps - 1
    return ngettext("%(steps)d level up", "%(steps)d levels up", away) % {"steps": away}


def _contract(candidate: Candidate) -> Any:
    if not candidate.has_contract:
        return badge(_("no contract"), Tone.RED, "contract_delete")
    if candidate.contract_until is None:
        return _("without end")
    return _("until %(day)s") % {"day": short_day(candidate.contract_until)}


def _absence(leave: Any) -> str:
    words = {"kind": leave.get_kind_display(), "from": short_day(leave.starts_on)}
    if leave.ends_on is None:
        return _("%(kind)s from %(from)s, without a known end") % words
    return _("%(kind)s %(from)s to %(until)s") % {**words, "until": short_day(leave.ends_on)}


def _propose(wanted: Wanted, candidate: Candidate, back: str) -> str:
    """Return the form of a proposal, filled in."""
    values = {
        "employee": candidate.employee.pk,
        "position": wanted.position.pk,
        "effective_hours": str(wanted.hours),  # a field of numbers takes a point in any language
        "starts_on": localize_input(wanted.first),
        "ends_on": localize_input(wanted.ends_on) if wanted.ends_on else "",
    }
    if wanted.is_reinforcement:
        values["is_reinforcement"] = "on"
    address = with_back(reverse(f"admin:{Assignment._meta.app_label}_assignment_add"), back)
    return f"{address}&{urlencode(values)}"
