"""What staff may do with the outbox."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apps.common.acting import acting

from .marks import mark
from .models import DeadLetter, Kind


def send_again(*, letters: Iterable[DeadLetter], actor: Any) -> int:
    """Have subjects that were set aside computed again; return how many. A failure writes a new dead letter."""
    pks = [letter.pk for letter in letters]
    with acting(actor):
        rows = list(DeadLetter.objects.select_for_update().filter(pk__in=pks).order_by("pk"))
        for kind in Kind:
            mark(kind, {row.subject_id for row in rows if row.kind == kind})
        DeadLetter.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)
