"""The proof: everything computed anew beside what is stored. Drift should be nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from .due import due_subjects
from .figures import kept
from .marks import mark
from .models import Kind, Proof
from .turning import calendar, pinned_span


@dataclass
class Comparison:
    """`checked` subjects were compared; `drift` says where stored and computed differ; `waiting` had an open mark."""

    checked: int = 0
    waiting: int = 0
    drift: list[dict[str, Any]] = field(default_factory=list)


def compare() -> Comparison:
    """Compare everything in one snapshot. What a waiting mark is about to change is no drift. Writes no figure."""
    calendar()
    found = Comparison()
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        span = pinned_span()
        waiting = due_subjects()
        for figures in kept():
            due = waiting[figures.kind.value]
            due |= figures.seen_in(due)
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT count(*) FROM ({figures.subjects}) AS subjects")
                found.checked += cursor.fetchone()[0]
            found.waiting += len(due)
            for line in figures.drift(span):
                if line["subject"] not in due:
                    found.drift.append({"kind": figures.kind.value, **line})
    return found


def prove() -> Proof:
    """Compare everything, keep the outcome, and have what drifted computed again."""
    started = timezone.now()
    found = compare()
    with transaction.atomic():
        for kind in Kind:
            if drifted := {line["subject"] for line in found.drift if line["kind"] == kind.value}:
                mark(kind, drifted)
        return Proof.objects.create(
            started_at=started, finished_at=timezone.now(), checked=found.checked, drift=found.drift
        )
