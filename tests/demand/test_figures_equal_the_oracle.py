"""Every stored figure equals a computation written a second time, for clinics with random lives."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date, timedelta
from fractions import Fraction

import pytest
from django.conf import settings
from django.db import transaction

from apps.changes.drain import drain
from apps.changes.proof import compare
from apps.demand.coverage import STATES
from apps.demand.models import PositionCoverage, UnitCoverage
from apps.fsm.models import EmployeeTransitionLog
from apps.offer.models import LedgerWeek
from tests.oracle.scripts import Writer, play
from tests.oracle.sheets import Clinic

pytestmark = pytest.mark.django_db

SEEDS = range(20)
DAY = timedelta(days=1)


def build(seed: int) -> Clinic:
    """Play a random clinic into the database and into the oracle, and drain."""
    today = date(2026, 12, 7) + DAY * (seed % 7)

    def set_today(day: date) -> None:
        # On the innermost settings, which the fixture takes back: each override of its own would nest one deeper.
        settings.COVERIS_TODAY = day

    steps = play(Writer(seed, today).write(), set_today)
    set_today(today)
    oracle = Clinic(today)
    for step in steps:
        oracle.read(step.kind, [step.row])
    drain()
    return oracle


def weekly(hour_days: int) -> Fraction:
    return Fraction(hour_days, 700)


def half_up(exact: Fraction) -> int:
    return math.floor(exact + Fraction(1, 2))


@pytest.mark.parametrize("seed", SEEDS)
def test_every_stored_figure_equals_the_oracle(seed: int) -> None:
    oracle = build(seed)
    monday = oracle.today - DAY * oracle.today.weekday()
    mondays = [monday + 7 * DAY * week for week in range(13)]
    positions = {row.position.code: row for row in PositionCoverage.objects.select_related("position")}
    assert positions.keys() == oracle.positions.keys()
    for code, row in positions.items():
        assert row.first_week == monday
        for index, week in enumerate(mondays):
            expected = oracle.position_week(code, week)
            found = {name: weekly(getattr(row, name)[index]) for name in expected}
            assert found == expected, f"seed {seed}, {code}, {week}"
    accounts = {row.employee.employee_number: row for row in LedgerWeek.objects.select_related("employee")}
    assert accounts.keys() == oracle.employees.keys()
    for number, row in accounts.items():
        for index, week in enumerate(mondays):
            expected = oracle.employee_week(number, week)
            found = {name: weekly(getattr(row, name)[index]) for name in expected}
            assert found == expected, f"seed {seed}, {number}, {week}"
    for unit in UnitCoverage.objects.select_related("org_unit"):
        own = [code for code, position in oracle.positions.items() if position.unit == unit.org_unit.code]
        for index, week in enumerate(mondays):
            weeks = [oracle.position_week(code, week) for code in own]
            assert weekly(unit.filled[index]) == sum(min(w["assigned"], w["required"]) for w in weeks)
            assert weekly(unit.deficit[index]) == sum(max(w["required"] - w["assigned"], 0) for w in weeks)
            assert weekly(unit.surplus[index]) == sum(max(w["assigned"] - w["required"], 0) for w in weeks)
            assert weekly(unit.unqualified[index]) == sum(w["unqualified"] for w in weeks)
            for name, exact in oracle.headroom_week(unit.org_unit.code, week).items():
                assert getattr(unit, name)[index] == half_up(exact * 700)
            states = Counter(oracle.state(w["required"], w["assigned"]) for w in weeks)
            assert {state.value: getattr(unit, name)[index] for name, state in STATES.items()} == {
                state.value: states[state.value] for state in STATES.values()
            }
    proof = compare()
    assert (proof.drift, proof.waiting) == ([], 0)


def test_the_random_clinics_meet_what_they_are_meant_to_meet() -> None:
    """A property that only ever meets easy cases proves nothing."""
    met: Counter[str] = Counter()
    for seed in range(8):
        with transaction.atomic():
            _count(build(seed), met)
            transaction.set_rollback(True)
    wanted = {
        "activate", "start_leave", "return_from_leave", "suspend", "reinstate", "give_notice", "retract_notice",
        "terminate", "rehire", "withdraw", "voided", "planned leave", "open leave", "unqualified", "part unqualified",
        "reinforcement", "proposed", "adjusted to nothing", "headroom", "part of the headroom",
    }  # fmt: skip
    assert {name for name in wanted if not met[name]} == set(), met


def _count(oracle: Clinic, met: Counter[str]) -> None:
    met.update(EmployeeTransitionLog.objects.values_list("transition", flat=True))
    met["voided"] += sum(assignment.voided for assignment in oracle.assignments)
    leaves = [leave for employee in oracle.employees.values() for leave in employee.leaves]
    met["planned leave"] += sum(leave.starts_on > oracle.today for leave in leaves)
    met["open leave"] += sum(leave.ends_on is None for leave in leaves)
    for unit in UnitCoverage.objects.all():
        met["headroom"] += any(unit.headroom)
        met["part of the headroom"] += any(
            0 < there < all_of_it for there, all_of_it in zip(unit.headroom_filled, unit.headroom, strict=True)
        )
    for row in PositionCoverage.objects.select_related("position"):
        met["unqualified"] += any(row.unqualified)
        met["part unqualified"] += any(0 < u < a for u, a in zip(row.unqualified, row.assigned, strict=True))
        met["reinforcement"] += any(row.reinforcement)
        met["proposed"] += any(row.proposed)
        adjustments = oracle.positions[row.position.code].adjustments
        met["adjusted to nothing"] += any(hours < -50 for _until, hours in adjustments.values())
