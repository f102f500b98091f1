"""What makes two weeks differ: each cause by itself, and that all of them add up to the hour-day."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.demand.waterfall import BRIDGED, Place, Waterfall, records, waterfall
from apps.org.models import Position
from tests.demand.test_figures_equal_the_oracle import build

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def adds_up(found: Waterfall) -> None:
    for figure in BRIDGED:
        assert sum(getattr(part, figure) for part in found.parts) == found.change(figure), figure


@pytest.mark.parametrize("seed", range(12))
def test_random_lives_add_up_against_the_oracle(seed: int) -> None:
    oracle = build(seed)
    monday = oracle.today - DAY * oracle.today.weekday()
    for a, b in ((0, 1), (0, 12), (3, 9)):
        first, second = monday + 7 * a * DAY, monday + 7 * b * DAY
        whole = waterfall(Place(), first, second, today=oracle.today)
        adds_up(whole)
        for position in Position.objects.all():
            found = waterfall(Place(position=position.pk), first, second, today=oracle.today)
            adds_up(found)
            for side, week in ((found.before, first), (found.after, second)):
                expected = oracle.position_week(position.code, week)
                for figure in BRIDGED:
                    assert getattr(side.figures, figure) == expected[figure] * 700
            for part in found.parts:
                rows = records(Place(position=position.pk), first, second, part.cause, today=oracle.today)
                assert len(rows) == part.records
                for figure in BRIDGED:
                    assert sum(getattr(row, figure) for row in rows) == getattr(part, figure)
