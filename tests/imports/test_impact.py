"""What a sheet does to coverage and rules, told before anything is kept."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from apps.business_rules.models import BusinessRule
from apps.changes.drain import drain
from apps.changes.models import Calendar
from apps.changes.span import Span
from apps.common.clock import today
from apps.demand.models import UnitCoverage
from tests.factories import AssignmentFactory, BusinessRuleFactory, EmployeeFactory, PositionFactory

from .support import bring, sheet

HEADER = "code,required_weekly_hours"


@pytest.fixture
def house(clinic: Any) -> Any:
    """A clinic whose figures are fresh, and one rule."""
    BusinessRule.objects.all().delete()
    BusinessRuleFactory(code="UNIT_UNDER_COVERED", subject_kind="unit", severity="WARNING", threshold=Decimal("90"))
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=Decimal("36"), accepted=True)
    Calendar.objects.update_or_create(pk=1, defaults={"first_week": Span.current().first_week, "day": today()})
    drain()
    return clinic


def test_a_raised_demand_shows_its_gap_and_the_violations_it_opens(house: Any) -> None:
    kept = list(UnitCoverage.objects.order_by("pk").values())
    before = house.p1.required_weekly_hours
    report = bring("positions", sheet(HEADER, f"P1,{before + 40}"), dry_run=True)
    coverage = report.impact["coverage"]
    assert coverage["changed"] == 1
    (unit,) = coverage["units"]
    deficit = unit["now"]["deficit_hours"]
    assert unit["code"] == house.p1.org_unit.code
    assert Decimal(deficit["after"]) - Decimal(deficit["before"]) == 40
    assert coverage["total"]["now"]["deficit_hours"] == deficit
    assert report.impact["rules"]["opened"].get("UNIT_UNDER_COVERED", 0) >= 1
    # Nothing of it stays.
    assert list(UnitCoverage.objects.order_by("pk").values()) == kept


def test_what_is_brought_in_says_the_same_as_what_was_shown(house: Any) -> None:
    content = sheet(HEADER, f"P1,{house.p1.required_weekly_hours + 8}")
    shown = bring("positions", content, dry_run=True)
    done = bring("positions", content)
    assert done.impact == shown.impact


def test_a_sheet_that_changes_nothing_has_no_impact(house: Any) -> None:
    report = bring("positions", sheet(HEADER, f"P1,{house.p1.required_weekly_hours}"), dry_run=True)
    assert report.impact["coverage"] is None


def test_units_out_of_sight_are_summed_and_not_named(house: Any) -> None:
    elsewhere = PositionFactory(code="FAR", org_unit=house.h2)
    visitor = EmployeeFactory(employee_number="V1", home_unit=house.h1)
    AssignmentFactory(employee=visitor, position=elsewhere, effective_hours=Decimal("10"), accepted=True)
    drain()
    leave = sheet("employee_number,starts_on,kind,ends_on", f"V1,{today().isoformat()},SICK,")
    seen = bring("leaves", leave, actor=house.manager, dry_run=True).impact["coverage"]
    assert house.h2.code not in {unit["code"] for unit in seen["units"]}
    everything = bring("leaves", leave, dry_run=True).impact["coverage"]
    assert seen["total"] == everything["total"] and seen["changed"] == everything["changed"]
