"""Proposing and changing an assignment: the rules judge it as if it were accepted."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from apps.assignments.models import Assignment
from apps.assignments.services import change_assignment, close_ended, expire_proposals, propose_assignment
from apps.common.errors import ConfirmationNeeded, Refusal
from apps.fsm.services import apply_transition
from tests.factories import AssignmentFactory, BusinessRuleFactory, Clinic

pytestmark = pytest.mark.django_db
TODAY = date(2026, 12, 9)


@pytest.fixture(autouse=True)
def the_rules(clinic: Clinic) -> None:
    BusinessRuleFactory(code="MAX_WEEKLY_HOURS", severity="BLOCKING", threshold=60)
    BusinessRuleFactory(code="HOURS_OVER_POOL", severity="WARNING", threshold=0)


def propose(clinic: Clinic, hours: str, **more: object) -> Assignment:
    given = {"employee": clinic.nurse, "position": clinic.p1, "starts_on": TODAY, "actor": clinic.supervisor, **more}
    return propose_assignment(hours=Decimal(hours), **given)  # type: ignore[arg-type]


def test_a_supervisor_proposes_in_the_own_unit(clinic: Clinic) -> None:
    assignment = propose(clinic, "36")
    assert (assignment.status, assignment.created_by) == ("PROPOSED", clinic.supervisor)


def test_nobody_proposes_outside_the_own_unit(clinic: Clinic) -> None:
    with pytest.raises(Refusal):
        propose(clinic, "5", position=clinic.p2)
    with pytest.raises(Refusal):
        propose(clinic, "5", employee=clinic.surgeon)
    assert not Assignment.objects.exists()


def test_what_would_pass_the_cap_is_refused_before_it_is_accepted(clinic: Clinic) -> None:
    with pytest.raises(Refusal) as refused:
        propose(clinic, "60.01", confirmed=True)
    assert [reason.code for reason in refused.value.reasons] == ["MAX_WEEKLY_HOURS"]
    assert not Assignment.objects.exists()


def test_a_warning_waits_for_confirmation_and_is_kept_with_the_name(clinic: Clinic) -> None:
    with pytest.raises(ConfirmationNeeded) as needed:
        propose(clinic, "40")
    assert [reason.code for reason in needed.value.reasons] == ["HOURS_OVER_POOL"]
    assignment = propose(clinic, "40", confirmed=True)
    log = assignment.transition_logs.get()
    assert (log.transition, log.actor) == ("propose", clinic.supervisor)
    assert log.metadata["rules"]["confirmed"][0]["rule"] == "HOURS_OVER_POOL"


def test_a_change_is_judged_for_what_it_adds(clinic: Clinic) -> None:
    assignment = propose(clinic, "40", confirmed=True)
    assignment.effective_hours = Decimal("39")
    change_assignment(assignment=assignment, actor=clinic.manager)
    assignment.effective_hours = Decimal("41")
    with pytest.raises(ConfirmationNeeded):
        change_assignment(assignment=assignment, actor=clinic.manager)


def test_a_closed_assignment_is_not_changed(clinic: Clinic) -> None:
    assignment = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, accepted=True, effective_hours=10)
    apply_transition(assignment, "close", actor=clinic.manager, reason="over", ends_on=TODAY)
    assignment.refresh_from_db()
    assignment.effective_hours = Decimal("5")
    with pytest.raises(Refusal):
        change_assignment(assignment=assignment, actor=clinic.manager)


def test_a_second_live_row_for_the_same_place_is_refused_in_words(clinic: Clinic) -> None:
    propose(clinic, "10")
    with pytest.raises(Refusal):
        propose(clinic, "10")
    propose(clinic, "10", is_reinforcement=True)


def test_the_daily_jobs_close_what_is_over_once(clinic: Clinic) -> None:
    stale = propose(clinic, "5", expires_on=TODAY - timedelta(days=1))
    standing = propose(clinic, "5", expires_on=TODAY, is_reinforcement=True)
    ended = AssignmentFactory(
        employee=clinic.surgeon, position=clinic.p2, accepted=True, effective_hours=5, ends_on=TODAY - timedelta(days=1)
    )
    assert (expire_proposals(actor=None), close_ended(actor=None)) == (1, 1)
    assert (expire_proposals(actor=None), close_ended(actor=None)) == (0, 0)
    states = dict(Assignment.objects.values_list("pk", "status"))
    assert states == {stale.pk: "CLOSED", standing.pk: "PROPOSED", ended.pk: "CLOSED"}
    assert stale.transition_logs.get().actor is None
