"""Long work of one kind: held while somebody is at it, and telling how far it is beside its own transaction."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connection

logger = logging.getLogger("coveris.work")


@contextmanager
def held(kind: int, pk: int) -> Iterator[bool]:
    """Hold one piece of work by a lock of the session, which a killed worker leaves; yield whether it could be had.

    `kind` is the class of its locks.
    """
    lock = [kind, pk % 2**31]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", lock)
        (is_held,) = cursor.fetchone()
    try:
        yield is_held
    finally:
        if is_held:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", lock)


@contextmanager
def patient(seconds: int) -> Iterator[None]:
    """Let each statement of the block take so long, whatever the session allows otherwise.

    The server says nothing meanwhile that is no warning: what it says is read inside the driver, which would swallow
    the exception by which a worker ends work that takes too long.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, false), set_config('client_min_messages', 'warning', false)",
            [f"{seconds}s"],
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
            cursor.execute("RESET client_min_messages")


@contextmanager
def noting(what: str) -> Iterator[Callable[[str, Sequence[Any]], Any]]:
    """Yield what carries out a statement on a connection of its own, for work that is one long transaction.

    It returns the statement's first row, if it has any. A note that cannot be made is logged and stops nothing.
    """
    other: Any = connection.copy()

    def note(sql: str, params: Sequence[Any] = ()) -> Any:
        try:
            with other.cursor() as cursor:
                cursor.execute(sql, params)
                return cursor.fetchone() if cursor.description else None
        except DatabaseError:
            logger.warning("how far %s has come could not be noted", what, exc_info=True)
            return None

    try:
        yield note
    finally:
        other.close()
