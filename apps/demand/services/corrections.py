"""What people do to coverage that is over: a closed week is put right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from apps.changes.correcting import insert_correction
from apps.changes.models import Correction
from apps.common.acting import acting
from apps.common.errors import Reason, Refusal
from apps.common.weeks import week_code
from apps.org.models import OrgUnit
from apps.org.querysets import scope_of
from apps.users.enums import Role
from apps.users.permissions import rights_of

from ..corrected import Outcome, fingerprint, outcome_of
from ..models import ClosedUnitWeek

if TYPE_CHECKING:
    from apps.users.models import User

CORRECTION = "changes.correction"


@dataclass(frozen=True)
class Preview:
    """What a correction would do now. `seen` names exactly this outcome, for whoever confirms it."""

    outcome: Outcome
    seen: str


def correct_week(
    *, actor: User, week: date, reason: str, unit: OrgUnit | None = None, seen: str | None = None
) -> Correction:
    """Put a closed week right from today's records, for a unit and all below it or all that the actor may see.

    New figures are written beside the closed ones and are in force from now on; the closed ones stay. With `seen` (of a
    `Preview`) nothing is written if the outcome is another one by now. Raise Refusal.
    """
    reason = reason.strip()
    if not reason:
        raise Refusal(Reason(_("Say why the week is corrected."), code="no_reason", field="reason"))
    with acting(actor, reason):
        correction = _correct(actor, week, unit, reason)
        if seen is not None and seen != fingerprint(correction):
            raise Refusal(
                Reason(
                    _("Records have changed since you looked: look at the figures again."), code="changed", fixable=10
                )
            )
    return correction


def preview_correction(
    *, actor: User, week: date, unit: OrgUnit | None = None, limit: int = 50, offset: int = 0
) -> Preview:
    """Return what correcting a closed week would do: it is done, looked at and rolled back. Raise Refusal."""
    with transaction.atomic():
        correction = _correct(actor, week, unit, "")
        found = Preview(
            outcome_of(correction, scope=scope_of(actor), limit=limit, offset=offset), fingerprint(correction)
        )
        transaction.set_rollback(True)
    return found


def _correct(actor: User, week: date, unit: OrgUnit | None, reason: str) -> Correction:
    root = _allowed(actor, week, unit)
    correction, rows = insert_correction(week=week, unit=root, actor_id=actor.pk, reason=reason)
    if not rows:
        raise Refusal(
            Reason(
                _("Nothing differs: the figures of %(week)s are what today's records say.") % {"week": week_code(week)},
                code="nothing_differs",
                fixable=90,
            )
        )
    return correction


def _allowed(actor: User, week: date, unit: OrgUnit | None) -> int | None:
    """Return the unit (id) the correction is of, which is the actor's own where none is asked for; None = all."""
    if not actor.is_active or "add" not in rights_of(Role(actor.role)).get(CORRECTION, ()):
        raise Refusal(Reason(_("You may not correct closed weeks."), code="forbidden", fixable=90))
    if unit is not None and not OrgUnit.objects.visible_to(actor).filter(pk=unit.pk).exists():
        raise Refusal(Reason(_("There is no such unit in your part of the organisation."), code="out_of_scope"))
    if not ClosedUnitWeek.objects.filter(week=week).exists():
        raise Refusal(
            Reason(_("%(week)s is no closed week.") % {"week": week_code(week)}, code="not_closed", field="week")
        )
    return unit.pk if unit is not None else scope_of(actor)
