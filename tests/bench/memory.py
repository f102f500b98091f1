"""How much memory of its own a process had at most while something ran. Linux alone tells."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

from django.db import connection

EVERY_SECONDS = 0.02
OWN_MEMORY = re.compile(r"^RssAnon:\s+(\d+) kB", re.MULTILINE)


def _megabytes(pid: int) -> float:
    try:
        found = OWN_MEMORY.search(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def most_memory(work: Callable[[], object]) -> tuple[float, float] | None:
    """Run something; return the most MB of this process and of its database session, None where nobody tells.

    Memory that is shared, as the database's buffers are, is nobody's own.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pids = (os.getpid(), cursor.fetchone()[0])
    most = [0.0, 0.0]
    done = threading.Event()

    def look() -> None:
        while not done.wait(EVERY_SECONDS):
            for number, pid in enumerate(pids):
                most[number] = max(most[number], _megabytes(pid))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return (most[0], most[1]) if all(most) else None
