"""Signed-in readers with the rights of every installation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from apps.users.groups import sync_groups


@pytest.fixture
def as_user(db: Any) -> Callable[[Any], Client]:
    sync_groups()

    def signed_in(user: Any) -> Client:
        client = Client()
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return signed_in
