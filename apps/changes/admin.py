"""The outbox for administrators: what waits to reach the figures, what could not be worked off."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from apps.common.admin import ReadOnlyAdmin
from apps.common.badges import Tone, badge

from .drifting import MOST_TOLD, told
from .models import DeadLetter, Kind, Mark, Proof
from .services import send_again


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """Changes that could not be worked off. Choose them and send them again once the cause is gone."""

    scoped = False
    icon = "sync_problem"
    actions = ("send_again",)  # type: ignore[assignment]
    list_display = ("kind_shown", "subject_id", "first_line", "created_at")
    list_filter = ("kind",)
    fields = ("kind", "subject_id", "reason", "created_at")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        # The list itself is read only; the one deed here is an action, and the list posts it.
        return super(ReadOnlyAdmin, self).changelist_view(request, extra_context)

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("changes.change_deadletter"))

    @action(description=_("Send again"), permissions=["send_again"])
    def send_again(self, request: HttpRequest, queryset: Any) -> None:
        number = send_again(letters=queryset, actor=request.user)
        sentence = ngettext(
            "%(n)d change is on its way again.", "%(n)d changes are on their way again.", number
        ) % {"n": number}  # fmt: skip
        messages.success(request, sentence)

    @display(description=_("kind"))
    def kind_shown(self, letter: DeadLetter) -> Any:
        return badge(Kind(letter.kind).label, "grey", "")

    @display(description=_("reason"))
    def first_line(self, letter: DeadLetter) -> str:
        lines = letter.reason.strip().splitlines()
        return lines[-1][:200] if lines else ""


@admin.register(Mark)
class MarkAdmin(ReadOnlyAdmin):
    """Changes that have not reached the figures yet; a healthy list is empty within seconds."""

    scoped = False
    icon = "hourglass_empty"
    list_display = ("kind", "subject_id", "created_at", "alone", "attempts")
    list_filter = ("kind",)


@admin.register(Proof)
class ProofAdmin(ReadOnlyAdmin):
    """Each comparison of all stored figures with all computed anew: what differed, and was put right."""

    scoped = False
    icon = "fact_check"
    list_display = ("started_at", "lasted", "checked", "differ")

    @display(description=_("lasted"))
    def lasted(self, proof: Proof) -> str:
        return _now("%(seconds).1f s") % {"seconds": (proof.finished_at - proof.started_at).total_seconds()}

    @display(description=_("differ"))
    def differ(self, proof: Proof) -> Any:
        if not proof.drift:
            return badge(_now("none"), Tone.GREEN, "check_circle")
        return badge(str(len(proof.drift)), Tone.RED, "error")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one proof: whose figures differed, in which week, from what to what."""
        proof = self.looked_at(request, object_id)
        context = {
            **self.admin_site.each_context(request),
            "title": _now("Proof of the figures"),
            "subtitle": None,
            "opts": self.opts,
            "proof": proof,
            "differ": self.differ(proof),
            "lasted": self.lasted(proof),
            "subjects": told(proof.drift[:MOST_TOLD]),
            "more": max(0, len(proof.drift) - MOST_TOLD),
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "changes/proof.html", context)
