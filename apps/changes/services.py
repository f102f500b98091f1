"""What staff may do with the outbox."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.errors import Reason, Refusal

from .marks import mark
from .models import DeadLetter, Kind, Proof


def send_again(*, letters: Iterable[DeadLetter], actor: Any) -> int:
    """Have subjects that were set aside computed again; return how many. A failure writes a new dead letter."""
    pks = [letter.pk for letter in letters]
    with acting(actor):
        rows = list(DeadLetter.objects.select_for_update().filter(pk__in=pks).order_by("pk"))
        for kind in Kind:
            mark(kind, {row.subject_id for row in rows if row.kind == kind})
        DeadLetter.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def request_proof(*, actor: Any) -> Proof:
    """Ask for a proof, to be carried out by a worker within seconds; return the waiting one.

    The wish is a row, which the worker finds: the request needs no broker. Raise Refusal while one is under way.
    """
    try:
        with transaction.atomic():
            return Proof.objects.create(actor_id=actor.pk, origin="admin")
    except IntegrityError as error:
        raise Refusal(
            Reason(_("A proof is under way already: this is how far it has come."), code="under_way")
        ) from error
