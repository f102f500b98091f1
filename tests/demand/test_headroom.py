"""Headroom: a second target beside the first, from the unit or the nearest one above, never mixed into the first."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import settings as property_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from apps.business_rules.models import RuleViolation
from apps.business_rules.services.sweeps import sweep
from apps.changes.drain import drain
from apps.changes.figures import Touched
from apps.changes.models import Kind, Mark
from apps.changes.proof import compare
from apps.changes.turning import close_weeks
from apps.demand.coverage import FIGURES, HEADROOM, UNIT_FIGURES
from apps.demand.headroom import headroom_of
from apps.demand.models import ClosedUnitWeek, PositionCoverage, UnitCoverage, WholeCoverage
from apps.demand.recompute import UnitFigures
from apps.org.models import OrgUnit
from apps.org.services.units import move_unit, save_units
from tests.factories import AssignmentFactory, EmployeeFactory, OrgUnitFactory, PositionFactory
from tests.rules.catalogue import install_rules

WEEK = 1  # a whole week to come


def kept(unit: Any) -> Any:
    return WholeCoverage.objects.get(pk=unit.pk)


def headroom(unit: Any) -> int:
    return kept(unit).headroom[WEEK]


def say(unit: Any, percent: Any) -> None:
    unit.refresh_from_db()
    unit.headroom = percent
    save_units(units=[unit], actor=None)


def first_target() -> dict[Any, Any]:
    """Return every figure there is but the second target, of positions and of units."""
    first = [name for name in UNIT_FIGURES if name not in HEADROOM]
    return {
        (table, row.pk): {name: getattr(row, name) for name in names}
        for table, names in ((PositionCoverage, FIGURES), (UnitCoverage, first), (WholeCoverage, first))
        for row in table.objects.all()
    }


def verdicts() -> list[Any]:
    told = ("rule", "subject_kind", "subject_id", "observed", "limit", "facts", "state")
    return list(RuleViolation.objects.order_by("pk").values(*told))


@pytest.fixture
def tower(db: Any) -> list[Any]:
    """Three units, each in the one before it, with a position of 36 h a week in each."""
    top = OrgUnitFactory()
    middle = OrgUnitFactory(parent=top)
    units = [top, middle, OrgUnitFactory(parent=middle)]
    for unit in units:
        PositionFactory(org_unit=unit, required_weekly_hours=36)
    drain()
    return units


# What it is


class Shares(TestCase):
    @property_settings(max_examples=25, deadline=None)
    @given(
        percent=st.decimals(0, 100, places=2),
        places=st.lists(
            st.tuples(st.decimals("0.01", 400, places=2), st.decimals(0, 400, places=2)), min_size=1, max_size=4
        ),
    )
    def test_it_is_the_percent_of_the_required_hours_rounded_once_for_all_positions_of_the_unit(
        self, percent: Decimal, places: list[tuple[Decimal, Decimal]]
    ) -> None:
        unit = OrgUnitFactory(headroom=percent)
        needed = there = Decimal(0)
        for required, assigned in places:
            position = PositionFactory(org_unit=unit, required_weekly_hours=required)
            if assigned:
                AssignmentFactory(position=position, effective_hours=assigned, accepted=True)
            needed += required * percent
            there += min(max(assigned - required, Decimal(0)) * 100, required * percent)
        drain()
        row = UnitCoverage.objects.get(pk=unit.pk)
        expected = tuple((exact * 7).quantize(Decimal(1), ROUND_HALF_UP) for exact in (needed, there))
        assert (row.headroom[WEEK], row.headroom_filled[WEEK]) == expected


@pytest.mark.django_db
def test_half_an_hour_day_is_rounded_up() -> None:
    unit = OrgUnitFactory(headroom="0.50")
    PositionFactory(org_unit=unit, required_weekly_hours="1.00")  # 700 hour-days
    drain()
    assert headroom(unit) == 4  # of 3.5


def test_a_unit_that_says_nothing_has_the_headroom_of_the_nearest_above(tower: Any) -> None:
    top, middle, ward = tower
    assert [headroom(unit) for unit in tower] == [0, 0, 0]
    say(top, 10)
    drain()
    assert [headroom(unit) for unit in tower] == [3 * 2_520, 2 * 2_520, 2_520]
    say(middle, 20)
    drain()
    assert [headroom(unit) for unit in tower] == [2_520 + 2 * 5_040, 2 * 5_040, 5_040]
    say(ward, 0)
    drain()
    assert [headroom(unit) for unit in tower] == [2_520 + 5_040, 5_040, 0]
    assert [headroom_of(unit) for unit in OrgUnit.objects.order_by("pk")] == [10, 20, 0]
    say(middle, None)
    say(ward, None)
    drain()
    assert [headroom(unit) for unit in tower] == [3 * 2_520, 2 * 2_520, 2_520]


@pytest.mark.django_db
def test_hours_beyond_one_position_are_no_headroom_of_another() -> None:
    unit = OrgUnitFactory(headroom=50)
    over, exact = (PositionFactory(org_unit=unit, required_weekly_hours=10) for _number in range(2))
    AssignmentFactory(position=over, effective_hours=30, accepted=True)
    AssignmentFactory(position=exact, effective_hours=10, accepted=True)
    drain()
    row = kept(unit)
    # 5 h a position; the one has 20 h too many, of which 5 are its headroom, the other has none of its own.
    assert (row.headroom[WEEK], row.headroom_filled[WEEK]) == (10 * 700, 5 * 700)


@pytest.mark.django_db
@pytest.mark.parametrize("percent", ["-0.01", "100.01"])
def test_it_is_between_0_and_100(percent: str) -> None:
    with pytest.raises(IntegrityError, match="org_unit_headroom_is_percent"), transaction.atomic():
        OrgUnitFactory(headroom=percent)


# Never mixed into the first


def test_no_other_figure_and_no_verdict_changes_by_a_hundredth(house: Any) -> None:
    install_rules()
    sweep(actor=None)
    violations = verdicts()
    before = first_target()
    assert violations and any(row["deficit"][WEEK] for row in before.values() if "deficit" in row)
    say(house.root, 18)
    say(house.h1, "33.33")
    drain()
    sweep(actor=None)
    assert kept(house.root).headroom[WEEK] > 0, "the canary: the second target is there"
    assert first_target() == before
    assert verdicts() == violations


# Kept fresh


def test_a_unit_that_moves_takes_the_headroom_of_its_new_place_with_all_below_it(tower: Any) -> None:
    top, middle, ward = tower
    elsewhere = OrgUnitFactory(headroom=50)
    say(top, 10)
    drain()
    middle.refresh_from_db()
    move_unit(unit=middle, parent=elsewhere, actor=None)
    drain()
    assert [headroom(unit) for unit in (top, elsewhere, middle, ward)] == [2_520, 2 * 12_600, 2 * 12_600, 12_600]
    assert compare().drift == []


def test_a_change_marks_those_that_take_it_and_nobody_else(tower: Any) -> None:
    top, middle, ward = tower
    sister = OrgUnitFactory(parent=top)
    say(ward, 5)
    drain()
    OrgUnit.objects.filter(pk=top.pk).update(headroom=10)
    assert set(Mark.objects.values_list("kind", "subject_id")) == {(Kind.HEADROOM, top.pk), (Kind.UNIT, top.pk)}
    touched = Touched.by(Mark.objects.values_list("kind", "subject_id", "alone"))
    UnitFigures().hand_on(touched)
    assert touched.marked == {Kind.UNIT: {top.pk}}
    handed_on = Mark.objects.filter(kind=Kind.UNIT, alone=True).values_list("subject_id", flat=True)
    assert sorted(handed_on) == sorted([middle.pk, sister.pk])  # and not whoever says one of their own
    drain()
    assert [headroom(unit) for unit in (sister, middle, ward)] == [0, 2_520 + 1_260, 1_260]
    assert compare().drift == []


def test_what_waits_for_a_new_headroom_is_no_drift_and_what_nobody_marked_is(tower: Any) -> None:
    top, _middle, _ward = tower
    OrgUnit.objects.filter(pk=top.pk).update(headroom=10)
    proof = compare()
    # The three units, and the one that was changed as the home of its people.
    assert (proof.drift, proof.waiting) == ([], 4)
    Mark.objects.all().delete()
    # Two rows a unit: of its own positions, and with everything below.
    assert sorted(line["subject"] for line in compare().drift) == sorted(2 * [unit.pk for unit in tower])


def test_a_change_of_something_else_marks_nobody_below(tower: Any) -> None:
    top, *_below = tower
    OrgUnit.objects.filter(pk=top.pk).update(name="Another", manager=None)
    assert not Mark.objects.filter(kind=Kind.HEADROOM).exists()


def test_a_change_costs_as_many_queries_above_a_hundred_units_as_above_two(tower: Any) -> None:
    def cost(percent: int) -> int:
        OrgUnit.objects.filter(pk=tower[0].pk).update(headroom=percent)
        with CaptureQueriesContext(connection) as queries:
            drain()
        return len(queries)

    few = cost(10)
    OrgUnit.objects.bulk_create([OrgUnit(code=f"B{number}", name="B", parent=tower[1]) for number in range(100)])
    drain()
    assert cost(20) <= few


# Weeks gone by


def test_a_closed_week_keeps_the_headroom_it_had(tower: Any, settings: Any) -> None:
    _top, middle, _ward = tower
    say(middle, 20)
    settings.COVERIS_TODAY = settings.COVERIS_TODAY.replace(day=15)
    assert close_weeks() == 1
    say(middle, 40)
    drain()
    [closed] = ClosedUnitWeek.objects.filter(org_unit=middle)
    assert (closed.headroom, closed.headroom_filled) == (5_040, 0)
    assert headroom(middle) == 2 * 10_080
    assert compare().drift == []


@pytest.mark.django_db
def test_people_beyond_what_is_required_are_counted_as_headroom_up_to_it() -> None:
    unit = OrgUnitFactory(headroom=20)
    position = PositionFactory(org_unit=unit, required_weekly_hours=30)
    for hours in (20, 14):
        AssignmentFactory(
            position=position, employee=EmployeeFactory(home_unit=unit, active=True), effective_hours=hours,
            accepted=True,
        )  # fmt: skip
    drain()
    row = kept(unit)
    assert (row.deficit[WEEK], row.headroom[WEEK], row.headroom_filled[WEEK]) == (0, 6 * 700, 4 * 700)
