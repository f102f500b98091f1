"""The proof: everything computed anew beside what is stored. Drift should be nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from apps.common.holding import held, noting

from .due import due_subjects
from .figures import kept
from .marks import mark
from .models import Kind, Proof, Repair
from .turning import calendar, pinned_span

logger = logging.getLogger(__name__)
# The class of the session locks by which a proof is held by whoever carries it out.
RUNNING = 0x50524F46
MOST_ATTEMPTS = 3


@dataclass
class Comparison:
    """`checked` subjects were compared; `drift` says where stored and computed differ; `waiting` had an open mark."""

    checked: int = 0
    waiting: int = 0
    drift: list[dict[str, Any]] = field(default_factory=list)


def compare(tell: Callable[[Kind, int], object] = lambda kind, checked: None) -> Comparison:
    """Compare everything in one snapshot. What a waiting mark is about to change is no drift. Writes no figure.

    `tell` is called after each kind of figures, with how many subjects were compared so far.
    """
    calendar()
    found = Comparison()
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        span = pinned_span()
        waiting = due_subjects(kept())
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
            tell(figures.kind, found.checked)
    return found


def prove(*, actor_id: Any = None, origin: str = "task") -> Proof:
    """Compare everything, keep the outcome, and have what drifted computed again, on record.

    Where a proof is asked for or under way already, that one is carried out, or returned as it stands.
    """
    under_way = Proof.objects.filter(finished_at__isnull=True).first()
    return carry_out(under_way or Proof.objects.create(actor_id=actor_id, origin=origin))


def run_waiting_proofs() -> list[Proof]:
    """Carry out what was asked for, and take up what a killed worker left; return those that came to an end."""
    rows = [carry_out(proof) for proof in Proof.objects.filter(finished_at__isnull=True).order_by("pk")]
    return [proof for proof in rows if proof.finished_at is not None]


def carry_out(proof: Proof) -> Proof:
    """Carry a proof out, unless somebody else is at it or it is done. One that fails thrice is given up and says so."""
    with held(RUNNING, proof.pk) as is_held:
        if not is_held:
            return proof
        proof.refresh_from_db()
        if proof.finished_at is not None:
            return proof
        proof.started_at, proof.done, proof.checked = timezone.now(), [], 0
        proof.attempts += 1
        proof.save(update_fields=["started_at", "done", "checked", "attempts"])
        try:
            with _telling(proof.pk) as tell:
                found = compare(tell)
            _keep(proof, found)
        except DatabaseError as error:
            if proof.attempts < MOST_ATTEMPTS:
                raise
            Proof.objects.filter(pk=proof.pk).update(finished_at=timezone.now(), failure=str(error))
            proof.refresh_from_db()
    return proof


def _keep(proof: Proof, found: Comparison) -> None:
    drifted = {
        kind.value: sorted({line["subject"] for line in found.drift if line["kind"] == kind.value}) for kind in Kind
    }
    with transaction.atomic():
        for kind in Kind:
            if ids := drifted[kind.value]:
                mark(kind, ids)
        proof.finished_at, proof.checked, proof.drift = timezone.now(), found.checked, found.drift
        proof.done = [figures.kind.value for figures in kept()]
        proof.waiting = found.waiting
        proof.save(update_fields=["finished_at", "checked", "waiting", "drift", "done"])
        if found.drift:
            Repair.objects.create(
                proof=proof,
                actor_id=proof.actor_id,
                origin=proof.origin,
                subjects={kind: ids for kind, ids in drifted.items() if ids},
            )


@contextmanager
def _telling(pk: int) -> Iterator[Callable[[Kind, int], None]]:
    """Yield what notes how far a proof has come."""
    done: list[str] = []
    with noting(f"proof {pk}") as note:

        def tell(kind: Kind, checked: int) -> None:
            done.append(kind.value)
            note(
                "UPDATE changes_proof SET done = to_jsonb(%s::text[]), checked = %s WHERE id = %s", [done, checked, pk]
            )

        yield tell
