"""The demo clinic, loaded once for all the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import override_settings

from apps.changes.drain import drain
from tests.conftest import TODAY


class Undo(Exception):
    """Raised to roll the clinic back."""


@pytest.fixture(scope="module")
def demo(django_db_setup: Any, django_db_blocker: Any) -> Iterator[None]:
    """The demo on the day of the tests, its figures fresh. One transaction holds it for a file's tests."""
    with django_db_blocker.unblock(), override_settings(COVERIS_TODAY=TODAY):
        try:
            with transaction.atomic():
                call_command("sync_permissions", verbosity=0)
                call_command("load_reference", verbosity=0)
                call_command("load_demo", verbosity=0)
                drain()
                yield
                raise Undo
        except Undo:
            pass
