"""The base of every task: signed as the system, so that history tells what a task did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import celery
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

SIGN = """
    SELECT set_config('coveris.actor', '', false), set_config('coveris.reason', '', false),
           set_config('coveris.origin', %s, false), set_config('coveris.deed', '', false)
"""


@contextmanager
def signed_by_the_system(origin: str = "task") -> Iterator[None]:
    """Sign what this connection writes, outside of `acting` too, as the system.

    For the session, not for a transaction: a task may need several. `acting` inside keeps the origin.
    """
    with connection.cursor() as cursor:
        cursor.execute(SIGN, [origin])
    try:
        yield
    finally:
        try:
            with connection.cursor() as cursor:
                cursor.execute(SIGN, [""])
        except (DatabaseError, InterfaceError):
            # The session is lost or its transaction failed, and the signature with it.
            if not connection.in_atomic_block:
                connection.close()


class Task(celery.Task):
    """Runs inside `signed_by_the_system`, on a connection that the next task goes on with.

    Statements stay prepared on it (apps.common.prepared). It is given up when it is older than CONN_MAX_AGE, when the
    database no longer answers on it, and after a task that failed: what that one left of a session nobody knows.
    """

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.called_directly or self.request.is_eager:
            with signed_by_the_system():
                return self.run(*args, **kwargs)
        close_old_connections()
        try:
            with signed_by_the_system():
                return self.run(*args, **kwargs)
        except BaseException:
            connection.close()
            raise
