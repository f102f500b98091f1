"""The row of a violation, locked to decide about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.common.errors import Reason, Refusal

from .enums import ViolationState
from .models import RuleViolation

if TYPE_CHECKING:
    from apps.users.models import User


def locked(violation: RuleViolation, actor: User) -> RuleViolation:
    """Return the violation as it is now, locked, if the actor may see its subject."""
    rows = RuleViolation.objects.select_for_update(of=("self",), no_key=True).select_related("rule")
    row = rows.filter(pk=violation.pk).first()
    if row is None or not RuleViolation.objects.editable_by(actor).filter(pk=row.pk).exists():
        raise out_of_sight()
    return row


def move(row: RuleViolation, state: ViolationState) -> None:
    """Put a locked violation into a state."""
    row.state = state
    row.updated_at = timezone.now()
    row.save(update_fields=["state", "updated_at"])


def out_of_sight() -> Refusal:
    """Return the refusal for a record that is not there or not in the actor's part of the organisation."""
    return Refusal(Reason(_("There is no such record in your part of the organisation."), code="out_of_scope"))
