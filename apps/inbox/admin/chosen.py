"""What is done with several items chosen on the page of the inbox: one dialog, one call, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.common.admin.dialogs import PAGE_MEDIA, Dialog, choice_field, date_field, in_savepoint, text_field
from apps.common.clock import today
from apps.common.errors import Reason, Refusal

from ..items import Item, Key
from ..reading import items_for
from ..services import Outcome, acknowledge_chosen, assign_chosen, snooze_chosen
from ..telling import Told, tell
from .deeds import CHANGE, DAYS_PROPOSED, people_for

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
    from apps.users.models import User
else:
    Screen = object

# What a form ticks, and what the dialog after it carries on.
TICKED, CHOSEN = "item", "chosen"
AT_ONCE = 200


@dataclass(frozen=True)
class Deed:
    """One deed for several items: `fields` are what it needs to know, `run` does it."""

    title: str
    help: str
    fields: Mapping[str, forms.Field]
    run: Callable[[Sequence[Key], dict[str, Any]], Outcome]


class ChosenDeeds(Screen):  # type: ignore[misc]
    """Adds the deeds to the screen of the inbox. Put it before DeedDialogs, whose addresses would take its own."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.chosen_view)
        return [path("inbox/chosen/<slug:deed>/", view, name="inbox_attention_chosen"), *super().get_urls()]

    def chosen_view(self, request: HttpRequest, deed: str) -> HttpResponse:
        """Ask once for what the deed needs, then do it to those of the chosen items that are there and in sight."""
        user: Any = request.user
        back = self.back_from(request, reverse(f"{self.admin_site.name}:inbox_attention_inbox"))
        if request.method != "POST":
            return HttpResponseRedirect(back)
        if not user.has_perm(CHANGE):
            raise PermissionDenied
        keys = _keys(request)
        items = items_for(user, keys)
        made = _DEEDS.get(deed)
        if made is None:
            raise Http404
        if not keys:
            messages.warning(request, _("Choose at least one item first."))
            return HttpResponseRedirect(back)
        told = {one.item.key: one for one in tell(list(items.values()), user)}
        return self._run(request, made(user, list(items.values())), deed, keys, told, back)

    def _run(
        self, request: HttpRequest, deed: Deed, name: str, keys: Sequence[Key], told: Mapping[Key, Told], back: str
    ) -> HttpResponse:
        gone = len(keys) - len(told)
        dialog = Dialog(
            title=deed.title, submit=deed.title, back=back, help=deed.help, fields=deed.fields,
            about=ngettext("%(n)d item", "%(n)d items", len(keys)) % {"n": len(keys)},
            lines=[
                ngettext(
                    "%(n)d of them is over or out of your sight and will be refused.",
                    "%(n)d of them are over or out of your sight and will be refused.",
                    gone,
                ) % {"n": gone}
            ] if gone else (),
            hidden={CHOSEN: ",".join(key.token for key in keys)},
            template="inbox/chosen_dialog.html",
            extra={
                "action": reverse(f"{self.admin_site.name}:inbox_attention_chosen", args=(name,)),
                "told": [told[key] for key in keys if key in told],
            },
        )  # fmt: skip
        if CHOSEN not in request.POST:
            return self.show_dialog(request, dialog, dialog.form())
        form = dialog.form(request.POST)
        if not form.is_valid():
            return self.show_dialog(request, dialog, form)
        try:
            outcome: Outcome = in_savepoint(lambda values, confirmed: deed.run(keys, values), form.cleaned_data, False)
        except Refusal as refusal:
            return self.show_dialog(request, dialog, form, refusal=refusal)
        done = len(outcome.done)
        if not outcome.refused:
            messages.success(request, _done(deed, done))
            return HttpResponseRedirect(back)
        return self._results(request, deed, outcome, told, back)

    def _results(
        self, request: HttpRequest, deed: Deed, outcome: Outcome, told: Mapping[Key, Told], back: str
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": deed.title,
            "done": [told[key] for key in outcome.done if key in told],
            "number": len(outcome.done),
            "refused": [_refused(key, reason, told) for key, reason in outcome.refused.items()],
            "back": back,
            "media": PAGE_MEDIA,
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "inbox/chosen_results.html", context)


def _keys(request: HttpRequest) -> list[Key]:
    """Return the items a form names, each once; what names none is no form of ours."""
    tokens = request.POST.getlist(TICKED) or [token for token in request.POST.get(CHOSEN, "").split(",") if token]
    keys = [Key.read(token) for token in dict.fromkeys(tokens)]
    if len(keys) > AT_ONCE or None in keys:
        raise Http404
    return [key for key in keys if key is not None]


def _refused(key: Key, reason: Reason, told: Mapping[Key, Told]) -> tuple[str, str, str]:
    """Return what an item is called, where it leads, and why nothing was done; of one out of sight only its kind."""
    one = told.get(key)
    if one is None:
        return str(key.kind.label), "", str(reason.message)
    return f"{one.subject}: {key.kind.label}", one.url, str(reason.message)


def _done(deed: Deed, number: int) -> str:
    return ngettext("%(deed)s: %(n)d item.", "%(deed)s: %(n)d items.", number) % {"deed": deed.title, "n": number}


def _note() -> forms.Field:
    return text_field(label=_("Note"), required=False, help_text=_("The same for all of them."))


def _acknowledge(user: User, items: Sequence[Item]) -> Deed:
    return Deed(
        _("Acknowledge"), _("They stay in the inbox, marked as seen, until they are over."), {"note": _note()},
        lambda keys, values: acknowledge_chosen(keys=keys, actor=user, note=values["note"]),
    )  # fmt: skip


def _snooze(user: User, items: Sequence[Item]) -> Deed:
    return Deed(
        _("Snooze"),
        _("They leave the inbox of everybody and come back by themselves on the day you name, each as soon as it "
          "gets worse."),
        {
            "until": date_field(label=_("Come back on"), initial=today() + timedelta(days=DAYS_PROPOSED)),
            "note": _note(),
        },
        lambda keys, values: snooze_chosen(keys=keys, until=values["until"], actor=user, note=values["note"]),
    )  # fmt: skip


def _assign(user: User, items: Sequence[Item]) -> Deed:
    people = {str(person.pk): person for person in people_for(items)}
    choices = [(pk, f"{person} – {person.get_role_display()}") for pk, person in people.items() if pk != str(user.pk)]
    if str(user.pk) in people:
        choices.insert(0, (str(user.pk), _("Me")))
    return Deed(
        _("Assign"), _("Offered is who can see at least one of them. Choose nobody to give them back."),
        {"to": choice_field(choices, label=_("To"), required=False, initial=str(user.pk)), "note": _note()},
        lambda keys, values: assign_chosen(
            keys=keys, to=people[values["to"]] if values["to"] else None, actor=user, note=values["note"]
        ),
    )  # fmt: skip


_DEEDS: dict[str, Callable[[User, Sequence[Item]], Deed]] = {
    "acknowledge": _acknowledge, "snooze": _snooze, "assign": _assign,
}  # fmt: skip
