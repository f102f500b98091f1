"""What the tests of the screens of people and work share."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

TODAY = date(2026, 12, 9)


def signed_in(user: Any) -> Client:
    """Return a client signed in as the user, in English."""
    client = Client()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page(model: str, verb: str = "changelist", *args: Any) -> str:
    """Return the address of a screen: page("org.employee", "change", 5)."""
    app, name = model.split(".")
    return reverse(f"admin:{app}_{name}_{verb}", args=args)


def cost(client: Client, url: str) -> int:
    """Return how many questions a page asks the database."""
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)
