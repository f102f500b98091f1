"""What happens is written into the outbox by the database, in the transaction of what happened, and nothing else is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.assignments.models import Assignment
from apps.business_rules.models import RuleViolation
from apps.business_rules.services import sweep
from apps.changes.drain import drain
from apps.fsm.models import EmployeeTransitionLog
from apps.fsm.services import Order, apply_transition, apply_transitions
from apps.imports.enums import JobState
from apps.imports.models import ImportJob
from apps.imports.undoing import undo_import
from apps.org.models import Employee
from apps.webhooks.enums import Topic
from apps.webhooks.models import WebhookDelivery
from apps.webhooks.services import remove_endpoint, save_endpoint
from tests.factories import AssignmentFactory, Clinic, EmployeeFactory, OrgUnitFactory, PositionFactory
from tests.imports.support import bring, sheet
from tests.rules.catalogue import install_rules
from tests.today import TODAY

from .conftest import Make

pytestmark = pytest.mark.django_db
NOWHERE = "http://127.0.0.1:9/"  # nobody listens; nothing is posted here


def written(topic: Topic) -> list[Any]:
    return [delivery.data for delivery in WebhookDelivery.objects.filter(topic=topic).order_by("pk")]


def suspend(employee: Employee, actor: Any = None) -> None:
    apply_transition(employee, "suspend", actor=actor, reason="x")


def test_a_transition_of_an_employee_is_written_with_ids_codes_and_states(clinic: Clinic, endpoint_at: Make) -> None:
    endpoint_at(NOWHERE)
    suspend(clinic.nurse)
    [delivery] = WebhookDelivery.objects.filter(topic=Topic.EMPLOYEE_STATUS)
    unit = clinic.nurse.home_unit
    assert delivery.data == {
        "employee": {"id": clinic.nurse.pk, "code": clinic.nurse.employee_number},
        "unit": {"id": unit.pk, "code": unit.code},
        "transition": "suspend",
        "from": "ACTIVE",
        "to": "SUSPENDED",
    }
    assert (delivery.subject_kind, delivery.subject_id) == ("employee", clinic.nurse.pk)
    assert clinic.nurse.family_name not in str(delivery.data)


def test_a_sheet_is_told_once_it_is_brought_in_and_not_while_it_is_looked_at(clinic: Clinic, endpoint_at: Make) -> None:
    endpoint_at(NOWHERE)
    header = "employee_number,given_name,family_name,home_unit_code,hired_on,transition,reason"
    moved = sheet(header, "E1,Lucía,Gómez,H1,2020-01-06,suspend,x", "E2,Bruno,Díaz,H2,2020-01-06,suspend,x")
    assert bring("employees", moved, dry_run=True).ok
    assert not bring("employees", moved + b"E3,Eva,Luna,NOWHERE,2026-12-08,,\r\n").ok
    assert written(Topic.EMPLOYEE_STATUS) == []
    assert bring("employees", moved).ok
    told = written(Topic.EMPLOYEE_STATUS)
    assert sorted((one["employee"]["code"], one["from"], one["to"]) for one in told) == [
        ("E1", "ACTIVE", "SUSPENDED"), ("E2", "ACTIVE", "SUSPENDED"),
    ]  # fmt: skip
    assert bring("employees", moved).unchanged == 2
    undo_import(job=ImportJob.objects.get(state=JobState.APPLIED, updated=2), actor=clinic.admin)
    back = written(Topic.EMPLOYEE_STATUS)[len(told) :]
    assert sorted((one["employee"]["code"], one["from"], one["to"]) for one in back) == [
        ("E1", "SUSPENDED", "ACTIVE"), ("E2", "SUSPENDED", "ACTIVE"),
    ]  # fmt: skip


def test_a_transition_of_an_assignment_is_written(clinic: Clinic, endpoint_at: Make) -> None:
    endpoint_at(NOWHERE)
    assignment = AssignmentFactory(employee=clinic.nurse, position=clinic.p1)
    apply_transition(Assignment.objects.get(pk=assignment.pk), "accept", actor=None)
    [told] = written(Topic.ASSIGNMENT_STATUS)
    assert (told["transition"], told["from"], told["to"]) == ("accept", "PROPOSED", "ACTIVE")
    assert told["assignment"] == {"id": assignment.pk, "code": assignment.code}
    assert told["position"] == {"id": clinic.p1.pk, "code": clinic.p1.code}
    assert told["employee"] == {"id": clinic.nurse.pk, "code": clinic.nurse.employee_number}


def test_the_coverage_of_a_position_is_written_when_its_state_changes_and_only_then(
    clinic: Clinic, endpoint_at: Make
) -> None:
    position = PositionFactory(code="C1", org_unit=clinic.h1, required_weekly_hours=36)
    drain()
    endpoint_at(NOWHERE)
    first = AssignmentFactory(employee=clinic.nurse, position=position, effective_hours=10, accepted=True)
    drain()
    # More hours in the same state are no news.
    position.refresh_from_db()
    type(position).objects.filter(pk=position.pk).update(required_weekly_hours=40)
    drain()
    apply_transition(Assignment.objects.get(pk=first.pk), "void", actor=None, reason="x")
    drain()
    told = [one for one in written(Topic.POSITION_COVERAGE) if one["position"]["id"] == position.pk]
    assert [(one["from"], one["to"]) for one in told] == [("VACANT", "PARTIAL"), ("PARTIAL", "VACANT")]
    assert told[0]["week"] == "2026-12-07"


def test_a_new_position_begins_with_a_state(clinic: Clinic, endpoint_at: Make) -> None:
    drain()
    endpoint_at(NOWHERE)
    position = PositionFactory(org_unit=clinic.h1)
    drain()
    assert [(one["position"]["id"], one["from"], one["to"]) for one in written(Topic.POSITION_COVERAGE)] == [
        (position.pk, None, "VACANT")
    ]


def test_the_states_in_sql_are_those_of_the_formula(db: Any) -> None:
    from apps.demand.coverage import state_of
    from apps.webhooks.facts import COVERAGE_STATE

    with connection.cursor() as cursor:
        for required in (0, 1, 700):
            for assigned in (0, 1, 699, 700, 701):
                cursor.execute(
                    f"SELECT {COVERAGE_STATE}"
                    " FROM (SELECT ARRAY[%s]::bigint[] AS required, ARRAY[%s]::bigint[] AS assigned) AS figures",
                    [required, assigned],
                )
                assert cursor.fetchone()[0] == state_of(required, assigned).value


def test_violations_are_written_when_they_open_and_when_they_are_over(clinic: Clinic, endpoint_at: Make) -> None:
    assignment = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=61, accepted=True)
    install_rules()
    endpoint_at(NOWHERE)
    drain()
    sweep(actor=None)
    opened = written(Topic.VIOLATION_STATE)
    assert {(one["from"], one["to"]) for one in opened} == {(None, "OPEN")}
    assert {one["violation"] for one in opened} == set(RuleViolation.objects.values_list("pk", flat=True))
    about = next(one for one in opened if one["subject"]["kind"] == "employee")
    assert about["subject"] == {
        "kind": "employee",
        "id": clinic.nurse.pk,
        "code": RuleViolation.objects.get(pk=about["violation"]).subject_code,
    }
    sweep(actor=None)
    assert len(written(Topic.VIOLATION_STATE)) == len(opened)
    apply_transition(Assignment.objects.get(pk=assignment.pk), "void", actor=None, reason="x")
    drain()
    sweep(actor=None)
    over = written(Topic.VIOLATION_STATE)[len(opened) :]
    assert ("OPEN", "RESOLVED") in {(one["from"], one["to"]) for one in over}


def test_what_is_rolled_back_leaves_nothing(clinic: Clinic, endpoint_at: Make) -> None:
    endpoint_at(NOWHERE)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        suspend(clinic.nurse)
        assert WebhookDelivery.objects.count() == 1
        raise ZeroDivisionError
    assert WebhookDelivery.objects.count() == 0


def test_without_an_active_endpoint_nothing_is_written_and_no_statement_is_ever_added(
    clinic: Clinic, endpoint_at: Make
) -> None:
    people = [EmployeeFactory(home_unit=clinic.h1, active=True) for _number in range(4)]

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            suspend(people.pop())
        return len(queries)

    statements()
    alone = statements()
    endpoint, _secret = endpoint_at(NOWHERE, is_active=False)
    assert statements() == alone
    assert WebhookDelivery.objects.count() == 0
    endpoint.is_active = True
    save_endpoint(endpoint=endpoint, actor=None)
    assert statements() == alone
    assert WebhookDelivery.objects.count() == 1


def test_an_endpoint_is_told_of_the_topics_it_asks_for(clinic: Clinic, endpoint_at: Make) -> None:
    endpoint_at(NOWHERE, topics=[Topic.ASSIGNMENT_STATUS])
    suspend(clinic.nurse)
    assert WebhookDelivery.objects.count() == 0


def test_one_event_has_one_id_whoever_is_told(clinic: Clinic, endpoint_at: Make) -> None:
    for _number in range(3):
        endpoint_at(NOWHERE, topics=[Topic.EMPLOYEE_STATUS])
    suspend(clinic.nurse)
    rows = list(WebhookDelivery.objects.values_list("event", "endpoint"))
    assert len(rows) == len({endpoint for _event, endpoint in rows}) == 3
    assert len({event for event, _endpoint in rows}) == 1


def test_an_endpoint_of_a_unit_is_told_of_it_and_what_is_below_alone(clinic: Clinic, endpoint_at: Make) -> None:
    below = OrgUnitFactory(parent=clinic.h1)
    inside = EmployeeFactory(home_unit=below, active=True)
    outside = EmployeeFactory(home_unit=clinic.h2, active=True)
    endpoint_at(NOWHERE, org_unit=clinic.h1)
    suspend(outside)
    suspend(inside)
    assert [one["employee"]["id"] for one in written(Topic.EMPLOYEE_STATUS)] == [inside.pk]
    here = AssignmentFactory(employee=outside, position=PositionFactory(org_unit=below))
    lent = AssignmentFactory(employee=inside, position=PositionFactory(org_unit=clinic.h2))
    apart = AssignmentFactory(employee=outside, position=PositionFactory(org_unit=clinic.h2))
    for assignment in (here, lent, apart):
        apply_transition(Assignment.objects.get(pk=assignment.pk), "reject", actor=None, reason="x")
    # As it is seen: an assignment belongs to both its ends.
    assert [one["assignment"]["id"] for one in written(Topic.ASSIGNMENT_STATUS)] == [here.pk, lent.pk]


def test_violations_of_every_kind_of_subject_keep_the_scope(clinic: Clinic, endpoint_at: Make) -> None:
    endpoint_at(NOWHERE, name="h1", org_unit=clinic.h1)
    endpoint_at(NOWHERE, name="all")
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=61, accepted=True)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=61, accepted=True)
    install_rules()
    drain()
    sweep(actor=None)

    def told(name: str) -> set[int]:
        rows = WebhookDelivery.objects.filter(endpoint__name=name, topic=Topic.VIOLATION_STATE)
        return set(rows.values_list("subject_id", flat=True))

    seen = RuleViolation.objects.visible_to(clinic.manager)
    assert told("all") == set(RuleViolation.objects.values_list("pk", flat=True))
    assert told("h1") == set(seen.values_list("pk", flat=True)) != told("all")


def test_many_transitions_in_one_statement_are_all_written_in_their_order(clinic: Clinic, endpoint_at: Make) -> None:
    people = [EmployeeFactory(home_unit=clinic.h1, active=True) for _number in range(30)]
    endpoint_at(NOWHERE, topics=[Topic.EMPLOYEE_STATUS])
    with CaptureQueriesContext(connection) as queries:
        apply_transitions(Employee, "suspend", [Order(one.pk, "x") for one in people], actor=None)
    assert len(queries) < 30
    logged = EmployeeTransitionLog.objects.filter(transition="suspend").order_by("pk")
    assert [one["employee"]["id"] for one in written(Topic.EMPLOYEE_STATUS)] == [log.subject_id for log in logged]


def test_raw_sql_past_every_service_is_told_too(clinic: Clinic, endpoint_at: Make) -> None:
    endpoint_at(NOWHERE)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO fsm_employeetransitionlog (subject_id, subject_code, from_status, to_status, transition,"
            " reason, metadata)"
            " SELECT id, employee_number, 'ACTIVE', 'SUSPENDED', 'suspend', '', '{}' FROM org_employee"
        )
    assert WebhookDelivery.objects.count() == Employee.objects.count() > 1


def test_taking_an_endpoint_away_takes_its_deliveries_and_nobody_elses(clinic: Clinic, endpoint_at: Make) -> None:
    gone, _secret = endpoint_at(NOWHERE)
    stays, _secret = endpoint_at(NOWHERE)
    suspend(clinic.nurse)
    pk = gone.pk
    remove_endpoint(endpoint=gone, actor=None)
    assert set(WebhookDelivery.objects.values_list("endpoint", flat=True)) == {stays.pk}
    assert stays.history.model.objects.filter(id=pk, history_type="-").count() == 1


def test_the_secret_is_in_no_history_and_not_readable_in_the_row(clinic: Clinic, endpoint_at: Make) -> None:
    endpoint, secret = endpoint_at(NOWHERE)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e::text || h::text FROM webhooks_webhookendpoint e, webhooks_historicalwebhookendpoint h"
        )
        text = "".join(row[0] for row in cursor.fetchall())
    assert secret not in text
    assert endpoint.sealed_secret not in "".join(str(vars(row)) for row in endpoint.history.all())


def test_dates_are_no_events(clinic: Clinic, endpoint_at: Make) -> None:
    endpoint_at(NOWHERE)
    Employee.objects.filter(pk=clinic.nurse.pk).update(hired_on=TODAY - timedelta(days=900))
    assert WebhookDelivery.objects.count() == 0
