"""However many ask, the web holds a few connections to the database, and goes on with them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from project.devstack.children import free_port
from project.devstack.processes import WEB
from tests.worker.processes import Child, environment, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE, EACH = 4, 15


@contextmanager
def web(folder: Path, name: str) -> Iterator[int]:
    """Have the web as the launcher starts it, on the test's database, by this name; yield its port."""
    port = free_port()
    env = environment(settings.REDIS_URL) | WEB.environment | {"COVERIS_PROCESS": name}
    child = Child(WEB.local_argv(port=port), env, folder / "web.log")
    child.start()
    try:
        wait_until(lambda: status(port) == 200)
        yield port
    finally:
        child.kill()


def status(port: int) -> int:
    with suppress(OSError):
        asked = HTTPConnection("127.0.0.1", port, timeout=30)
        asked.request("GET", "/api/health/")
        return asked.getresponse().status
    return 0


def sessions(name: str) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()", [name]
        )
        return {pid for (pid,) in cursor.fetchall()}


def seen_after_many(folder: Path, name: str) -> set[int]:
    """Ask many times, some at once; return every session with the database that was there after some of it."""
    with web(folder, name) as port, ThreadPoolExecutor(AT_ONCE) as people:
        seen: set[int] = set()
        for _turn in range(EACH):
            assert set(people.map(status, [port] * AT_ONCE)) == {200}
            seen |= sessions(name)
        return seen


def test_the_web_goes_on_with_the_connections_it_has(tmp_path: Path) -> None:
    assert 1 <= len(seen_after_many(tmp_path, "coveris-web")) <= 2 * AT_ONCE


def test_without_the_pool_every_request_would_connect_anew(tmp_path: Path) -> None:
    assert len(seen_after_many(tmp_path, "coveris-other")) > 4 * AT_ONCE
