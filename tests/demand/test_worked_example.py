"""The clinic worked out by hand comes out to the hundredth."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from apps.changes.drain import drain
from apps.common.hours import to_hours
from apps.demand.coverage import state_of
from apps.demand.models import PositionCoverage, UnitCoverage
from apps.offer.models import LedgerWeek
from tests.oracle import example

pytestmark = pytest.mark.django_db

W50, W51 = 0, 1
# position: week: required, assigned, state, proposed, reinforcement
POSITIONS = {
    "P1": {W50: ("36.00", "25.71", "PARTIAL", "0.00", "0.00"), W51: ("36.00", "25.71", "PARTIAL", "10.00", "0.00")},
    "P2": {W50: ("13.71", "13.71", "COVERED", "0.00", "0.00"), W51: ("24.00", "24.00", "COVERED", "0.00", "0.00")},
    "P3": {
        W50: ("12.00", "25.14", "OVER_COVERED", "0.00", "20.00"),
        W51: ("5.14", "8.57", "OVER_COVERED", "0.00", "8.57"),
    },
    "P4": {W50: ("7.01", "7.01", "COVERED", "0.00", "0.00"), W51: ("7.01", "2.00", "PARTIAL", "0.00", "0.00")},
}
# employee: week: pool, assigned, balance
LEDGER = {
    "E1": {W50: ("34.29", "25.71", "8.57"), W51: ("34.29", "25.71", "8.57")},
    "E2": {W50: ("18.86", "13.71", "5.14"), W51: ("20.00", "24.00", "-4.00")},
    "E3": {W50: ("36.00", "20.00", "16.00"), W51: ("48.00", "8.57", "39.43")},
    "E4": {W50: ("12.50", "7.01", "5.49"), W51: ("3.57", "2.00", "1.57")},
    "E5": {W50: ("10.29", "5.14", "5.14"), W51: ("0.00", "0.00", "0.00")},
}


@pytest.fixture
def clinic(settings: Any, db: Any) -> dict[str, Any]:
    def set_today(day: date) -> None:
        settings.COVERIS_TODAY = day

    made = example.build(set_today)
    drain()
    return made


def hours(figure: int) -> str:
    return str(to_hours(figure))


def test_every_position_has_the_figures_of_the_page(clinic: dict[str, Any]) -> None:
    found = {}
    for row in PositionCoverage.objects.select_related("position"):
        found[row.position.code] = {
            week: (
                hours(row.required[week]),
                hours(row.assigned[week]),
                state_of(row.required[week], row.assigned[week]).value,
                hours(row.proposed[week]),
                hours(row.reinforcement[week]),
            )
            for week in (W50, W51)
        }
    assert found == POSITIONS


def test_every_account_has_the_figures_of_the_page(clinic: dict[str, Any]) -> None:
    found = {
        row.employee.employee_number: {
            week: (
                hours(row.pool[week]),
                hours(row.assigned[week]),
                hours(row.pool[week] - row.assigned[week]),
            )
            for week in (W50, W51)
        }
        for row in LedgerWeek.objects.select_related("employee")
    }
    assert found == LEDGER


def test_the_own_positions_of_a_unit_are_summed_without_netting(clinic: dict[str, Any]) -> None:
    row = UnitCoverage.objects.get(org_unit__code="H2")
    assert (hours(row.filled[W50]), hours(row.deficit[W50]), hours(row.surplus[W50])) == ("19.01", "0.00", "13.14")
    assert (hours(row.filled[W51]), hours(row.deficit[W51]), hours(row.surplus[W51])) == ("7.15", "5.01", "3.43")
    assert (row.partial[W51], row.over_covered[W51], row.no_demand[2], row.vacant[2]) == (1, 1, 1, 1)
