"""HOURS_OVER_POOL: no week of the horizon with a balance below −threshold."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from apps.business_rules.models import BusinessRule
from apps.fsm.services import apply_transition
from tests.conftest import TODAY
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeFactory,
    EmployeeTagFactory,
    LeaveFactory,
    RuleOverrideFactory,
    TagFactory,
)

from .catalogue import at_the_gate, found

pytestmark = pytest.mark.django_db
CODE = "HOURS_OVER_POOL"


def test_a_balance_of_nothing_is_allowed(clinic: Clinic, rules: dict[str, BusinessRule]) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=36, accepted=True)
    assert found(CODE) == []


def test_a_hundredth_over_the_pool_is_told_with_the_week_and_both_figures(
    clinic: Clinic, rules: dict[str, BusinessRule]
) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=Decimal("36.01"), accepted=True)
    [finding] = found(CODE)
    assert (finding.subject_code, finding.severity) == ("E1", "WARNING")
    assert (finding.observed, finding.limit) == (Decimal("-0.01"), Decimal("0.00"))
    assert finding.facts["week"] == "2026-12-07"
    assert (finding.facts["pool"], finding.facts["assigned"]) == ("36.00", "36.01")
    assert finding.records == ("E1/P1/2026-01-01",)


def test_the_threshold_is_how_far_below_zero_it_may_go(clinic: Clinic, rules: dict[str, BusinessRule]) -> None:
    BusinessRule.objects.filter(code=CODE).update(threshold=4)
    assignment = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
    assert found(CODE) == []
    type(assignment).objects.filter(pk=assignment.pk).update(effective_hours=Decimal("40.01"))
    assert [finding.limit for finding in found(CODE)] == [Decimal("-4.00")]


@pytest.mark.parametrize(
    ("days", "broken"),
    [(-365, False), (-3, False), (0, True), (83, True), (88, True), (89, False)],
    ids=["long gone", "last week", "this week", "12th week", "last day of the horizon", "after the horizon"],
)
def test_the_current_week_and_the_12_to_come_are_looked_at(
    clinic: Clinic, rules: dict[str, BusinessRule], days: int, broken: bool
) -> None:
    day = TODAY + timedelta(days=days)
    AssignmentFactory(
        employee=clinic.nurse, position=clinic.p1, effective_hours=20, starts_on=day, ends_on=day, accepted=True
    )
    AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=36, accepted=True)
    assert bool(found(CODE)) is broken


def test_a_planned_leave_takes_hours_from_both_sides(clinic: Clinic, rules: dict[str, BusinessRule]) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
    LeaveFactory(employee=clinic.nurse, starts_on=TODAY - timedelta(days=2), ends_on=TODAY + timedelta(days=400))
    assert found(CODE) == []


def test_a_contract_that_ends_opens_it_in_the_week_of_the_end(clinic: Clinic, rules: dict[str, BusinessRule]) -> None:
    tag = TagFactory(contract=True, hours_delta=24)
    employee = EmployeeFactory(employee_number="E9", home_unit=clinic.h1)
    EmployeeTagFactory(employee=employee, tag=tag, valid_from=date(2020, 1, 6), valid_until=date(2026, 12, 20))
    apply_transition(employee, "activate", actor=None)
    AssignmentFactory(employee=employee, position=clinic.p1, effective_hours=24, accepted=True)
    [finding] = found(CODE)
    assert (finding.facts["week"], finding.observed) == ("2026-12-21", Decimal("-24.00"))


def test_a_proposal_counts_at_the_gate_alone(clinic: Clinic, rules: dict[str, BusinessRule]) -> None:
    proposal = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40)
    assert found(CODE) == []
    [finding] = at_the_gate(CODE, proposal)
    assert finding.observed == Decimal("-4.00")


def test_a_unit_may_have_another_threshold_another_severity_or_none(
    clinic: Clinic, rules: dict[str, BusinessRule]
) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=40, accepted=True)
    RuleOverrideFactory(rule=rules[CODE], org_unit=clinic.root, severity="INFO", threshold=3)
    mine = RuleOverrideFactory(rule=rules[CODE], org_unit=clinic.h1, threshold=4)
    assert [(finding.subject_code, finding.severity, finding.limit) for finding in found(CODE)] == [
        ("E2", "INFO", Decimal("-3.00"))
    ]
    mine.threshold, mine.severity = None, "OFF"
    mine.save()
    assert [finding.subject_code for finding in found(CODE)] == ["E2"]
