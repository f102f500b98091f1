"""How the people of a unit are used, as it is kept: whatever happens, what adding up the accounts one by one gives."""

from __future__ import annotations

import random
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
from apps.common.clock import monday_of
from apps.offer.models import LedgerWeek, UnitUsage, WholeUsage
from apps.offer.usage import OWN, SPARE_HOURS, SUMS
from apps.offer.used import Order, Part, Use, people_used, total_used, units_used
from apps.org.models import Employee, OrgUnit
from tests.factories import AssignmentFactory, EmployeeFactory, OrgUnitFactory
from tests.today import TODAY

MONDAY = monday_of(TODAY)
SPARE = SPARE_HOURS * 700
WEEK = 1  # the one after the current: whole, whatever day it is


def hired(unit: Any, *, contract: int = 36, assigned: int = 0, **fields: Any) -> Any:
    """Return somebody at home in a unit, under contract for so many hours, with so many assigned."""
    employee = EmployeeFactory(home_unit=unit, active=True, active__hours=str(contract), **fields)
    if assigned:
        AssignmentFactory(employee=employee, effective_hours=assigned, accepted=True)
    return employee


def one_by_one(unit: Any) -> dict[str, list[int]]:
    """Look at the account of everybody at home in a unit, as plainly as can be."""
    found: dict[str, list[int]] = {name: [0] * 13 for name in OWN.columns}
    for row in LedgerWeek.objects.filter(employee__home_unit=unit):
        for week in range(13):
            pool, assigned = row.pool[week], row.assigned[week]
            balance = pool - assigned
            found["people"][week] += bool(pool or assigned)
            if balance < 0:
                found["over"][week] += 1
                found["over_hours"][week] += -balance
                found["most_over"][week] = max(found["most_over"][week], -balance)
            if balance > SPARE:
                found["under"][week] += 1
                found["under_hours"][week] += balance
                found["most_under"][week] = max(found["most_under"][week], balance)
    return found


def assert_kept_is_right() -> None:
    units = list(OrgUnit.objects.all())
    plain = {unit.pk: one_by_one(unit) for unit in units}
    assert {row.pk: {name: getattr(row, name) for name in OWN.columns} for row in UnitUsage.objects.all()} == plain
    wholes = {
        unit.pk: {
            name: [sum(plain[below.pk][name][week] for below in units if unit.pk in below.path) for week in range(13)]
            for name in SUMS
        }
        for unit in units
    }
    assert {row.pk: {name: getattr(row, name) for name in SUMS} for row in WholeUsage.objects.all()} == wholes


class Trees(TestCase):
    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 2**32))
    def test_what_is_kept_is_what_the_accounts_give_through_random_changes_and_moves(self, seed: int) -> None:
        chance = random.Random(seed)
        units = [OrgUnitFactory()]
        units += [OrgUnitFactory(parent=chance.choice([*units, None])) for _number in range(chance.randint(1, 5))]
        for _number in range(chance.randint(1, 6)):
            hired(chance.choice(units), contract=chance.randint(8, 48), assigned=chance.choice([0, 8, 24, 40, 60]))
        for _round in range(3):
            for _number in range(chance.randint(1, 3)):
                change(chance)
            drain()
            assert_kept_is_right()
            assert_people_are_the_worst(chance)
        assert compare().drift == []


def change(chance: random.Random) -> None:
    """Do something that reaches how people are used: to the tree, to where they are at home, to their hours."""
    units = list(OrgUnit.objects.order_by("pk"))
    unit, employee = chance.choice(units), chance.choice(list(Employee.objects.order_by("pk")))
    match chance.randrange(5):
        case 0:
            unit.parent = chance.choice([*(row for row in units if unit.pk not in row.path), None])
            unit.save()
        case 1:
            OrgUnitFactory(parent=unit)
        case 2:
            with suppress(ProtectedError), transaction.atomic():  # one that holds somebody stays
                unit.delete()
        case 3:
            Employee.objects.filter(pk=employee.pk).update(home_unit=unit)
        case _:
            Assignment.objects.filter(employee=employee).update(effective_hours=Decimal(chance.randint(1, 60)))


def assert_people_are_the_worst(chance: random.Random) -> None:
    """Compare a page of people with all of them, put in order by Python."""
    everybody = [
        (row.pool[WEEK] - row.assigned[WEEK], row.employee.home_unit.code, row.employee.employee_number)
        for row in LedgerWeek.objects.select_related("employee__home_unit")
    ]
    limit, offset = chance.randint(1, 3), chance.randint(0, 2)
    part = Part(week=MONDAY + (MONDAY.resolution * 7) * WEEK)
    over = sorted(row for row in everybody if row[0] < 0)
    under = sorted((row for row in everybody if row[0] > SPARE), key=lambda row: (-row[0], *row[1:]))
    for use, expected in ((Use.OVER, over), (Use.UNDER, under)):
        found = people_used(part, use, limit=limit, offset=offset)
        assert [(row.balance, row.unit_code, row.number) for row in found] == expected[offset : offset + limit]


@pytest.mark.django_db
def test_whoever_moves_house_is_gone_from_the_unit_that_was_home() -> None:
    before, after = OrgUnitFactory(), OrgUnitFactory()
    employee = hired(before)
    drain()
    Employee.objects.filter(pk=employee.pk).update(home_unit=after)
    drain()
    assert [UnitUsage.objects.get(pk=unit.pk).under[WEEK] for unit in (before, after)] == [0, 1]


@pytest.mark.django_db
def test_eight_hours_left_are_not_too_many_and_a_minute_over_the_pool_is() -> None:
    unit = OrgUnitFactory()
    hired(unit, contract=36, assigned=28)
    hired(unit, contract=36, assigned=27)
    hired(unit, contract=36, assigned=36)
    hired(unit, contract=36, assigned=37)
    drain()
    row = WholeUsage.objects.get(pk=unit.pk)
    assert (row.people[WEEK], row.over[WEEK], row.under[WEEK]) == (4, 1, 1)
    assert (row.over_hours[WEEK], row.under_hours[WEEK]) == (700, 9 * 700)


@pytest.mark.django_db
def test_a_figure_that_went_wrong_is_found_by_the_proof_and_put_right() -> None:
    unit = OrgUnitFactory()
    hired(unit)
    drain()
    WholeUsage.objects.filter(pk=unit.pk).update(under=[7] * 13)
    assert [(line["kind"], line["subject"]) for line in prove().drift] == [(Kind.HOME, unit.pk)]
    drain()
    assert_kept_is_right()


@pytest.mark.django_db
def test_units_come_level_by_level_in_the_order_asked_for() -> None:
    top = OrgUnitFactory()
    first, second = OrgUnitFactory(parent=top, code="A"), OrgUnitFactory(parent=top, code="B")
    ward = OrgUnitFactory(parent=second, code="C")
    hired(first, contract=20, assigned=30)
    hired(ward, contract=20, assigned=50)
    hired(first, contract=40)
    drain()
    part = Part(week=MONDAY + (MONDAY.resolution * 7) * WEEK, root=top.pk)
    found = {order: [unit.code for unit in units_used(part, opened=[], order=order, per_level=50)] for order in Order}
    assert found == {Order.CODE: ["A", "B"], Order.OVER: ["B", "A"], Order.UNDER: ["A", "B"]}
    opened = units_used(part, opened=[second.pk], order=Order.CODE, per_level=50)
    assert {unit.code: unit.parent for unit in opened} == {"A": top.pk, "B": top.pk, "C": second.pk}
    assert total_used(part).over_hour_days == 40 * 700
