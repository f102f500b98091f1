"""What every test shares: a fixed day and the cast."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from apps.users.enums import Role
from apps.users.groups import sync_groups
from apps.users.models import User
from tests import factories
from tests.databases import django_db_setup  # noqa: F401
from tests.demo.database import demo, demo_database  # noqa: F401
from tests.today import TODAY


@pytest.fixture(autouse=True)
def a_fixed_day(settings: Any) -> date:
    """Every test lives on Wednesday 2026-12-09; `settings.COVERIS_TODAY = …` moves it."""
    settings.COVERIS_TODAY = TODAY
    return TODAY


@pytest.fixture(autouse=True, scope="session")
def tokens_that_spell_nothing() -> Iterator[None]:
    """Forms carry random letters; of these no test's "P2" or "svg" that must not be on a page can be made by chance."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.middleware.csrf.CSRF_ALLOWED_CHARS", "bcdfghjkmnpqrtwxz")
        yield


@pytest.fixture
def clinic(db: Any) -> factories.Clinic:
    """A small clinic: two services under one root, people in each, one login a role."""
    return factories.Clinic()


@pytest.fixture
def as_user(db: Any) -> Callable[[Any], Client]:
    """Return what opens the site as somebody, in English, with the permission table in the groups."""
    sync_groups()

    def signed_in(user: Any) -> Client:
        client = Client()
        client.cookies[django_settings.LANGUAGE_COOKIE_NAME] = "en"
        client.force_login(User.objects.get(pk=user.pk), backend="django.contrib.auth.backends.ModelBackend")
        return client

    return signed_in


@pytest.fixture
def admin_user(db: Any) -> Any:
    return factories.UserFactory(role=Role.ADMIN)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Any]:
    """A broker of the test's own, for real workers and relays (tests.worker.processes)."""
    from tests.worker.processes import Broker

    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.kill()
