"""Dated changes of what a position needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from apps.common.acting import acting
from apps.common.saving import refuse_outside, save_rows, within_scope

from ..models import DemandAdjustment

if TYPE_CHECKING:
    from apps.users.models import User


def save_adjustments(
    *, adjustments: Sequence[DemandAdjustment], actor: User | None, reason: str = ""
) -> list[DemandAdjustment]:
    """Create or change adjustments of positions in the actor's scope."""
    with acting(actor, reason), within_scope(DemandAdjustment, adjustments, actor):
        save_rows(DemandAdjustment, adjustments)
    return list(adjustments)


def remove_adjustment(*, adjustment: DemandAdjustment, actor: User | None, reason: str = "") -> None:
    """Take an adjustment away; its history stays."""
    with acting(actor, reason):
        refuse_outside(DemandAdjustment, [adjustment], actor)
        adjustment.delete()
