"""Status moves by `transition` alone, in one go with the row."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from apps.assignments.models import Assignment
from apps.business_rules.models import BusinessRule
from apps.org.models import Employee
from tests.factories import (
    AssignmentFactory,
    BusinessRuleFactory,
    EmployeeFactory,
    EmployeeTagFactory,
    LeaveFactory,
    TagFactory,
)

from .support import bring, codes, counts, history_rows, sheet

ASSIGN = "employee_number,position_code,starts_on,effective_hours,ends_on,transition,reason"


def give_contract(*employees: Employee) -> None:
    tag = TagFactory(contract=True)
    for employee in employees:
        EmployeeTagFactory(employee=employee, tag=tag)


def test_a_row_creates_and_accepts_in_one_go(clinic: Any) -> None:
    report = bring("assignments", sheet(ASSIGN, "E1,P1,2026-12-14,24,,accept,"))
    assert counts(report) == (1, 0, 0, 0), report.errors
    assignment = Assignment.objects.get()
    assert assignment.status == "ACTIVE"
    log = assignment.transition_logs.get()
    assert (log.transition, log.actor) == ("accept", None)
    again = bring("assignments", sheet(ASSIGN, "E1,P1,2026-12-14,24,,accept,"))
    assert counts(again) == (0, 0, 1, 0)


def test_the_log_names_actor_and_reason(clinic: Any) -> None:
    give_contract(clinic.newcomer)
    content = sheet("employee_number,transition,reason", "E3,activate,firmó")
    report = bring("employees", content, actor=clinic.manager)
    assert counts(report) == (0, 1, 0, 0), report.errors
    log = clinic.newcomer.transition_logs.get()
    assert (log.actor, log.reason, log.to_status) == (clinic.manager, "firmó", "ACTIVE")
    history = Employee.history.filter(id=clinic.newcomer.pk).first()
    assert (history.history_user, history.history_change_reason, history.origin) == (clinic.manager, "firmó", "import")


def test_an_employee_without_contract_is_refused_as_a_whole(clinic: Any) -> None:
    before = history_rows()
    report = bring("employees", sheet("employee_number,given_name,transition", "E3,Evita,activate", "E1,Lucía Inés,"))
    assert counts(report) == (0, 0, 0, 1)
    assert codes(report) == {"no_contract"}
    assert report.errors[0]["line"] == 2
    clinic.newcomer.refresh_from_db()
    clinic.nurse.refresh_from_db()
    assert (clinic.newcomer.given_name, clinic.newcomer.status, clinic.nurse.given_name) == (
        "Eva", "ONBOARDING", "Lucía",
    )  # fmt: skip
    assert history_rows() == before


def test_good_rows_go_on_without_the_refused(clinic: Any) -> None:
    content = sheet("employee_number,given_name,transition", "E3,Evita,activate", "E1,Lucía Inés,")
    report = bring("employees", content, mode="good-rows")
    assert counts(report) == (0, 1, 0, 1)
    clinic.nurse.refresh_from_db()
    clinic.newcomer.refresh_from_db()
    assert (clinic.nurse.given_name, clinic.newcomer.given_name) == ("Lucía Inés", "Eva")


def test_terminate_takes_its_last_day_from_the_row(clinic: Any) -> None:
    running = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, accepted=True)
    header = "employee_number,last_day,transition,reason"
    assert codes(bring("employees", sheet(header, "E1,,terminate,fin"))) == {"needed"}
    assert codes(bring("employees", sheet(header, "E1,2026-12-08,terminate,"))) == {"needed"}
    assert codes(bring("employees", sheet(header, "E1,2026-12-20,terminate,fin"))) == {"last_day_future"}
    report = bring("employees", sheet(header, "E1,2026-12-08,terminate,fin"))
    assert counts(report) == (0, 1, 0, 0), report.errors
    clinic.nurse.refresh_from_db()
    running.refresh_from_db()
    assert (clinic.nurse.status, clinic.nurse.last_day) == ("TERMINATED", date(2026, 12, 8))
    assert (running.status, running.ends_on) == ("CLOSED", date(2026, 12, 8))
    assert counts(bring("employees", sheet(header, "E1,2026-12-08,terminate,fin"))) == (0, 0, 1, 0)


def test_last_day_changes_with_its_transitions_alone(clinic: Any) -> None:
    report = bring("employees", sheet("employee_number,last_day", "E1,2026-12-31"))
    assert codes(report) == {"only_with_transition"}
    assert bring("employees", sheet("employee_number,last_day,transition", "E1,2026-12-31,give_notice")).ok
    clinic.nurse.refresh_from_db()
    assert (clinic.nurse.status, clinic.nurse.last_day) == ("NOTICE", date(2026, 12, 31))
    assert counts(bring("employees", sheet("employee_number,last_day", "E1,2026-12-31"))) == (0, 0, 1, 0)
    assert bring("employees", sheet("employee_number,last_day,transition", "E1,2026-12-31,retract_notice")).ok
    clinic.nurse.refresh_from_db()
    assert (clinic.nurse.status, clinic.nurse.last_day) == ("ACTIVE", None)


def test_rehire_takes_its_day_of_hiring_from_the_row(clinic: Any) -> None:
    bring("employees", sheet("employee_number,last_day,transition,reason", "E1,2026-12-01,terminate,fin"))
    report = bring("employees", sheet("employee_number,hired_on,transition,reason", "E1,2026-12-07,rehire,vuelve"))
    assert report.ok, report.errors
    clinic.nurse.refresh_from_db()
    assert (clinic.nurse.status, clinic.nurse.hired_on, clinic.nurse.last_day) == (
        "ONBOARDING", date(2026, 12, 7), None,
    )  # fmt: skip


def test_a_planned_leave_may_be_started_by_a_sheet(clinic: Any) -> None:
    LeaveFactory(employee=clinic.nurse, starts_on=date(2026, 12, 9), ends_on=date(2026, 12, 15))
    report = bring("employees", sheet("employee_number,transition", "E1,start_leave", "E2,start_leave"))
    assert codes(report) == {"needed"}
    assert {error["line"] for error in report.errors} == {3}
    assert bring("employees", sheet("employee_number,transition", "E1,start_leave")).ok
    clinic.nurse.refresh_from_db()
    assert clinic.nurse.status == "ON_LEAVE"


def test_close_takes_its_last_day_from_the_row(clinic: Any) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, accepted=True)
    report = bring("assignments", sheet(ASSIGN, "E1,P1,2026-01-01,36,2026-12-05,close,reordenamiento"))
    assert counts(report) == (0, 1, 0, 0), report.errors
    closed = Assignment.objects.get()
    assert (closed.status, closed.ends_on) == ("CLOSED", date(2026, 12, 5))
    assert counts(bring("assignments", sheet(ASSIGN, "E1,P1,2026-01-01,36,2026-12-05,close,x"))) == (0, 0, 1, 0)
    assert codes(bring("assignments", sheet(ASSIGN, "E1,P1,2026-01-01,30,2026-12-05,,"))) == {"closed"}


def test_a_rejected_proposal_is_not_proposed_again_by_the_same_sheet(clinic: Any) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1)
    content = sheet(ASSIGN, "E1,P1,2026-01-01,36,,reject,no alcanza")
    assert counts(bring("assignments", content)) == (0, 1, 0, 0)
    assert counts(bring("assignments", content)) == (0, 0, 1, 0)
    assert Assignment.objects.get().status == "CLOSED"
    anew = bring("assignments", sheet(ASSIGN, "E1,P1,2026-01-01,36,,,"))
    assert counts(anew) == (1, 0, 0, 0)


def test_an_ending_makes_room_for_a_beginning_in_the_same_sheet(clinic: Any) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, accepted=True)
    content = sheet(ASSIGN, "E1,P1,2026-12-09,36,,accept,", "E1,P1,2026-01-01,36,2026-12-08,close,cambio")
    assert counts(bring("assignments", content)) == (1, 1, 0, 0)
    assert set(Assignment.objects.values_list("starts_on", "status")) == {
        (date(2026, 1, 1), "CLOSED"),
        (date(2026, 12, 9), "ACTIVE"),
    }


@pytest.mark.parametrize(
    ("transition", "code"), [("fly", "unknown_choice"), ("void", "unknown_choice"), ("close", "wrong_state")]
)
def test_unknown_system_and_impossible_transitions_are_refused(transition: str, code: str, clinic: Any) -> None:
    report = bring("assignments", sheet(ASSIGN, f"E1,P1,2026-12-14,24,2026-12-31,{transition},x"))
    assert codes(report) == {code}
    assert not Assignment.objects.exists()


@pytest.mark.parametrize("title", ["status", "Estado", "voided", "id", "created_by", "version", "updated_at"])
def test_what_is_no_column_is_named_and_refused(title: str, clinic: Any) -> None:
    report = bring("assignments", sheet(f"{ASSIGN},{title}", "E1,P1,2026-12-14,24,,,,ACTIVE"))
    assert codes(report) == {"unknown_column"}
    assert title in report.errors[0]["message"]
    assert not Assignment.objects.exists()


class TestTheGate:
    @pytest.fixture(autouse=True)
    def rules(self, clinic: Any) -> None:
        BusinessRule.objects.all().delete()
        BusinessRuleFactory(code="MAX_WEEKLY_HOURS", subject_kind="employee", threshold=Decimal("60"))

    def test_a_sheet_is_judged_by_its_end_state(self, clinic: Any) -> None:
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=Decimal("40"), accepted=True)
        content = sheet(ASSIGN, "E1,P2,2026-12-14,40,,accept,", "E1,P1,2026-01-01,20,,,")
        report = bring("assignments", content)
        assert counts(report) == (1, 1, 0, 0), report.errors

    def test_a_row_over_the_cap_is_refused_with_the_rule(self, clinic: Any) -> None:
        content = sheet(ASSIGN, "E1,P1,2026-12-14,61,,accept,", "E2,P2,2026-12-14,30,,accept,")
        report = bring("assignments", content)
        assert counts(report) == (0, 0, 0, 1)
        assert [(error["line"], error["code"]) for error in report.errors] == [(2, "MAX_WEEKLY_HOURS")]
        assert not Assignment.objects.exists()

    def test_good_rows_are_judged_one_after_the_other(self, clinic: Any) -> None:
        p3 = clinic.p2
        content = sheet(
            ASSIGN, "E1,P1,2026-12-14,40,,accept,", f"E1,{p3.code},2026-12-14,40,,accept,",
            "E2,P2,2026-12-14,30,,accept,",
        )  # fmt: skip
        report = bring("assignments", content, mode="good-rows")
        assert counts(report) == (2, 0, 0, 1)
        assert [(error["line"], error["code"]) for error in report.errors] == [(3, "MAX_WEEKLY_HOURS")]

    def test_good_rows_put_endings_before_beginnings(self, clinic: Any) -> None:
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=Decimal("40"), accepted=True)
        content = sheet(ASSIGN, "E1,P2,2026-12-14,40,,accept,", "E1,P1,2026-01-01,40,2026-12-01,close,fin")
        report = bring("assignments", content, mode="good-rows")
        assert counts(report) == (1, 1, 0, 0), report.errors

    def test_warnings_count_as_confirmed_and_are_listed(self, clinic: Any) -> None:
        BusinessRuleFactory(code="HOURS_OVER_POOL", subject_kind="employee", severity="WARNING", threshold=Decimal("0"))
        report = bring("assignments", sheet(ASSIGN, "E1,P1,2026-12-14,50,,accept,"))
        assert counts(report) == (1, 0, 0, 0), report.errors
        assert [warning["rule"] for warning in report.warnings] == ["HOURS_OVER_POOL"]
        assert report.impact["rules"]["confirmed"] == {"HOURS_OVER_POOL": 1}


def test_what_a_manager_may_not_reach_is_refused_by_the_door(clinic: Any) -> None:
    far = EmployeeFactory(employee_number="E7", home_unit=clinic.h2)
    give_contract(far)
    report = bring("employees", sheet("employee_number,transition", "E7,activate"), actor=clinic.manager)
    assert codes(report) == {"out_of_scope"}
    far.refresh_from_db()
    assert far.status == "ONBOARDING"
