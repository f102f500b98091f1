"""The one door: who may, from where, what it needs, what it leaves behind."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django_fsm import TransitionNotAllowed

from apps.assignments.models import Assignment
from apps.common.errors import Refusal
from apps.fsm.models import EmployeeStatusPeriod, EmployeeTransitionLog
from apps.fsm.services import Order, TransitionsRefused, allowed_moves, apply_transition, apply_transitions
from apps.org.models import Employee, Leave
from apps.users.enums import Role
from apps.users.permissions import TRANSITIONS
from tests.factories import AssignmentFactory, Clinic, EmployeeFactory, LeaveFactory, UserFactory

TODAY = date(2026, 12, 9)
INPUTS: dict[str, dict[str, Any]] = {
    "start_leave": {"kind": "SICK"},
    "extend_leave": {"ends_on": TODAY + timedelta(days=3)},
    "give_notice": {"last_day": TODAY + timedelta(days=5)},
    "terminate": {"last_day": TODAY},
    "rehire": {"hired_on": TODAY + timedelta(days=30)},
    "close": {"ends_on": TODAY},
}
# How to bring a fresh, active employee into each state.
WAYS: dict[str, list[str]] = {
    "ACTIVE": [],
    "ON_LEAVE": ["start_leave"],
    "SUSPENDED": ["suspend"],
    "NOTICE": ["give_notice"],
    "TERMINATED": ["terminate"],
}


def employee_in(state: str) -> Employee:
    employee = EmployeeFactory(active=state != "ONBOARDING")
    for move in WAYS.get(state, []):
        apply_transition(employee, move, actor=None, reason="set up", **INPUTS.get(move, {}))
    employee.refresh_from_db()
    assert employee.status == state
    return employee


def periods(employee: Employee) -> list[tuple[str, date, date | None]]:
    rows = EmployeeStatusPeriod.objects.filter(employee=employee).order_by("from_day")
    return list(rows.values_list("status", "from_day", "until_day"))


EMPLOYEE_CASES = [
    (move, state) for move in Employee.machine.moves for state in Employee.machine.states.values if not move.system
]


@pytest.mark.django_db
@pytest.mark.parametrize(("move", "state"), EMPLOYEE_CASES, ids=lambda value: getattr(value, "name", value))
def test_an_employee_moves_exactly_where_the_table_says(move: Any, state: str) -> None:
    employee = employee_in(state)
    if move.name == "activate":
        from tests.factories import EmployeeTagFactory, TagFactory

        EmployeeTagFactory(employee=employee, tag=TagFactory(contract=True))
    admin = UserFactory(role=Role.ADMIN)
    logs = EmployeeTransitionLog.objects.filter(subject=employee)
    before = logs.count()
    inputs = INPUTS.get(move.name, {})
    if state in move.sources:
        moved = apply_transition(employee, move.name, actor=admin, reason="because", **inputs)
        employee.refresh_from_db()
        assert moved.status == employee.status == move.target
        log = logs.order_by("-id")[0]
        assert (log.from_status, log.to_status, log.transition) == (state, move.target, move.name)
        assert (log.actor, log.reason) == (admin, "because")
        history = Employee.history.filter(id=employee.pk).order_by("-history_id")[0]
        if state != move.target:
            assert (history.status, history.history_user_id, history.history_change_reason) == (
                move.target, admin.pk, "because",
            )  # fmt: skip
    else:
        with pytest.raises(Refusal, match=r"possible|posible"):
            apply_transition(employee, move.name, actor=admin, reason="because", **inputs)
        employee.refresh_from_db()
        assert employee.status == state
        assert logs.count() == before


@pytest.mark.django_db
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("label", "name"), list(TRANSITIONS), ids=lambda value: str(value))
def test_only_the_roles_of_the_table_pass_the_door(label: str, name: str, role: str) -> None:
    user = UserFactory(role=role)
    if label == "org.employee":
        move = Employee.machine.by_name[name]
        subject: Any = employee_in(move.sources[0])
        if name == "activate":
            subject = EmployeeFactory()
            from tests.factories import EmployeeTagFactory, TagFactory

            EmployeeTagFactory(employee=subject, tag=TagFactory(contract=True))
    else:
        move = Assignment.machine.by_name[name]
        subject = AssignmentFactory(accepted=move.sources[0] == "ACTIVE", expires_on=TODAY - timedelta(days=1))
    allowed = TRANSITIONS[label, name].get(Role(role))
    may = allowed is not None and allowed.value == "any"
    assert (move in allowed_moves(subject, user)) is may
    if may:
        apply_transition(subject, name, actor=user, reason="because", confirmed=True, **INPUTS.get(name, {}))
    else:
        with pytest.raises(TransitionsRefused) as refused:
            apply_transition(subject, name, actor=user, reason="because", confirmed=True, **INPUTS.get(name, {}))
        assert refused.value.reasons[-1].code == "forbidden"


@pytest.mark.django_db
def test_a_missing_reason_is_asked_for_by_name(clinic: Clinic) -> None:
    with pytest.raises(Refusal) as refused:
        apply_transition(clinic.nurse, "suspend", actor=clinic.admin, reason="  ")
    assert refused.value.reasons[0].field == "reason"


@pytest.mark.django_db
def test_a_manager_moves_nobody_outside_the_unit(clinic: Clinic) -> None:
    with pytest.raises(Refusal):
        apply_transition(clinic.surgeon, "suspend", actor=clinic.manager, reason="x")
    apply_transition(clinic.nurse, "suspend", actor=clinic.manager, reason="x")
    assert Employee.objects.get(pk=clinic.nurse.pk).status == "SUSPENDED"


@pytest.mark.django_db
def test_activation_needs_a_contract_and_counts_from_hiring(clinic: Clinic) -> None:
    with pytest.raises(Refusal) as refused:
        apply_transition(clinic.newcomer, "activate", actor=clinic.admin)
    assert refused.value.reasons[0].code == "no_contract"
    assert periods(clinic.nurse) == [("ACTIVE", date(2020, 1, 6), None)]


@pytest.mark.django_db
def test_several_moves_on_one_day_leave_the_last_one(clinic: Clinic) -> None:
    apply_transition(clinic.nurse, "suspend", actor=None, reason="x")
    apply_transition(clinic.nurse, "reinstate", actor=None)
    assert periods(clinic.nurse) == [
        ("ACTIVE", date(2020, 1, 6), TODAY - timedelta(days=1)),
        ("ACTIVE", TODAY, None),
    ]


@pytest.mark.django_db
def test_a_termination_ends_the_day_after_the_last_day_and_takes_the_assignments_with_it(clinic: Clinic) -> None:
    running = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, accepted=True, effective_hours=20)
    later = AssignmentFactory(
        employee=clinic.nurse, position=clinic.p2, accepted=True, effective_hours=5, starts_on=TODAY + timedelta(days=5)
    )
    ending = AssignmentFactory(
        employee=clinic.nurse, position=clinic.p2, accepted=True, effective_hours=5, ends_on=TODAY - timedelta(days=3)
    )
    proposal = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=3, is_reinforcement=True)
    apply_transition(
        clinic.nurse, "terminate", actor=clinic.manager, reason="moved away", last_day=TODAY - timedelta(days=1)
    )
    assert periods(clinic.nurse)[-1] == ("TERMINATED", TODAY, None)
    facts = {
        row.pk: (row.status, row.ends_on, row.voided)
        for row in Assignment.objects.filter(pk__in=[running.pk, later.pk, ending.pk, proposal.pk])
    }
    assert facts == {
        running.pk: ("CLOSED", TODAY - timedelta(days=1), False),
        later.pk: ("CLOSED", None, True),
        ending.pk: ("CLOSED", TODAY - timedelta(days=3), False),
        proposal.pk: ("CLOSED", None, False),
    }
    # p2 is outside the manager's unit: the closing is a consequence, signed by the manager all the same.
    assert later.transition_logs.get(transition="void").actor == clinic.manager


@pytest.mark.django_db
def test_a_rehire_keeps_the_earlier_periods(clinic: Clinic) -> None:
    apply_transition(clinic.nurse, "terminate", actor=None, reason="x", last_day=TODAY)
    for too_early in (TODAY, TODAY + timedelta(days=1)):
        with pytest.raises(Refusal):
            apply_transition(clinic.nurse, "rehire", actor=None, reason="back", hired_on=too_early)
    apply_transition(clinic.nurse, "rehire", actor=None, reason="back", hired_on=TODAY + timedelta(days=10))
    assert periods(clinic.nurse) == [
        ("ACTIVE", date(2020, 1, 6), TODAY),
        ("TERMINATED", TODAY + timedelta(days=1), TODAY + timedelta(days=1)),
        ("ONBOARDING", TODAY + timedelta(days=2), None),
    ]
    clinic.nurse.refresh_from_db()
    assert clinic.nurse.last_day is None


@pytest.mark.django_db
def test_leaves_follow_the_status(clinic: Clinic) -> None:
    planned = LeaveFactory(employee=clinic.nurse, starts_on=TODAY - timedelta(days=2), ends_on=TODAY)
    apply_transition(clinic.nurse, "start_leave", actor=clinic.manager)
    apply_transition(clinic.nurse, "extend_leave", actor=clinic.manager, ends_on=TODAY + timedelta(days=9))
    planned.refresh_from_db()
    assert planned.ends_on == TODAY + timedelta(days=9)
    apply_transition(clinic.nurse, "return_from_leave", actor=clinic.manager)
    planned.refresh_from_db()
    assert planned.ends_on == TODAY - timedelta(days=1)
    apply_transition(clinic.nurse, "start_leave", actor=clinic.manager, kind="SICK")
    apply_transition(clinic.nurse, "return_from_leave", actor=clinic.manager)
    assert list(Leave.objects.filter(employee=clinic.nurse)) == [planned]


@pytest.mark.django_db
def test_many_are_moved_together_or_not_at_all(clinic: Clinic, django_assert_max_num_queries: Any) -> None:
    people = [clinic.nurse, clinic.surgeon]
    with pytest.raises(TransitionsRefused) as refused:
        orders = [Order(person.pk, "x") for person in [*people, clinic.newcomer]]
        apply_transitions(Employee, "suspend", orders, actor=None)
    assert list(refused.value.by_subject) == [clinic.newcomer.pk]
    assert Employee.objects.filter(status="SUSPENDED").count() == 0
    with django_assert_max_num_queries(20):
        apply_transitions(Employee, "suspend", [Order(person.pk, "x") for person in people], actor=None)
    assert Employee.objects.filter(status="SUSPENDED").count() == 2


@pytest.mark.django_db
class TestTheStatusIsProtected:
    def test_assigning_it_is_refused(self, clinic: Clinic) -> None:
        with pytest.raises(AttributeError):
            clinic.nurse.status = "TERMINATED"

    def test_a_refresh_shows_the_stored_state(self, clinic: Clinic) -> None:
        stale = Employee.objects.get(pk=clinic.nurse.pk)
        apply_transition(clinic.nurse, "suspend", actor=None, reason="x")
        stale.refresh_from_db()
        assert stale.status == "SUSPENDED"

    def test_saving_a_stale_copy_is_refused(self, clinic: Clinic) -> None:
        from django_fsm import ConcurrentTransition

        stale = Employee.objects.get(pk=clinic.nurse.pk)
        apply_transition(clinic.nurse, "suspend", actor=None, reason="x")
        stale.suspend(today=TODAY)
        with pytest.raises(ConcurrentTransition), transaction.atomic():
            stale.save()

    def test_a_wrong_source_is_refused_in_memory_too(self, clinic: Clinic) -> None:
        with pytest.raises(TransitionNotAllowed):
            clinic.newcomer.suspend(today=TODAY)


@pytest.mark.django_db
def test_the_logs_are_append_only(clinic: Clinic) -> None:
    for statement in (
        "UPDATE fsm_employeetransitionlog SET reason = 'forged'",
        "DELETE FROM fsm_employeetransitionlog",
    ):
        with pytest.raises(Exception, match="Cannot"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.mark.django_db
def test_one_status_a_day_is_held_by_the_database(clinic: Clinic) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        EmployeeStatusPeriod.objects.create(employee=clinic.nurse, status="NOTICE", from_day=TODAY)


def test_every_move_of_the_tables_is_a_transition_and_the_other_way_round() -> None:
    for model in (Employee, Assignment):
        field = model._meta.get_field("status")
        coded = {
            (transition.name, str(transition.source), str(transition.target))
            for transition in field.get_all_transitions(model)
        }
        written = {
            (move.name, str(source), str(move.target)) for move in model.machine.moves for source in move.sources
        }
        assert coded == written
        assert {name for label, name in TRANSITIONS if label == model.machine.label} == set(model.machine.by_name)


@pytest.mark.django_db
def test_closing_never_reaches_past_the_assignments_own_end() -> None:
    assignment = AssignmentFactory(accepted=True, ends_on=TODAY - timedelta(days=30))
    with pytest.raises(Refusal) as refusal:
        apply_transition(assignment, "close", actor=None, reason="over", ends_on=TODAY)
    assert refusal.value.reasons[0].code == "ends_in_future"
    closed = apply_transition(assignment, "close", actor=None, reason="over", ends_on=assignment.ends_on)
    assert (closed.status, closed.ends_on) == ("CLOSED", TODAY - timedelta(days=30))
