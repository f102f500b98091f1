"""The days on which hours stop, as they are kept: what finding them anew gives, through changes and days that come."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from apps.assignments.models import Assignment
from apps.changes.drain import drain
from apps.changes.models import Kind, Mark
from apps.changes.proof import compare, prove
from apps.common.clock import today
from apps.demand.cliffs import cliffs, kept_cliffs, kept_cliffs_in_turn, number_of_kept
from apps.demand.models import PositionCliff
from apps.fsm.services import apply_transition
from apps.org.models import OrgUnit, Position
from apps.tags.enums import TagType
from apps.tags.models import EmployeeTag, TagCatalog
from tests.demand.test_cliffs import small_clinic
from tests.factories import AssignmentFactory, Clinic, EmployeeTagFactory, LeaveFactory, PositionTagFactory, TagFactory
from tests.today import TODAY

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def assert_kept_is_right(**asked: Any) -> int:
    """Compare what is kept with what is found anew, whole and in each part of the tree; return how many there are."""
    number = 0
    for days in (30, 180):
        question = {"first": today(), "last": today() + DAY * days, "today": today(), "limit": 500, **asked}
        found, kept = cliffs(**question), kept_cliffs(**question)
        assert list(kept.cliffs) == list(found.cliffs)
        assert (kept.totals, kept.weeks, kept.found) == (found.totals, found.weeks, found.found)
        number += found.found
    return number


@pytest.mark.parametrize("seed", range(8))
def test_what_is_kept_is_what_is_found_anew_as_days_come(seed: int) -> None:
    oracle = small_clinic(seed)
    settings.COVERIS_TODAY = oracle.today
    drain()
    assert_kept_is_right()
    for days in (1, 2, 5, 9):
        settings.COVERIS_TODAY = oracle.today + DAY * days
        drain()
        assert_kept_is_right()
    assert compare().drift == []


@pytest.mark.parametrize("seed", range(3))
def test_every_change_of_a_record_behind_them_reaches_them(seed: int) -> None:
    oracle = small_clinic(seed)
    settings.COVERIS_TODAY = oracle.today
    drain()
    row = (
        Assignment.objects.filter(accepted_at__isnull=False, voided=False, starts_on__lte=oracle.today)
        .order_by("pk")
        .first()
    )
    assert row is not None
    for ends_on in (oracle.today + DAY * 3, oracle.today + DAY * 120, None):
        Assignment.objects.filter(pk=row.pk).update(ends_on=ends_on)
        drain()
        assert_kept_is_right()
    row.employee.leaves.all().delete()
    LeaveFactory(employee=row.employee, kind="SICK", starts_on=oracle.today + DAY * 150)
    endless = EmployeeTag.objects.filter(employee=row.employee, valid_until=None, valid_from__lte=oracle.today)
    endless.update(valid_until=oracle.today + DAY * 100)
    Position.objects.filter(pk=row.position_id).update(required_weekly_hours=1)
    drain()
    assert assert_kept_is_right() > 0


def test_a_part_of_the_tree_has_its_own(clinic: Clinic) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=24, ends_on=TODAY + DAY * 4,
                      accepted=True)  # fmt: skip
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=24, ends_on=TODAY + DAY * 4,
                      accepted=True)  # fmt: skip
    drain()
    assert [assert_kept_is_right(**part) for part in (
        {}, {"root": clinic.h1.pk}, {"scope": clinic.h2.pk}, {"root": clinic.h1.pk, "scope": clinic.h2.pk},
    )] == [4, 2, 2, 0]  # fmt: skip


def test_a_tag_that_ran_out_yesterday_is_told_no_more_though_it_is_missed_on_the_day_of_return(
    clinic: Clinic,
) -> None:
    tag = TagFactory(name="Triage")
    PositionTagFactory(position=clinic.p1, tag=tag)
    EmployeeTagFactory(employee=clinic.nurse, tag=tag, valid_until=TODAY + DAY)
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=24, accepted=True)
    LeaveFactory(employee=clinic.nurse, starts_on=TODAY + DAY, ends_on=TODAY + DAY * 9)
    drain()
    assert assert_kept_is_right() == 4
    settings.COVERIS_TODAY = TODAY + DAY * 3
    assert_kept_is_right()


def test_names_are_those_of_now(clinic: Clinic) -> None:
    tag = TagFactory(name="Triage")
    PositionTagFactory(position=clinic.p1, tag=tag)
    EmployeeTagFactory(employee=clinic.nurse, tag=tag, valid_until=TODAY + DAY)
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=24, accepted=True)
    drain()
    type(tag).objects.filter(pk=tag.pk).update(name="Clasificación")
    [told] = kept_cliffs(TODAY, TODAY + DAY * 30, today=TODAY).cliffs
    assert told.record_name == "Clasificación"


def test_a_cliff_gone_wrong_is_found_by_the_proof_and_put_right(clinic: Clinic) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=24, accepted=True)
    apply_transition(clinic.nurse, "give_notice", actor=None, last_day=TODAY + DAY * 8)
    drain()
    PositionCliff.objects.update(hours=1)
    assert [(line["kind"], line["subject"]) for line in prove().drift] == [(Kind.POSITION, clinic.p1.pk)]
    drain()
    assert_kept_is_right()
    PositionCliff.objects.all().delete()
    assert [(line["kind"], line["subject"]) for line in prove().drift] == [(Kind.POSITION, clinic.p1.pk)]


@pytest.mark.parametrize("becomes", [TagType.QUALIFICATION, TagType.CONTRACT])
def test_a_tag_that_becomes_a_contract_or_is_none_any_more_reaches_them_at_once(
    clinic: Clinic, becomes: TagType
) -> None:
    was = TagType.CONTRACT if becomes == TagType.QUALIFICATION else TagType.QUALIFICATION
    tag = TagFactory(type=was)
    clinic.nurse.tags.all().delete()
    EmployeeTagFactory(employee=clinic.nurse, tag=tag, valid_until=TODAY + DAY * 10)
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, accepted=True)
    drain()

    def told() -> bool:
        return PositionCliff.objects.filter(position=clinic.p1, cause="CONTRACT").exists()

    assert told() is (was == TagType.CONTRACT)
    TagCatalog.objects.filter(pk=tag.pk).update(type=becomes)
    assert set(Mark.objects.filter(kind=Kind.POSITION).values_list("subject_id", "alone")) == {(clinic.p1.pk, True)}
    drain()
    assert told() is (becomes == TagType.CONTRACT)
    assert compare().drift == []
    TagCatalog.objects.filter(pk=tag.pk).update(name="Otro nombre", hours_delta=1)
    assert not Mark.objects.filter(kind=Kind.POSITION).exists()


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_all_of_them_come_in_turn_in_the_same_order(batch: int) -> None:
    oracle = small_clinic(4)
    settings.COVERIS_TODAY = oracle.today
    drain()
    for root in (None, *OrgUnit.objects.values_list("pk", flat=True)):
        for causes in ((), ("ASSIGNMENT",)):
            asked = {"today": today(), "root": root, "causes": causes}
            days = today(), today() + DAY * 180
            expected = kept_cliffs(*days, **asked)
            in_turn = list(kept_cliffs_in_turn(*days, **asked, batch=batch))
            assert [item for items in in_turn for item in items] == list(expected.cliffs)
            assert all(len(items) <= batch for items in in_turn)
            assert number_of_kept(*days, root=root, causes=causes) == len(expected.cliffs)
    assert number_of_kept(*days) >= 3
