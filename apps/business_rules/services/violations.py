"""What people do with violations, waiving them aside (waivers.py): take note of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.errors import Reason, Refusal
from apps.users.enums import Role
from apps.users.permissions import rights_of

from ..enums import ViolationState
from ..models import RuleViolation
from ..standing import locked, move, out_of_sight

if TYPE_CHECKING:
    from apps.users.models import User


def acknowledge_violation(*, violation: RuleViolation, actor: User, reason: str = "") -> RuleViolation:
    """Take note of an open violation: it stays listed, marked as seen, until it is resolved or waived."""
    with acting(actor, reason):
        row = locked(violation, actor)
        if not _may(actor, "business_rules.ruleviolation", "change"):
            raise Refusal(Reason(_("You may not acknowledge violations."), code="forbidden", fixable=90))
        if row.state != ViolationState.OPEN:
            raise Refusal(_not_open(row))
        move(row, ViolationState.ACKNOWLEDGED)
    return row


def acknowledge_violations(*, violations: Collection[int], actor: User, reason: str = "") -> dict[int, Reason]:
    """Take note of several open violations, by id; return why of those that were not. The others stand."""
    with acting(actor, reason):
        if not _may(actor, "business_rules.ruleviolation", "change"):
            raise Refusal(Reason(_("You may not acknowledge violations."), code="forbidden", fixable=90))
        asked = RuleViolation.objects.filter(pk__in=violations)
        rows = list(asked.select_for_update(of=("self",), no_key=True).select_related("rule").order_by("pk"))
        seen = set(RuleViolation.objects.editable_by(actor).filter(pk__in=violations).values_list("pk", flat=True))
        refused = {pk: out_of_sight().reasons[0] for pk in violations if pk not in seen}
        refused |= {row.pk: _not_open(row) for row in rows if row.pk in seen and row.state != ViolationState.OPEN}
        moved = [row.pk for row in rows if row.pk not in refused]
        RuleViolation.objects.filter(pk__in=moved).update(state=ViolationState.ACKNOWLEDGED, updated_at=timezone.now())
    return refused


def _not_open(row: RuleViolation) -> Reason:
    return Reason(
        _("%(what)s is “%(state)s”: only an open violation is acknowledged.")
        % {"what": row, "state": row.get_state_display()},
        code="wrong_state",
        fixable=80,
    )


def _may(actor: User, label: str, verb: str) -> bool:
    return actor.is_active and verb in rights_of(Role(actor.role)).get(label, ())
