"""Threads with connections of their own, and a look at who waits for whom."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, connections, transaction


class Background(threading.Thread):
    """A call in a thread with a database connection of its own; `finish` returns its value or raises its error."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._value: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:
            self._error = error
        finally:
            connections.close_all()

    def finish(self, seconds: float = 60) -> Any:
        self.join(seconds)
        assert not self.is_alive(), "still running"
        if self._error is not None:
            raise self._error
        return self._value


def in_background(call: Callable[[], Any]) -> Background:
    thread = Background(call)
    thread.start()
    return thread


def wait_for_a_waiter(seconds: float = 30) -> None:
    """Return once some session of this database waits for a row that another holds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits")


@contextmanager
def holding(sql: str, params: list[Any]) -> Iterator[Callable[[], None]]:
    """Hold the rows a locking query names, in a session of its own, until the yielded function is called."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, params)
            held.set()
            release.wait(60)

    thread = in_background(hold)
    assert held.wait(30)
    try:
        yield release.set
    finally:
        release.set()
        thread.finish()
