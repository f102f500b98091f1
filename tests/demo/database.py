"""The demo clinic, loaded once a run into a database of its own; each worker has a copy, each file of tests rolls back.

Committed and analysed, as an installation has it: the plans of a clinic that came in a moment ago, in the transaction
that asks, are those of empty tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import override_settings

from apps.changes.drain import drain
from tests.databases import alone, create, drop, in_database, is_marked, mark, server
from tests.today import TODAY

# Which worker loads it, the others waiting: an advisory lock of the server.
LOADING = 0x44454D4F


class Undo(Exception):
    """Raised to roll the clinic back."""


def load(name: str) -> None:
    """Load the demo on the day of the tests, its figures fresh."""
    with in_database(name), override_settings(COVERIS_TODAY=TODAY):
        call_command("sync_permissions", verbosity=0)
        call_command("load_reference", verbosity=0)
        call_command("load_demo", verbosity=0)
        drain()
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


@pytest.fixture(scope="session")
def demo_database(django_db_setup: Any, django_db_blocker: Any, testrun_uid: str, worker_id: str) -> Iterator[str]:
    """The name of this worker's copy of the demo."""
    own = connection.settings_dict["NAME"]
    shared = f"{own.removesuffix(f'_{worker_id}')}_demo"
    copy = f"{shared}_{worker_id}"
    with django_db_blocker.unblock():
        with server() as cursor, alone(cursor, LOADING):
            if not is_marked(cursor, shared, testrun_uid):
                connection.close()
                create(cursor, shared, own)
                load(shared)
                mark(cursor, shared, testrun_uid)
            create(cursor, copy, shared)
        yield copy
        with server() as cursor:
            drop(cursor, copy)


@pytest.fixture(scope="module")
def demo(demo_database: str, django_db_blocker: Any) -> Iterator[None]:
    """The demo on the day of the tests. One transaction holds what a file's tests do to it."""
    with django_db_blocker.unblock(), override_settings(COVERIS_TODAY=TODAY), in_database(demo_database):
        try:
            with transaction.atomic():
                yield
                raise Undo
        except Undo:
            pass
