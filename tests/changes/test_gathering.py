"""A subject that changes all the time is worked off a few times, and what it came to is never missed."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from apps.assignments.models import Assignment
from apps.changes import gathering
from apps.changes.drain import drain
from apps.changes.models import Kind, Mark, Recent
from apps.changes.proof import compare
from apps.demand.models import PositionCoverage
from apps.offer.models import LedgerWeek
from apps.offer.recompute import Ledger
from tests.factories import AssignmentFactory

from .conftest import holding, in_background, wait_for_a_waiter

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def assignment() -> Any:
    assignment = AssignmentFactory(accepted=True, effective_hours=Decimal(20))
    drain()
    Recent.objects.all().delete()
    return assignment


def edit(assignment: Any, hours: int) -> None:
    Assignment.objects.filter(pk=assignment.pk).update(effective_hours=hours)


def assigned(assignment: Any) -> int:
    """Return the assigned hours kept of the second week."""
    return LedgerWeek.objects.get(pk=assignment.employee_id).assigned[1] // 700


def later(seconds: float) -> None:
    """Let so much time have passed since whatever was worked off lately."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE changes_recent SET at = at - make_interval(secs => %s)", [seconds])


def recomputes(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """Return a list that each recompute of accounts puts its ids into."""
    made: list[set[int]] = []
    refresh = Ledger.refresh
    monkeypatch.setattr(Ledger, "refresh", lambda self, ids, span: made.append(set(ids)) or refresh(self, ids, span))
    return made


def test_the_first_two_changes_are_seen_at_once_and_the_third_a_little_later(assignment: Any) -> None:
    for hours in (21, 22):
        edit(assignment, hours)
        drain(patient=True)
        assert assigned(assignment) == hours
    edit(assignment, 23)
    drain(patient=True)
    assert (assigned(assignment), Mark.objects.exists()) == (22, True)
    later(gathering.PAUSES[2])
    drain(patient=True)
    assert (assigned(assignment), Mark.objects.exists()) == (23, False)


def test_whoever_is_left_alone_for_a_while_begins_anew(assignment: Any) -> None:
    for hours in (21, 22):
        edit(assignment, hours)
        drain(patient=True)
    later(gathering.QUIET + 0.1)
    edit(assignment, 23)
    drain(patient=True)
    assert assigned(assignment) == 23
    assert set(Recent.objects.values_list("times", flat=True)) == {1}


def test_nobody_else_waits_for_one_who_changes_all_the_time(assignment: Any) -> None:
    other = AssignmentFactory(accepted=True, effective_hours=Decimal(20))
    drain()
    for hours in (21, 22, 23):
        edit(assignment, hours)
        drain(patient=True)
    edit(other, 30)
    drain(patient=True)
    assert (assigned(assignment), assigned(other)) == (22, 30)


def test_whoever_asks_for_everything_waits_for_nothing(assignment: Any) -> None:
    for hours in (21, 22, 23, 24):
        edit(assignment, hours)
        drain()
    assert assigned(assignment) == 24


def test_what_was_long_ago_is_forgotten_and_a_change_of_many_is_not_noted(assignment: Any) -> None:
    edit(assignment, 21)
    drain(patient=True)
    later(3 * gathering.QUIET)
    drain(patient=True)
    assert not Recent.objects.exists()
    assert not gathering.noting((Kind.EMPLOYEE.value, number) for number in range(gathering.FEW + 1))


@pytest.mark.parametrize("patient", [True, False], ids=["gathering", "canary: at once"])
def test_a_thousand_edits_in_ten_seconds_are_five_recomputes_at_most(
    assignment: Any, patient: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The canary drains as they come."""
    made = recomputes(monkeypatch)
    begun = time.monotonic()
    for number in range(1_000):
        edit(assignment, 10 + number % 30)
        if number % 10 == 0:
            drain(patient=patient)
        time.sleep(max(0.0, begun + (number + 1) / 100 - time.monotonic()))
    elapsed = time.monotonic() - begun
    if patient:
        later(gathering.LONGEST_PAUSE)
    drain(patient=patient)
    assert assigned(assignment) == 10 + 999 % 30
    assert PositionCoverage.objects.get(pk=assignment.position_id).assigned[1] == (10 + 999 % 30) * 700
    assert (compare().drift, Mark.objects.count()) == ([], 0)
    # On a machine that needs longer than ten seconds for them there are more pauses.
    most = max(5, int(3 + elapsed / gathering.LONGEST_PAUSE))
    assert (len([ids for ids in made if assignment.employee_id in ids]) <= most) is patient


def test_an_edit_made_during_a_recompute_is_not_missed(assignment: Any) -> None:
    edit(assignment, 21)
    with holding("SELECT 1 FROM demand_unitcoverage FOR UPDATE", []) as release:
        # The pass has summed the account and waits for the unit.
        thread = in_background(lambda: drain(patient=True))
        wait_for_a_waiter()
        edit(assignment, 22)
        release()
        thread.finish()
    drain(patient=True)
    assert assigned(assignment) == 22
    assert compare().drift == []


def test_two_passes_about_the_same_subjects_wait_and_do_not_lock_each_other_out(assignment: Any) -> None:
    others = [AssignmentFactory(accepted=True, effective_hours=Decimal(20)) for _number in range(4)]
    drain()

    def work(number: int) -> None:
        for turn in range(10):
            for row in others[:: 1 if number % 2 else -1]:
                edit(row, 1 + (number * 7 + turn) % 40)
            drain(patient=bool(turn % 2))

    threads = [in_background(lambda number=number: work(number)) for number in range(2)]
    for thread in threads:
        thread.finish(120)
    drain()
    assert compare().drift == []
