"""The roads of the waterfall give one answer: everybody, those who move beside what is kept, and workers in turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.assignments.models import Assignment
from apps.changes.drain import drain
from apps.common.errors import Refusal
from apps.demand.kept_answers import has_changed_since
from apps.demand.models import ComparedRecord, Comparison, PositionCoverage
from apps.demand.services import request_comparison
from apps.demand.waterfall import (
    BRIDGED,
    Behind,
    Cause,
    Place,
    TooMuch,
    Waterfall,
    carrying_out,
    comparing,
    waterfall,
)
from apps.demand.waterfall.carrying_out import compare_waiting
from apps.demand.waterfall.kept import read
from apps.fsm.services import apply_transition
from apps.org.models import OrgUnit
from tests.demand.test_waterfall import (
    DAY,
    MONDAY,
    NEXT,
    WEEK,
    WEEKS_APART,
    Explained,
    _come_late,
    build_with_renewals,
    in_a_clinic_of_its_own,
    nurse_at_p1,
)
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
from tests.today import TODAY

pytestmark = pytest.mark.django_db


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any clinic is a large one: nobody waits while all positions are looked at."""
    monkeypatch.setattr(comparing, "FEW_POSITIONS", 0)


@pytest.fixture
def huge(large: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Any date is too many; workers look at two positions at a time."""
    monkeypatch.setattr(comparing, "FEW_DATES", -1)
    monkeypatch.setattr(carrying_out, "BATCH", 2)
    yield


def of_movers(place: Place, first: date, second: date, **more: Any) -> Waterfall:
    """Return the answer of those who move; raise TooMuch where that is no answer."""
    return waterfall(place, first, second, while_waited_for=True, **more)


def of_everybody(place: Place, first: date, second: date, **more: Any) -> Waterfall:
    few, comparing.FEW_POSITIONS = comparing.FEW_POSITIONS, 1_000_000
    try:
        return waterfall(place, first, second, **more)
    finally:
        comparing.FEW_POSITIONS = few


def assert_one_answer(place: Place, first: date, second: date) -> Waterfall:
    found, expected = of_movers(place, first, second), of_everybody(place, first, second)
    assert found == expected
    for part in found.parts:
        behind = Behind(part.cause)
        assert of_movers(place, first, second, behind=behind) == of_everybody(place, first, second, behind=behind)
    return found


# Those who move


@hypothesis_settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), pair=WEEKS_APART)
@example(seed=12, pair=(0, 1))  # Terminated and taken on again on one day.
def test_random_clinics_are_attributed_as_in_plain_python(seed: int, pair: tuple[int, int]) -> None:
    def check() -> None:
        oracle = build_with_renewals(seed)
        monday = oracle.today - DAY * oracle.today.weekday()
        first, second = (monday + WEEK * number for number in pair)
        expected: Counter[tuple[str, str]] = Counter()
        for (_position, cause, figure), amount in Explained(oracle, first, second).told.items():
            expected[cause, figure] += amount
        found = assert_one_answer(Place(), first, second)
        told = {(part.cause.value, figure): getattr(part, figure) for part in found.parts for figure in BRIDGED}
        assert {key: value for key, value in told.items() if value} == {k: v for k, v in expected.items() if v}
        for unit in OrgUnit.objects.all():
            assert_one_answer(Place(root=unit.pk), first, second)

    few, comparing.FEW_POSITIONS = comparing.FEW_POSITIONS, 0
    try:
        in_a_clinic_of_its_own(check)
    finally:
        comparing.FEW_POSITIONS = few


def test_what_cancels_out_on_one_position_is_told(clinic: Clinic, large: None) -> None:
    """The kept figures of both weeks are alike: 8 hours go and 8 hours come."""
    nurse_at_p1(clinic, effective_hours=8, ends_on=NEXT - DAY)
    nurse_at_p1(clinic, employee=clinic.surgeon, effective_hours=8, starts_on=NEXT)
    drain()
    kept = PositionCoverage.objects.get(position=clinic.p1)
    assert kept.assigned[0] == kept.assigned[1]
    found = assert_one_answer(Place(), MONDAY, NEXT)
    assert {part.cause: part.assigned for part in found.parts} == {Cause.NEW: 800 * 7, Cause.ENDED: -800 * 7}


def test_days_that_cancel_out_within_a_week_are_told(clinic: Clinic, large: None) -> None:
    nurse_at_p1(clinic)
    LeaveFactory(employee=clinic.nurse, starts_on=TODAY + DAY, ends_on=TODAY + DAY)
    LeaveFactory(employee=clinic.nurse, starts_on=NEXT, ends_on=NEXT)
    drain()
    found = assert_one_answer(Place(), MONDAY, NEXT)
    assert {part.cause: part.assigned for part in found.parts} == {Cause.RETURN: 2400, Cause.LEAVE: -2400}


def test_a_termination_and_a_new_beginning_on_one_day_are_told(clinic: Clinic, large: None) -> None:
    nurse_at_p1(clinic)
    drain()
    apply_transition(clinic.nurse, "terminate", actor=None, reason="x", last_day=TODAY)
    apply_transition(clinic.nurse, "rehire", actor=None, reason="x", hired_on=TODAY + 2 * DAY)
    drain()
    found = assert_one_answer(Place(), MONDAY, NEXT)
    assert {part.cause: part.assigned for part in found.parts} == {Cause.LEFT: -2400 * 3}


def move(clinic: Clinic, how: str) -> None:
    nurse = nurse_at_p1(clinic)
    match how:
        case "assignment":
            Assignment.objects.filter(pk=nurse.pk).update(ends_on=NEXT)
        case "leave":
            LeaveFactory(employee=clinic.nurse, starts_on=NEXT)
        case "notice":
            apply_transition(clinic.nurse, "give_notice", actor=None, last_day=NEXT)
        case "suspension":
            apply_transition(clinic.nurse, "suspend", actor=None, reason="x")
        case "tag":
            tag = TagFactory()
            PositionTagFactory(position=clinic.p1, tag=tag)
            EmployeeTagFactory(employee=clinic.nurse, tag=tag, valid_until=NEXT)
        case "position":
            PositionFactory(org_unit=clinic.h1, closes_on=NEXT)
        case "adjustment":
            DemandAdjustmentFactory(position=clinic.p1, from_day=NEXT, hours=5)


@pytest.mark.parametrize("how", ["assignment", "leave", "notice", "suspension", "tag", "position", "adjustment"])
def test_what_workers_have_not_seen_yet_is_told_as_it_is(clinic: Clinic, large: None, how: str) -> None:
    drain()
    move(clinic, how)
    for place in (Place(), Place(root=clinic.h1.pk), Place(scope=clinic.h2.pk), Place(root=clinic.root.pk,
                                                                                      scope=clinic.h1.pk)):  # fmt: skip
        before = assert_one_answer(place, MONDAY, NEXT)
        assert bool(before.parts) == (place.scope != clinic.h2.pk)
    drain()
    assert_one_answer(Place(), MONDAY, NEXT)


def test_kept_figures_that_are_wrong_are_no_answer(clinic: Clinic, large: None) -> None:
    """What moves and what is kept of both weeks do not agree then; everybody is looked at."""
    nurse_at_p1(clinic, starts_on=NEXT)
    drain()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE demand_wholecoverage SET assigned[2] = assigned[2] + 1")
    with pytest.raises(TooMuch):
        of_movers(Place(), MONDAY, NEXT)
    assert waterfall(Place(), MONDAY, NEXT) == of_everybody(Place(), MONDAY, NEXT)


def test_too_many_dates_or_changes_waiting_are_too_much(
    clinic: Clinic, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    nurse_at_p1(clinic, starts_on=NEXT)
    drain()
    of_movers(Place(), MONDAY, NEXT)
    monkeypatch.setattr(comparing, "FEW_DATES", 0)
    with pytest.raises(TooMuch):
        of_movers(Place(), MONDAY, NEXT)
    monkeypatch.undo()
    monkeypatch.setattr(comparing, "FEW_POSITIONS", 0)
    monkeypatch.setattr(comparing, "FEW_WAITING", 0)
    of_movers(Place(), MONDAY, NEXT)
    LeaveFactory(employee=clinic.nurse, starts_on=NEXT)
    with pytest.raises(TooMuch):
        of_movers(Place(), MONDAY, NEXT)


def test_those_who_move_cost_the_same_queries_whatever_the_size(clinic: Clinic, large: None) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert of_movers(Place(), MONDAY, NEXT, behind=Behind(Cause.NEW)).records
        return len(asked)

    nurse_at_p1(clinic, starts_on=NEXT)
    drain()
    few = queries()
    for _each in range(8):
        AssignmentFactory(
            employee=EmployeeFactory(home_unit=clinic.h1, active=True),
            position=PositionFactory(org_unit=OrgUnitFactory(parent=clinic.h1)), starts_on=NEXT, accepted=True,
        )  # fmt: skip
    drain()
    assert queries() == few


# Workers


def kept_answer(user: Any, place: Place, first: date, second: date, **more: Any) -> Comparison:
    kept = request_comparison(actor=user, place=place, first=first, second=second, **more)
    compare_waiting()
    kept.refresh_from_db()
    return kept


@hypothesis_settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000), weeks=st.integers(0, 2), pair=WEEKS_APART)
def test_what_workers_keep_is_what_looking_at_everybody_gives(seed: int, weeks: int, pair: tuple[int, int]) -> None:
    def check() -> None:
        oracle = build_with_renewals(seed)
        monday = oracle.today - DAY * oracle.today.weekday()
        settings.COVERIS_TODAY = monday + DAY
        for _week in range(weeks):
            settings.COVERIS_TODAY += WEEK
            drain()
        if weeks:
            _come_late(Random(seed), monday)
            drain()
        first, second = (monday + WEEK * number for number in pair)
        for unit in (None, *OrgUnit.objects.all()[:3]):
            place = Place(root=unit and unit.pk)
            kept = kept_answer(UserFactory(role="ADMIN"), place, first, second)
            expected = of_everybody(place, first, second)
            assert read(kept) == expected
            for part in expected.parts:
                for behind in (Behind(part.cause), Behind(part.cause, 2, 1)):
                    assert read(kept, behind=behind) == of_everybody(place, first, second, behind=behind)

    batch, carrying_out.BATCH = carrying_out.BATCH, 3
    try:
        in_a_clinic_of_its_own(check)
    finally:
        carrying_out.BATCH = batch


def test_positions_that_are_gone_are_in_closed_weeks_still(clinic: Clinic, huge: None) -> None:
    settings.COVERIS_TODAY = TODAY - WEEK
    PositionFactory(org_unit=clinic.h2)
    last = PositionFactory(org_unit=clinic.h1)
    for _week in range(2):
        drain()
        settings.COVERIS_TODAY += WEEK
    settings.COVERIS_TODAY = TODAY
    last.delete()
    drain()
    kept = kept_answer(clinic.admin, Place(), MONDAY - WEEK, MONDAY)
    found = read(kept)
    assert found == of_everybody(Place(), MONDAY - WEEK, MONDAY)
    assert found is not None and [part.cause for part in found.parts] == [Cause.CORRECTION]


def test_an_answer_is_kept_until_something_changes(clinic: Clinic, huge: None) -> None:
    nurse_at_p1(clinic, starts_on=NEXT)
    kept = kept_answer(clinic.admin, Place(), MONDAY, NEXT)
    assert kept.computed_at is not None and kept.requested_at is None
    assert not has_changed_since(kept)

    def asked_again(**aged: Any) -> bool:
        Comparison.objects.update(**aged)
        found = request_comparison(actor=clinic.admin, place=Place(), first=MONDAY, second=NEXT)
        was_asked = found.requested_at is not None
        Comparison.objects.update(requested_at=None)
        return was_asked

    computed = kept.computed_at
    assert not asked_again(computed_at=computed - timedelta(minutes=10))
    LeaveFactory(employee=clinic.nurse, starts_on=NEXT)
    assert has_changed_since(kept)
    assert not asked_again(computed_at=computed)  # it is a moment old
    assert asked_again(computed_at=computed - timedelta(minutes=10))
    assert asked_again(computed_at=computed, seen_on=TODAY - DAY)
    again = kept_answer(clinic.admin, Place(), MONDAY, NEXT, anew=True)
    assert (again.pk, again.run) == (kept.pk, 2)
    assert read(again) == of_everybody(Place(), MONDAY, NEXT) != read(kept)


def test_while_it_is_compared_anew_the_pages_of_the_answer_before_can_be_turned(clinic: Clinic, huge: None) -> None:
    row = nurse_at_p1(clinic, starts_on=NEXT)
    before = kept_answer(clinic.admin, Place(), MONDAY, NEXT)
    Assignment.objects.filter(pk=row.pk).update(effective_hours=5)
    kept_answer(clinic.admin, Place(), MONDAY, NEXT, anew=True)
    found = read(before, behind=Behind(Cause.NEW))
    assert found is not None and [record.assigned for record in found.records] == [2400 * 7]
    kept_answer(clinic.admin, Place(), MONDAY, NEXT, anew=True)
    assert set(ComparedRecord.objects.values_list("run", flat=True)) == {2, 3}


def test_each_scope_has_an_answer_of_its_own(clinic: Clinic, huge: None) -> None:
    nurse_at_p1(clinic, starts_on=NEXT)
    mine = Place(scope=clinic.h1.pk)
    assert (
        kept_answer(clinic.manager, mine, MONDAY, NEXT).pk
        == kept_answer(clinic.manager, Place(root=clinic.h1.pk, scope=clinic.h1.pk), MONDAY, NEXT).pk
    )
    assert kept_answer(clinic.admin, Place(root=clinic.h1.pk), MONDAY, NEXT).scope_id is None
    with pytest.raises(Refusal):
        request_comparison(actor=clinic.manager, place=Place(), first=MONDAY, second=NEXT)


def test_one_that_fails_thrice_says_so_and_is_tried_again_later(
    clinic: Clinic, huge: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: Any, **more: Any) -> Any:
        raise OperationalError("the server is on fire")

    kept = request_comparison(actor=clinic.admin, place=Place(), first=MONDAY, second=NEXT)
    with monkeypatch.context() as patch:
        patch.setattr(carrying_out, "look_at_everybody", fails)
        for _time in range(2):
            with pytest.raises(OperationalError):
                compare_waiting()
        compare_waiting()
    kept.refresh_from_db()
    assert (kept.requested_at, kept.failure) == (None, "the server is on fire")
    Comparison.objects.update(started_at=kept.started_at - timedelta(hours=1))
    again = kept_answer(clinic.admin, Place(), MONDAY, NEXT)
    assert again.failure == "" and read(again) is not None


def test_what_nobody_looks_at_is_forgotten(clinic: Clinic, huge: None) -> None:
    nurse_at_p1(clinic, starts_on=NEXT)
    kept = kept_answer(clinic.admin, Place(), MONDAY, NEXT)
    assert ComparedRecord.objects.exists()
    Comparison.objects.update(looked_at=kept.looked_at - timedelta(days=3))
    compare_waiting()
    assert not Comparison.objects.exists() and not ComparedRecord.objects.exists()
