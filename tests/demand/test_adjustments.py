"""Adjustments of demand: many at once, signed, and never below nothing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from apps.changes.drain import drain
from apps.common.errors import Refusal
from apps.demand.models import DemandAdjustment, PositionCoverage
from apps.demand.services import remove_adjustment, save_adjustments
from tests.factories import PositionFactory

pytestmark = pytest.mark.django_db


def required(position: Any) -> list[int]:
    drain()
    return PositionCoverage.objects.get(position=position).required[:3]


def test_each_day_by_itself_is_never_below_nothing(admin_user: Any) -> None:
    position = PositionFactory(required_weekly_hours=Decimal(36))
    rows = [
        DemandAdjustment(position=position, from_day=date(2026, 12, 7), until_day=date(2026, 12, 10), hours=-50),
        DemandAdjustment(position=position, from_day=date(2026, 12, 10), until_day=date(2026, 12, 12), hours=20),
    ]
    save_adjustments(adjustments=rows, actor=admin_user)
    # Thursday: 36 − 50 + 20; Friday and Saturday: 56; Sunday: 36.
    assert required(position) == [600 + 5600 * 2 + 3600, 3600 * 7, 3600 * 7]


def test_new_and_changed_ones_are_saved_together_and_signed(admin_user: Any) -> None:
    position = PositionFactory(required_weekly_hours=Decimal(36))
    first = DemandAdjustment(position=position, from_day=date(2026, 12, 14), until_day=date(2026, 12, 20), hours=4)
    save_adjustments(adjustments=[first], actor=admin_user)
    first.hours = Decimal(6)
    second = DemandAdjustment(position=position, from_day=date(2026, 12, 21), hours=1)
    save_adjustments(adjustments=[first, second], actor=admin_user, reason="flu")
    assert required(position) == [3600 * 7, 4200 * 7, 3700 * 7]
    history: Any = DemandAdjustment.history
    assert list(history.order_by("history_id").values_list("history_type", "history_user_id")) == [
        ("+", admin_user.pk),
        ("~", admin_user.pk),
        ("+", admin_user.pk),
    ]
    remove_adjustment(adjustment=first, actor=admin_user, reason="over")
    assert required(position) == [3600 * 7, 3600 * 7, 3700 * 7]
    assert history.latest("history_id").history_change_reason == "over"


def test_two_that_start_on_one_day_are_refused_and_nothing_is_kept() -> None:
    position = PositionFactory()
    rows = [DemandAdjustment(position=position, from_day=date(2026, 12, day), hours=1) for day in (9, 10, 10)]
    with pytest.raises(Refusal):
        save_adjustments(adjustments=rows, actor=None)
    assert not DemandAdjustment.objects.exists()
