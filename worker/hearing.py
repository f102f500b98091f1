"""A worker that went deaf hears again.

When the broker dies at a bad moment, a worker's event loop can be left spinning on a socket whose other end is closed:
busy, alive, and taking no message (seen with the pinned versions, about once in ten restarts of the broker). Nothing
in the libraries notices. So the worker looks at its own sockets from time to time, and one that stays half-closed is
reported as what it is, a lost connection: Celery's own recovery then reconnects.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery import bootsteps
from redis.exceptions import ConnectionError as BrokerLost

SECONDS = 5
OWN_FILES = Path("/proc/self/fd")  # Linux; elsewhere there is nothing to look at and nothing is done


class Hearing(bootsteps.StartStopStep):
    """Look every few seconds whether a socket to the broker was closed at the other end and nobody noticed."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any):
        super().__init__(consumer, **options)
        self.entry: Any = None
        self.suspects: set[int] = set()
        self.reported: set[int] = set()

    def start(self, consumer: Any) -> None:
        self.suspects = set()
        self.entry = consumer.timer.call_repeatedly(SECONDS, self.look, (consumer.app.conf.broker_url,))

    def stop(self, consumer: Any) -> None:
        if self.entry is not None:
            self.entry.cancel()
            self.entry = None

    def look(self, broker: str) -> None:
        """Raise a lost connection for a socket that is half-closed at two looks running; once for each socket."""
        half_closed = set(half_closed_to(urlsplit(broker).port or 6379))
        lasting = (half_closed & self.suspects) - self.reported
        self.suspects = half_closed
        if lasting:
            self.reported |= lasting
            raise BrokerLost("a connection to the broker was closed at its other end and nobody noticed")


def half_closed_to(port: int) -> Iterator[int]:
    """Yield the inodes of this process's sockets to a port whose other end is closed."""
    if not OWN_FILES.is_dir():
        return
    for entry in list(OWN_FILES.iterdir()):
        try:
            number = int(entry.name)
            if not entry.readlink().name.startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(number)) as twin:
                if twin.family in (socket.AF_INET, socket.AF_INET6) and twin.getpeername()[1] == port and is_over(twin):
                    yield os.stat(number).st_ino
        except OSError:
            continue  # closed meanwhile, or not connected


def is_over(connection: socket.socket) -> bool:
    """Say whether the other end has closed and nothing is left to read."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
