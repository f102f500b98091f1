"""Transitions from the screen: what the page offers, what a POST does, what a forged one does not."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from apps.assignments.models import Assignment, AssignmentTransitionLog
from apps.fsm.models import EmployeeTransitionLog
from apps.fsm.services import apply_transition
from apps.org.models import Employee
from apps.users.enums import Role
from apps.users.groups import sync_groups
from apps.users.permissions import TRANSITIONS, Whose
from tests.factories import AssignmentFactory, Clinic, EmployeeFactory, EmployeeTagFactory, TagFactory, UserFactory

TODAY = date(2026, 12, 9)
# What the dialog of each transition is filled with.
FILLED: dict[str, dict[str, str]] = {
    "start_leave": {"kind": "SICK"},
    "extend_leave": {"ends_on": (TODAY + timedelta(days=3)).isoformat()},
    "give_notice": {"last_day": (TODAY + timedelta(days=5)).isoformat()},
    "terminate": {"last_day": TODAY.isoformat()},
    "rehire": {"hired_on": (TODAY + timedelta(days=30)).isoformat()},
    "close": {"ends_on": TODAY.isoformat()},
}
WAYS: dict[str, list[str]] = {
    "ON_LEAVE": ["start_leave"],
    "SUSPENDED": ["suspend"],
    "NOTICE": ["give_notice"],
    "TERMINATED": ["terminate"],
}
MACHINES = {"org.employee": Employee, "assignments.assignment": Assignment}
INSIDE = {"HTTP_X_COVERIS_DIALOG": "1"}


@pytest.fixture(autouse=True)
def rights(db: Any) -> None:
    sync_groups()


def filled(name: str) -> dict[str, str]:
    return {"reason": "because", **FILLED.get(name, {})}


def subject_in(label: str, state: str, move: str, **fields: Any) -> Any:
    """Return a record in a state, ready for the move as far as its guards go."""
    if label == "assignments.assignment":
        assignment = AssignmentFactory(accepted=state != "PROPOSED", **fields)
        if state == "CLOSED":
            apply_transition(assignment, "close", actor=None, reason="set up", ends_on=TODAY, confirmed=True)
        assignment.refresh_from_db()
        return assignment
    employee = EmployeeFactory(active=state != "ONBOARDING", **fields)
    if state == "ONBOARDING" and move == "activate":
        EmployeeTagFactory(employee=employee, tag=TagFactory(contract=True))
    for name in WAYS.get(state, []):
        inputs = {"start_leave": {"kind": "SICK"}, "give_notice": {"last_day": TODAY + timedelta(days=5)},
                  "terminate": {"last_day": TODAY}}.get(name, {})  # fmt: skip
        apply_transition(employee, name, actor=None, reason="set up", **inputs)
    employee.refresh_from_db()
    assert employee.status == state
    return employee


def url_of(subject: Any, move: str) -> str:
    opts = type(subject)._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_transition", args=(subject.pk, move))


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def snapshot(subject: Any) -> tuple[Any, ...]:
    row = type(subject)._base_manager.filter(pk=subject.pk).values().get()
    return row, subject.transition_logs.count(), type(subject).history.filter(id=subject.pk).count()


CASES = [
    (label, move, role)
    for label, model in MACHINES.items()
    for move in model.machine.moves
    for role in (Role.ADMIN, Role.MANAGER, Role.SUPERVISOR, Role.VIEWER, Role.EMPLOYEE)
]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("label", "move", "role"), CASES, ids=[f"{label}-{move.name}-{role}" for label, move, role in CASES]
)
def test_each_role_makes_exactly_the_transitions_of_the_table_by_post(label: str, move: Any, role: Role) -> None:
    client = signed_in(UserFactory(role=role))
    for state in MACHINES[label].machine.states.values:
        subject = subject_in(label, state, move.name)
        whose = TRANSITIONS[label, move.name].get(role)
        may = whose is Whose.ANY and state in move.sources and role != Role.EMPLOYEE
        before = snapshot(subject)
        response = client.post(url_of(subject, move.name), filled(move.name))
        if may:
            assert response.status_code == 302, (state, response.content.decode())
            subject.refresh_from_db()
            assert subject.status == move.target
            log = subject.transition_logs.order_by("-id")[0]
            assert (log.transition, log.from_status, log.reason) == (move.name, state, "because")
        else:
            # EMPLOYEE has no admin at all, so the answer is the login page.
            assert response.status_code in ((302,) if role == Role.EMPLOYEE else (403, 409)), state
            if role == Role.EMPLOYEE:
                assert "/login/" in response["Location"]
            assert snapshot(subject) == before


@pytest.mark.django_db
def test_a_supervisor_rejects_own_proposals_only(clinic: Clinic) -> None:
    own = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, created_by=clinic.supervisor)
    other = AssignmentFactory(employee=clinic.newcomer, position=clinic.p1, created_by=clinic.manager)
    client = signed_in(clinic.supervisor)
    assert client.post(url_of(own, "reject"), filled("reject")).status_code == 302
    before = snapshot(other)
    assert client.post(url_of(other, "reject"), filled("reject")).status_code == 403
    assert snapshot(other) == before
    own.refresh_from_db()
    assert own.status == "CLOSED"


@pytest.mark.django_db
def test_out_of_scope_and_unknown_are_404(clinic: Clinic) -> None:
    client = signed_in(clinic.manager)
    before = snapshot(clinic.surgeon)
    for call in (client.get, client.post):
        assert call(url_of(clinic.surgeon, "suspend"), {"reason": "x"}).status_code == 404
        assert call(reverse("admin:org_employee_transition", args=(clinic.nurse.pk, "vanish"))).status_code == 404
        assert call(reverse("admin:org_employee_transition", args=("x", "suspend"))).status_code == 404
    assert snapshot(clinic.surgeon) == before


@pytest.mark.django_db
def test_a_guest_of_the_unit_is_seen_but_not_moved(clinic: Clinic) -> None:
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p1, accepted=True)
    client = signed_in(clinic.manager)
    page = client.get(reverse("admin:org_employee_change", args=(clinic.surgeon.pk,)))
    assert page.status_code == 200
    assert b"data-transition" not in page.content
    before = snapshot(clinic.surgeon)
    assert client.post(url_of(clinic.surgeon, "suspend"), filled("suspend")).status_code == 403
    assert snapshot(clinic.surgeon) == before


@pytest.mark.django_db
def test_the_page_offers_only_what_is_allowed_now(clinic: Clinic) -> None:
    page = signed_in(clinic.manager).get(reverse("admin:org_employee_change", args=(clinic.nurse.pk,)))
    offered = {
        move.name for move in Employee.machine.moves if f'data-transition="{move.name}"' in page.content.decode()
    }
    assert offered == {"start_leave", "suspend", "give_notice", "terminate"}
    page = signed_in(clinic.viewer).get(reverse("admin:org_employee_change", args=(clinic.nurse.pk,)))
    assert b"data-transition" not in page.content


@pytest.mark.django_db
def test_get_shows_the_dialog_and_writes_nothing(clinic: Clinic) -> None:
    client = signed_in(clinic.admin)
    before = snapshot(clinic.nurse)
    for move in Employee.machine.moves:
        for headers in ({}, INSIDE):
            response = client.get(url_of(clinic.nurse, move.name), {"reason": "x"}, **headers)
            allowed = not move.system and "ACTIVE" in move.sources
            assert response.status_code == (200 if allowed else 403 if move.system else 409)
            assert ("<html" in response.content.decode()) is not bool(headers)
            assert ('name="reason"' in response.content.decode()) is allowed
    assert snapshot(clinic.nurse) == before


@pytest.mark.django_db
def test_a_post_needs_a_csrf_token(clinic: Clinic) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(clinic.admin, backend="django.contrib.auth.backends.ModelBackend")
    before = snapshot(clinic.nurse)
    assert client.post(url_of(clinic.nurse, "suspend"), filled("suspend")).status_code == 403
    assert snapshot(clinic.nurse) == before
    # The canary: without the check the same request goes through.
    assert signed_in(clinic.admin).post(url_of(clinic.nurse, "suspend"), filled("suspend")).status_code == 302


@pytest.mark.django_db
def test_a_refusal_keeps_what_was_typed_and_writes_nothing(clinic: Clinic) -> None:
    client = signed_in(clinic.manager)
    before = snapshot(clinic.nurse)
    typed = {"reason": "end of the agreement", "last_day": (TODAY + timedelta(days=9)).isoformat()}
    response = client.post(url_of(clinic.nurse, "terminate"), typed, **INSIDE)
    text = response.content.decode()
    assert response.status_code == 200
    assert "end of the agreement" in text
    assert typed["last_day"] in text
    assert 'role="alert"' in text
    assert 'aria-invalid="true"' in text
    assert snapshot(clinic.nurse) == before
    assert not list(get_messages(response.wsgi_request))


@pytest.mark.django_db
def test_a_missing_reason_is_asked_for_at_its_field(clinic: Clinic) -> None:
    response = signed_in(clinic.manager).post(url_of(clinic.nurse, "suspend"), {"reason": "  "}, **INSIDE)
    assert response.status_code == 200
    assert response.context["form"].errors.keys() == {"reason"}


@pytest.mark.django_db
def test_form_fields_never_ride_along(clinic: Clinic) -> None:
    typed = {**filled("suspend"), "family_name": "Changed", "status": "TERMINATED", "home_unit": clinic.h2.pk}
    assert signed_in(clinic.manager).post(url_of(clinic.nurse, "suspend"), typed).status_code == 302
    clinic.nurse.refresh_from_db()
    assert (clinic.nurse.family_name, clinic.nurse.status, clinic.nurse.home_unit) == ("Gómez", "SUSPENDED", clinic.h1)


@pytest.mark.django_db
def test_the_old_way_of_posting_a_transition_does_nothing(clinic: Clinic) -> None:
    url = reverse("admin:org_employee_change", args=(clinic.nurse.pk,))
    before = snapshot(clinic.nurse)[0]["status"]
    signed_in(clinic.viewer).post(url, {"_fsm_transition_to": "terminate"})
    signed_in(clinic.admin).post(url, {"_fsm_transition_to": "terminate"})
    assert snapshot(clinic.nurse)[0]["status"] == before


@pytest.mark.django_db
def test_one_goes_back_where_one_came_from_and_nowhere_else(clinic: Clinic) -> None:
    client = signed_in(clinic.manager)
    page = reverse("admin:org_employee_log", args=(clinic.nurse.pk,))
    response = client.post(url_of(clinic.nurse, "suspend"), {**filled("suspend"), "back": page})
    assert response["Location"] == page
    for evil in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        clinic.nurse.refresh_from_db()
        move = "reinstate" if clinic.nurse.status == "SUSPENDED" else "suspend"
        response = client.post(url_of(clinic.nurse, move), {**filled(move), "back": evil}, **INSIDE)
        assert response.status_code == 204
        assert response["X-Coveris-Location"] == reverse("admin:org_employee_change", args=(clinic.nurse.pk,))


@pytest.mark.django_db
def test_hours_of_live_assignments_are_told_before_they_are_taken(clinic: Clinic) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, accepted=True, effective_hours="24")
    text = signed_in(clinic.manager).get(url_of(clinic.nurse, "suspend"), **INSIDE).content.decode()
    assert "24" in text


# From the list


def bulk(client: Client, move: str, rows: list[Any], **extra: Any) -> Any:
    selection = ",".join(str(row.pk) for row in rows)
    return client.post(
        reverse("admin:org_employee_transitions", args=(move,)), {**filled(move), "selection": selection, **extra}
    )


def choose(client: Client, move: str, rows: list[Any], **extra: Any) -> Any:
    return client.post(
        reverse("admin:org_employee_changelist"),
        {"action": f"transition_{move}", "_selected_action": [row.pk for row in rows], "index": 0, **extra},
    )


@pytest.mark.django_db
def test_the_list_offers_the_transitions_of_the_role(clinic: Clinic) -> None:
    page = signed_in(clinic.manager).get(reverse("admin:org_employee_changelist")).content.decode()
    for move in Employee.machine.moves:
        assert (f'value="transition_{move.name}"' in page) is not move.system
    page = signed_in(clinic.viewer).get(reverse("admin:org_employee_changelist")).content.decode()
    assert "transition_" not in page


@pytest.mark.django_db
def test_choosing_asks_once_and_writes_nothing(clinic: Clinic) -> None:
    before = snapshot(clinic.nurse)
    response = choose(signed_in(clinic.manager), "suspend", [clinic.nurse, clinic.newcomer])
    assert response.status_code == 200
    text = response.content.decode()
    assert text.count('name="reason"') == 1
    assert (
        f'value="{clinic.nurse.pk},{clinic.newcomer.pk}"' in text or f"{clinic.newcomer.pk},{clinic.nurse.pk}" in text
    )
    assert snapshot(clinic.nurse) == before


@pytest.mark.django_db
def test_good_rows_are_done_and_the_others_say_why(clinic: Clinic) -> None:
    response = bulk(signed_in(clinic.manager), "suspend", [clinic.nurse, clinic.newcomer])
    assert response.status_code == 200
    results = {result.obj.pk: result for result in response.context["results"]}
    assert results[clinic.nurse.pk].done
    assert not results[clinic.newcomer.pk].done
    assert results[clinic.newcomer.pk].sentences
    clinic.nurse.refresh_from_db()
    clinic.newcomer.refresh_from_db()
    assert (clinic.nurse.status, clinic.newcomer.status) == ("SUSPENDED", "ONBOARDING")
    log = EmployeeTransitionLog.objects.filter(subject=clinic.nurse).order_by("-id")[0]
    assert (log.actor, log.reason) == (clinic.manager, "because")
    assert "Luna" in response.content.decode()


@pytest.mark.django_db
def test_a_refusal_of_the_database_stops_only_its_own_row(clinic: Clinic) -> None:
    from tests.factories import LeaveFactory

    others = [EmployeeFactory(home_unit=clinic.h1, active=True) for _number in range(3)]
    # Planned ahead: a leave from today to then would overlap it.
    LeaveFactory(employee=others[1], starts_on=TODAY + timedelta(days=2), ends_on=TODAY + timedelta(days=4))
    response = bulk(signed_in(clinic.manager), "start_leave", others, ends_on=(TODAY + timedelta(days=9)).isoformat())
    results = {result.obj.pk: result.done for result in response.context["results"]}
    assert results == {others[0].pk: True, others[1].pk: False, others[2].pk: True}


@pytest.mark.django_db
def test_a_forged_selection_is_refused_as_a_whole(clinic: Clinic) -> None:
    client = signed_in(clinic.manager)
    before = snapshot(clinic.nurse)
    assert bulk(client, "suspend", [clinic.nurse, clinic.surgeon]).status_code == 404
    assert choose(client, "suspend", [clinic.nurse, clinic.surgeon]).status_code == 404
    for selection in ("", "1,1", "x", ",".join(str(n) for n in range(1, 1002)), "99999999999999999999"):
        url = reverse("admin:org_employee_transitions", args=("suspend",))
        assert client.post(url, {**filled("suspend"), "selection": selection}).status_code == 404, selection
    assert client.get(reverse("admin:org_employee_transitions", args=("suspend",))).status_code == 405
    assert snapshot(clinic.nurse) == before


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.VIEWER])
def test_a_forged_bulk_post_is_refused(clinic: Clinic, role: Role) -> None:
    client = signed_in({Role.SUPERVISOR: clinic.supervisor, Role.VIEWER: clinic.viewer}[role])
    before = snapshot(clinic.nurse)
    for move in Employee.machine.moves:
        assert bulk(client, move.name, [clinic.nurse]).status_code == 403
    assert bulk(signed_in(clinic.admin), "complete_notice", [clinic.nurse]).status_code == 403
    assert snapshot(clinic.nurse) == before


@pytest.mark.django_db
def test_twenty_rows_cost_as_many_questions_as_two(clinic: Clinic) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = signed_in(clinic.manager)

    def cost(good: int, bad: int) -> int:
        rows = [EmployeeFactory(home_unit=clinic.h1, active=True) for _number in range(good)]
        rows += [EmployeeFactory(home_unit=clinic.h1) for _number in range(bad)]
        with CaptureQueriesContext(connection) as captured:
            response = bulk(client, "suspend", rows)
        assert sum(result.done for result in response.context["results"]) == good
        return len(captured)

    cost(1, 1)
    assert cost(10, 10) == cost(1, 1)


@pytest.mark.django_db
def test_all_pages_can_be_selected_up_to_a_thousand(clinic: Clinic, monkeypatch: Any) -> None:
    from apps.fsm import buttons

    for _number in range(3):
        EmployeeFactory(home_unit=clinic.h1, active=True)
    client = signed_in(clinic.manager)
    response = choose(client, "suspend", [clinic.nurse], select_across=1)
    assert len(response.context["rows"]) == Employee.objects.visible_to(clinic.manager).count()
    monkeypatch.setattr(buttons, "AT_ONCE", 2)
    response = choose(client, "suspend", [clinic.nurse], select_across=1)
    assert response.status_code == 302
    assert "2" in str(next(iter(get_messages(response.wsgi_request))))


@pytest.mark.django_db
def test_a_bulk_transition_of_assignments_works_too(clinic: Clinic) -> None:
    rows = [AssignmentFactory(employee=EmployeeFactory(home_unit=clinic.h1, active=True), position=clinic.p1)
            for _number in range(2)]  # fmt: skip
    response = signed_in(clinic.manager).post(
        reverse("admin:assignments_assignment_transitions", args=("reject",)),
        {"selection": ",".join(str(row.pk) for row in rows), "reason": "not needed"},
    )
    assert [result.done for result in response.context["results"]] == [True, True]
    assert AssignmentTransitionLog.objects.filter(transition="reject", reason="not needed").count() == 2
