"""What every test shares: a fixed day and the cast."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from apps.users.enums import Role
from tests import factories

# A Wednesday: weeks start two days before it and people come and go in the middle of them.
TODAY = date(2026, 12, 9)


@pytest.fixture(autouse=True)
def a_fixed_day(settings: Any) -> date:
    """Every test lives on Wednesday 2026-12-09; `settings.COVERIS_TODAY = …` moves it."""
    settings.COVERIS_TODAY = TODAY
    return TODAY


@pytest.fixture
def clinic(db: Any) -> factories.Clinic:
    """A small clinic: two services under one root, people in each, one login a role."""
    return factories.Clinic()


@pytest.fixture
def admin_user(db: Any) -> Any:
    return factories.UserFactory(role=Role.ADMIN)
