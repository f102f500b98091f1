"""Stored figures for the pages that show them, written as the workers write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from apps.common.hours import HOUR_DAYS
from apps.demand.models import PositionCoverage, UnitCoverage
from apps.demand.overview import COLUMNS
from apps.users.groups import sync_groups

MONDAY = date(2026, 12, 7)
WEEKS = 13


@pytest.fixture
def rights(db: Any) -> None:
    """The permission table in the groups, as every installation has it."""
    sync_groups()


@pytest.fixture
def as_user(rights: None) -> Callable[[Any], Client]:
    def signed_in(user: Any) -> Client:
        client = Client()
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return signed_in


def store_unit(unit: Any, first_week: date = MONDAY, **sums: float) -> UnitCoverage:
    """Store the same figures for each week: hours as such, positions by state as numbers."""
    counted = {"vacant", "partial", "covered", "over_covered", "no_demand"}
    values = {name: [round(sums.get(name, 0) * (1 if name in counted else HOUR_DAYS))] * WEEKS for name in COLUMNS}
    row, _created = UnitCoverage.objects.update_or_create(
        org_unit=unit, defaults={"first_week": first_week, "computed_at": timezone.now(), **values}
    )
    return row


def store_position(position: Any, first_week: date = MONDAY, **sums: float) -> PositionCoverage:
    names = ("required", "assigned", "reinforcement", "proposed", "unqualified")
    values = {name: [round(sums.get(name, 0) * HOUR_DAYS)] * WEEKS for name in names}
    row, _created = PositionCoverage.objects.update_or_create(
        position=position, defaults={"first_week": first_week, "computed_at": timezone.now(), **values}
    )
    return row
