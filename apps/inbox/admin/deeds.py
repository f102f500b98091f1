"""The dialogs of the inbox: what is done with one item, and what the reader asks to be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminIntegerFieldWidget, UnfoldBooleanWidget

from apps.common.admin.dialogs import Dialog, DialogDeed, choice_field, date_field, text_field
from apps.common.clock import today
from apps.common.columns import short_day
from apps.users.enums import Role
from apps.users.models import User

from ..items import Item, Key
from ..models.subscription import CLIFF_DAYS, COVERAGE_DAYS
from ..querysets import SUBJECTS
from ..reading import item_for, kinds_of, subscription_of
from ..services import acknowledge, assign, save_subscription, snooze, unassign, wake
from ..telling import Told, subjects_of, tell
from .inbox import VIEW

if TYPE_CHECKING:
    from apps.common.admin import BaseAdmin as Screen
else:
    Screen = object

CHANGE = "inbox.change_attention"
PEOPLE_OFFERED = 300
DAYS_PROPOSED = 7


class DeedDialogs(Screen):  # type: ignore[misc]
    """Adds the dialogs to the screen of the inbox; the services ask again whether they may happen."""

    def get_urls(self) -> list[Any]:
        guarded = self.admin_site.admin_view
        return [
            path("inbox/subscription/", guarded(self.subscription_view), name="inbox_attention_subscription"),
            path("inbox/<str:token>/<slug:deed>/", guarded(self.deed_view), name="inbox_attention_deed"),
            *super().get_urls(),
        ]

    def deed_view(self, request: HttpRequest, token: str, deed: str) -> HttpResponse:
        """Ask what a deed needs, and do it. An item that is over, or out of sight, is none."""
        user: Any = request.user
        made: Callable[[Any, Key, Told, str], tuple[Dialog, DialogDeed]] | None = {
            "acknowledge": _acknowledge, "assign": _assign, "snooze": _snooze, "wake": _wake,
        }.get(deed)  # fmt: skip
        key = Key.read(token)
        item = item_for(user, key) if key is not None and made is not None else None
        if made is None or key is None or item is None:
            raise Http404
        if not user.has_perm(CHANGE):
            raise PermissionDenied
        told = tell([item], user)
        if not told:
            raise Http404
        back = self.back_from(request, reverse(f"{self.admin_site.name}:inbox_attention_inbox"))
        dialog, done = made(user, key, told[0], back)
        return self.run_dialog(request, dialog, done)

    def subscription_view(self, request: HttpRequest) -> HttpResponse:
        """Ask the reader what to be told, how far ahead, and whether by mail."""
        user: Any = request.user
        if not user.has_perm(VIEW):
            raise PermissionDenied
        now = subscription_of(user)
        fields: dict[str, forms.Field] = {
            "cliff_lead_days": _days(_("Coverage running out: days ahead"), now.cliff_lead_days, CLIFF_DAYS),
            "coverage_lead_days": _days(_("Units below target: days ahead"), now.coverage_lead_days, COVERAGE_DAYS),
        }
        if settings.COVERIS_SENDS_MAIL:
            fields |= {
                "by_mail": forms.BooleanField(
                    label=_("One mail a day"), required=False, initial=now.by_mail, widget=UnfoldBooleanWidget(),
                    help_text=_("Only what changed since the last one; none when nothing did."),
                ),
                "only_mine": forms.BooleanField(
                    label=_("In the mail only what is assigned to me"), required=False, initial=now.only_mine,
                    widget=UnfoldBooleanWidget(),
                ),
                "kinds": forms.MultipleChoiceField(
                    label=_("In the mail"), required=False, initial=now.kinds,
                    choices=[(kind.value, kind.label) for kind in kinds_of(user)],
                    widget=UnfoldAdminCheckboxSelectMultipleWidget(),
                ),
            }  # fmt: skip
        dialog = Dialog(
            title=_("What I am told"),
            help=_("For you alone. The mail is written in your language, to %(email)s.") % {"email": user.email}
            if settings.COVERIS_SENDS_MAIL
            else _("This installation sends no mail: whoever runs it has not set EMAIL_URL."),
            submit=_("Save"),
            back=self.back_from(request, reverse(f"{self.admin_site.name}:inbox_attention_inbox")),
            fields=fields,
        )

        def deed(values: dict[str, Any], confirmed: bool) -> Any:
            kept = {"by_mail": now.by_mail, "only_mine": now.only_mine, "kinds": now.kinds}
            if not settings.COVERIS_SENDS_MAIL:
                kept["by_mail"] = False
            save_subscription(**{**kept, **values}, actor=user)
            return _("Saved.")

        return self.run_dialog(request, dialog, deed)


def _days(label: str, initial: int, most: int) -> forms.Field:
    return forms.IntegerField(
        label=label, min_value=0, max_value=most, initial=initial, widget=UnfoldAdminIntegerFieldWidget()
    )


def _about(told: Told) -> str:
    return told.what if told.what.startswith(told.subject) else f"{told.subject}: {told.what}"


def _note() -> forms.Field:
    return text_field(label=_("Note"), required=False)


def _acknowledge(user: User, key: Key, told: Told, back: str) -> tuple[Dialog, DialogDeed]:
    dialog = Dialog(
        title=_("Acknowledge"), about=_about(told), submit=_("Acknowledge"), back=back, fields={"note": _note()},
        help=_("It stays in the inbox, marked as seen, until it is over."),
    )  # fmt: skip

    def deed(values: dict[str, Any], confirmed: bool) -> Any:
        acknowledge(key=key, actor=user, note=values["note"])
        return _("Marked as seen.")

    return dialog, deed


def _snooze(user: User, key: Key, told: Told, back: str) -> tuple[Dialog, DialogDeed]:
    dialog = Dialog(
        title=_("Snooze"), about=_about(told), submit=_("Snooze"), back=back,
        help=_("It leaves the inbox of everybody and comes back by itself on the day you name, or as soon as it gets "
               "worse."),
        fields={
            "until": date_field(label=_("Comes back on"), initial=today() + timedelta(days=DAYS_PROPOSED)),
            "note": _note(),
        },
    )  # fmt: skip

    def deed(values: dict[str, Any], confirmed: bool) -> Any:
        snooze(key=key, until=values["until"], actor=user, note=values["note"])
        return _("It sleeps until %(day)s.") % {"day": short_day(values["until"])}

    return dialog, deed


def _wake(user: User, key: Key, told: Told, back: str) -> tuple[Dialog, DialogDeed]:
    dialog = Dialog(title=_("Wake"), about=_about(told), submit=_("Wake"), back=back)

    def deed(values: dict[str, Any], confirmed: bool) -> Any:
        wake(key=key, actor=user)
        return _("It is back in the inbox.")

    return dialog, deed


def _assign(user: User, key: Key, told: Told, back: str) -> tuple[Dialog, DialogDeed]:
    people = {str(person.pk): person for person in people_for([told.item])}
    choices = [(pk, f"{person} – {person.get_role_display()}") for pk, person in people.items() if pk != str(user.pk)]
    if str(user.pk) in people:
        choices.insert(0, (str(user.pk), _("Me")))
    dialog = Dialog(
        title=_("Assign"), about=_about(told), submit=_("Assign"), back=back,
        help=_("Offered is who can see it. Choose nobody to give it back."),
        fields={
            "to": choice_field(choices, label=_("To"), required=False, initial=told.item.assigned_to_id or ""),
            "note": _note(),
        },
    )  # fmt: skip

    def deed(values: dict[str, Any], confirmed: bool) -> Any:
        if not values["to"]:
            unassign(key=key, actor=user, reason=values["note"])
            return _("Nobody has it now.")
        assign(key=key, to=people[values["to"]], actor=user, note=values["note"])
        return _("%(who)s has it now.") % {"who": people[values["to"]]}

    return dialog, deed


def people_for(items: Sequence[Item]) -> list[User]:
    """Return whom items can be given to: who sees the whole house, or a unit one of the subjects lies in."""
    people = User.objects.filter(is_active=True).exclude(role=Role.EMPLOYEE)
    if all(item.key.subject_kind not in SUBJECTS for item in items):
        people = people.filter(role=Role.ADMIN)
    else:
        units = {
            unit for subject in subjects_of(items).values() for unit in (*subject.position_path, *subject.home_path)
        }
        people = people.filter(Q(unit_scope__isnull=True) | Q(unit_scope__org_unit__in=units))
    return list(people.order_by("family_name", "given_name", "pk")[:PEOPLE_OFFERED])
