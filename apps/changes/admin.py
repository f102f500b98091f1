"""The outbox for administrators: what waits to reach the figures, what could not be worked off."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from apps.common.admin import ReadOnlyAdmin
from apps.common.admin.history import origin_label
from apps.common.badges import Tone, badge
from apps.common.errors import Refusal
from apps.imports.exporting import ListExportMixin

from .drifting import MOST_TOLD, told
from .figures import kept
from .models import DeadLetter, Kind, Mark, Proof, Repair
from .services import request_proof, send_again

MAY_PROVE = "changes.add_proof"


@admin.register(DeadLetter)
class DeadLetterAdmin(ListExportMixin, ReadOnlyAdmin):
    """Changes that could not be worked off. Choose them and send them again once the cause is gone."""

    scoped = False
    icon = "sync_problem"
    actions = ("send_again",)  # type: ignore[assignment]
    list_display = ("kind_shown", "subject_id", "first_line", "created_at")
    list_filter = ("kind",)
    fields = ("kind", "subject_id", "reason", "created_at")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        # The list itself is read only; the one deed here is an action, and the list posts it.
        links = self.sheet_links(request)
        return super(ReadOnlyAdmin, self).changelist_view(request, {**links, **(extra_context or {})})

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
class MarkAdmin(ListExportMixin, ReadOnlyAdmin):
    """Changes that have not reached the figures yet; a healthy list is empty within seconds."""

    scoped = False
    icon = "hourglass_empty"
    list_display = ("kind", "subject_id", "created_at", "alone", "attempts")
    list_filter = ("kind",)


@admin.register(Proof)
class ProofAdmin(ListExportMixin, ReadOnlyAdmin):
    """Each comparison of all stored figures with all computed anew: what differed, and was put right."""

    scoped = False
    icon = "fact_check"
    change_list_template = "changes/proof_list.html"
    list_display = ("asked", "why", "lasted", "checked", "differ")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.prove_view)
        return [path("prove/", view, name="changes_proof_prove"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        under_way = Proof.objects.filter(finished_at__isnull=True).first()
        link = reverse(f"{self.admin_site.name}:changes_proof_change", args=(under_way.pk,)) if under_way else ""
        may = request.user.has_perm(MAY_PROVE)
        return super().changelist_view(
            request, {**(extra_context or {}), "may_prove": may, "under_way_url": link if may else ""}
        )

    def prove_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for a proof, and show how it goes; while one is under way, show that."""
        if request.method != "POST" or not request.user.has_perm(MAY_PROVE):
            raise PermissionDenied
        try:
            proof = request_proof(actor=request.user)
        except Refusal as refusal:
            found = Proof.objects.filter(finished_at__isnull=True).first()
            if found is None:  # it has just come to an end
                found = Proof.objects.latest("pk")
            messages.info(request, str(refusal))
            proof = found
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:changes_proof_change", args=(proof.pk,)))

    @display(description=_("asked for"), ordering="id")
    def asked(self, proof: Proof) -> Any:
        return proof.requested_at

    @display(description=_("why"))
    def why(self, proof: Proof) -> str:
        return _now("asked for") if proof.origin == "admin" else origin_label(proof.origin)

    @display(description=_("lasted"))
    def lasted(self, proof: Proof) -> str:
        if proof.finished_at is None or proof.started_at is None:
            return "–"
        seconds = (proof.finished_at - proof.started_at).total_seconds()
        return _now("%(seconds)s s") % {"seconds": number_format(seconds, decimal_pos=1)}

    @display(description=_("differ"))
    def differ(self, proof: Proof) -> Any:
        if proof.finished_at is None:
            return (
                badge(_("under way"), "blue", "sync") if proof.started_at else badge(_("waiting"), "grey", "schedule")
            )
        if proof.failure:
            return badge(_("failed"), Tone.RED, "error")
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
        """Show one proof: whose figures differed, in which week, from what to what; while it goes on, how far it is."""
        proof = self.looked_at(request, object_id)
        names = [str(figures.kind.label) for figures in kept()]
        done = [str(Kind(kind).label) for kind in proof.done]
        context = {
            **self.admin_site.each_context(request),
            "title": _now("Proof of the figures"),
            "subtitle": None,
            "opts": self.opts,
            "proof": proof,
            "is_running": proof.finished_at is None,
            "why": self.why(proof),
            "done": done,
            "to_do": [name for name in names if name not in done],
            "all": len(names),
            "percent": len(done) * 100 // max(1, len(names)),
            "repair": Repair.objects.filter(proof=proof).first(),
            "differ": self.differ(proof),
            "lasted": self.lasted(proof),
            "subjects": told(proof.drift[:MOST_TOLD]),
            "more": max(0, len(proof.drift) - MOST_TOLD),
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "changes/proof.html", context)
