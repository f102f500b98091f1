"""The test screens in place of the admin, and a client for each of the cast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.users.groups import sync_groups

Browse = Callable[[Any], Client]


@pytest.fixture
def test_screens(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.screens.urls"


@pytest.fixture
def browse(test_screens: None, db: Any) -> Browse:
    """Return `browse(user)`: a client signed in as the user, on the test screens, with the rights of the role."""
    sync_groups()

    def client_of(user: Any) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return client_of
