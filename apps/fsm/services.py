"""The one door: every change of status, of one row or of ten thousand, goes through here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.clock import today as clock_today
from apps.common.errors import Reason, Refusal
from apps.common.saving import update_rows
from apps.users.permissions import Whose, whose_transition

from . import periods
from .moves import Move
from .signals import transition_done, transition_opening

if TYPE_CHECKING:
    from apps.users.models import User


@dataclass(frozen=True)
class Order:
    """One wish: this subject, with this reason and these inputs (last_day, ends_on …)."""

    pk: int
    reason: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Deed:
    """A transition under way, of one or many subjects; receivers of the signals read it and write into it."""

    model: Any
    move: Move
    subjects: list[Any]
    orders: Mapping[int, Order]
    actor: User | None
    today: date
    confirmed: bool
    before: dict[int, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    metadata: dict[int, dict[str, Any]] = field(default_factory=dict)
    refusals: dict[int, list[Reason]] = field(default_factory=dict)

    def inputs(self, subject: Any) -> Mapping[str, Any]:
        return self.orders[subject.pk].inputs

    def reason(self, subject: Any) -> str:
        return self.orders[subject.pk].reason

    def refuse(self, subject: Any, reason: Reason) -> None:
        """Say no for one subject; the sentence should name it."""
        self.refusals.setdefault(subject.pk, []).append(reason)


class TransitionsRefused(Refusal):
    """Some of many were refused and nothing happened; `by_subject` says why, by primary key."""

    def __init__(self, by_subject: Mapping[int, Sequence[Reason]]):
        self.by_subject = by_subject
        super().__init__([reason for reasons in by_subject.values() for reason in reasons])


def apply_transition(
    obj: Any,
    name: str,
    *,
    actor: User | None,
    reason: str = "",
    metadata: Mapping[str, Any] | None = None,
    confirmed: bool = False,
    **inputs: Any,
) -> Any:
    """Move one object and return it fresh. Raise Refusal with every reason, or ConfirmationNeeded for warnings."""
    order = Order(obj.pk, reason, inputs)
    return apply_transitions(type(obj), name, [order], actor=actor, metadata=metadata, confirmed=confirmed)[0]


def apply_transitions(
    model: Any,
    name: str,
    orders: Iterable[Order],
    *,
    actor: User | None,
    metadata: Mapping[str, Any] | None = None,
    confirmed: bool = False,
    consequence: bool = False,
) -> list[Any]:
    """Move many objects of a model by one transition: all of them, or none and TransitionsRefused.

    One transaction { lock in the house order; permission, source state, inputs, guards, opinions of other apps;
    change; save; what follows; log }, each step one statement whatever the number. `actor=None` is the system.
    A `consequence` of another deed is signed by its actor, whose permission was asked for that deed.
    """
    by_pk = {order.pk: order for order in orders}
    if not by_pk:
        return []
    move = model.machine.by_name.get(name)
    if move is None:
        raise Refusal(Reason(_("There is no transition “%(name)s”.") % {"name": name}, code="unknown_transition"))
    reasons = {order.reason for order in by_pk.values()}
    with acting(actor, reason=reasons.pop() if len(reasons) == 1 else ""):
        subjects = list(model.objects.locked(by_pk))
        deed = Deed(model, move, subjects, by_pk, actor, clock_today(), confirmed)
        deed.before = {subject.pk: subject.status for subject in subjects}
        _refuse_missing(deed)
        if not consequence:
            _refuse_forbidden(deed)
        _refuse_wrong_state(deed)
        _stop_if_refused(deed)
        _refuse_by_needs_and_guards(deed)
        _stop_if_refused(deed)
        transition_opening.send(sender=model, deed=deed)
        _stop_if_refused(deed)
        _change(deed)
        transition_done.send(sender=model, deed=deed)
        _stop_if_refused(deed)
        _log(deed, metadata or {})
    return subjects


def allowed_moves(obj: Any, user: User) -> list[Move]:
    """Return the moves this user may make with this object now, as its buttons; guards are asked when it is tried."""
    editable = type(obj).objects.editable_by(user).filter(pk=obj.pk).exists()
    moves = []
    for move in obj.machine.moves_from(obj.status):
        whose = whose_transition(user, obj.machine.label, move.name)
        if move.system or whose is None:
            continue
        if _may(obj, move, user, whose, editable):
            moves.append(move)
    return moves


def has_moved_on(obj: Any, move: Move, user: User) -> bool:
    """Say whether a move of the user's own is not there because of the object's state alone: somebody was faster."""
    whose = whose_transition(user, obj.machine.label, move.name)
    return whose is not None and not move.system and obj.status not in move.sources


def _may(obj: Any, move: Move, user: User, whose: Whose, in_scope: bool) -> bool:
    if whose is Whose.SELF:
        return bool(obj.is_about(user))
    if not in_scope or (whose is Whose.OWN and not obj.is_own_of(user)):
        return False
    return not (settings.COVERIS_FOUR_EYES and move.name == "accept" and obj.is_own_of(user))


def _refuse_missing(deed: Deed) -> None:
    for pk in deed.orders.keys() - deed.before.keys():
        deed.refusals[pk] = [Reason(_("This record no longer exists."), code="missing")]


def _refuse_forbidden(deed: Deed) -> None:
    if deed.actor is None:
        return
    whose = whose_transition(deed.actor, deed.model.machine.label, deed.move.name)
    in_scope: set[int] = set()
    if whose is not None and whose is not Whose.SELF:
        editable = deed.model.objects.editable_by(deed.actor).filter(pk__in=deed.before)
        in_scope = set(editable.values_list("pk", flat=True))
    for subject in deed.subjects:
        if deed.move.system or whose is None or not _may(subject, deed.move, deed.actor, whose, subject.pk in in_scope):
            deed.refuse(
                subject,
                Reason(
                    _("You may not do “%(move)s” with %(subject)s.") % {"move": deed.move.label, "subject": subject},
                    code="forbidden",
                    fixable=90,
                ),
            )


def _refuse_wrong_state(deed: Deed) -> None:
    for subject in deed.subjects:
        if subject.status not in deed.move.sources:
            deed.refuse(
                subject,
                Reason(
                    _("%(subject)s is “%(state)s”: “%(move)s” is not possible from there.")
                    % {"subject": subject, "state": subject.get_status_display(), "move": deed.move.label},
                    code="wrong_state",
                    fixable=80,
                ),
            )


def _refuse_by_needs_and_guards(deed: Deed) -> None:
    known = {need.name for need in deed.move.needs} | {"reason"}
    for subject in deed.subjects:
        order = deed.orders[subject.pk]
        if unknown := set(order.inputs) - known:
            raise TypeError(f"{deed.move.name} does not take {', '.join(sorted(unknown))}")
        given = {**order.inputs, "reason": order.reason}
        lacking = False
        for need in deed.move.needs:
            value = given.get(need.name)
            if need.required and not (value.strip() if isinstance(value, str) else value):
                lacking = True
                deed.refuse(
                    subject,
                    Reason(
                        _("“%(move)s” needs: %(need)s.") % {"move": deed.move.label, "need": need.label},
                        code="needed",
                        field=need.name,
                        fixable=5,
                    ),
                )
        if lacking:
            continue
        for guard in deed.move.guards:
            if (reason := guard(subject, order.inputs, deed.today)) is not None:
                deed.refuse(subject, reason)


def _stop_if_refused(deed: Deed) -> None:
    if deed.refusals:
        raise TransitionsRefused(deed.refusals)


def _change(deed: Deed) -> None:
    fields = [field.attname for field in deed.model._meta.concrete_fields if not field.primary_key]
    changed: set[str] = set()
    effective: dict[int, date] = {}
    for subject in deed.subjects:
        old = {name: getattr(subject, name) for name in fields}
        # Inputs that are not given stay out, so that a transition's own defaults hold.
        inputs = {name: value for name, value in deed.inputs(subject).items() if name != "reason"}
        effective[subject.pk] = getattr(subject, deed.move.name)(today=deed.today, **inputs)
        changed |= {name for name in fields if getattr(subject, name) != old[name]}
    if changed:
        moment = timezone.now()
        for subject in deed.subjects:
            subject.updated_at = moment
        names = {deed.model._meta.get_field(name).name for name in changed} | {"updated_at"}
        update_rows(deed.model, deed.subjects, sorted(names))
    for subject in deed.subjects:
        subject._update_initial_state()
    if deed.model.keeps_status_periods:
        periods.write(deed, effective)


def _log(deed: Deed, metadata: Mapping[str, Any]) -> None:
    log = deed.model._meta.get_field("transition_logs").related_model
    rows = [
        log(
            subject=subject,
            subject_code=subject.log_code,
            from_status=deed.before[subject.pk],
            to_status=subject.status,
            transition=deed.move.name,
            actor=deed.actor,
            reason=deed.reason(subject),
            metadata={**_plain(deed.inputs(subject)), **metadata, **deed.metadata.get(subject.pk, {})},
        )
        for subject in deed.subjects
    ]
    log.objects.bulk_create(rows, batch_size=2_000)


def _plain(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, date) else str(value)
        for name, value in inputs.items()
        if value not in (None, "")
    }


def read_inputs(move: Move, raw: Mapping[str, str]) -> dict[str, Any]:
    """Return a move's inputs out of texts (a form, a sheet); raise Refusal for a date that is none."""
    inputs: dict[str, Any] = {}
    for need in move.needs:
        if need.name == "reason" or not (text := (raw.get(need.name) or "").strip()):
            continue
        if need.kind != "date":
            inputs[need.name] = text
            continue
        try:
            day = parse_date(text)
        except ValueError:
            day = None
        if day is None:
            raise Refusal(
                Reason(_("“%(value)s” is not a date.") % {"value": text}, code="not_a_date", field=need.name, fixable=1)
            )
        inputs[need.name] = day
    return inputs
