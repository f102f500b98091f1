"""The gate hangs on the door: a move that commits capacity is judged inside its own transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from apps.fsm.signals import transition_done, transition_opening

from .services.gate import Judgement, WarningsToConfirm, outer_judgement
from .subjects import kind_of

if TYPE_CHECKING:
    from apps.fsm.services import Deed

NOTE = "judgement"


@receiver(transition_opening, dispatch_uid="business_rules.look_before")
def look_before(sender: type, deed: Deed, **kwargs: Any) -> None:
    """Note what is wrong before a gated move; the door has locked the subjects and their employees."""
    kind = kind_of(sender)
    if kind is None or not deed.move.gated:
        return
    judgement = outer_judgement() or Judgement(deed.actor, deed.confirmed)
    subjects = {kind.name: [subject.pk for subject in deed.subjects]}
    if deed.move.name in kind.enters:
        judgement.look_before({}, entering=subjects)
    else:
        judgement.look_before(subjects)
    deed.notes[NOTE] = judgement


@receiver(transition_done, dispatch_uid="business_rules.judge")
def judge(sender: type, deed: Deed, **kwargs: Any) -> None:
    """Refuse the subjects a BLOCKING rule forbids, ask about WARNINGs, and tell the log what was confirmed."""
    kind = kind_of(sender)
    judgement = deed.notes.get(NOTE)
    if kind is None or judgement is None or judgement is outer_judgement():
        return
    judgement.look_after()
    refusal = judgement.verdict()
    if isinstance(refusal, WarningsToConfirm):
        raise refusal
    for subject in deed.subjects:
        if refusal is not None:
            for reason in refusal.of(kind.name).get(subject.pk, ()):
                deed.refuse(subject, reason)
        elif record := judgement.record_of(kind.name, subject.pk):
            deed.metadata.setdefault(subject.pk, {})["rules"] = record
