"""Every transition a sheet can make is taken back, from every state it starts from; logs and history only grow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from apps.assignments.assignment_fsm import MACHINE as ASSIGNMENT_MACHINE
from apps.assignments.models import Assignment
from apps.fsm.employee_fsm import MACHINE as EMPLOYEE_MACHINE
from apps.fsm.services import apply_transition
from apps.org.models import Employee
from tests.factories import AssignmentFactory, Clinic, EmployeeFactory, LeaveFactory
from tests.today import TODAY

from .support import bring, codes, sheet
from .undo_support import brought, current_state, furnish, on_record, only_grew, undo

pytestmark = pytest.mark.django_db
YESTERDAY, LATER = TODAY - timedelta(days=1), TODAY + timedelta(days=20)

# state → how an active person gets there
INTO: dict[str, Callable[[Any], Any]] = {
    "ACTIVE": lambda person: None,
    "ON_LEAVE": lambda person: apply_transition(person, "start_leave", actor=None, kind="SICK"),
    "SUSPENDED": lambda person: apply_transition(person, "suspend", actor=None, reason="x"),
    "NOTICE": lambda person: apply_transition(person, "give_notice", actor=None, last_day=LATER),
    "TERMINATED": lambda person: apply_transition(person, "terminate", actor=None, last_day=YESTERDAY, reason="x"),
}
# What a transition needs beside a reason.
INPUTS: dict[str, dict[str, date]] = {
    "give_notice": {"last_day": LATER}, "terminate": {"last_day": TODAY}, "rehire": {"hired_on": LATER},
}  # fmt: skip
OF_EMPLOYEES = [
    (move.name, source) for move in EMPLOYEE_MACHINE.moves if not move.system for source in map(str, move.sources)
]


@pytest.fixture
def house(clinic: Clinic) -> Clinic:
    return furnish(clinic)


def person_in(state: str, house: Clinic) -> Employee:
    """Return somebody in a state, with an assignment in force and a proposal where somebody has such."""
    if state == "ONBOARDING":
        return house.newcomer
    person = EmployeeFactory(employee_number="T1", home_unit=house.h1, active=True)
    AssignmentFactory(employee=person, position=house.p2, effective_hours=6, accepted=True)
    AssignmentFactory(employee=person, position=house.p1, effective_hours=4, starts_on=date(2027, 1, 1))
    INTO[state](person)
    person.refresh_from_db()
    assert person.status == state
    return person


def assert_taken_back(kind: str, header: list[str], row: list[Any]) -> None:
    before, record = current_state(), on_record()
    job = brought(kind, header, row)
    assert current_state() != before
    done = undo(job)
    assert done.moved_back >= 1
    found = current_state()
    for label, rows in before.items():
        assert found[label] == rows, label
    assert only_grew(record, on_record())


@pytest.mark.parametrize(("move", "source"), OF_EMPLOYEES, ids=lambda value: value)
def test_of_an_employee(move: str, source: str, house: Clinic) -> None:
    person = person_in(source, house)
    if move == "start_leave":
        LeaveFactory(employee=person, starts_on=TODAY, ends_on=LATER)
    inputs = INPUTS.get(move, {})
    header = ["employee_number", "given_name", "transition", "reason", *inputs]
    row = [person.employee_number, "Otro", move, "porque sí", *inputs.values()]
    if move == "extend_leave":  # needs a day this sheet has no column for
        assert codes(bring("employees", sheet(header, row))) == {"needed"}
        return
    assert_taken_back("employees", header, row)


@pytest.mark.parametrize("move", [move.name for move in ASSIGNMENT_MACHINE.moves if not move.system])
def test_of_an_assignment(move: str, house: Clinic) -> None:
    active = move == "close"
    one = AssignmentFactory(
        employee=house.nurse, position=house.p2, effective_hours=3, starts_on=date(2026, 6, 1), accepted=active
    )
    ends = {"ends_on": YESTERDAY} if active else {}
    header = ["employee_number", "position_code", "starts_on", "transition", "reason", *ends]
    assert_taken_back("assignments", header, ["E1", "P2", one.starts_on, move, "porque sí", *ends.values()])


def test_what_a_termination_voids_is_in_force_again(house: Clinic) -> None:
    person = person_in("ACTIVE", house)
    to_come = AssignmentFactory(
        employee=person, position=house.p2, effective_hours=2, starts_on=date(2027, 3, 1), accepted=True,
        is_reinforcement=True,
    )  # fmt: skip
    row = ["T1", "terminate", TODAY, "fin"]
    job = brought("employees", ["employee_number", "transition", "last_day", "reason"], row)
    assert Assignment.objects.get(pk=to_come.pk).voided
    undo(job)
    to_come.refresh_from_db()
    assert (to_come.status, to_come.voided) == ("ACTIVE", False)
