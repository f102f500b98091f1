"""What people do with violations, waiving them aside (waivers.py): take note of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.errors import Reason, Refusal
from apps.users.enums import Role
from apps.users.permissions import rights_of

from ..enums import ViolationState
from ..models import RuleViolation
from ..standing import locked, move

if TYPE_CHECKING:
    from apps.users.models import User


def acknowledge_violation(*, violation: RuleViolation, actor: User, reason: str = "") -> RuleViolation:
    """Take note of an open violation: it stays listed, marked as seen, until it is resolved or waived."""
    with acting(actor, reason):
        row = locked(violation, actor)
        if not _may(actor, "business_rules.ruleviolation", "change"):
            raise Refusal(Reason(_("You may not acknowledge violations."), code="forbidden", fixable=90))
        if row.state != ViolationState.OPEN:
            raise Refusal(
                Reason(
                    _("%(what)s is “%(state)s”: only an open violation is acknowledged.")
                    % {"what": row, "state": row.get_state_display()},
                    code="wrong_state",
                    fixable=80,
                )
            )
        move(row, ViolationState.ACKNOWLEDGED)
    return row


def _may(actor: User, label: str, verb: str) -> bool:
    return actor.is_active and verb in rights_of(Role(actor.role)).get(label, ())
