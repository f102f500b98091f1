"""What is kept of a unit with everything below it: the sum of its parts, whatever happens to the tree."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.db.models import ProtectedError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from apps.assignments.models import Assignment
from apps.changes.drain import drain
from apps.changes.models import Kind
from apps.changes.proof import compare, prove
from apps.changes.turning import pinned_span
from apps.demand import recompute
from apps.demand.coverage import UNIT_FIGURES
from apps.demand.models import UnitCoverage, WholeCoverage
from apps.demand.recompute import UnitFigures
from apps.org import adding_up
from apps.org.models import OrgUnit, Position
from tests.changes.conftest import holding, in_background, wait_for_a_waiter
from tests.factories import AssignmentFactory, OrgUnitFactory, PositionFactory

HOLD_WHOLE = "SELECT 1 FROM demand_wholecoverage WHERE org_unit_id = %s FOR UPDATE"


def figures(row: Any) -> dict[str, list[int]]:
    return {name: getattr(row, name) for name in UNIT_FIGURES}


def kept() -> dict[int, dict[str, list[int]]]:
    return {row.pk: figures(row) for row in WholeCoverage.objects.all()}


def added_up() -> dict[int, dict[str, list[int]]]:
    """Add the kept figures of own positions up the tree, as plainly as can be."""
    own = {row.pk: figures(row) for row in UnitCoverage.objects.all()}
    units = list(OrgUnit.objects.all())
    return {
        unit.pk: {
            name: [
                sum(own[below.pk][name][week] for below in units if unit.pk in below.path and own[below.pk][name])
                for week in range(13)
            ]
            for name in UNIT_FIGURES
        }
        for unit in units
    }


# The sum of its parts


class Trees(TestCase):
    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 2**32))
    def test_a_unit_is_the_sum_of_its_parts_through_random_changes_and_moves(self, seed: int) -> None:
        chance = random.Random(seed)
        units = [OrgUnitFactory()]
        units += [OrgUnitFactory(parent=chance.choice([*units, None])) for _number in range(chance.randint(2, 9))]
        for _number in range(chance.randint(1, 8)):
            position = PositionFactory(org_unit=chance.choice(units), required_weekly_hours=chance.randint(1, 60))
            if chance.random() < 0.7:
                AssignmentFactory(position=position, accepted=True, effective_hours=chance.randint(1, 60))
        for _round in range(4):
            for _number in range(chance.randint(1, 4)):
                change(chance)
            drain()
            assert kept() == added_up()
        assert compare().drift == []


def change(chance: random.Random) -> None:
    """Do something that reaches the figures of units: to the tree, to positions, to assignments."""
    units = list(OrgUnit.objects.order_by("pk"))
    unit = chance.choice(units)
    positions = list(Position.objects.order_by("pk"))
    match chance.randrange(8):
        case 0:
            elsewhere = [row for row in units if unit.pk not in row.path]
            unit.parent = chance.choice([*elsewhere, None])
            unit.save()
        case 1:
            OrgUnitFactory(parent=unit)
        case 2 if len(units) > 1:
            with suppress(ProtectedError), transaction.atomic():  # one that holds somebody stays
                unit.delete()
        case 3 if positions:
            Position.objects.filter(pk=chance.choice(positions).pk).update(org_unit=unit)
        case 4 if positions:
            chosen = chance.choice(positions)
            Position.objects.filter(pk=chosen.pk).update(required_weekly_hours=Decimal(chance.randint(1, 80)))
        case 5 | 6:
            OrgUnit.objects.filter(pk=unit.pk).update(headroom=chance.choice([None, 0, 18, Decimal("7.35"), 100]))
        case _ if positions:
            chosen = chance.choice(positions)
            Assignment.objects.filter(position=chosen).update(effective_hours=Decimal(chance.randint(1, 60)))


@pytest.mark.django_db
def test_what_a_unit_no_longer_holds_is_gone_from_all_that_held_it() -> None:
    top = OrgUnitFactory()
    middle, other = OrgUnitFactory(parent=top), OrgUnitFactory()
    unit = OrgUnitFactory(parent=middle)
    PositionFactory(org_unit=unit, required_weekly_hours=36)
    drain()
    assert [kept()[row.pk]["required"][1] for row in (top, middle, unit, other)] == [25_200, 25_200, 25_200, 0]
    unit.parent = other
    unit.save()
    drain()
    assert [kept()[row.pk]["required"][1] for row in (top, middle, unit, other)] == [0, 0, 25_200, 25_200]


@pytest.mark.django_db
def test_a_unit_that_goes_with_its_positions_leaves_nothing_behind() -> None:
    top = OrgUnitFactory()
    unit = OrgUnitFactory(parent=top)
    position = PositionFactory(org_unit=unit, required_weekly_hours=36)
    drain()
    position.delete()
    unit.delete()
    drain()
    assert kept() == {top.pk: dict.fromkeys(UNIT_FIGURES, [0] * 13)}


@pytest.mark.django_db
def test_a_whole_that_was_tampered_with_is_found_and_put_right() -> None:
    unit = OrgUnitFactory()
    PositionFactory(org_unit=unit, required_weekly_hours=36)
    drain()
    WholeCoverage.objects.filter(pk=unit.pk).update(deficit=[1] * 13)
    assert [(line["kind"], line["subject"]) for line in prove().drift] == [(Kind.UNIT, unit.pk)]
    drain()
    assert compare().drift == []


# Two at once


@pytest.fixture
def two_sisters() -> Iterator[tuple[Any, list[Any]]]:
    top = OrgUnitFactory()
    sisters = [PositionFactory(org_unit=OrgUnitFactory(parent=top), required_weekly_hours=10) for _number in range(2)]
    drain()
    yield top, sisters


@pytest.mark.django_db(transaction=True)
def test_two_passes_below_one_unit_lose_neither_change(two_sisters: Any) -> None:
    top, sisters = two_sisters
    with holding(HOLD_WHOLE, [top.pk]) as release:
        threads = []
        for position in sisters:
            Position.objects.filter(pk=position.pk).update(required_weekly_hours=Decimal(30))
            threads.append(in_background(drain))
            wait_for_a_waiter()
        release()
        for thread in threads:
            thread.finish()
    assert WholeCoverage.objects.get(pk=top.pk).required[1] == 2 * 3000 * 7
    assert compare().drift == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("looks_again", [True, False], ids=["looks again", "looks once"])
def test_a_unit_moved_while_a_pass_waits_for_the_way_up_is_in_the_figures_of_its_new_place(
    two_sisters: Any, looks_again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The canary keeps to the way up it found before it had the locks."""
    top, (position, _other) = two_sisters
    elsewhere = OrgUnitFactory()
    drain()
    unit = position.org_unit
    if not looks_again:
        write = adding_up._write_wholes
        monkeypatch.setattr(
            adding_up, "_write_wholes",
            lambda table, units, _way_up, locked, span, own: write(table, units, locked, locked, span, own=own),
        )  # fmt: skip
    Position.objects.filter(pk=position.pk).update(required_weekly_hours=Decimal(30))

    def refresh() -> None:
        with transaction.atomic():
            span = pinned_span()
            recompute.PositionFigures().refresh([position.pk], span)
            UnitFigures().refresh([unit.pk], span)

    with holding(HOLD_WHOLE, [top.pk]) as release:
        thread = in_background(refresh)
        wait_for_a_waiter()
        OrgUnit.objects.filter(pk=unit.pk).update(parent=elsewhere)
        release()
        thread.finish()
    found = WholeCoverage.objects.get(pk=elsewhere.pk).required[1]
    assert (found == 3000 * 7) is looks_again
