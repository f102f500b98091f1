"""The days on which hours stop: each cause, its successors and boundaries, and a computation written a second time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.assignments.models import Assignment
from apps.demand.cliffs import Calendar, Cause, Cliff, Total, cliffs
from apps.fsm.services import apply_transition
from apps.tags.models import EmployeeTag
from tests.demand.test_figures_equal_the_oracle import build
from tests.factories import (
    AssignmentFactory,
    Clinic,
    DemandAdjustmentFactory,
    EmployeeFactory,
    EmployeeTagFactory,
    LeaveFactory,
    OrgUnitFactory,
    PositionFactory,
    PositionTagFactory,
    TagFactory,
    UserFactory,
)
from tests.oracle import sheets
from tests.today import TODAY

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def ahead(days: int = 30, **asked: Any) -> Calendar:
    return cliffs(TODAY, TODAY + DAY * days, today=TODAY, **asked)


def one(days: int = 30, **asked: Any) -> Cliff:
    [cliff] = ahead(days, **asked).cliffs
    return cliff


def none(days: int = 30) -> bool:
    return not ahead(days).cliffs


def nurse_at_p1(clinic: Clinic, **more: Any) -> Any:
    return AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=24, accepted=True, **more)


# Causes: each makes one cliff, on the first day without the hours


def assignment_ends(clinic: Clinic, day: date) -> None:
    nurse_at_p1(clinic, ends_on=day - DAY)


def employment_ends(clinic: Clinic, day: date) -> None:
    nurse_at_p1(clinic)
    apply_transition(clinic.nurse, "give_notice", actor=None, last_day=max(day - DAY, TODAY))
    if day == TODAY:  # known yesterday, over since this morning
        type(clinic.nurse).objects.filter(pk=clinic.nurse.pk).update(last_day=TODAY - DAY)


def leave_begins(clinic: Clinic, day: date) -> None:
    nurse_at_p1(clinic)
    LeaveFactory(employee=clinic.nurse, starts_on=day, ends_on=day + 9 * DAY)


def tag_runs_out(clinic: Clinic, day: date) -> None:
    tag = TagFactory(name="Reanimación")
    PositionTagFactory(position=clinic.p1, tag=tag)
    EmployeeTagFactory(employee=clinic.nurse, tag=tag, valid_until=day - DAY)
    nurse_at_p1(clinic) if day > TODAY else _accepted_before(clinic)


def _accepted_before(clinic: Clinic) -> None:
    settings.COVERIS_TODAY = TODAY - 9 * DAY
    nurse_at_p1(clinic)
    settings.COVERIS_TODAY = TODAY


def contract_ends(clinic: Clinic, day: date) -> None:
    nurse_at_p1(clinic)
    clinic.nurse.tags.update(valid_until=day - DAY)


CAUSES: dict[Cause, Callable[[Clinic, date], None]] = {
    Cause.ASSIGNMENT: assignment_ends,
    Cause.LAST_DAY: employment_ends,
    Cause.LEAVE: leave_begins,
    Cause.TAG: tag_runs_out,
    Cause.CONTRACT: contract_ends,
}


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize(("days", "seen"), [(0, True), (1, True), (30, True), (31, False)])
def test_a_cause_is_seen_from_today_to_the_last_day(clinic: Clinic, cause: Cause, days: int, seen: bool) -> None:
    CAUSES[cause](clinic, TODAY + DAY * days)
    found = ahead(30).cliffs
    assert [(item.day, item.cause, item.hours) for item in found] == [(TODAY + DAY * days, cause, 2400)][:seen]
    assert len(ahead(31).cliffs) == 1


@pytest.mark.parametrize("cause", Cause)
def test_what_was_over_yesterday_is_no_cliff_of_today(clinic: Clinic, cause: Cause) -> None:
    settings.COVERIS_TODAY = TODAY - DAY * 20
    clinic.nurse.refresh_from_db()
    if cause == Cause.LAST_DAY:
        nurse_at_p1(clinic)
        apply_transition(clinic.nurse, "give_notice", actor=None, last_day=TODAY - DAY * 3)
    else:
        CAUSES[cause](clinic, TODAY - DAY)
    settings.COVERIS_TODAY = TODAY
    assert none()


def test_a_cliff_names_who_where_and_the_record_behind_it(clinic: Clinic) -> None:
    row = nurse_at_p1(clinic, ends_on=TODAY + DAY * 4)
    found = one()
    assert (found.employee_number, found.employee_name) == ("E1", "Gómez, Lucía")
    assert (found.position_code, found.unit_code, found.unit_name) == ("P1", "H1", "Urgencias")
    assert (found.assignment_id, found.record_id, found.record_name) == (row.pk, row.pk, "")
    assert (found.needs, found.left) == (3600, 0)
    assert not found.cause.goes_on


# Successors: nothing stops


def test_the_next_assignment_of_the_same_person_takes_over(clinic: Clinic) -> None:
    nurse_at_p1(clinic, ends_on=TODAY + DAY * 4)
    AssignmentFactory(
        employee=clinic.nurse, position=clinic.p1, effective_hours=24, starts_on=TODAY + DAY * 5, accepted=True
    )
    assert none()


def test_a_smaller_next_assignment_leaves_the_difference_at_stake(clinic: Clinic) -> None:
    nurse_at_p1(clinic, ends_on=TODAY + DAY * 4)
    AssignmentFactory(
        employee=clinic.nurse, position=clinic.p1, effective_hours=10, starts_on=TODAY + DAY * 5, accepted=True
    )
    found = one()
    assert (found.hours, found.left, found.replacement) == (1400, 1000, 0)


def test_a_next_assignment_that_is_only_proposed_is_a_replacement_in_sight(clinic: Clinic) -> None:
    nurse_at_p1(clinic, ends_on=TODAY + DAY * 4)
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=24, starts_on=TODAY + DAY * 5)
    found = one()
    assert (found.hours, found.replacement, found.proposed) == (2400, 2400, 2400)


def test_a_tag_renewed_from_the_day_after_runs_out_for_nobody(clinic: Clinic) -> None:
    tag_runs_out(clinic, TODAY + DAY * 5)
    tag = clinic.p1.tags.get().tag
    later = EmployeeTagFactory(employee=clinic.nurse, tag=tag, valid_from=TODAY + DAY * 6)
    assert one().cause == Cause.TAG  # a day of gap
    type(later).objects.filter(pk=later.pk).update(valid_from=TODAY + DAY * 5)
    assert none()


def test_a_contract_that_another_follows_ends_nothing(clinic: Clinic) -> None:
    contract_ends(clinic, TODAY + DAY * 5)
    assert one().cause.goes_on
    EmployeeTagFactory(employee=clinic.nurse, tag=TagFactory(contract=True), valid_from=TODAY + DAY * 5)
    assert none()


def test_a_leave_that_follows_a_leave_begins_nothing_and_the_return_is_after_both(clinic: Clinic) -> None:
    leave_begins(clinic, TODAY + DAY * 3)
    assert (one().until, one().back_on) == (TODAY + DAY * 12, TODAY + DAY * 13)
    LeaveFactory(employee=clinic.nurse, kind="SICK", starts_on=TODAY + DAY * 13, ends_on=TODAY + DAY * 14)
    assert (one().until, one().back_on) == (TODAY + DAY * 12, TODAY + DAY * 15)


def test_a_leave_without_an_end_brings_nothing_back(clinic: Clinic) -> None:
    nurse_at_p1(clinic)
    leave = LeaveFactory(employee=clinic.nurse, kind="MATERNITY", starts_on=TODAY + DAY * 3)
    found = one()
    assert (found.until, found.back_on, found.record_id, found.record_name) == (None, None, leave.pk, "MATERNITY")


def test_a_retracted_notice_ends_nothing(clinic: Clinic) -> None:
    employment_ends(clinic, TODAY + DAY * 8)
    assert one().record_id == clinic.nurse.pk
    apply_transition(clinic.nurse, "retract_notice", actor=None, reason="stays")
    assert none()


# What is told of several at once


def test_the_end_of_the_employment_is_said_before_that_of_the_assignment(clinic: Clinic) -> None:
    nurse_at_p1(clinic, ends_on=TODAY + DAY * 8)
    apply_transition(clinic.nurse, "give_notice", actor=None, last_day=TODAY + DAY * 8)
    assert one().cause == Cause.LAST_DAY


def test_a_tag_that_runs_out_during_a_leave_is_missed_on_the_day_of_return(clinic: Clinic) -> None:
    tag_runs_out(clinic, TODAY + DAY * 5)
    LeaveFactory(employee=clinic.nurse, starts_on=TODAY + DAY * 2, ends_on=TODAY + DAY * 9)
    assert [(item.cause, item.day) for item in ahead().cliffs] == [
        (Cause.LEAVE, TODAY + DAY * 2),
        (Cause.TAG, TODAY + DAY * 10),
    ]


def test_two_tags_that_run_out_at_once_are_one_cliff_with_both_names(clinic: Clinic) -> None:
    tag_runs_out(clinic, TODAY + DAY * 5)
    other = TagFactory(name="Ecografía")
    PositionTagFactory(position=clinic.p1, tag=other)
    EmployeeTagFactory(employee=clinic.nurse, tag=other, valid_until=TODAY + DAY * 4)
    assert one().record_name == "Ecografía, Reanimación"


def test_who_was_unqualified_before_loses_nothing(clinic: Clinic) -> None:
    tag_runs_out(clinic, TODAY + DAY * 5)
    PositionTagFactory(position=clinic.p1, tag=TagFactory())
    assert none()


def test_a_position_that_is_closed_or_adjusted_to_nothing_needs_them_no_more(clinic: Clinic) -> None:
    nurse_at_p1(clinic, ends_on=TODAY + DAY * 4)
    adjusted = DemandAdjustmentFactory(position=clinic.p1, from_day=TODAY + DAY * 5, hours=Decimal(-36))
    assert none()
    adjusted.delete()
    assert one()
    clinic.p1.closes_on = TODAY + DAY * 4
    clinic.p1.save()
    assert none()


def test_a_proposal_that_ends_is_no_cliff(clinic: Clinic) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, ends_on=TODAY + DAY * 4)
    assert none()


# Replacement, owner, totals, scope


def test_the_replacement_is_who_begins_after_today_from_the_first_day_on(clinic: Clinic) -> None:
    nurse_at_p1(clinic, ends_on=TODAY + DAY * 4)
    # Works there already; begins next week; begins with them, proposed; begins a month after.
    for number, start, hours, accepted in ((1, -9, 5, True), (2, 7, 8, True), (3, 9, 4, False), (4, 40, 20, True)):
        employee = EmployeeFactory(employee_number=f"X{number}", home_unit=clinic.h1, active=True)
        AssignmentFactory(
            employee=employee, position=clinic.p1, effective_hours=hours, starts_on=TODAY + DAY * start,
            accepted=accepted,
        )  # fmt: skip
    found = one()
    assert (found.left, found.replacement, found.proposed) == (500, 1200, 400)
    assert found.replacement_on == TODAY + DAY * 7


def test_the_owner_is_the_manager_of_the_nearest_unit_that_has_one(clinic: Clinic) -> None:
    nurse_at_p1(clinic, ends_on=TODAY + DAY * 4)
    assert one().owner == ""
    clinic.root.manager = UserFactory(given_name="Rita", family_name="Sosa")
    clinic.root.save()
    assert one().owner == "Rita Sosa"
    clinic.h1.manager = UserFactory(given_name="Ema", family_name="Paz")
    clinic.h1.save()
    assert one().owner == "Ema Paz"


def test_totals_are_of_every_cause_whatever_is_shown(clinic: Clinic) -> None:
    nurse_at_p1(clinic, ends_on=TODAY + DAY * 4)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=30, accepted=True)
    LeaveFactory(employee=clinic.surgeon, starts_on=TODAY + DAY * 3)
    calendar = ahead(causes=[Cause.LEAVE])
    assert [item.cause for item in calendar.cliffs] == [Cause.LEAVE]
    assert calendar.totals[Cause.ASSIGNMENT] == Total(1, 2400)
    assert calendar.totals[Cause.TAG] == Total()
    cut = ahead(limit=1)
    assert (len(cut.cliffs), cut.found, cut.is_cut) == (1, 2, True)
    assert not calendar.is_cut


def test_only_positions_under_the_root_and_in_scope_are_seen(clinic: Clinic) -> None:
    nurse_at_p1(clinic, ends_on=TODAY + DAY * 4)
    AssignmentFactory(employee=clinic.nurse, position=clinic.p2, ends_on=TODAY + DAY * 4, accepted=True,
                      effective_hours=6)  # fmt: skip
    h1, h2, root = clinic.h1.pk, clinic.h2.pk, clinic.root.pk

    def seen(**asked: int) -> list[str]:
        calendar = ahead(**asked)
        assert sum(total.cliffs for total in calendar.totals.values()) == len(calendar.cliffs)
        return [item.position_code for item in calendar.cliffs]

    assert seen() == ["P1", "P2"]
    assert seen(root=root) == ["P1", "P2"]
    assert seen(root=h1) == ["P1"]
    assert seen(scope=h2) == ["P2"]
    assert seen(root=root, scope=h2) == ["P2"]
    assert seen(root=h1, scope=h2) == []


def test_it_is_one_query_however_many(clinic: Clinic) -> None:
    for number in range(6):
        position = PositionFactory(org_unit=OrgUnitFactory(parent=clinic.h1))
        employee = EmployeeFactory(home_unit=clinic.h1, active=True)
        AssignmentFactory(employee=employee, position=position, ends_on=TODAY + DAY * number, accepted=True)
    with CaptureQueriesContext(connection) as asked:
        assert len(ahead().cliffs) == 6
    assert len(asked) == 1


# The same, written a second time: day by day, from the rows of the sheets

HORIZON = 100
Told = tuple[str, date, str, Any, Any, Any, Any, Any, Any]


def told_by_the_oracle(oracle: sheets.Clinic) -> Iterator[Told]:
    counted = [a for a in oracle.assignments if a.accepted and not a.voided]
    for assignment in counted:
        for days in range(HORIZON + 1):
            day = oracle.today + DAY * days
            for cause, hours in at(oracle, counted, assignment, day):
                position = oracle.positions[assignment.position]
                if hours and oracle._needs(position, day):
                    yield (
                        assignment.code(), day, cause, hours, *ends(oracle, assignment, cause, day),
                        sum(a.hours for a in counted if a.position == assignment.position and oracle._works(a, day)),
                        *replacement(oracle, assignment, cause, day),
                    )  # fmt: skip


def at(oracle: sheets.Clinic, counted: list[Any], assignment: Any, day: date) -> Iterator[tuple[str, Any]]:
    """Yield the causes of a day and the hours at stake."""
    employee = oracle.employees[assignment.employee]
    yesterday = day - DAY
    works = oracle._works(assignment, day)
    if not works and oracle._works(assignment, yesterday):
        if employee.last_day == yesterday:
            yield "LAST_DAY", assignment.hours
        elif assignment.ends_on == yesterday:
            yield "ASSIGNMENT", at_stake(oracle, counted, assignment, day)
        elif any(leave.starts_on == day for leave in employee.leaves):
            yield "LEAVE", assignment.hours
    if not works:
        return
    required = oracle.positions[assignment.position].required_tags
    contracts = [code for code in oracle.tags if code.startswith("C")]

    def qualified(on: date) -> bool:
        return all(oracle._holds(assignment.employee, tag, on) for tag in required)

    def employed(on: date) -> bool:
        return any(oracle._holds(assignment.employee, tag, on) for tag in contracts)

    for cause, fine in (("TAG", qualified), ("CONTRACT", employed)):
        # Back to the day after the last good one, if nothing was worked since and it is not older than the question.
        since = day
        while since >= oracle.today and not fine(since) and not (since < day and oracle._works(assignment, since)):
            since -= DAY
        lost = since + DAY
        if lost <= day and fine(since) and lost >= oracle.today and assignment.starts_on < lost:
            yield cause, assignment.hours


def at_stake(oracle: sheets.Clinic, counted: list[Any], assignment: Any, day: date) -> Any:
    pair = [a for a in counted if (a.employee, a.position) == (assignment.employee, assignment.position)]
    begun = sum(a.hours for a in pair if a.starts_on == day and oracle._works(a, day))
    ended = [a for a in pair if a.ends_on == day - DAY and oracle._works(a, day - DAY)]
    before = sum(a.hours for a in ended[: ended.index(assignment)])
    return min(assignment.hours, max(0, before + assignment.hours - begun))


def ends(oracle: sheets.Clinic, assignment: Any, cause: str, day: date) -> tuple[Any, Any]:
    if cause != "LEAVE":
        return None, None
    leave = next(leave for leave in oracle.employees[assignment.employee].leaves if leave.starts_on == day)
    later = (day + DAY * number for number in range(HORIZON))
    return leave.ends_on, next((on for on in later if oracle._works(assignment, on)), None)


def replacement(oracle: sheets.Clinic, assignment: Any, cause: str, day: date) -> tuple[Any, Any, Any]:
    starting = {}
    for place, other in enumerate(oracle.assignments):
        stands = other.accepted or other.status == "PROPOSED"
        if other is assignment or other.position != assignment.position or other.voided or not stands:
            continue
        takes_over = cause == "ASSIGNMENT" and other.accepted and other.employee == assignment.employee
        if other.starts_on <= oracle.today or (takes_over and other.starts_on == day):
            continue
        begins = next((on for on in (day + DAY * n for n in range(HORIZON)) if oracle._works(other, on)), None)
        if begins is not None:
            starting[place] = begins
    if not starting:
        return 0, 0, None
    first = min(starting.values())
    chosen = [oracle.assignments[place] for place, begins in starting.items() if begins < first + DAY * 7]
    return sum(a.hours for a in chosen), sum(a.hours for a in chosen if not a.accepted), first


def small_clinic(seed: int) -> sheets.Clinic:
    """Play a random clinic, and end the first contract of every other employee some day."""
    oracle = build(seed)
    for place, (number, employee) in enumerate(sorted(oracle.employees.items())):
        held = [(code, first) for code, first in employee.tags if code == "C1"]
        if held and place % 2 == seed % 2:
            until = max(held[0][1], oracle.today + DAY * (place * 7 + seed) - DAY)
            employee.tags[held[0]] = until
            EmployeeTag.objects.filter(employee__employee_number=number, tag__code="C1").update(valid_until=until)
    return oracle


@pytest.mark.parametrize("seed", range(14))
def test_every_cliff_equals_the_oracle(seed: int) -> None:
    oracle = small_clinic(seed)
    last = oracle.today + DAY * HORIZON
    expected = Counter(told_by_the_oracle(oracle))
    assert Counter(told(cliffs(oracle.today, last, today=oracle.today))) == expected


def told(calendar: Calendar) -> Iterator[Told]:
    codes = {row.pk: row.code for row in Assignment.objects.select_related("employee", "position")}
    for item in calendar.cliffs:
        yield (
            codes[item.assignment_id], item.day, item.cause.value, Decimal(item.hours) / 100, item.until, item.back_on,
            Decimal(item.left) / 100, Decimal(item.replacement) / 100, Decimal(item.proposed) / 100,
            item.replacement_on,
        )  # type: ignore[misc]  # fmt: skip


def test_the_random_clinics_meet_every_cause() -> None:
    met: Counter[str] = Counter()
    for seed in range(10):
        with transaction.atomic():
            found = list(told_by_the_oracle(small_clinic(seed)))
            met.update(item[2] for item in found)
            met["back"] += sum(item[5] is not None for item in found)
            met["replaced"] += sum(item[7] > 0 for item in found)
            transaction.set_rollback(True)
    assert {name for name in (*Cause.values, "back", "replaced") if not met[name]} == set(), met
