"""An undo beside people who go on working: each waits for the other, and nothing is lost between them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from apps.assignments.models import Assignment
from apps.common.errors import Refusal
from apps.imports.undoing import UndoRefused
from apps.org.models import Employee, Leave, Position
from apps.org.services.employees import save_employees
from apps.org.services.leaves import plan_leave
from tests.changes.conftest import in_background, wait_for_a_waiter
from tests.factories import Clinic

from .undo_support import brought, undo

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = "employee_number,given_name,family_name,home_unit_code,hired_on"


@pytest.fixture
def house(db: Any) -> Clinic:
    return Clinic()


@contextmanager
def under_way(call: Callable[[], Any]) -> Iterator[None]:
    """Do something in a transaction of its own, and commit it after the block."""
    done, commit = threading.Event(), threading.Event()

    def run() -> None:
        with transaction.atomic():
            call()
            done.set()
            commit.wait(60)

    thread = in_background(run)
    try:
        assert done.wait(30)
        yield
    finally:
        commit.set()
        thread.finish()


def test_an_edit_under_way_is_waited_for_and_then_refuses_the_undo(house: Clinic) -> None:
    job = brought("employees", "employee_number,given_name", "E1,Lu")
    person = Employee.objects.get(employee_number="E1")
    person.family_name = "Edited"
    with under_way(lambda: save_employees(employees=[person], actor=house.manager)):
        undoing = in_background(lambda: undo(job))
        wait_for_a_waiter()
    with pytest.raises(UndoRefused):
        undoing.finish()
    person.refresh_from_db()
    assert (person.given_name, person.family_name) == ("Lu", "Edited")


def test_an_edit_that_comes_during_the_undo_waits_and_writes_on_what_was_put_back(house: Clinic) -> None:
    job = brought("employees", "employee_number,given_name", "E1,Lu")

    def edit() -> None:
        with transaction.atomic():
            [person] = Employee.objects.locked([house.nurse.pk])
            person.family_name = "Edited"
            save_employees(employees=[person], actor=house.manager)

    with under_way(lambda: undo(job)):
        editing = in_background(edit)
        wait_for_a_waiter()
    editing.finish()
    house.nurse.refresh_from_db()
    assert (house.nurse.given_name, house.nurse.family_name) == ("Lucía", "Edited")


def test_what_somebody_enters_for_a_row_that_goes_meanwhile_is_refused(house: Clinic) -> None:
    job = brought("employees", PEOPLE, "E9,Ana,Paz,H1,2026-01-05")
    person = Employee.objects.get(employee_number="E9")

    def plan() -> Any:
        return plan_leave(employee=person, starts_on=date(2027, 1, 1), kind="OTHER", actor=house.admin)

    with under_way(lambda: undo(job)):
        planning = in_background(plan)
        wait_for_a_waiter()
    with pytest.raises((Refusal, IntegrityError)):
        planning.finish()
    assert not Leave.objects.exists()
    assert not Employee.objects.filter(employee_number="E9").exists()


def test_what_somebody_is_entering_for_a_row_is_waited_for_and_named(house: Clinic) -> None:
    job = brought("employees", PEOPLE, "E9,Ana,Paz,H1,2026-01-05")
    person = Employee.objects.get(employee_number="E9")
    entered = {"employee": person, "starts_on": date(2027, 1, 1), "kind": "OTHER"}
    with under_way(lambda: plan_leave(**entered, actor=house.admin)):
        undoing = in_background(lambda: undo(job))
        wait_for_a_waiter()
    with pytest.raises(UndoRefused) as refused:
        undoing.finish()
    assert refused.value.obstacles[0].key == "E9"
    assert Leave.objects.count() == 1


def test_of_two_undoings_at_once_one_is_refused(house: Clinic) -> None:
    job = brought("positions", "code,title", "P1,Otra")
    with under_way(lambda: undo(job)):
        second = in_background(lambda: undo(job))
        wait_for_a_waiter()
    with pytest.raises(Refusal) as refused:
        second.finish()
    assert refused.value.reasons[0].code == "undone_already"
    assert Position.objects.get(code="P1").title == "Enfermería de guardia"


def test_it_takes_its_locks_in_the_house_order(house: Clinic) -> None:
    """Whoever holds the employee and then wants the assignment does not meet an undo that came the other way."""
    header = "employee_number,position_code,starts_on,effective_hours"
    job = brought("assignments", header, "E1,P1,2026-12-14,4")
    locked, asked, waiting = threading.Event(), threading.Event(), []

    def edit() -> None:
        with transaction.atomic():
            Employee.objects.lock([house.nurse.pk])
            locked.set()
            asked.wait(60)
            waiting.extend(Assignment.objects.locked(list(Assignment.objects.values_list("pk", flat=True))))

    editing = in_background(edit)
    assert locked.wait(30)
    undoing = in_background(lambda: undo(job))
    wait_for_a_waiter()
    asked.set()
    editing.finish()
    undoing.finish()
    assert len(waiting) == 1
    assert not Assignment.objects.exists()
