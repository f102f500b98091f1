"""Dated changes of what a position needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from apps.common.acting import acting

from ..models import DemandAdjustment

FIELDS = ["position", "from_day", "until_day", "hours", "reason", "updated_at"]
BATCH = 2_000


def save_adjustments(
    *, adjustments: Sequence[DemandAdjustment], actor: Any, reason: str = ""
) -> list[DemandAdjustment]:
    """Create the new ones (without a key) and save the changed ones, in one transaction signed by the actor.

    The database refuses a second adjustment that starts on the same day and an end before the start.
    """
    new = [adjustment for adjustment in adjustments if adjustment.pk is None]
    changed = [adjustment for adjustment in adjustments if adjustment.pk is not None]
    moment = timezone.now()
    for adjustment in changed:
        adjustment.updated_at = moment
    with acting(actor, reason=reason):
        # Changes first: they may free the day a new one starts on.
        DemandAdjustment.objects.bulk_update(changed, FIELDS, batch_size=BATCH)
        DemandAdjustment.objects.bulk_create(new, batch_size=BATCH)
    return list(adjustments)


def remove_adjustment(*, adjustment: DemandAdjustment, actor: Any, reason: str = "") -> None:
    """Take an adjustment away; its history stays."""
    with acting(actor, reason=reason):
        DemandAdjustment.objects.filter(pk=adjustment.pk).delete()
