"""Closed weeks put right: the page that shows what a correction would do and asks why, and the record of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, Q, Subquery, Value
from django.db.models.functions import Concat, Trim
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.changes.models import Correction
from apps.common.admin import ReadOnlyAdmin
from apps.common.admin.dialogs import PAGE_MEDIA
from apps.common.errors import Refusal
from apps.common.weekbars import hours_text
from apps.common.weeks import parse_week, week_code
from apps.imports.exporting import ListExportMixin
from apps.org.filters import unit_asked
from apps.org.models import OrgUnit
from apps.org.querysets import scope_of
from apps.users.models import User

from ..corrected import Account, Changed, Outcome, outcome_of
from ..levels import Answer
from ..services import correct_week, preview_correction
from .board_asked import Asked
from .waterfall_bars import figure_tiles, signed

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
else:
    Screen = object

PER_PAGE, MOST_PAGES = 50, 10_000
MAY_CORRECT = "changes.add_correction"


class ReasonForm(forms.Form):
    """Why a week is corrected; `seen` names the figures that were shown."""

    reason = forms.CharField(
        label=gettext_lazy("Why is this week corrected?"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "aria-describedby": "correction-kept"}),
    )
    seen = forms.CharField(widget=forms.HiddenInput)


@dataclass(frozen=True)
class Cell:
    """A figure before and after, as people read it; `change` is empty where it stays."""

    was: str
    now: str
    change: str


class CorrectionPage(Screen):  # type: ignore[misc]
    """Adds the page to a screen."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.correct_view)
        return [path("correct/", view, name="demand_positioncoverage_correct"), *super().get_urls()]

    def correct_view(self, request: HttpRequest) -> HttpResponse:
        """Show what today's records would make of a closed week; a POST makes it so."""
        if request.method not in ("GET", "HEAD", "POST") or not request.user.has_perm(MAY_CORRECT):
            raise PermissionDenied
        user: Any = request.user
        try:
            week = parse_week(request.GET.get("week", ""))
        except ValueError as error:
            raise Http404 from error
        unit = unit_asked(request)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        site, problem = self.admin_site.name, None
        if request.method == "POST" and form.is_valid():
            try:
                correction = correct_week(actor=user, week=week, unit=unit, **form.cleaned_data)
            except Refusal as refusal:
                problem = refusal
            else:
                messages.success(request, _("%(week)s is corrected.") % {"week": week_code(week)})
                return HttpResponseRedirect(reverse(f"{site}:changes_correction_change", args=(correction.pk,)))
        page = _page(request)
        preview = None
        try:
            preview = preview_correction(actor=user, week=week, unit=unit, limit=PER_PAGE, offset=(page - 1) * PER_PAGE)
        except Refusal as refusal:
            problem = problem or refusal
        if preview is not None:
            reason = form.data.get("reason", "") if form.is_bound else ""
            shown = ReasonForm(initial={"reason": reason, "seen": preview.seen})
            # What was typed stays; which figures were seen is said anew.
            if form.is_bound and form.errors:
                shown = ReasonForm({"reason": reason, "seen": preview.seen})
            form = shown
        place = unit or OrgUnit.objects.filter(pk=scope_of(user)).first()
        query = {"week": week_code(week), **({"unit": unit.code} if unit else {})}
        context = {
            **self.admin_site.each_context(request),
            "title": _("Correct %(week)s") % {"week": week_code(week)},
            "content_title": _("Correct %(week)s") % {"week": week_code(week)},
            "subtitle": None,
            "week": week,
            "week_code": week_code(week),
            "place": f"{place.name} ({place.code})" if place else _("Whole organisation"),
            "form": form if preview is not None else None,
            "problems": problem.explain() if problem else [],
            "back": f"{reverse(f'{site}:demand_unitcoverage_changelist')}?{urlencode(query)}",
            "media": PAGE_MEDIA,
            **(shown_outcome(preview.outcome, page, query, with_whole=True) if preview else {}),
        }
        request.current_app = site  # type: ignore[attr-defined]
        return TemplateResponse(request, "demand/correction.html", context)


@admin.register(Correction)
class CorrectionAdmin(ListExportMixin, ReadOnlyAdmin):
    """Who corrected which closed week, why, and what that changed. The figures it was closed with stay beside it."""

    scoped = False
    icon = "history_edu"
    list_display = ("week_shown", "created_at", "who", "place_shown", "reason")
    list_filter = ("week",)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave out those of other parts of the organisation."""
        actor, unit_of = User.objects.filter(pk=OuterRef("actor_id")), OrgUnit.objects.filter(pk=OuterRef("unit_id"))
        rows = (
            super()
            .get_queryset(request)
            .annotate(
                actor_name=Subquery(actor.values(name=Trim(Concat("given_name", Value(" "), "family_name")))),
                actor_email=Subquery(actor.values("email")),
                unit_name=Subquery(unit_of.order_by().values("name")),
                unit_code=Subquery(unit_of.order_by().values("code")),
            )
        )
        user: Any = request.user
        unit = OrgUnit.objects.filter(pk=scope_of(user)).first()
        if unit is None:
            return rows
        near = Q(unit_id__in=unit.path) | Q(unit_id__in=OrgUnit.objects.under(unit.pk).order_by().values("pk"))
        return rows.filter(Q(unit_id__isnull=True) | near)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one correction: whose figures were what, and are what since."""
        correction = self.looked_at(request, object_id)
        user: Any = request.user
        page = _page(request)
        outcome = outcome_of(correction, scope=scope_of(user), limit=PER_PAGE, offset=(page - 1) * PER_PAGE)
        later = Correction.objects.filter(week=correction.week, pk__gt=correction.pk).order_by("pk").first()
        site, code = self.admin_site.name, week_code(correction.week)
        unit = OrgUnit.objects.visible_to(user).filter(pk=correction.unit_id).first()
        query = {"week": code, **({"unit": unit.code} if unit else {})}
        context = {
            **self.admin_site.each_context(request),
            "title": _("Correction of %(week)s") % {"week": code},
            "content_title": _("Correction of %(week)s") % {"week": code},
            "subtitle": None,
            "opts": self.opts,
            "correction": correction,
            "who": self.who(correction),
            "week": correction.week,
            "week_code": code,
            "place": self.place_shown(correction),
            "later": reverse(f"{site}:changes_correction_change", args=(later.pk,)) if later else "",
            "later_at": later.created_at if later else None,
            "back": f"{reverse(f'{site}:demand_unitcoverage_changelist')}?{urlencode(query)}",
            "media": PAGE_MEDIA,
            **shown_outcome(outcome, page, {}, with_whole=later is None),
        }
        request.current_app = site  # type: ignore[attr-defined]
        return TemplateResponse(request, "demand/correction.html", context)

    @display(description=gettext_lazy("week"), ordering="week")
    def week_shown(self, correction: Correction) -> str:
        return week_code(correction.week)

    @display(description=gettext_lazy("by"))
    def who(self, correction: Any) -> str:
        return str(correction.actor_name or correction.actor_email or _("the system"))

    @display(description=gettext_lazy("unit"))
    def place_shown(self, correction: Any) -> str:
        if correction.unit_id is None:
            return _("Whole organisation")
        return f"{correction.unit_name} ({correction.unit_code})" if correction.unit_code else f"#{correction.unit_id}"


def correction_links(request: HttpRequest, asked: Asked, answer: Answer, site: str) -> dict[str, Any]:
    """Return what the board of a closed week says of corrections: the latest one, and where it is put right."""
    if answer.closed_at is None:
        return {}
    query = {"week": week_code(asked.week), **({"unit": asked.unit.code} if asked.unit else {})}
    correct = f"{reverse(f'{site}:demand_positioncoverage_correct')}?{urlencode(query)}"
    stamp = answer.stamp
    return {
        "stamp": stamp,
        "stamp_url": reverse(f"{site}:changes_correction_change", args=(stamp.correction,)) if stamp else "",
        "correct_url": correct if request.user.has_perm(MAY_CORRECT) else "",
    }


def shown_outcome(outcome: Outcome, page: int, query: dict[str, str], *, with_whole: bool) -> dict[str, Any]:
    """Return what demand/correction.html says of an outcome."""
    pages = max(1, -(-outcome.positions // PER_PAGE))

    def link(number: int) -> str:
        return "?" + urlencode({**query, "page": str(number)})

    return {
        "outcome": outcome,
        "tiles": figure_tiles(outcome.whole_was, outcome.whole) if with_whole else [],
        "positions": [_row(line) for line in outcome.position_lines],
        "units": [_row(line) for line in outcome.unit_lines],
        "more_units": outcome.units - len(outcome.unit_lines),
        "accounts": [_account(line) for line in outcome.account_lines],
        "more_accounts": outcome.accounts - len(outcome.account_lines),
        "page": page,
        "pages": pages,
        "previous": link(page - 1) if page > 1 else "",
        "next": link(page + 1) if page < pages else "",
    }


def _row(line: Changed) -> dict[str, Any]:
    return {
        "name": line.name,
        "code": line.code,
        "unit": line.unit,
        "cells": [
            _cell(getattr(line.was, name), getattr(line.now, name))
            for name in ("required", "assigned", "deficit", "unqualified")
        ],
    }


def _account(line: Account) -> dict[str, Any]:
    return {
        "name": line.name,
        "code": line.code,
        "cells": [
            _cell(line.pool_was, line.pool),
            _cell(line.assigned_was, line.assigned),
            _cell(line.pool_was - line.assigned_was, line.pool - line.assigned),
        ],
    }


def _cell(was: int, now: int) -> Cell:
    return Cell(hours_text(was), hours_text(now), signed(now - was) if now != was else "")


def _page(request: HttpRequest) -> int:
    text = request.GET.get("page", "")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 1
    return min(max(number, 1), MOST_PAGES)
