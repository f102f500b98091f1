"""A drain works off every kind of mark, writes only what changed, and sets aside what it cannot compute."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from apps.assignments.models import Assignment
from apps.changes.drain import TRIES, drain
from apps.changes.freshness import freshness
from apps.changes.marks import mark, mark_everything
from apps.changes.models import Claim, DeadLetter, Kind, Mark
from apps.changes.proof import compare, prove
from apps.changes.services import send_again
from apps.demand.models import DemandAdjustment, PositionCoverage, UnitCoverage
from apps.demand.services import remove_adjustment, save_adjustments
from apps.offer.models import LedgerWeek
from apps.org.models import Leave, Position
from apps.tags.models import TagCatalog
from tests.factories import (
    AssignmentFactory,
    EmployeeFactory,
    EmployeeTagFactory,
    OrgUnitFactory,
    PositionFactory,
    PositionTagFactory,
    TagFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def assignment() -> Any:
    made = AssignmentFactory(accepted=True, effective_hours=Decimal(20))
    drain()
    return made


def coverage(position: Any) -> PositionCoverage:
    return PositionCoverage.objects.get(position=position)


def test_a_leave_reaches_the_ledger_the_position_and_its_unit(assignment: Any) -> None:
    Leave.objects.create(employee=assignment.employee, kind="SICK", starts_on=date(2026, 12, 14))
    drain()
    assert coverage(assignment.position_id).assigned[1:] == [0] * 12
    assert LedgerWeek.objects.get(employee=assignment.employee_id).pool[1:] == [0] * 12
    unit = UnitCoverage.objects.get(org_unit=assignment.position.org_unit_id)
    assert (unit.covered[0], unit.vacant[0], unit.vacant[1]) == (0, 0, 1)


def test_the_hours_of_a_tag_reach_everybody_who_holds_it() -> None:
    tag = TagFactory(contract=True, hours_delta=Decimal(36))
    holders = [EmployeeFactory(active=True) for _number in range(3)]
    for holder in holders:
        EmployeeTagFactory(employee=holder, tag=tag)
    drain()
    TagCatalog.objects.filter(pk=tag.pk).update(hours_delta=Decimal("24.5"))
    assert list(Mark.objects.values_list("kind", flat=True)) == ["tag"]
    drain()
    assert {row.pool[1] for row in LedgerWeek.objects.filter(employee__in=holders)} == {(3600 + 2450) * 7}
    assert compare().drift == []


def test_a_required_tag_that_lapses_leaves_unqualified_hours(assignment: Any) -> None:
    tag = TagFactory()
    PositionTagFactory(position=assignment.position, tag=tag)
    EmployeeTagFactory(employee=assignment.employee, tag=tag, valid_until=date(2026, 12, 15))
    drain()
    assert coverage(assignment.position_id).unqualified[:3] == [0, 2000 * 5, 2000 * 7]


def test_a_position_that_moves_leaves_one_unit_and_reaches_the_other(assignment: Any) -> None:
    other = OrgUnitFactory()
    drain()
    before = assignment.position.org_unit_id
    Position.objects.filter(pk=assignment.position_id).update(org_unit=other)
    drain()
    assert UnitCoverage.objects.get(org_unit=before).required == [0] * 13
    assert UnitCoverage.objects.get(org_unit=other).required[1] == 3600 * 7


def test_rows_of_what_is_gone_go_too() -> None:
    position = PositionFactory()
    drain()
    assert PositionCoverage.objects.filter(position=position.pk).exists()
    unit = position.org_unit
    position.delete()
    unit.delete()
    drain()
    assert not PositionCoverage.objects.exists()
    assert not UnitCoverage.objects.exists()


def test_only_what_changed_is_written(assignment: Any) -> None:
    before = dict(PositionCoverage.objects.values_list("pk", "computed_at"))
    mark(Kind.POSITION, [assignment.position_id])
    done = drain()
    assert (done.marks, done.rewritten) == (1, 0)
    assert dict(PositionCoverage.objects.values_list("pk", "computed_at")) == before
    Assignment.objects.filter(pk=assignment.pk).update(effective_hours=21)
    drain()
    assert dict(PositionCoverage.objects.values_list("pk", "computed_at")) != before


def test_a_thousand_edits_of_one_person_are_one_recompute(assignment: Any) -> None:
    for number in range(30):
        Assignment.objects.filter(pk=assignment.pk).update(effective_hours=10 + number % 2)
    assert Mark.objects.count() == 60
    done = drain()
    # The account, the position, its unit and the home of the employee, once each.
    assert (done.marks, done.rewritten) == (60, 4)


def test_what_people_changed_comes_before_what_was_marked_for_everybody(assignment: Any) -> None:
    mark_everything()
    Assignment.objects.filter(pk=assignment.pk).update(effective_hours=5)
    done = drain(seconds=0)
    assert done.marks == 0
    from apps.changes.drain import _claim

    claim, marks = _claim(100)
    assert claim is not None
    assert set(Mark.objects.filter(pk__in=marks).values_list("alone", flat=True)) == {False}


def test_a_probe_is_worked_off_and_changes_nothing() -> None:
    mark(Kind.PROBE, [7])
    assert drain().marks == 1
    assert not Mark.objects.exists()


def poison(position: Any) -> None:
    """Give a position more hours than the engine can count: a real record that cannot be computed."""
    first = date(2026, 12, 1)
    save_adjustments(
        adjustments=[
            DemandAdjustment(position=position, from_day=first + timedelta(days=n), hours=Decimal("999999.99"))
            for n in range(25)
        ],
        actor=None,
    )  # fmt: skip


def test_a_subject_that_cannot_be_computed_is_set_aside_and_the_others_go_on() -> None:
    positions = [PositionFactory() for _number in range(20)]
    drain()
    bad = positions[13]
    for position in positions:
        Position.objects.filter(pk=position.pk).update(required_weekly_hours=10)
    poison(bad)
    drain()
    good = PositionCoverage.objects.exclude(position=bad)
    assert {row.required[1] for row in good} == {7000}
    assert coverage(bad).required[1] == 3600 * 7
    assert set(Mark.objects.values_list("kind", "subject_id")) == {("position", bad.pk)}
    for _number in range(TRIES):
        drain()
    assert not Mark.objects.exists()
    letter = DeadLetter.objects.get()
    assert (letter.kind, letter.subject_id) == ("position", bad.pk)
    assert freshness().dead_letters == 1
    assert not Claim.objects.exists()


def test_a_subject_set_aside_comes_back_when_its_records_are_put_right() -> None:
    position = PositionFactory()
    drain()
    poison(position)
    for _number in range(TRIES + 1):
        drain()
    assert DeadLetter.objects.count() == 1
    for adjustment in DemandAdjustment.objects.all():
        remove_adjustment(adjustment=adjustment, actor=None)
    drain()
    assert not DeadLetter.objects.exists()
    assert compare().drift == []


def test_sending_a_dead_letter_again_tries_it_again(admin_user: Any) -> None:
    position = PositionFactory()
    drain()
    poison(position)
    for _number in range(TRIES + 1):
        drain()
    assert send_again(letters=DeadLetter.objects.all(), actor=admin_user) == 1
    assert (DeadLetter.objects.count(), Mark.objects.count()) == (0, 1)
    for _number in range(TRIES + 1):
        drain()
    assert DeadLetter.objects.count() == 1


def test_marks_of_a_pass_that_never_ended_are_tried_one_by_one(assignment: Any) -> None:
    Assignment.objects.filter(pk=assignment.pk).update(effective_hours=7)
    marks = list(Mark.objects.values_list("pk", flat=True))
    claim = Claim.objects.create(marks=marks)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE changes_claim SET created_at = now() - interval '1 minute'")
    done = drain()
    assert done.marks == len(marks)
    assert not Claim.objects.filter(pk=claim.pk).exists()
    assert coverage(assignment.position_id).assigned[1] == 4900


def test_a_mark_three_of_whose_passes_never_ended_is_set_aside() -> None:
    position = PositionFactory()
    drain()
    mark(Kind.POSITION, [position.pk])
    with connection.cursor() as cursor:
        for _number in range(TRIES):
            pks = list(Mark.objects.values_list("pk", flat=True))
            cursor.execute(
                "INSERT INTO changes_claim (marks, created_at) VALUES (%s, now() - interval '1 minute')", [pks]
            )
    drain()
    assert DeadLetter.objects.get().subject_id == position.pk
    assert not Mark.objects.exists()


def test_freshness_tells_what_waits_and_since_when(assignment: Any) -> None:
    fresh = freshness()
    assert (fresh.waiting, fresh.oldest_at, fresh.is_late) == (0, None, False)
    assert fresh.as_of == fresh.drained_at
    assert fresh.first_week == date(2026, 12, 7)
    Assignment.objects.filter(pk=assignment.pk).update(effective_hours=7)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE changes_mark SET created_at = now() - interval '5 minutes'")
    fresh = freshness()
    assert fresh.waiting == 2
    assert fresh.as_of == fresh.oldest_at
    assert fresh.is_late


def test_the_proof_finds_every_kind_of_damage_and_has_it_repaired(assignment: Any) -> None:
    PositionCoverage.objects.update(assigned=[1] * 13)
    LedgerWeek.objects.filter(employee=assignment.employee_id).update(pool=[])
    UnitCoverage.objects.filter(org_unit=assignment.position.org_unit_id).delete()
    PositionCoverage.objects.create(position_id=10**9, first_week=date(2026, 12, 7), computed_at="2026-12-09T00:00Z")
    proof = prove()
    assert {(line["kind"], line["subject"]) for line in proof.drift} == {
        ("position", assignment.position_id),
        ("position", 10**9),
        ("employee", assignment.employee_id),
        ("unit", assignment.position.org_unit_id),
    }
    drain()
    again = prove()
    assert (again.drift, again.checked) == ([], proof.checked - 1)


def test_what_a_waiting_mark_is_about_is_no_drift(assignment: Any) -> None:
    Leave.objects.create(employee=assignment.employee, kind="SICK", starts_on=date(2026, 12, 14))
    found = compare()
    assert (found.drift, found.waiting) == ([], 4)
