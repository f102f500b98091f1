"""The three ways in which derived rows go wrong under concurrency; each beside the naive version that does."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pgtrigger
import pytest
from django.db import connection, transaction

from apps.assignments.models import Assignment
from apps.changes import storing
from apps.changes.drain import drain
from apps.changes.models import Mark
from apps.changes.proof import compare
from apps.changes.turning import pinned_span
from apps.demand.coverage import coverage_sql
from apps.demand.models import PositionCoverage, UnitCoverage
from apps.demand.recompute import POSITIONS, PositionFigures
from apps.org.models import Position
from tests.factories import AssignmentFactory, PositionFactory

from .conftest import holding, in_background, wait_for_a_waiter

pytestmark = pytest.mark.django_db(transaction=True)

HOLD_POSITION = "SELECT 1 FROM demand_positioncoverage WHERE position_id = %s FOR UPDATE"
HOLD_UNIT = "SELECT 1 FROM demand_unitcoverage WHERE org_unit_id = %s FOR UPDATE"


@pytest.fixture
def assignment() -> Any:
    assignment = AssignmentFactory(accepted=True, effective_hours=Decimal(20))
    drain()
    return assignment


def stored(position: Any) -> int:
    """Return the assigned hundredths of a whole week, the second one."""
    return PositionCoverage.objects.get(position=position).assigned[1] // 7


@pytest.mark.parametrize(("lock_first", "seen"), [(True, 3000), (False, 2000)])
def test_what_was_committed_during_the_wait_for_the_lock_is_in_the_sum(
    assignment: Any, lock_first: bool, seen: int
) -> None:
    """Lock, then sum in the next statement. The canary sums in the locking statement and writes the past."""
    position = assignment.position_id
    # A stored row that differs, so that even the past is written.
    PositionCoverage.objects.filter(position=position).update(assigned=[0] * 13)

    def refresh() -> None:
        with transaction.atomic():
            span = pinned_span()
            if lock_first:
                PositionFigures().refresh([position], span)
            else:
                storing.write(POSITIONS, *coverage_sql(span, positions=[position]), span)

    with holding(HOLD_POSITION, [position]) as release:
        thread = in_background(refresh)
        wait_for_a_waiter()
        Assignment.objects.filter(pk=assignment.pk).update(effective_hours=30)
        release()
        thread.finish()
    assert stored(position) == seen


@pytest.mark.parametrize("naive", [False, True], ids=["append-only marks", "marks that do nothing on conflict"])
def test_a_change_made_while_a_drain_is_deleting_its_mark_is_not_missed(assignment: Any, naive: bool) -> None:
    position = Position.objects.get(pk=assignment.position_id)
    if naive:
        with connection.cursor() as cursor:
            cursor.execute("CREATE UNIQUE INDEX naive_mark ON changes_mark (kind, subject_id)")
    try:
        _mark(position, Decimal(30), naive)
        with holding(HOLD_UNIT, [position.org_unit_id]) as release:
            # The drain has summed the position and waits for its unit: the mark is not deleted yet.
            thread = in_background(drain)
            wait_for_a_waiter()
            _mark(position, Decimal(35), naive)
            release()
            thread.finish()
        drain()
    finally:
        if naive:
            with connection.cursor() as cursor:
                cursor.execute("DROP INDEX naive_mark")
    required = PositionCoverage.objects.get(position=position).required[1] // 7
    assert required == (3000 if naive else 3500)
    assert bool(compare().drift) is naive


def _mark(position: Any, hours: Decimal, naive: bool) -> None:
    if not naive:
        Position.objects.filter(pk=position.pk).update(required_weekly_hours=hours)
        return
    with transaction.atomic(), pgtrigger.ignore("org.Position:mark_update"), connection.cursor() as cursor:
        Position.objects.filter(pk=position.pk).update(required_weekly_hours=hours)
        cursor.execute(
            "INSERT INTO changes_mark (kind, subject_id) VALUES ('position', %s) ON CONFLICT DO NOTHING", [position.pk]
        )


def test_a_rewritten_position_is_reported_so_that_its_unit_follows(assignment: Any) -> None:
    Position.objects.filter(pk=assignment.position_id).update(required_weekly_hours=30)
    Assignment.objects.filter(pk=assignment.pk).update(effective_hours=30)
    drain()
    unit = UnitCoverage.objects.get(org_unit=assignment.position.org_unit_id)
    assert (unit.required[1], unit.assigned[1], unit.covered[1]) == (21_000, 21_000, 1)


def test_a_lock_beside_an_update_in_one_statement_reports_nothing(assignment: Any) -> None:
    """The canary of the one above: this is why no statement here locks and updates the same rows."""
    position = assignment.position_id
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH written AS (
                UPDATE demand_positioncoverage SET assigned = '{}' WHERE position_id = %s RETURNING position_id
            ), locked AS (
                SELECT position_id FROM demand_positioncoverage WHERE position_id = %s FOR UPDATE
            )
            SELECT count(*) FROM written JOIN locked USING (position_id)""",
            [position, position],
        )
        assert cursor.fetchone()[0] == 0
        cursor.execute("SELECT assigned FROM demand_positioncoverage WHERE position_id = %s", [position])
        assert cursor.fetchone()[0] == []


def test_after_a_burst_of_writers_and_drains_nothing_is_stale() -> None:
    positions = [PositionFactory() for _number in range(3)]
    assignments = [
        AssignmentFactory(position=position, accepted=True, effective_hours=Decimal(10))
        for position in positions
        for _number in range(3)
    ]
    drain()
    pks = [assignment.pk for assignment in assignments]

    def write(seed: int) -> None:
        chance = random.Random(seed)
        for _number in range(12):
            Assignment.objects.filter(pk=chance.choice(pks)).update(effective_hours=chance.randint(1, 40))
            if chance.random() < 0.3:
                drain()

    threads = [in_background(lambda seed=seed: write(seed)) for seed in range(6)]
    threads += [in_background(drain) for _number in range(2)]
    for thread in threads:
        thread.finish(120)
    drain()
    proof = compare()
    assert (proof.drift, proof.waiting, Mark.objects.count()) == ([], 0, 0)
