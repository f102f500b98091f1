"""The transitions of a record as buttons of its page and as actions of its list.

One address per transition: GET shows the dialog, POST walks through the one door (`apply_transition`), which asks for
permission, source state, inputs, guards and rules again. What was typed in the record's own form never rides along.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.common.admin.dialogs import (
    BACK,
    PAGE_MEDIA,
    Dialog,
    Dialogs,
    choice_field,
    date_field,
    digest_of,
    in_savepoint,
    text_field,
    with_back,
)
from apps.common.admin.writes import CONFIRMED
from apps.common.badges import badge
from apps.common.errors import ConfirmationNeeded, Reason, Refusal
from apps.users.permissions import Whose, whose_transition

from .moves import Machine, Move, Need
from .services import (
    Order,
    TransitionsRefused,
    allowed_moves,
    apply_transition,
    apply_transitions,
    has_moved_on,
)

if TYPE_CHECKING:
    from apps.common.admin.tabs import RecordTabs as Screen
else:
    Screen = object

ACTION = "transition_"
AT_ONCE = 1_000
SELECTION = "selection"


def status_badge(machine: Machine, state: str) -> SafeString:
    """Return a state's badge: its label, colour and shape."""
    return badge(machine.states(state).label, machine.colours[state], machine.icons[state])


def state_change(machine: Machine, states: Iterable[str], target: str) -> SafeString:
    """Return “from → to” as badges; of several states only where they go."""
    sources = sorted(set(states))
    if len(sources) != 1 or sources[0] == target:
        return status_badge(machine, target)
    return format_html(
        '{} <span class="material-symbols-outlined" aria-hidden="true">arrow_forward</span>'
        '<span class="visually-hidden">{}</span> {}',
        status_badge(machine, sources[0]),
        _("becomes"),
        status_badge(machine, target),
    )


def field_for(need: Need) -> forms.Field:
    """Return the dialog's field for what a transition needs."""
    options = {"label": capfirst(str(need.label)), "required": need.required, "help_text": need.help}
    if need.kind == "date":
        return date_field(**options)
    if need.kind == "choice":
        return choice_field(need.choices, **options)
    return text_field(**options)


def split_reason(values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the reason and the other inputs of a dialog's values, empty ones left out."""
    inputs = {name: value for name, value in values.items() if name != "reason" and value not in (None, "")}
    return values.get("reason", ""), inputs


@dataclass
class RowResult:
    """What became of one row of a bulk transition."""

    obj: Any
    url: str
    badge: SafeString
    done: bool
    sentences: Sequence[str] = ()


class TransitionButtons(Dialogs, Screen):  # type: ignore[misc]
    """Adds transitions to the screen of a model with a machine. Put it before RecordTabs and BaseAdmin."""

    # What else a person should know before the deed; lines of text. May ask the database a fixed number of questions.
    def transition_impact(self, request: HttpRequest, rows: Sequence[Any], move: Move) -> list[str]:
        return []

    # What one deed would do to hours and coverage, as HTML inside the dialog's form.
    def transition_panel(self, request: HttpRequest, rows: Sequence[Any], move: Move) -> SafeString | str:
        return ""

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        view = self.admin_site.admin_view
        return [
            path("transitions/<slug:transition>/", view(self.transitions_view), name=f"{name}_transitions"),
            path(
                "<path:object_id>/transitions/<slug:transition>/",
                view(self.transition_view),
                name=f"{name}_transition",
            ),
            *super().get_urls(),
        ]

    def _named(self, transition: str) -> Move:
        try:
            return self.model.machine.by_name[transition]
        except KeyError:
            raise Http404 from None

    # One record

    def record_context(self, request: HttpRequest, obj: Any, current: str) -> dict[str, Any]:
        context = super().record_context(request, obj, current)
        context["transition_bar"] = self.transition_bar(request, obj)
        context["record_extras"] = ["fsm/buttons.html", *context["record_extras"]]
        return context

    def transition_bar(self, request: HttpRequest, obj: Any) -> list[dict[str, Any]]:
        """Return the buttons of a record's page: the moves this person may make with it now."""
        here = request.get_full_path()
        return [
            {"move": move, "name": move.name, "label": move.label, "danger": move.ends,
             "url": with_back(self._transition_url(obj, move), here)}
            for move in allowed_moves(obj, request.user)  # type: ignore[arg-type]
        ]  # fmt: skip

    def _transition_url(self, obj: Any, move: Move) -> str:
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_transition"
        return reverse(name, args=(quote(obj.pk), move.name))

    def transition_view(self, request: HttpRequest, object_id: str, transition: str) -> HttpResponse:
        """Show the dialog of one transition of one record, or make it."""
        move = self._named(transition)
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            raise Http404
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change"
        back = self.back_from(request, reverse(name, args=(quote(obj.pk),)))
        dialog = self._dialog(request, move, [obj], back, about=self.record_title(obj))
        if move not in allowed_moves(obj, request.user):  # type: ignore[arg-type]
            return self._closed(request, dialog, obj, move)
        return self.run_dialog(request, dialog, partial(self._move_one, request, obj, move))

    def _move_one(self, request: HttpRequest, obj: Any, move: Move, values: dict[str, Any], confirmed: bool) -> str:
        reason, inputs = split_reason(values)
        moved = apply_transition(obj, move.name, actor=request.user, reason=reason, confirmed=confirmed, **inputs)  # type: ignore[arg-type]
        return _("%(move)s: done. %(subject)s is now “%(state)s”.") % {
            "move": move.label, "subject": moved, "state": moved.get_status_display(),
        }  # fmt: skip

    def _closed(self, request: HttpRequest, dialog: Dialog, obj: Any, move: Move) -> HttpResponse:
        """Say why a button is not there for this person: the state moved on (409), or it is not theirs (403)."""
        if has_moved_on(obj, move, request.user):  # type: ignore[arg-type]
            code, status = "wrong_state", 409
            sentence = _("%(subject)s is “%(state)s”: “%(move)s” is not possible from there.")
        else:
            code, status = "forbidden", 403
            sentence = _("You may not do “%(move)s” with %(subject)s.")
        said = sentence % {"subject": obj, "state": obj.get_status_display(), "move": move.label}
        dialog.change, dialog.help, dialog.lines = "", "", ()
        return self.show_dialog(request, dialog, None, refusal=Refusal(Reason(said, code=code)), status=status)

    def _dialog(
        self, request: HttpRequest, move: Move, rows: Sequence[Any], back: str, *, about: str, **more: Any
    ) -> Dialog:
        return Dialog(
            title=move.label,
            submit=move.label,
            back=back,
            fields={need.name: field_for(need) for need in move.needs},
            about=about,
            help=move.help,
            lines=self.transition_impact(request, rows, move),
            change=state_change(self.model.machine, [row.status for row in rows], move.target),
            danger=move.ends,
            panel=self.transition_panel(request, rows, move),
            **more,
        )

    # Many records, from the list

    def get_actions(self, request: HttpRequest) -> Any:  # type: ignore[override]
        actions: dict[str, Any] = super().get_actions(request)  # type: ignore[assignment]
        for move in self.model.machine.moves:
            whose = whose_transition(request.user, self.model.machine.label, move.name)  # type: ignore[arg-type]
            if move.system or whose is None or whose is Whose.SELF:
                continue
            name = f"{ACTION}{move.name}"
            actions[name] = (_choose, name, f"{move.label}…")
        return actions

    def transitions_view(self, request: HttpRequest, transition: str) -> HttpResponse:
        """Make one transition of many records: the good rows are done, the others say why not."""
        move = self._named(transition)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        pks = self._selected(request)
        rows = self._rows(request, pks)
        if len(rows) != len(pks):
            raise Http404
        whose = whose_transition(request.user, self.model.machine.label, move.name)  # type: ignore[arg-type]
        if move.system or whose is None or whose is Whose.SELF:
            raise PermissionDenied
        dialog = self._bulk_dialog(request, move, rows)
        form = dialog.form(request.POST)
        if not form.is_valid():
            return self.show_dialog(request, dialog, form)
        bulk = BulkMove(self.model, move, form.cleaned_data, request.user)
        try:
            bulk.run(pks, confirmed=False)
        except ConfirmationNeeded as warning:
            if request.POST.get(CONFIRMED) != digest_of(warning):
                return self.show_dialog(request, dialog, form, warning=warning)
            bulk.run(pks, confirmed=True)
        return self._results(request, move, self._rows(request, pks) or rows, bulk.refused, dialog.back)

    def choose_transition(self, request: HttpRequest, rows: QuerySet[Any], transition: str) -> HttpResponse | None:
        """Ask once for what the transition of all the selected records needs."""
        move = self._named(transition)
        pks = list(rows.order_by().values_list("pk", flat=True)[: AT_ONCE + 1])
        if len(pks) > AT_ONCE:
            messages.error(
                request,
                _("At most %(most)d records can be moved at once: narrow the list with a filter, or select fewer.")
                % {"most": AT_ONCE},
            )
            return None
        dialog = self._bulk_dialog(request, move, self._rows(request, pks))
        return self.show_dialog(request, dialog, dialog.form())

    def _selected(self, request: HttpRequest) -> list[int]:
        try:
            pks = [int(pk) for pk in request.POST.get(SELECTION, "").split(",")]
        except ValueError:
            raise Http404 from None
        if not 0 < len(set(pks)) == len(pks) <= AT_ONCE:
            raise Http404
        return pks

    def _rows(self, request: HttpRequest, pks: Sequence[int]) -> list[Any]:
        rows = self.get_queryset(request).filter(pk__in=pks)
        related = self.list_select_related
        try:
            return list(rows.select_related(*related) if isinstance(related, list | tuple) else rows)
        except (OverflowError, ValidationError):
            raise Http404 from None

    def _bulk_dialog(self, request: HttpRequest, move: Move, rows: Sequence[Any]) -> Dialog:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        back = self.back_from(request, reverse(f"{self.admin_site.name}:{name}_changelist"))
        ready = [row for row in rows if row.status in move.sources]
        lines = []
        if elsewhere := len(rows) - len(ready):
            lines.append(
                ngettext(
                    "%(count)d of them is in another state and will be refused.",
                    "%(count)d of them are in other states and will be refused.",
                    elsewhere,
                )
                % {"count": elsewhere}
            )
        count = f"{len(rows)} {self.opts.verbose_name if len(rows) == 1 else self.opts.verbose_name_plural}"
        dialog = self._dialog(
            request, move, ready or rows, back, about=count,
            hidden={SELECTION: ",".join(str(row.pk) for row in rows)},
            template="fsm/bulk_dialog.html",
            extra={
                "action": reverse(f"{self.admin_site.name}:{name}_transitions", args=(move.name,)),
                "rows": [(row, status_badge(self.model.machine, row.status), row in ready) for row in rows],
            },
        )  # fmt: skip
        dialog.lines = [*dialog.lines, *lines]
        return dialog

    def _results(
        self, request: HttpRequest, move: Move, rows: Sequence[Any], refused: dict[int, list[str]], back: str
    ) -> HttpResponse:
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change"
        results = [
            RowResult(row, reverse(name, args=(quote(row.pk),)), status_badge(self.model.machine, row.status),
                      row.pk not in refused, refused.get(row.pk, ()))
            for row in rows
        ]  # fmt: skip
        results.sort(key=lambda result: result.done)
        done = sum(result.done for result in results)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": move.label,
            "move": move,
            "results": results,
            "done": done,
            "refused": len(results) - done,
            "back": back,
            "media": PAGE_MEDIA,
        }
        return TemplateResponse(request, "fsm/bulk_results.html", context)


def _choose(screen: TransitionButtons, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
    transition = request.POST["action"].removeprefix(ACTION)
    # The list with its filters, so that one comes back to where one was.
    request.GET = request.GET.copy()  # type: ignore[assignment]
    request.GET[BACK] = request.get_full_path()  # type: ignore[misc]
    return screen.choose_transition(request, queryset, transition)


class BulkMove:
    """One transition of many records, good rows only.

    The door takes all or none and names whom it refuses, so the refused are taken out and the rest tried again: as
    many tries as the door has stages, however many rows. A refusal that names nobody (a database constraint) halves
    the batch until it does.
    """

    def __init__(self, model: Any, move: Move, values: dict[str, Any], actor: Any):
        self.model, self.move, self.actor = model, move, actor
        self.reason, self.inputs = split_reason(values)
        self.refused: dict[int, list[str]] = {}

    def run(self, pks: Sequence[int], *, confirmed: bool) -> None:
        """Move who can be moved. Raise ConfirmationNeeded, with nothing done, for warnings not confirmed."""
        self.refused = {}
        in_savepoint(lambda values, agreed: self._try(list(pks), agreed), {}, confirmed)

    def _try(self, pks: list[int], confirmed: bool) -> None:
        while pks:
            orders = [Order(pk, self.reason, self.inputs) for pk in pks]
            try:
                in_savepoint(partial(self._move, orders), {}, confirmed)
                return
            except ConfirmationNeeded:
                raise
            except TransitionsRefused as refusal:
                for pk, reasons in refusal.by_subject.items():
                    self.refused[pk] = Refusal(reasons).explain()
                pks = [pk for pk in pks if pk not in refusal.by_subject]
            except Refusal as refusal:
                if len(pks) == 1:
                    self.refused[pks[0]] = refusal.explain()
                    return
                middle = len(pks) // 2
                self._try(pks[:middle], confirmed)
                pks = pks[middle:]

    def _move(self, orders: Sequence[Order], values: dict[str, Any], confirmed: bool) -> None:
        apply_transitions(self.model, self.move.name, orders, actor=self.actor, confirmed=confirmed)
