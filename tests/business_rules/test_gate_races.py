"""Two who are each within the cap are not above it together: the employee's row lock orders them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum

from apps.assignments.models import Assignment
from apps.assignments.querysets import AssignmentQuerySet
from apps.assignments.services import propose_assignment
from apps.common.acting import acting
from apps.common.errors import Refusal
from apps.fsm.services import apply_transition
from apps.fsm.signals import transition_done
from apps.org.models import Employee
from apps.org.querysets import EmployeeQuerySet
from apps.users.models import User
from tests.conftest import TODAY
from tests.factories import AssignmentFactory, Clinic
from tests.rules.catalogue import install_rules

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pair(db: Any) -> list[Assignment]:
    """Two proposals of 35 hours each for one employee: one fits under the cap of 60, both do not."""
    clinic = Clinic()
    rules = install_rules()
    rules["HOURS_OVER_POOL"].delete()
    return [
        AssignmentFactory(employee=clinic.nurse, position=position, effective_hours=35, starts_on=TODAY)
        for position in (clinic.p1, clinic.p2)
    ]


@pytest.fixture
def both_have_been_judged() -> Iterator[None]:
    """Hold each deed open after its judgement until the other one has been judged too, or a second has gone by."""
    barrier = threading.Barrier(2)

    def wait(**kwargs: Any) -> None:
        try:
            barrier.wait(timeout=1)
        except threading.BrokenBarrierError:
            return

    # Connected last, so called after the judgement.
    transition_done.connect(wait, sender=Assignment, weak=False, dispatch_uid="tests.wait")
    yield
    transition_done.disconnect(sender=Assignment, dispatch_uid="tests.wait")


def accept_at_once(pair: list[Assignment]) -> list[str]:
    """Accept both from two threads; return what became of them."""
    outcomes: list[str] = []
    actor = User.objects.get(email="admin@example.org")

    def accept(assignment: Assignment) -> None:
        try:
            apply_transition(assignment, "accept", actor=actor)
            outcomes.append("accepted")
        except Refusal as refusal:
            outcomes.append(refusal.reasons[0].code)
        finally:
            connection.close()

    threads = [threading.Thread(target=accept, args=[assignment]) for assignment in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return sorted(outcomes)


def active_hours() -> Decimal | None:
    return Assignment.objects.active().aggregate(hours=Sum("effective_hours"))["hours"]


@pytest.mark.usefixtures("both_have_been_judged")
def test_of_two_accepted_at_once_only_one_passes(pair: list[Assignment]) -> None:
    assert accept_at_once(pair) == ["MAX_WEEKLY_HOURS", "accepted"]
    assert active_hours() == 35


@pytest.mark.usefixtures("both_have_been_judged")
def test_without_the_lock_both_would_pass(pair: list[Assignment], monkeypatch: Any) -> None:
    """The canary: the same race with the protection off goes wrong, so the test above sees something."""
    monkeypatch.setattr(AssignmentQuerySet, "locked", lambda self, pks: self.filter(pk__in=list(pks)))
    assert accept_at_once(pair) == ["accepted", "accepted"]
    assert active_hours() == 70


def propose_at_once(employee: Employee, positions: list[Any], judged: threading.Barrier) -> list[str]:
    """Propose and accept 35 hours to each position in one transaction a thread."""
    outcomes: list[str] = []
    actor = User.objects.get(email="admin@example.org")

    def propose(position: Any) -> None:
        try:
            with acting(actor):
                row = propose_assignment(
                    employee=employee, position=position, hours=Decimal(35), starts_on=TODAY, actor=actor
                )
                apply_transition(row, "accept", actor=actor)
                try:
                    judged.wait(timeout=1)
                except threading.BrokenBarrierError:
                    outcomes.append("alone")
            outcomes.append("accepted")
        except Refusal as refusal:
            outcomes.append(refusal.reasons[0].code)
        finally:
            connection.close()

    threads = [threading.Thread(target=propose, args=[position]) for position in positions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return sorted(outcomes)


def test_of_two_proposed_at_once_only_one_passes(pair: list[Assignment]) -> None:
    positions = [row.position for row in pair]
    Assignment.objects.all().delete()
    outcomes = propose_at_once(pair[0].employee, positions, threading.Barrier(2))
    assert outcomes == ["MAX_WEEKLY_HOURS", "accepted", "alone"]
    assert active_hours() == 35


def test_without_the_lock_both_proposals_would_pass(pair: list[Assignment], monkeypatch: Any) -> None:
    """The canary of the one above."""
    positions = [row.position for row in pair]
    Assignment.objects.all().delete()
    monkeypatch.setattr(EmployeeQuerySet, "locked", lambda self, pks: self.filter(pk__in=list(pks)))
    monkeypatch.setattr(AssignmentQuerySet, "locked", lambda self, pks: self.filter(pk__in=list(pks)))
    assert propose_at_once(pair[0].employee, positions, threading.Barrier(2)) == ["accepted", "accepted"]
    assert active_hours() == 70
