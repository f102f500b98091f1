"""The pages read parts of the tree; what they show is what the whole board says."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from apps.changes.drain import drain
from apps.common.clock import monday_of, today
from apps.common.weeks import horizon
from apps.demand.board import board
from apps.demand.coverage import UNIT_FIGURES
from apps.demand.overview import Figures, count_net_zero, rolled_up, totals_by_week, worst_units
from apps.org.models import OrgUnit
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def computed(clinic: Any) -> Any:
    """Real figures: a gap and a surplus, a planned leave, a mid-week opening, a proposal; drained as by a worker."""
    ward = factories.OrgUnitFactory(code="H1A", parent=clinic.h1)
    factories.AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=30, accepted=True)
    factories.AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=36, accepted=True)
    opening = factories.PositionFactory(org_unit=ward, required_weekly_hours=12, opens_on=date(2026, 12, 10))
    extra = factories.EmployeeFactory(home_unit=ward, active=True)
    factories.AssignmentFactory(
        employee=extra, position=opening, effective_hours=24, is_reinforcement=True, accepted=True
    )
    factories.AssignmentFactory(employee=clinic.newcomer, position=clinic.p1, effective_hours=6)
    factories.LeaveFactory(employee=clinic.nurse, starts_on=date(2026, 12, 12), ends_on=date(2026, 12, 15))
    drain()
    return clinic


def figures_of(line: Any) -> Figures:
    return Figures(**{name: getattr(line, name) for name in UNIT_FIGURES})


@pytest.mark.parametrize("weeks_ahead", [0, 1, 12])
def test_units_roll_up_to_what_the_board_says(computed: Any, weeks_ahead: int) -> None:
    week = monday_of(today()) + timedelta(weeks=weeks_ahead)
    lines = {line.id: line for line in board(week=week).units}
    found = rolled_up(unit_ids=list(OrgUnit.objects.values_list("pk", flat=True)), week=week)
    assert any(figures.required for figures in found.values())
    for pk, line in lines.items():
        figures = found.get(pk, Figures())
        assert figures == figures_of(line), line.code
        assert (figures.coverage_percent, figures.raw_percent) == (line.coverage_percent, line.raw_percent)
        assert (figures.net_zero, figures.is_green) == (line.net_zero, line.is_green)
    assert count_net_zero(root=None, week=week, most=1_000) == sum(line.net_zero for line in lines.values())
    inside = board(week=week, unit=computed.h1).units
    assert count_net_zero(root=computed.h1.pk, week=week, most=1_000) == sum(line.net_zero for line in inside)


def test_the_weeks_of_a_unit_are_those_of_the_board(computed: Any) -> None:
    weeks = horizon()
    for root in (None, computed.h1.pk):
        unit = OrgUnit.objects.get(pk=root or computed.root.pk)
        expected = []
        for week in weeks:
            line = next(line for line in board(week=week, unit=unit).units if line.id == unit.pk)
            expected.append(figures_of(line))
        assert totals_by_week(root=root, weeks=weeks) == expected


def test_the_worst_units_are_those_whose_own_positions_miss_most(computed: Any) -> None:
    found = worst_units(root=None, week=monday_of(today()), limit=8)
    assert found and all(unit.figures.deficit > 0 for unit in found)
    assert [unit.figures.deficit for unit in found] == sorted((u.figures.deficit for u in found), reverse=True)
