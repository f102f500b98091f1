"""Corrections of closed weeks: new figures beside the old, asked for, logged, in force from then on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.assignments.models import Assignment
from apps.changes.correcting import LOCK, insert_correction
from apps.changes.drain import drain
from apps.changes.models import Correction
from apps.changes.proof import compare
from apps.changes.span import Span
from apps.common.errors import Refusal
from apps.demand.board import board
from apps.demand.corrected import as_closed, outcome_of, stamps
from apps.demand.coverage import FIGURES, UNIT_FIGURES, coverage_sql
from apps.demand.levels import Question, levels
from apps.demand.models import (
    ClosedPositionWeek,
    ClosedUnitWeek,
    CorrectedPositionWeek,
    CorrectedUnitWeek,
)
from apps.demand.services import correct_week, preview_correction
from apps.demand.tables import CLOSED_POSITIONS, CLOSED_UNITS
from apps.demand.trend import trend
from apps.demand.waterfall import Cause, Place, waterfall
from apps.offer.account import account
from apps.offer.models import ClosedLedgerWeek, CorrectedLedgerWeek
from apps.org.models import OrgUnit, Position
from tests.changes.conftest import holding, in_background, wait_for_a_waiter
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeFactory,
    OrgUnitFactory,
    PositionFactory,
)
from tests.today import TODAY

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
WEEK = 7 * DAY
MONDAY = TODAY - 2 * DAY
LAST = MONDAY - WEEK
CLOSED: tuple[Any, ...] = (ClosedPositionWeek, ClosedUnitWeek, ClosedLedgerWeek)


@pytest.fixture
def closed(clinic: Clinic) -> Any:
    """The nurse gives 24 of 36 hours at P1 in H1 in two weeks that were closed, and goes on."""
    settings.COVERIS_TODAY = TODAY - 2 * WEEK
    clinic.row = AssignmentFactory(  # type: ignore[attr-defined]
        employee=clinic.nurse, position=clinic.p1, effective_hours=24, starts_on=MONDAY - 2 * WEEK, accepted=True
    )
    for _week in range(3):
        drain()
        settings.COVERIS_TODAY += WEEK
    settings.COVERIS_TODAY = TODAY
    return clinic


def late(clinic: Any, hours: int = 30) -> None:
    """It comes out that the nurse gave other hours all along."""
    Assignment.objects.filter(pk=clinic.row.pk).update(effective_hours=hours)
    drain()


def correct(clinic: Any, **options: Any) -> Correction:
    asked = {"actor": clinic.admin, "week": LAST, "reason": "Parte entregado tarde"} | options
    return correct_week(**asked)


def kept() -> list[Any]:
    return [list(model.objects.order_by("pk").values()) for model in CLOSED]


def in_force(table: Any) -> dict[tuple[int, Any], dict[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {table.key}, week, {', '.join(table.figures)} FROM {table.in_force} AS f")
        rows = cursor.fetchall()
    assert len({row[:2] for row in rows}) == len(rows)
    return {row[:2]: dict(zip(table.figures, row[2:], strict=True)) for row in rows}


def assigned_on_the_board(week: Any, unit: Any = None) -> int:
    return board(week=week, unit=unit).units[0].assigned


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(Refusal) as refusal:
        yield
    assert [reason.code for reason in refusal.value.reasons] == [code]


# What is written


def test_the_closed_rows_stay_and_new_ones_lie_beside_them(closed: Any) -> None:
    late(closed)
    before = kept()
    correction = correct(closed)
    assert kept() == before
    [row] = CorrectedPositionWeek.objects.all()
    assert (row.position_id, row.week, row.assigned, row.correction) == (closed.p1.pk, LAST, 3000 * 7, correction)
    [unit] = CorrectedUnitWeek.objects.all()
    assert (unit.org_unit_id, unit.assigned, unit.deficit, unit.partial) == (closed.h1.pk, 3000 * 7, 600 * 7, 1)
    [account_row] = CorrectedLedgerWeek.objects.all()
    assert (account_row.employee_id, account_row.assigned) == (closed.nurse.pk, 3000 * 7)


def test_it_says_who_of_what_and_why(closed: Any) -> None:
    late(closed)
    correction = correct(closed, unit=closed.h1)
    assert (correction.actor_id, correction.unit_id, correction.reason) == (
        closed.admin.pk, closed.h1.pk, "Parte entregado tarde",
    )  # fmt: skip
    [stamp] = stamps([LAST, LAST - WEEK], root=closed.root.pk, scope=None).values()
    assert (stamp.week, stamp.correction, stamp.reason) == (LAST, correction.pk, "Parte entregado tarde")
    assert stamp.by
    assert stamps([LAST], root=closed.h2.pk, scope=None) == {}
    assert stamps([LAST], root=None, scope=closed.h2.pk) == {}


@pytest.mark.parametrize("model", [*CLOSED, CorrectedPositionWeek, CorrectedUnitWeek, CorrectedLedgerWeek, Correction])
def test_the_database_refuses_to_change_or_remove_any_of_it(closed: Any, model: Any) -> None:
    late(closed)
    correct(closed)
    for change in (
        lambda: model.objects.update(week=LAST - 52 * WEEK),
        lambda: model.objects.all()._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
            change()


def test_a_unit_is_corrected_with_what_is_below_it_alone(closed: Any) -> None:
    AssignmentFactory(employee=closed.surgeon, position=closed.p2, effective_hours=12, starts_on=LAST, accepted=True)
    late(closed)
    correct(closed, unit=closed.h2)
    assert [row.position_id for row in CorrectedPositionWeek.objects.all()] == [closed.p2.pk]
    assert [row.org_unit_id for row in CorrectedUnitWeek.objects.all()] == [closed.h2.pk]
    assert [row.employee_id for row in CorrectedLedgerWeek.objects.all()] == [closed.surgeon.pk]
    correct(closed)
    assert assigned_on_the_board(LAST) == (3000 + 1200) * 7


def test_a_second_correction_supersedes_the_first_and_both_stay(closed: Any) -> None:
    late(closed, 30)
    first = correct(closed)
    late(closed, 36)
    second = correct(closed)
    assert assigned_on_the_board(LAST) == 3600 * 7
    assert CorrectedPositionWeek.objects.count() == 2
    for correction, was, now in ((first, 2400, 3000), (second, 3000, 3600)):
        [line] = outcome_of(correction, scope=None).position_lines
        assert (line.was.assigned, line.now.assigned) == (was * 7, now * 7)


def test_what_was_proposed_stays_as_it_was_kept(clinic: Clinic) -> None:
    settings.COVERIS_TODAY = TODAY - WEEK
    row = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=10, starts_on=LAST)
    drain()
    settings.COVERIS_TODAY = TODAY
    drain()
    Assignment.objects.filter(pk=row.pk).update(status="CLOSED", voided=True)
    Position.objects.filter(pk=clinic.p1.pk).update(required_weekly_hours=40)
    correct(clinic)
    [corrected] = CorrectedPositionWeek.objects.all()
    assert (corrected.required, corrected.proposed) == (4000 * 7, 1000 * 7)


# The tree


def test_a_position_that_was_moved_keeps_its_place_of_then(closed: Any) -> None:
    Position.objects.filter(pk=closed.p1.pk).update(org_unit=closed.h2)
    late(closed)
    correct(closed)
    assert assigned_on_the_board(LAST, closed.h1) == 3000 * 7
    assert assigned_on_the_board(LAST, closed.h2) == 0


def test_what_was_entered_since_comes_below_the_nearest_unit_that_was_there(closed: Any) -> None:
    between = OrgUnitFactory(parent=closed.h2)
    below = OrgUnitFactory(parent=between)
    OrgUnit.objects.filter(pk=closed.h2.pk).update(parent=closed.h1)
    position = PositionFactory(org_unit=below, required_weekly_hours=20)
    drain()
    correct(closed)
    row = CorrectedPositionWeek.objects.get(position=position)
    assert row.path == [closed.root.pk, closed.h2.pk, between.pk, below.pk]
    found = board(week=LAST, unit=closed.h2)
    assert [line.code for line in found.units] == [closed.h2.code, between.code, below.code]
    assert found.units[0].required == 5600 * 7
    answer = levels(Question(weeks=[LAST], root=closed.h2.pk, opened=frozenset({closed.h2.pk, between.pk, below.pk})))
    assert [place.line.code for place in answer.places] == [
        closed.h2.code, between.code, below.code, position.code, closed.p2.code,
    ]  # fmt: skip


# Who reads


def test_everybody_who_reads_the_week_reads_the_corrected_figures(closed: Any) -> None:
    late(closed)
    correct(closed)
    assert assigned_on_the_board(LAST) == 3000 * 7
    assert assigned_on_the_board(LAST - WEEK) == 2400 * 7
    assert levels(Question(weeks=[LAST])).places[0].line.figures.assigned == 3000 * 7
    for place in (Place(), Place(root=closed.h1.pk), Place(position=closed.p1.pk)):
        weeks = {week.monday: week for week in trend(place)}
        figures, was = weeks[LAST].figures, weeks[LAST].was
        assert figures and was
        assert (figures.assigned, was.assigned) == (3000 * 7, 2400 * 7)
        assert weeks[LAST].stamp and weeks[LAST - WEEK].stamp is None
    [before, this] = account(closed.nurse, Span(LAST, 2, TODAY))
    assert (before.assigned, before.closed, before.corrected is not None) == (3000 * 7, True, True)
    assert this.corrected is None


def test_after_a_correction_nothing_changed_since_the_week_was_closed(closed: Any) -> None:
    late(closed)
    assert [part.cause for part in waterfall(Place(), LAST, MONDAY).parts] == [Cause.CORRECTION]
    correct(closed)
    found = waterfall(Place(), LAST, MONDAY)
    assert found.parts == []
    assert found.before.figures.assigned == found.after.figures.assigned == 3000 * 7
    assert found.before.stamp and found.after.stamp is None


def test_the_figures_it_was_closed_with_can_still_be_read(closed: Any) -> None:
    late(closed)
    correct(closed)
    found = as_closed(LAST, units=[closed.root.pk, closed.h1.pk, closed.h2.pk], positions=[closed.p1.pk, closed.p2.pk])
    assert {key: figures.assigned for key, figures in found.items()} == {
        ("unit", closed.root.pk): 2400 * 7, ("unit", closed.h1.pk): 2400 * 7, ("position", closed.p1.pk): 2400 * 7,
    }  # fmt: skip


def test_late_data_after_a_correction_does_not_change_it(closed: Any) -> None:
    late(closed, 30)
    correct(closed)
    late(closed, 12)
    assert assigned_on_the_board(LAST) == 3000 * 7
    assert [part.assigned for part in waterfall(Place(), LAST, MONDAY).parts] == [-1800 * 7]


def test_the_proof_does_not_tell_corrected_weeks_as_drift(closed: Any) -> None:
    late(closed)
    correct(closed)
    assert compare().drift == []


# Looking first


def test_looking_first_writes_nothing_and_says_what_it_would_do(closed: Any) -> None:
    late(closed)
    outcome = preview_correction(actor=closed.admin, week=LAST).outcome
    assert (outcome.positions, outcome.units, outcome.accounts) == (1, 1, 1)
    [line] = outcome.position_lines
    assert (line.code, line.was.deficit, line.now.deficit, line.difference("assigned")) == (
        closed.p1.code, 1200 * 7, 600 * 7, 600 * 7,
    )  # fmt: skip
    assert (outcome.whole_was.assigned, outcome.whole.assigned, outcome.whole.required) == (
        2400 * 7, 3000 * 7, 7200 * 7,
    )  # fmt: skip
    [row] = outcome.account_lines
    assert (row.assigned_was, row.assigned) == (2400 * 7, 3000 * 7)
    assert not Correction.objects.exists()
    assert assigned_on_the_board(LAST) == 2400 * 7


def test_whoever_confirms_something_else_than_was_looked_at_is_refused(closed: Any) -> None:
    late(closed, 30)
    seen = preview_correction(actor=closed.admin, week=LAST).seen
    late(closed, 31)
    with refused("changed"):
        correct(closed, seen=seen)
    assert not Correction.objects.exists()
    correct(closed, seen=preview_correction(actor=closed.admin, week=LAST).seen)


# Refusals


def test_where_nothing_differs_there_is_nothing_to_correct(closed: Any) -> None:
    with refused("nothing_differs"):
        correct(closed)
    late(closed)
    correct(closed)
    with refused("nothing_differs"):
        correct(closed)
    assert Correction.objects.count() == 1


@pytest.mark.parametrize("week", [MONDAY, MONDAY + WEEK, LAST - 9 * WEEK, LAST + DAY])
def test_only_a_closed_week_can_be_corrected(closed: Any, week: Any) -> None:
    late(closed)
    with refused("not_closed"):
        correct(closed, week=week)


def test_a_reason_is_needed(closed: Any) -> None:
    late(closed)
    with refused("no_reason"):
        correct(closed, reason="  ")


@pytest.mark.parametrize("who", ["supervisor", "viewer"])
def test_whoever_may_only_look_does_not_correct(closed: Any, who: str) -> None:
    late(closed)
    with refused("forbidden"):
        correct(closed, actor=getattr(closed, who))
    with refused("forbidden"):
        preview_correction(actor=getattr(closed, who), week=LAST)


def test_a_manager_corrects_the_own_part_and_no_other(closed: Any) -> None:
    """The manager's scope is H1."""
    AssignmentFactory(employee=closed.surgeon, position=closed.p2, effective_hours=12, starts_on=LAST, accepted=True)
    late(closed)
    for unit in (closed.h2, closed.root):
        with refused("out_of_scope"):
            correct(closed, actor=closed.manager, unit=unit)
    correction = correct(closed, actor=closed.manager)
    assert correction.unit_id == closed.h1.pk
    assert [row.position_id for row in CorrectedPositionWeek.objects.all()] == [closed.p1.pk]


# Two at once


@pytest.mark.django_db(transaction=True)
def test_of_two_corrections_at_once_the_second_finds_nothing_left(closed: Any) -> None:
    late(closed)
    with holding("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, LAST.toordinal()]) as release:
        threads = [in_background(lambda: attempt(closed)) for _number in range(2)]
        wait_for_a_waiter()
        release()
        assert sorted(thread.finish() for thread in threads) == ["done", "nothing_differs"]
    assert Correction.objects.count() == CorrectedPositionWeek.objects.count() == 1
    assert assigned_on_the_board(LAST) == 3000 * 7


@pytest.mark.django_db(transaction=True)
def test_a_correction_and_a_drain_do_not_wait_for_one_another(closed: Any) -> None:
    late(closed)
    Assignment.objects.filter(pk=closed.row.pk).update(effective_hours=31)
    with holding("SELECT 1 FROM demand_positioncoverage FOR UPDATE", []) as release:
        passing = in_background(drain)
        wait_for_a_waiter()
        assert attempt(closed) == "done"
        release()
        passing.finish()
    assert compare().drift == []


def attempt(clinic: Any) -> str:
    try:
        correct(clinic)
    except Refusal as refusal:
        return refusal.reasons[0].code
    return "done"


# By chance


@hypothesis_settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_random_late_data_is_corrected_to_what_the_formula_says(seed: int) -> None:
    """Whatever came late, the week in force is what the formulas make of today's records, and units are their sums."""
    chance = random.Random(seed)
    with transaction.atomic():
        settings.COVERIS_TODAY = TODAY - WEEK
        root = OrgUnitFactory()
        units = [root, *(OrgUnitFactory(parent=root) for _number in range(3))]
        positions = [PositionFactory(org_unit=chance.choice(units)) for _number in range(6)]
        people = [EmployeeFactory(home_unit=root, active=True) for _number in range(4)]
        rows = [
            AssignmentFactory(
                employee=chance.choice(people), position=position, effective_hours=chance.randint(1, 40),
                starts_on=LAST + chance.randint(-3, 6) * DAY, accepted=True,
            )
            for position in positions
        ]  # fmt: skip
        drain()
        settings.COVERIS_TODAY = TODAY
        drain()
        before = kept()
        for row in chance.sample(rows, chance.randint(1, 4)):
            Assignment.objects.filter(pk=row.pk).update(effective_hours=chance.randint(1, 40))
        for position in chance.sample(positions, 2):
            Position.objects.filter(pk=position.pk).update(required_weekly_hours=chance.randint(1, 60))
        PositionFactory(org_unit=chance.choice(units))
        drain()
        insert_correction(week=LAST, unit=None, actor_id=None, reason="Parte tarde")
        assert kept() == before
        sql, params = coverage_sql(Span(LAST, 1, TODAY))
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT position_id, {', '.join(f'{name}[1]' for name in FIGURES)} FROM ({sql}) AS n", params
            )
            wanted = {row[0]: dict(zip(FIGURES, row[1:], strict=True)) for row in cursor.fetchall()}
        found = in_force(CLOSED_POSITIONS)
        for position, figures in wanted.items():
            assert found.get((position, LAST), dict.fromkeys(FIGURES, 0)) == figures
        sums = in_force(CLOSED_UNITS)
        for unit in units:
            mine = [wanted[p] for p in Position.objects.filter(org_unit=unit).values_list("pk", flat=True)]
            assert sums[unit.pk, LAST]["assigned"] == sum(figures["assigned"] for figures in mine)
            assert sums[unit.pk, LAST]["deficit"] == sum(
                max(0, figures["required"] - figures["assigned"]) for figures in mine
            )
            counted = sum(sums[unit.pk, LAST][name] for name in UNIT_FIGURES[8:])
            assert counted == len(mine)
        transaction.set_rollback(True)
