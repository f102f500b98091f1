"""Working off the marks: what makes the figures fresh (docs/locking.md, docs/decisions/0003-figures.md).

A pass claims some marks in a short transaction of its own, then, in one transaction: locks the marks, lets each kept
figure lock its rows and recompute them from committed data, has the rules judged anew, and deletes the marks. A pass
that fails is halved until the subject at fault stands alone; three failures make a dead letter, and everybody else
goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from apps.common import prepared
from apps.common.clock import today

from . import gathering
from .figures import Touched, followers, kept
from .freshness import BEAT
from .models import Kind
from .turning import PIN, pinned, turn_day

logger = logging.getLogger(__name__)

# The marks of some 10,000 changes: what several of them reach is computed once.
BATCH = 25_000
SUSPECTS = 500
TRIES = 3
CRASHED_AFTER_SECONDS = 5

# What is to be looked after before any mark: a new day, passes whose worker died, subjects that failed.
BEFORE = """
    SELECT (SELECT day FROM changes_calendar WHERE id = 1),
        EXISTS (SELECT FROM changes_claim WHERE created_at < clock_timestamp() - make_interval(secs => %(crashed)s)),
        EXISTS (SELECT FROM changes_mark WHERE attempts > 0)
"""
# Nobody waits for the disk: what a crash of the database takes away of our work, the marks bring back.
COMMIT = (
    "set_config('synchronous_commit', COALESCE(NULLIF(%(commit)s, ''), current_setting('synchronous_commit')), true)"
)
# Marks that people's changes left, without any of those the others, and a note of them for the case that we are killed.
CLAIM = """
    WITH left_first AS (
        SELECT m.id FROM changes_mark m WHERE m.attempts = 0 AND NOT m.alone {only}
        ORDER BY m.id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
    ),
    alone AS (
        SELECT m.id FROM changes_mark m WHERE m.attempts = 0 AND m.alone AND NOT EXISTS (SELECT FROM left_first) {only}
        ORDER BY m.id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
    )
    INSERT INTO changes_claim (marks)
    SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM left_first UNION ALL SELECT id FROM alone) AS picked
    HAVING count(*) > 0
    RETURNING id, marks, {commit}
"""
CLAIM_ALL = CLAIM.format(only="", commit=COMMIT)
CLAIM_SETTLED = CLAIM.format(only=f"AND NOT {gathering.IS_GATHERING}", commit=COMMIT)
HOLD = f"SELECT {COMMIT} FROM changes_claim WHERE id = %(claim)s FOR UPDATE"
TAKE = """
    SELECT id, kind, subject_id, alone FROM changes_mark WHERE id = ANY (%(marks)s::bigint[]) ORDER BY id
    FOR UPDATE SKIP LOCKED
"""
ENDED = f"WITH forgotten AS ({gathering.FORGET}) {BEAT} RETURNING {COMMIT}"
DONE = "DELETE FROM changes_mark WHERE id = ANY (%(marks)s::bigint[])"
LET_GO = "DELETE FROM changes_claim WHERE id = %(claim)s"
LEFT_BEHIND = """
    SELECT id, marks FROM changes_claim WHERE created_at < clock_timestamp() - make_interval(secs => %s)
    ORDER BY id FOR UPDATE SKIP LOCKED
"""
FORGIVE = """
    DELETE FROM changes_deadletter d USING unnest(%(kinds)s::text[], %(subjects)s::bigint[]) AS done (kind, subject_id)
    WHERE d.kind = done.kind AND d.subject_id = done.subject_id
"""


@dataclass
class Drained:
    """What a drain did: marks worked off, figures rewritten, dead letters written."""

    marks: int = 0
    rewritten: int = 0
    dead: int = 0


def drain(*, seconds: float = 60.0, batch: int = BATCH, patient: bool = False) -> Drained:
    """Work off what waits until nothing is left or the time is up. Any number of drains may run at once.

    A `patient` one, which is what workers run, lets the changes of a subject that changes all the time gather.
    Raises OperationalError or InterfaceError when the database is away or a lock cannot be had; the marks stay.
    """
    until = time.monotonic() + seconds
    done = Drained()
    suspects = _suspects_beforehand()
    while time.monotonic() < until:
        claim, marks = _claim(batch, patient)
        if claim is None:
            break
        _work_off(claim, marks, done)
    _work_off_suspects(suspects, done, until)
    prepared.fetch(ENDED, {"name": "drain", "commit": _commit(), **gathering.forgetting()[1]})
    return done


def _suspects_beforehand() -> list[tuple[str, int, int]]:
    """See to what comes before any mark; return whom to try last: what fails in this drain waits for the next one."""
    [(day, is_left_behind, has_suspects)] = prepared.fetch(BEFORE, {"crashed": CRASHED_AFTER_SECONDS})
    if day is None or day < today():
        turn_day()
    if is_left_behind:
        _suspect_crashed()
    return _suspects() if is_left_behind or has_suspects else []


def _claim(batch: int, patient: bool = False) -> tuple[int | None, list[int]]:
    """Take marks, those that people's changes left first; note them down for the case that we are killed."""
    claims = prepared.fetch(CLAIM_SETTLED if patient else CLAIM_ALL, {"batch": batch, "commit": _commit()})
    return (claims[0][0], claims[0][1]) if claims else (None, [])


def _commit() -> str:
    """Return how to commit a transaction of our own; as it is, one of somebody else's."""
    return "" if connection.in_atomic_block else "off"


def _note(marks: Sequence[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO changes_claim (marks) VALUES (%s) RETURNING id", [list(marks)])
        return cursor.fetchone()[0]


def _work_off(claim: int, marks: Sequence[int], done: Drained) -> None:
    try:
        _pass(claim, marks, done)
    except (OperationalError, InterfaceError) as error:
        if isinstance(error.__cause__, QueryCanceled):
            _divide(claim, marks, done, error)
            return
        # The database is away, or somebody holds a lock: nobody's fault. The marks wait for the next drain; the
        # claim goes if it can, else its marks are looked at one by one.
        _drop_claim_if_possible(claim)
        raise
    except Exception as error:
        _divide(claim, marks, done, error)


def _pass(claim: int, marks: Sequence[int], done: Drained) -> None:
    """Recompute what these marks touch and delete them, all or nothing."""
    commit = _commit()
    with transaction.atomic():
        _held, calendar, rows = prepared.fetch_all(
            (HOLD, {"claim": claim, "commit": commit}), PIN, (TAKE, {"marks": list(marks)})
        )
        span = pinned(calendar)
        touched = Touched.by(row[1:] for row in rows)
        for figures in kept():
            figures.hand_on(touched)
        for figures in kept():
            if ids := figures.reached_by(touched):
                touched.rewritten[figures.kind] |= figures.refresh(sorted(ids), span)
        for follower in followers():
            follower(touched)
        prepared.fetch_all(
            *gathering.noting((kind, subject) for _id, kind, subject, alone in rows if not alone),
            (DONE, {"marks": [row[0] for row in rows]}),
            (LET_GO, {"claim": claim}),
            (FORGIVE, {"kinds": [row[1] for row in rows], "subjects": [row[2] for row in rows]}),
        )
    done.marks += len(rows)
    done.rewritten += sum(len(ids) for ids in touched.rewritten.values())


def _divide(claim: int, marks: Sequence[int], done: Drained, error: Exception) -> None:
    """Halve a failing pass by its subjects; one that fails alone is counted, and after three times set aside."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id, kind, subject_id FROM changes_mark WHERE id = ANY (%s) ORDER BY id", [list(marks)])
        rows = cursor.fetchall()
        cursor.execute("DELETE FROM changes_claim WHERE id = %s", [claim])
        subjects = sorted({(kind, subject) for _id, kind, subject in rows})
        if not subjects:
            return
        if len(subjects) == 1:
            logger.error("the figures of %s %s could not be computed", *subjects[0], exc_info=error)
            done.dead += _count_failure(subjects[0], f"{type(error).__name__}: {str(error).splitlines()[0]}"[:500])
            return
        first = set(subjects[: len(subjects) // 2])
        halves = [[row[0] for row in rows if ((row[1], row[2]) in first) is half] for half in (True, False)]
        noted = [(_note(half), half) for half in halves]
    for half_claim, half in noted:
        _work_off(half_claim, half, done)


def _count_failure(subject: tuple[str, int], reason: str) -> int:
    """Note a failed attempt at one subject; write its dead letter at the third. Return 1 if it was written."""
    kind, subject_id = subject
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE changes_mark SET attempts = attempts + 1 WHERE kind = %s AND subject_id = %s RETURNING attempts",
            [kind, subject_id],
        )
        attempts = max((row[0] for row in cursor.fetchall()), default=0)
        if attempts < TRIES:
            return 0
        return _bury(subject, reason)


def _bury(subject: tuple[str, int], reason: str) -> int:
    kind, subject_id = subject
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM changes_mark WHERE kind = %s AND subject_id = %s AND attempts > 0", [kind, subject_id]
        )
        cursor.execute("DELETE FROM changes_deadletter WHERE kind = %s AND subject_id = %s", [kind, subject_id])
        cursor.execute(
            "INSERT INTO changes_deadletter (kind, subject_id, reason) VALUES (%s, %s, %s)", [kind, subject_id, reason]
        )
    logger.error("set aside after %d attempts: %s %s", TRIES, kind, subject_id)
    return 1


def _drop_claim_if_possible(claim: int) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM changes_claim WHERE id = %s", [claim])
    except (OperationalError, InterfaceError) as error:
        logger.warning("claim %s stays until the database is back: %s", claim, error)


def _suspect_crashed() -> None:
    """Find passes that never came to an end (their worker died) and have each of their subjects tried alone."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LEFT_BEHIND, [CRASHED_AFTER_SECONDS])
        for claim, marks in cursor.fetchall():
            cursor.execute("UPDATE changes_mark SET attempts = attempts + 1 WHERE id = ANY (%s)", [marks])
            cursor.execute("DELETE FROM changes_claim WHERE id = %s", [claim])
            logger.warning("a drain did not come to an end; its %d marks are tried one by one", len(marks))


def _suspects() -> list[tuple[str, int, int]]:
    """Return (kind, id, attempts) of subjects that failed, or were there when a worker died."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT kind, subject_id, max(attempts) FROM changes_mark WHERE attempts > 0"
            " GROUP BY kind, subject_id ORDER BY max(attempts), min(id) LIMIT %s",
            [SUSPECTS],
        )
        return cursor.fetchall()


def _work_off_suspects(suspects: Sequence[tuple[str, int, int]], done: Drained, until: float) -> None:
    """Try each suspect in a pass of its own."""
    for kind, subject_id, attempts in suspects:
        if time.monotonic() > until:
            return
        if attempts >= TRIES:
            done.dead += _bury((kind, subject_id), "The worker ended while it was computing this, three times.")
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM changes_mark WHERE kind = %s AND subject_id = %s FOR UPDATE SKIP LOCKED",
                [kind, subject_id],
            )
            marks = [row[0] for row in cursor.fetchall()]
            claim = _note(marks) if marks else None
        if claim is not None:
            _work_off(claim, marks, done)


def waiting() -> dict[str, int]:
    """Return how many marks wait, by kind."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, count(*) FROM changes_mark GROUP BY kind")
        found = dict(cursor.fetchall())
    return {kind.value: found[kind.value] for kind in Kind if kind.value in found}
