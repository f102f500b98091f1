"""What an assignment would do: on its form while it is typed, and in the dialogs of its transitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from apps.business_rules.services import NoAnswer
from apps.demand.admin.candidates import told
from apps.demand.candidates import Wanted, candidates
from apps.demand.impact import ImpactPreview, hint, impact, panel, show
from apps.demand.preview import (
    Preview,
    coverage_weeks,
    ledger_weeks,
    preview_acceptance,
    preview_change,
    preview_proposal,
    preview_transition,
)
from apps.fsm.moves import Move

from ..models import Assignment

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
else:
    Screen = object

WATCHED = ("employee", "position", "effective_hours", "is_reinforcement", "starts_on", "ends_on")


class AssignmentPreview(ImpactPreview, Screen):  # type: ignore[misc]
    """Adds the live preview to the form of an assignment, and what it would do to the dialogs."""

    change_form_template = "assignments/assignment_form.html"
    impact_moves = frozenset({"accept", "close"})

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.preview_view)
        return [
            path("preview/", view, name="assignments_assignment_preview_new"),
            path("<path:object_id>/preview/", view, name="assignments_assignment_preview"),
            *super().get_urls(),
        ]

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        site = self.admin_site.name
        if obj is None:
            context["preview_panel"] = panel(reverse(f"{site}:assignments_assignment_preview_new"), WATCHED)
        elif self.has_change_permission(request, obj):
            url = reverse(f"{site}:assignments_assignment_preview", args=(quote(obj.pk),))
            context["preview_panel"] = panel(url, WATCHED)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def preview_view(self, request: HttpRequest, object_id: str | None = None) -> HttpResponse:
        """Answer what the form as typed would do. Nothing is written; what is out of scope is no choice of the form."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        obj = None
        if object_id is not None:
            if (obj := self.get_object(request, unquote(object_id))) is None:
                raise Http404
            if not self.has_change_permission(request, obj):
                raise PermissionDenied
        elif not self.has_add_permission(request):
            raise PermissionDenied
        form = self.get_form(request, obj, change=obj is not None)(request.GET, instance=obj or Assignment())
        if not form.is_valid():
            return show(request, hint(*_lacking(form)))
        try:
            preview = self._preview(request, obj, form.cleaned_data)
        except NoAnswer as no_answer:
            return show(request, hint(*no_answer.explain()))
        return show(request, _of(preview, request, str(form.instance.position)))

    def _preview(self, request: HttpRequest, obj: Assignment | None, values: Mapping[str, Any]) -> Preview:
        actor: Any = request.user
        if obj is not None:
            return preview_change(assignment=obj, values=values, actor=actor, each_rule=True)
        return preview_proposal(
            employee=values["employee"],
            position=values["position"],
            hours=values["effective_hours"],
            starts_on=values["starts_on"],
            ends_on=values["ends_on"],
            is_reinforcement=values["is_reinforcement"],
            actor=actor,
            each_rule=True,
        )

    def transition_impact_of(
        self, request: HttpRequest, obj: Assignment, move: Move, reason: str, inputs: Mapping[str, Any]
    ) -> dict[str, Any]:
        actor: Any = request.user
        label = str(obj.position)
        if move.name == "accept":
            wanted = Wanted(obj.position, obj.effective_hours, obj.starts_on, obj.ends_on, obj.is_reinforcement)
            others = candidates(wanted, user=actor, without=[obj.employee_id])
            preview = preview_acceptance(assignment=obj, actor=actor, each_rule=True)
            return _of(preview, request, label, candidates=[told(other) for other in others])
        answer = preview_transition(subject=obj, name=move.name, actor=actor, reason=reason, inputs=inputs)
        return impact(
            answer,
            user=actor,
            ledger=ledger_weeks(answer, obj.employee_id),
            coverage=[(label, coverage_weeks(answer, obj.position_id))],
            gated=False,
        )


def _of(preview: Preview, request: HttpRequest, label: str, **more: Any) -> dict[str, Any]:
    return impact(
        preview.answer, user=request.user, ledger=preview.ledger, coverage=[(label, preview.coverage)], **more
    )


def _lacking(form: Any) -> Sequence[str]:
    """Return what to fill in first, or what is wrong with what was; the form itself says the rest when it is saved."""
    missing, wrong = [], []
    for name, errors in form.errors.get_json_data().items():
        for error in errors:
            if error["code"] == "required":
                missing.append(capfirst(str(form.fields[name].label)))
            else:
                label = capfirst(str(form.fields[name].label)) if name in form.fields else ""
                wrong.append(f"{label}: {error['message']}" if label else error["message"])
    if missing:
        wrong.insert(0, _("Fill in %(fields)s to see what it does.") % {"fields": ", ".join(missing)})
    return wrong
