"""What the sweep sees from kept figures alone: whom they must not hide."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from apps.assignments import rules as assignment_rules
from apps.business_rules.models import BusinessRule
from apps.business_rules.questions import Question
from apps.business_rules.services.evaluation import ask
from apps.business_rules.sql import settings_in_effect
from apps.changes.drain import drain
from apps.changes.due import due_subjects
from apps.changes.models import Calendar
from apps.demand.models import PositionCoverage
from apps.offer.models import LedgerWeek
from apps.org.models import Employee, OrgUnit
from tests.conftest import TODAY
from tests.factories import AssignmentFactory, Clinic, EmployeeTagFactory, LeaveFactory, PositionTagFactory, TagFactory

from .catalogue import found, install_rules

pytestmark = pytest.mark.django_db
YESTERDAY = TODAY - timedelta(days=1)


def from_kept(code: str) -> list[Any]:
    """Return what a rule finds that came when everything was there, once the workers have nothing left to do."""
    if not BusinessRule.objects.exists():
        install_rules()
    drain()
    due = due_subjects()
    assert not any(due.values())
    return ask(settings_in_effect(TODAY, [code]), Question(TODAY, due=due))


# The cap


def give(clinic: Clinic, hours: str, **more: Any) -> Any:
    return AssignmentFactory(
        employee=clinic.nurse, position=clinic.p1, effective_hours=Decimal(hours), accepted=True, **more
    )


HEAVY: dict[str, Callable[[Clinic], Any]] = {
    "today": lambda clinic: give(clinic, "60.01"),
    "beyond the horizon": lambda clinic: give(clinic, "60.01", starts_on=TODAY + timedelta(days=200)),
    "away for good": lambda clinic: (give(clinic, "60.01"), LeaveFactory(employee=clinic.nurse, starts_on=YESTERDAY)),
    "above the cap of a unit": lambda clinic: (
        give(clinic, "40.01"),
        OrgUnit.objects.filter(pk=clinic.nurse.home_unit_id).update(max_weekly_hours=40),
    ),
}


@pytest.mark.parametrize("case", HEAVY)
def test_who_is_above_the_cap_is_found(clinic: Clinic, case: str) -> None:
    HEAVY[case](clinic)
    [finding] = from_kept("MAX_WEEKLY_HOURS")
    assert (finding.subject_id, finding.facts) == (clinic.nurse.pk, found("MAX_WEEKLY_HOURS")[0].facts)


def test_one_after_the_other_is_no_overload(clinic: Clinic) -> None:
    """The sum of all is only a reason to look."""
    give(clinic, "40", ends_on=TODAY)
    give(clinic, "40", starts_on=TODAY + timedelta(days=1))
    assert from_kept("MAX_WEEKLY_HOURS") == []
    assert LedgerWeek.objects.get(employee=clinic.nurse).engaged == 80 * 700


def test_a_sum_that_was_not_kept_would_hide_an_overload(clinic: Clinic) -> None:
    """The canary: it is the kept sum that is read."""
    give(clinic, "60.01")
    drain()
    LedgerWeek.objects.update(engaged=0)
    assert from_kept("MAX_WEEKLY_HOURS") == []


def test_the_kept_sum_follows_every_change(clinic: Clinic) -> None:
    def engaged() -> int:
        drain()
        return LedgerWeek.objects.get(employee=clinic.nurse).engaged

    assert engaged() == 0
    assignment = give(clinic, "10.5")
    AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=30)
    assert engaged() == 7350
    type(assignment).objects.filter(pk=assignment.pk).update(effective_hours=12)
    assert engaged() == 8400
    type(assignment).objects.filter(pk=assignment.pk).update(status="CLOSED", ends_on=YESTERDAY)
    assert engaged() == 0


# What a position asks for


def works(clinic: Clinic, **more: Any) -> Any:
    return AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=10, **more)


UNQUALIFIED: dict[str, Callable[[Clinic], Any]] = {
    "there": lambda clinic: works(clinic, accepted=True),
    "there for a hundredth of an hour": lambda clinic: AssignmentFactory(
        employee=clinic.nurse, position=clinic.p1, effective_hours=Decimal("0.01"), accepted=True
    ),
    "there for the last day": lambda clinic: works(clinic, accepted=True, ends_on=TODAY),
    "proposed": works,
    "yet to begin": lambda clinic: works(clinic, accepted=True, starts_on=TODAY + timedelta(days=1)),
    "to begin in a year": lambda clinic: works(clinic, accepted=True, starts_on=TODAY + timedelta(days=365)),
    "away": lambda clinic: (works(clinic, accepted=True), LeaveFactory(employee=clinic.nurse, starts_on=YESTERDAY)),
    "away today": lambda clinic: (
        works(clinic, accepted=True), LeaveFactory(employee=clinic.nurse, starts_on=TODAY, ends_on=TODAY),
    ),
    "on leave": lambda clinic: (
        works(clinic, accepted=True), LeaveFactory(employee=clinic.nurse, starts_on=date(2026, 12, 1)),
        Employee.objects.filter(pk=clinic.nurse.pk).update(status="ON_LEAVE"),
    ),
    "suspended": lambda clinic: (
        works(clinic, accepted=True), Employee.objects.filter(pk=clinic.nurse.pk).update(status="SUSPENDED"),
    ),
    "past the last day": lambda clinic: (
        works(clinic, accepted=True),
        Employee.objects.filter(pk=clinic.nurse.pk).update(status="NOTICE", last_day=YESTERDAY),
    ),
}  # fmt: skip


@pytest.fixture
def licence(clinic: Clinic) -> Any:
    licence = TagFactory(code="ICU", name="Intensive care")
    PositionTagFactory(position=clinic.p1, tag=licence)
    return licence


@pytest.mark.parametrize("case", UNQUALIFIED)
def test_who_lacks_a_required_tag_is_found_wherever_they_are(clinic: Clinic, licence: Any, case: str) -> None:
    UNQUALIFIED[case](clinic)
    [finding] = from_kept("MISSING_REQUIRED_TAG")
    assert finding.records == ("ICU",)
    EmployeeTagFactory(employee=clinic.nurse, tag=licence, valid_from=date(2020, 1, 1))
    assert from_kept("MISSING_REQUIRED_TAG") == []


def test_unqualified_hours_that_were_not_kept_would_hide_who_gives_them(clinic: Clinic, licence: Any) -> None:
    """The canary: it is the kept figure that is read."""
    works(clinic, accepted=True)
    drain()
    PositionCoverage.objects.update(unqualified=[0] * 13)
    assert from_kept("MISSING_REQUIRED_TAG") == []


def test_a_position_closed_already_does_not_hide_who_goes_on_there(clinic: Clinic, licence: Any) -> None:
    works(clinic, accepted=True)
    type(clinic.p1).objects.filter(pk=clinic.p1.pk).update(closes_on=YESTERDAY)
    assert len(from_kept("MISSING_REQUIRED_TAG")) == 1


# Before a week that is over is closed


@pytest.mark.parametrize("code", ["MAX_WEEKLY_HOURS", "HOURS_OVER_POOL", "MISSING_REQUIRED_TAG", "UNIT_UNDER_COVERED"])
def test_kept_figures_of_another_week_hide_nobody(clinic: Clinic, licence: Any, code: str) -> None:
    give(clinic, "60.01")
    here = from_kept(code)
    assert here
    LedgerWeek.objects.update(engaged=0, pool=[], assigned=[])
    PositionCoverage.objects.update(unqualified=[0] * 13)
    Calendar.objects.update(first_week=TODAY - timedelta(days=9))
    assert ask(settings_in_effect(TODAY, [code]), Question(TODAY, due={})) == here


# One regular assignment at a time


def test_what_the_database_lets_nobody_write_is_looked_for_only_without_its_constraint(clinic: Clinic) -> None:
    assert assignment_rules._kept_out()
    give(clinic, "10")
    assert from_kept("DUPLICATE_ASSIGNMENT") == []
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE assignments_assignment DROP CONSTRAINT assignments_one_live_regular")
    assert not assignment_rules._kept_out()
    BusinessRule.objects.update(enabled=False)
    give(clinic, "12")
    BusinessRule.objects.update(enabled=True)
    assert len(from_kept("DUPLICATE_ASSIGNMENT")) == 2
