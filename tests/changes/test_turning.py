"""Days and weeks go by: the horizon moves on, and what is over is kept for good."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.assignments.models import Assignment
from apps.changes.drain import drain
from apps.changes.models import Calendar, Mark
from apps.changes.proof import compare
from apps.changes.turning import close_weeks, turn_day
from apps.demand.board import NoFigures, board
from apps.demand.models import ClosedPositionWeek, ClosedUnitWeek, PositionCoverage, UnitCoverage
from apps.fsm.services import apply_transition
from apps.offer.models import ClosedLedgerWeek, LedgerWeek
from apps.org.models import OrgUnit
from tests.factories import AssignmentFactory, OrgUnitFactory

from .conftest import holding, in_background, wait_for_a_waiter

pytestmark = pytest.mark.django_db

MONDAY = date(2026, 12, 7)
NEXT = date(2026, 12, 14)


@pytest.fixture
def assignment() -> Any:
    made = AssignmentFactory(accepted=True, effective_hours=Decimal(20), ends_on=date(2026, 12, 16))
    drain()
    return made


def test_a_day_that_changes_nothing_marks_nobody(assignment: Any, settings: Any) -> None:
    settings.COVERIS_TODAY = date(2026, 12, 10)
    assert turn_day() == 0
    assert Calendar.objects.get().day == date(2026, 12, 10)


def test_a_day_on_which_a_period_begins_by_itself_marks_its_employee(assignment: Any, settings: Any) -> None:
    employee = assignment.employee
    apply_transition(employee, "terminate", actor=None, reason="x", last_day=date(2026, 12, 9))
    apply_transition(employee, "rehire", actor=None, reason="x", hired_on=date(2026, 12, 20))
    drain()
    # Still giving hours today, and from tomorrow on an employee who is ONBOARDING.
    assert LedgerWeek.objects.get(employee=employee).pool[0] == 3600 * 3
    settings.COVERIS_TODAY = date(2026, 12, 10)
    turn_day()
    drain()
    assert LedgerWeek.objects.get(employee=employee).pool[0] == 3600 * 3
    assert compare().drift == []


def test_every_day_to_come_agrees_with_a_computation_on_that_day(assignment: Any, settings: Any) -> None:
    apply_transition(assignment.employee, "give_notice", actor=None, last_day=date(2026, 12, 15))
    for number in range(1, 20):
        settings.COVERIS_TODAY = date(2026, 12, 9) + timedelta(days=number)
        drain()
        assert compare().drift == [], settings.COVERIS_TODAY


def test_a_week_that_is_over_keeps_its_figures_and_the_others_move_on(assignment: Any, settings: Any) -> None:
    settings.COVERIS_TODAY = NEXT
    assert close_weeks() == 1
    drain()
    row = PositionCoverage.objects.get(position=assignment.position_id)
    assert (row.first_week, len(row.assigned), row.assigned[:2]) == (NEXT, 13, [6000, 0])
    closed = ClosedPositionWeek.objects.get(position=assignment.position_id)
    assert (closed.week, closed.assigned, closed.required) == (MONDAY, 14_000, 25_200)
    assert closed.path == [assignment.position.org_unit_id]
    unit = ClosedUnitWeek.objects.get(org_unit=assignment.position.org_unit_id)
    assert (unit.partial, unit.deficit, unit.filled) == (1, 11_200, 14_000)
    account = ClosedLedgerWeek.objects.get(employee=assignment.employee_id)
    assert (account.pool, account.assigned) == (25_200, 14_000)
    assert compare().drift == []


def test_closing_twice_closes_once(assignment: Any, settings: Any) -> None:
    settings.COVERIS_TODAY = NEXT
    assert [close_weeks(), close_weeks()] == [1, 0]
    assert ClosedPositionWeek.objects.count() == 1


def test_until_it_is_closed_a_monday_leaves_the_week_where_it_is(assignment: Any, settings: Any) -> None:
    settings.COVERIS_TODAY = NEXT
    Assignment.objects.filter(pk=assignment.pk).update(effective_hours=21)
    drain()
    row = PositionCoverage.objects.get(position=assignment.position_id)
    assert (row.first_week, row.assigned[:2]) == (MONDAY, [14_700, 6_300])
    assert board(week=NEXT).positions[0].assigned == 6_300
    assert not ClosedPositionWeek.objects.exists()


def test_a_closing_that_did_not_come_is_made_up_for_the_day_after(assignment: Any, settings: Any) -> None:
    settings.COVERIS_TODAY = date(2027, 1, 5)
    drain()
    assert sorted(ClosedPositionWeek.objects.values_list("week", flat=True)) == [
        MONDAY + timedelta(weeks=number) for number in range(4)
    ]
    assert PositionCoverage.objects.get(position=assignment.position_id).first_week == date(2027, 1, 4)
    assert Mark.objects.count() == 0


def test_many_weeks_at_once_are_closed_too(assignment: Any, settings: Any) -> None:
    settings.COVERIS_TODAY = date(2027, 6, 1)
    drain()
    assert ClosedPositionWeek.objects.count() == 25
    assert compare().drift == []


def test_a_change_whose_mark_still_waits_is_in_the_week_that_closes(assignment: Any, settings: Any) -> None:
    Assignment.objects.filter(pk=assignment.pk).update(effective_hours=35)
    settings.COVERIS_TODAY = NEXT
    close_weeks()
    assert ClosedPositionWeek.objects.get().assigned == 24_500


def test_a_closed_week_keeps_its_tree_and_never_changes_by_itself(assignment: Any, settings: Any) -> None:
    settings.COVERIS_TODAY = NEXT
    close_weeks()
    Assignment.objects.filter(pk=assignment.pk).update(effective_hours=40)
    above = OrgUnitFactory(code="ABOVE")
    OrgUnit.objects.filter(pk=assignment.position.org_unit_id).update(parent=above)
    drain()
    was = board(week=MONDAY)
    assert was.closed_at is not None
    code = assignment.position.org_unit.code
    assert {unit.code: unit.assigned for unit in was.units if unit.assigned} == {code: 14_000}
    now = board(week=NEXT)
    assert {unit.code: unit.assigned for unit in now.units if unit.assigned} == {"ABOVE": 12_000, code: 12_000}
    assert "ABOVE" not in {unit.code for unit in was.units}


def test_a_week_before_the_first_computation_has_no_figures(assignment: Any) -> None:
    with pytest.raises(NoFigures):
        board(week=MONDAY - timedelta(weeks=1))
    assert UnitCoverage.objects.count() == 1 + 1


@pytest.mark.django_db(transaction=True)
def test_two_closings_at_once_close_once(settings: Any) -> None:
    made = AssignmentFactory(accepted=True)
    drain()
    settings.COVERIS_TODAY = NEXT
    with holding("SELECT 1 FROM changes_calendar FOR UPDATE", []) as release:
        threads = [in_background(close_weeks) for _number in range(2)]
        wait_for_a_waiter()
        release()
        assert sorted(thread.finish() for thread in threads) == [0, 1]
    assert ClosedPositionWeek.objects.filter(position=made.position_id).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_drain_and_a_closing_do_not_cross(settings: Any) -> None:
    """A pass that began before the closing must not write the old horizon back after it."""
    made = AssignmentFactory(accepted=True)
    drain()
    Assignment.objects.filter(pk=made.pk).update(effective_hours=12)
    with holding("SELECT 1 FROM demand_positioncoverage FOR UPDATE", []) as release:
        passing = in_background(drain)
        wait_for_a_waiter()
        settings.COVERIS_TODAY = NEXT
        closing = in_background(close_weeks)
        release()
        passing.finish()
        assert closing.finish() == 1
    drain()
    assert set(PositionCoverage.objects.values_list("first_week", flat=True)) == {NEXT}
    assert compare().drift == []
