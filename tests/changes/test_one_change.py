"""What one change of one employee costs until all figures and violations follow, in journeys to the database."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.assignments.models import Assignment
from apps.business_rules.models import RuleViolation
from apps.changes.drain import drain
from apps.changes.marks import mark
from apps.changes.models import Kind
from apps.changes.proof import compare
from apps.demand.models import PositionCoverage, WholeCoverage
from apps.offer.models import LedgerWeek, WholeUsage
from tests.factories import AssignmentFactory, BusinessRuleFactory, OrgUnitFactory, PositionFactory

pytestmark = pytest.mark.django_db(transaction=True)

# Before the first mark, claim, begin, take; accounts; positions, units and homes, each with a look at whom it reaches,
# and the wholes of the latter two; the catalogue with whom the rules reach, what they say; end, commit; claim, ended.
JOURNEYS = 19


@pytest.fixture
def assignment() -> Any:
    for code, kind, threshold in (
        ("MAX_WEEKLY_HOURS", "employee", 60),
        ("HOURS_OVER_POOL", "employee", 0),
        ("POSITION_OVER_COVERED", "position", 100),
        ("UNIT_UNDER_COVERED", "unit", 90),
        ("MISSING_REQUIRED_TAG", "assignment", None),
    ):
        BusinessRuleFactory(code=code, subject_kind=kind, threshold=threshold and Decimal(threshold))
    return AssignmentFactory(accepted=True, effective_hours=Decimal(20))


def cost(assignment: Any, hours: int) -> list[str]:
    Assignment.objects.filter(pk=assignment.pk).update(effective_hours=hours)
    with CaptureQueriesContext(connection) as captured:
        drain(patient=False)
    return [query["sql"] for query in captured]


def test_one_change_is_worked_off_in_so_many_journeys_whatever_there_is(assignment: Any) -> None:
    drain()
    cost(assignment, 21)  # statements prepared once a connection
    few = cost(assignment, 22)
    unit = assignment.position.org_unit
    for _number in range(3):
        unit = OrgUnitFactory(parent=unit)
        for position in (PositionFactory(org_unit=unit), PositionFactory(org_unit=assignment.position.org_unit)):
            AssignmentFactory(position=position, accepted=True)
    drain()
    many = cost(assignment, 61)
    assert (len(few), len(many)) == (JOURNEYS, JOURNEYS), "\n".join(sql[:150] for sql in many)
    # And it is all there.
    assert LedgerWeek.objects.get(pk=assignment.employee_id).assigned[1] == 42_700
    assert PositionCoverage.objects.get(pk=assignment.position_id).assigned[1] == 42_700
    root = WholeCoverage.objects.get(org_unit=assignment.position.org_unit.path[0])
    assert root.assigned[1] >= 42_700
    assert WholeUsage.objects.get(org_unit=assignment.employee.home_unit.path[0]).over[1] >= 1
    broken = RuleViolation.objects.unresolved().filter(subject_id=assignment.employee_id, subject_kind="employee")
    assert set(broken.values_list("rule__code", flat=True)) == {"MAX_WEEKLY_HOURS", "HOURS_OVER_POOL"}
    assert compare().drift == []


def test_a_change_of_which_nothing_follows_looks_at_no_unit(assignment: Any) -> None:
    drain()
    cost(assignment, 21)
    mark(Kind.EMPLOYEE, [assignment.employee_id])
    with CaptureQueriesContext(connection) as captured:
        drain(patient=False)
    # Which units and homes are reached, their own and the wholes: twice three.
    assert len(captured) == JOURNEYS - 6


def test_nothing_to_do_is_known_in_three_journeys(assignment: Any) -> None:
    drain()
    with CaptureQueriesContext(connection) as captured:
        drain()
    assert len(captured) == 3
