"""Answers that workers look for and keep: when one is asked for again, and how it is carried out.

A wish is a row, which a worker finds within seconds; how far it has come is noted while it goes on, and what was found
last stays readable meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from apps.common.clock import today
from apps.common.holding import held, noting

from .models.kept_answer import KeptAnswer

logger = logging.getLogger(__name__)
# Called with how many positions have been looked at, of how many.
Tell = Callable[[int, int], None]
# The classes of the session locks by which an answer is held by whoever looks for it, by table.
LOCKS = {"demand_comparison": 0x434F4D50, "demand_dependence": 0x44455045}
MOST_ATTEMPTS = 3
# One that is older is looked for again when somebody looks and anything changed since; it always is after an hour, for
# a change that was under way at the time left its mark before.
REST, LONGEST = timedelta(minutes=5), timedelta(hours=1)


def ask(kept: KeptAnswer, *, anew: bool = False) -> None:
    """Ask workers for an answer that is outdated, or, `anew`, however young it is; note that somebody looked."""
    now = timezone.now()
    if not kept.is_asked and (anew or is_outdated(kept, now)):
        kept.requested_at, kept.started_at, kept.looked_at = now, None, now
        kept.attempts, kept.done, kept.to_do, kept.failure = 0, 0, 0, ""
        kept.save(update_fields=["requested_at", "started_at", "looked_at", "attempts", "done", "to_do", "failure"])
    elif now - kept.looked_at > REST:
        kept.looked_at = now
        kept.save(update_fields=["looked_at"])


def is_outdated(kept: KeptAnswer, now: datetime) -> bool:
    """Say whether an answer is to be looked for again, now that somebody looks at it."""
    if kept.computed_at is None:  # it failed, and is tried again after a while
        return now - (kept.started_at or kept.looked_at) > REST
    if kept.seen_on != today():
        return True
    age = now - kept.computed_at
    return age > LONGEST or (age > REST and has_changed_since(kept))


def has_changed_since(kept: KeptAnswer) -> bool:
    """Say whether anybody changed anything that figures depend on since an answer was found."""
    return last_mark() > kept.upto


def last_mark() -> int:
    """Return the number of the last mark anybody left, worked off or not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM changes_mark_id_seq")
        return int(cursor.fetchone()[0])


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Have all statements see the records of one moment; inside of a transaction that is for whoever began it."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def carry_out[Kept: KeptAnswer](kept: Kept, find: Callable[[Kept, Tell], dict[str, object]]) -> bool:
    """Look for an answer, unless somebody else is at it; return whether that came to an end.

    `find` returns the fields to write beside those of every answer. One that fails thrice is given up, says so, and is
    asked for again when somebody looks.
    """
    with held(LOCKS[kept._meta.db_table], kept.pk) as is_held:
        if not is_held:
            return False
        kept.refresh_from_db()
        if not kept.is_asked:
            return False
        kept.started_at, kept.done = timezone.now(), 0
        kept.attempts += 1
        kept.save(update_fields=["started_at", "done", "attempts"])
        fields: dict[str, object] = {"seen_on": today(), "upto": last_mark()}
        try:
            with _telling(kept) as tell:
                fields |= find(kept, tell)
        except DatabaseError as error:
            if kept.attempts < MOST_ATTEMPTS:
                raise
            type(kept)._default_manager.filter(pk=kept.pk).update(requested_at=None, failure=str(error))
            return True
        # After the transaction that found it: how far it had come was noted on this row since its snapshot.
        fields |= {"computed_at": timezone.now(), "requested_at": None, "failure": ""}
        for name, value in fields.items():
            setattr(kept, name, value)
        kept.save(update_fields=list(fields))
    return True


@contextmanager
def _telling(kept: KeptAnswer) -> Iterator[Tell]:
    """Yield what notes how far it has come."""
    table = kept._meta.db_table
    with noting(f"{table} {kept.pk}") as note:
        yield lambda done, to_do: note(
            f"UPDATE {table} SET done = %s, to_do = %s WHERE id = %s", [done, to_do, kept.pk]
        )
