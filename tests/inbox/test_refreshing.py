"""The cliffs ahead: which are kept, by difference, and when they are looked for."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.common.errors import Refusal
from apps.inbox.enums import AlertKind
from apps.inbox.models import AlertRefresh, CliffAlert
from apps.inbox.services import refresh_alerts, refresh_if_asked, request_refresh
from tests.factories import AssignmentFactory, Clinic, EmployeeFactory, LeaveFactory
from tests.today import TODAY

from .conftest import DAY, one

pytestmark = pytest.mark.django_db


def told() -> list[tuple[Any, ...]]:
    return list(CliffAlert.objects.order_by("day").values_list("cause", "day", "missing", "accepted", "proposed"))


@pytest.fixture
def ending(clinic: Clinic) -> Any:
    """The nurse's 24 of P1's 36 hours end on the tenth day to come."""
    clinic.row = AssignmentFactory(
        employee=clinic.nurse, position=clinic.p1, effective_hours=24, ends_on=TODAY + DAY * 9, accepted=True
    )
    return clinic


def test_the_hours_that_stop_are_kept_with_their_day(ending: Clinic) -> None:
    assert refresh_alerts(actor=None) == 1
    assert told() == [("ASSIGNMENT", TODAY + DAY * 10, 2400, 0, 0)]


def test_a_second_look_writes_nothing_new_and_keeps_since_when(ending: Clinic) -> None:
    refresh_alerts(actor=None)
    before = CliffAlert.objects.values().get()
    refresh_alerts(actor=None)
    assert CliffAlert.objects.values().get() == before


def test_what_moved_is_moved_and_what_is_over_goes(ending: Clinic) -> None:
    refresh_alerts(actor=None)
    first = CliffAlert.objects.get()
    type(ending.row).objects.update(ends_on=TODAY + DAY * 15)
    refresh_alerts(actor=None)
    second = CliffAlert.objects.get()
    assert (second.pk, second.day, second.first_seen) == (first.pk, TODAY + DAY * 16, first.first_seen)
    type(ending.row).objects.update(ends_on=None)
    assert refresh_alerts(actor=None) == 0
    assert told() == []


def test_somebody_who_takes_over_on_the_day_leaves_nobody_missing(ending: Clinic) -> None:
    follower = EmployeeFactory(home_unit=ending.h1, active=True)
    AssignmentFactory(
        employee=follower, position=ending.p1, effective_hours=36, starts_on=TODAY + DAY * 10, accepted=True
    )
    assert refresh_alerts(actor=None) == 0


def test_who_follows_later_is_said_and_makes_it_informative(ending: Clinic) -> None:
    follower = EmployeeFactory(home_unit=ending.h1, active=True)
    AssignmentFactory(
        employee=follower, position=ending.p1, effective_hours=24, starts_on=TODAY + DAY * 14, accepted=True
    )
    refresh_alerts(actor=None)
    assert told() == [("ASSIGNMENT", TODAY + DAY * 10, 2400, 2400, 0)]
    assert one(ending.manager, AlertKind.CLIFF).rank == 2


def test_a_proposal_to_follow_is_not_yet_somebody(ending: Clinic) -> None:
    follower = EmployeeFactory(home_unit=ending.h1, active=True)
    AssignmentFactory(employee=follower, position=ending.p1, effective_hours=24, starts_on=TODAY + DAY * 10)
    refresh_alerts(actor=None)
    assert told() == [("ASSIGNMENT", TODAY + DAY * 10, 2400, 0, 2400)]
    assert one(ending.manager, AlertKind.CLIFF).rank == 1


def test_hours_beyond_the_need_are_missed_by_nobody(ending: Clinic) -> None:
    other = EmployeeFactory(home_unit=ending.h1, active=True)
    AssignmentFactory(employee=other, position=ending.p1, effective_hours=30, accepted=True)
    refresh_alerts(actor=None)
    assert told() == [("ASSIGNMENT", TODAY + DAY * 10, 600, 0, 0)]


def test_of_two_leaves_the_first_is_told(ending: Clinic) -> None:
    for start in (3, 6):
        LeaveFactory(employee=ending.nurse, starts_on=TODAY + DAY * start, ends_on=TODAY + DAY * (start + 1))
    refresh_alerts(actor=None)
    assert [(cause, day) for cause, day, *_rest in told()] == [
        ("LEAVE", TODAY + DAY * 3), ("ASSIGNMENT", TODAY + DAY * 10)
    ]  # fmt: skip


def test_it_is_looked_for_again_when_somebody_asks(ending: Clinic) -> None:
    refresh_alerts(actor=None)
    assert refresh_if_asked(actor=None) == 0
    request_refresh(actor=ending.supervisor)
    request_refresh(actor=ending.manager)
    assert refresh_if_asked(actor=None) == 1
    assert refresh_if_asked(actor=None) == 0
    state = AlertRefresh.objects.get()
    assert (state.requested_at, state.found) == (None, 1)
    assert state.finished_at is not None and state.finished_at <= timezone.now()


def test_a_new_installation_is_looked_through_at_once(ending: Clinic) -> None:
    assert refresh_if_asked(actor=None) == 1
    assert len(told()) == 1


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_a_look_that_is_going_on(clinic: Clinic) -> None:
    refresh_alerts(actor=None)
    held, released = threading.Event(), threading.Event()

    def look() -> None:
        try:
            with transaction.atomic():
                AlertRefresh.objects.select_for_update().get()
                held.set()
                released.wait(20)
        finally:
            connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        assert held.wait(10)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
        request_refresh(actor=clinic.manager)
        assert refresh_alerts(actor=None) == 0
    finally:
        released.set()
        thread.join()
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")


def test_who_only_reads_does_not_ask(ending: Clinic) -> None:
    with pytest.raises(Refusal):
        request_refresh(actor=ending.viewer)
    assert not AlertRefresh.objects.exists()
