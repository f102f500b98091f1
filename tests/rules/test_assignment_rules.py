"""The rules about one assignment: availability, duplicates, required tags, dates of the position."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import translation

from apps.assignments.models import Assignment
from apps.business_rules.models import BusinessRule
from apps.fsm.services import apply_transition
from apps.org.models import Position
from tests.conftest import TODAY
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeTagFactory,
    PositionFactory,
    PositionTagFactory,
    RuleOverrideFactory,
    TagFactory,
)

from .catalogue import at_the_gate, found

pytestmark = pytest.mark.django_db
Rules = dict[str, BusinessRule]
TOMORROW, YESTERDAY = TODAY + timedelta(days=1), TODAY - timedelta(days=1)


class TestEmployeeNotAvailable:
    CODE = "EMPLOYEE_NOT_AVAILABLE"

    @pytest.fixture
    def assignment(self, clinic: Clinic, rules: Rules) -> Assignment:
        return AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=10, accepted=True)

    def test_whoever_is_here_or_on_leave_is_available(self, clinic: Clinic, assignment: Assignment) -> None:
        assert found(self.CODE) == []
        apply_transition(clinic.nurse, "start_leave", actor=None, kind="SICK")
        assert found(self.CODE) == []

    def test_whoever_is_still_onboarding_is_allowed(self, clinic: Clinic, rules: Rules) -> None:
        AssignmentFactory(employee=clinic.newcomer, position=clinic.p1, effective_hours=10)
        assert found(self.CODE) == []

    def test_a_suspended_one_is_not_and_the_sentence_says_so(self, clinic: Clinic, assignment: Assignment) -> None:
        apply_transition(clinic.nurse, "suspend", actor=None, reason="inquiry")
        [finding] = found(self.CODE)
        assert (finding.subject_code, finding.records) == ("E1/P1/2026-01-01", ("E1",))
        with translation.override("en"):
            assert finding.message == "E1/P1/2026-01-01: its employee is “Suspended”."
            assert finding.remedy == "It is possible once the employee is reinstated."

    @pytest.mark.parametrize(
        ("ends_on", "broken"), [(TOMORROW, False), (TOMORROW + timedelta(days=1), True), (None, True)]
    )
    def test_notice_forbids_days_after_the_last_one(
        self, clinic: Clinic, assignment: Assignment, ends_on: date | None, broken: bool
    ) -> None:
        apply_transition(clinic.nurse, "give_notice", actor=None, last_day=TOMORROW)
        Assignment.objects.filter(pk=assignment.pk).update(ends_on=ends_on)
        findings = found(self.CODE)
        assert bool(findings) is broken
        if broken:
            with translation.override("en"):
                assert findings[0].message.endswith("goes on after the last day of its employee, 10 Dec 2026.")

    def test_what_is_over_or_closed_is_nobodys_business(self, clinic: Clinic, assignment: Assignment) -> None:
        apply_transition(clinic.nurse, "suspend", actor=None, reason="inquiry")
        Assignment.objects.filter(pk=assignment.pk).update(ends_on=YESTERDAY)
        assert found(self.CODE) == []
        Assignment.objects.filter(pk=assignment.pk).update(ends_on=None)
        apply_transition(clinic.nurse, "terminate", actor=None, reason="end", last_day=TODAY)
        assert found(self.CODE) == []

    def test_the_unit_of_the_position_decides_about_overrides(
        self, clinic: Clinic, rules: Rules, assignment: Assignment
    ) -> None:
        apply_transition(clinic.nurse, "suspend", actor=None, reason="inquiry")
        other = RuleOverrideFactory(rule=rules[self.CODE], org_unit=clinic.h2, severity="OFF")
        assert len(found(self.CODE)) == 1
        other.delete()
        RuleOverrideFactory(rule=rules[self.CODE], org_unit=clinic.h1, severity="OFF")
        assert found(self.CODE) == []


@pytest.fixture
def without_the_constraint(db: Any) -> Iterator[None]:
    """Stored rows cannot break the rule while the database holds it; the test's transaction brings it back."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE assignments_assignment DROP CONSTRAINT assignments_one_live_regular")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.usefixtures("without_the_constraint")
class TestDuplicateAssignment:
    CODE = "DUPLICATE_ASSIGNMENT"

    def first(self, clinic: Clinic, **fields: Any) -> Assignment:
        return AssignmentFactory(
            employee=clinic.nurse, position=clinic.p1, effective_hours=10, ends_on=date(2026, 12, 31), **fields
        )

    def test_two_on_the_same_days_are_told_of_both(self, clinic: Clinic, rules: Rules) -> None:
        self.first(clinic)
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=5, starts_on=date(2026, 12, 31))
        findings = found(self.CODE)
        assert [(f.subject_code, f.observed, f.limit) for f in findings] == [
            ("E1/P1/2026-01-01", Decimal(2), Decimal(1)),
            ("E1/P1/2026-12-31", Decimal(2), Decimal(1)),
        ]
        assert findings[0].records == ("E1/P1/2026-12-31",)

    def test_one_after_the_other_is_fine(self, clinic: Clinic, rules: Rules) -> None:
        self.first(clinic)
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=5, starts_on=date(2027, 1, 1))
        assert found(self.CODE) == []

    def test_reinforcement_another_position_another_person_and_closed_ones_do_not_count(
        self, clinic: Clinic, rules: Rules
    ) -> None:
        self.first(clinic)
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=5, is_reinforcement=True)
        AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=5)
        AssignmentFactory(employee=clinic.surgeon, position=clinic.p1, effective_hours=5)
        rejected = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=5)
        apply_transition(rejected, "reject", actor=None, reason="no")
        assert found(self.CODE) == []

    def test_what_is_past_its_end_does_not_count(self, clinic: Clinic, rules: Rules) -> None:
        past = self.first(clinic, accepted=True)
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=5)
        assert len(found(self.CODE)) == 2
        Assignment.objects.filter(pk=past.pk).update(ends_on=YESTERDAY)
        assert found(self.CODE) == []


class TestMissingRequiredTag:
    CODE = "MISSING_REQUIRED_TAG"

    @pytest.fixture
    def tag(self, clinic: Clinic, rules: Rules) -> Any:
        tag = TagFactory(code="ICU", name="Intensive care")
        PositionTagFactory(position=clinic.p1, tag=tag)
        return tag

    def test_nothing_required_nothing_missing(self, clinic: Clinic, rules: Rules) -> None:
        PositionTagFactory(position=clinic.p1, tag=TagFactory(), level="PREFERRED")
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=10)
        assert found(self.CODE) == []

    def test_each_missing_tag_is_named(self, clinic: Clinic, tag: Any) -> None:
        PositionTagFactory(position=clinic.p1, tag=TagFactory(code="BLS", name="Life support"))
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=10)
        [finding] = found(self.CODE)
        assert (finding.observed, finding.limit, finding.records) == (Decimal(2), Decimal(0), ("BLS", "ICU"))
        with translation.override("en"):
            assert "Life support (BLS), Intensive care (ICU)" in finding.message

    @pytest.mark.parametrize(
        ("valid_from", "valid_until", "broken"),
        [
            (date(2020, 1, 1), None, False),
            (date(2020, 1, 1), TODAY, False),
            (TODAY, TODAY, False),
            (date(2020, 1, 1), YESTERDAY, True),
            (TOMORROW, None, True),
        ],
    )
    def test_of_a_running_assignment_today_decides(
        self, clinic: Clinic, tag: Any, valid_from: date, valid_until: date | None, broken: bool
    ) -> None:
        assignment = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=10)
        EmployeeTagFactory(employee=clinic.nurse, tag=tag, valid_from=valid_from, valid_until=valid_until)
        assert bool(found(self.CODE)) is broken
        assert bool(at_the_gate(self.CODE, assignment)) is broken

    @pytest.mark.parametrize(
        ("valid_from", "valid_until", "sweep", "gate"),
        [
            (date(2020, 1, 1), None, False, False),
            (date(2027, 3, 1), None, False, False),
            (date(2020, 1, 1), date(2027, 2, 28), False, True),
            (date(2027, 3, 2), None, True, True),
            (date(2020, 1, 1), YESTERDAY, True, True),
        ],
        ids=["all along", "from the first day", "ends the day before", "a day late", "gone"],
    )
    def test_of_one_yet_to_begin_the_gate_looks_at_its_first_day_the_sweep_at_today_as_well(
        self, clinic: Clinic, tag: Any, valid_from: date, valid_until: date | None, sweep: bool, gate: bool
    ) -> None:
        ahead = AssignmentFactory(
            employee=clinic.nurse, position=clinic.p1, effective_hours=10, starts_on=date(2027, 3, 1)
        )
        EmployeeTagFactory(employee=clinic.nurse, tag=tag, valid_from=valid_from, valid_until=valid_until)
        assert bool(found(self.CODE)) is sweep
        assert bool(at_the_gate(self.CODE, ahead)) is gate

    def test_closed_and_past_ones_are_left_alone(self, clinic: Clinic, tag: Any) -> None:
        past = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=10, ends_on=YESTERDAY)
        assert found(self.CODE) == []
        assert past.pk


class TestOutsidePositionDates:
    CODE = "OUTSIDE_POSITION_DATES"

    @pytest.mark.parametrize(
        ("opens", "closes", "first", "last", "observed"),
        [
            (None, None, date(2020, 1, 1), None, "fits"),
            (date(2026, 1, 1), date(2026, 12, 31), date(2026, 1, 1), date(2026, 12, 31), "fits"),
            (date(2026, 1, 2), None, date(2026, 1, 1), None, "1.00"),
            (date(2026, 1, 1), date(2026, 12, 31), date(2026, 6, 1), date(2027, 1, 10), "10.00"),
            (date(2026, 12, 1), date(2026, 12, 20), date(2026, 11, 29), date(2026, 12, 23), "5.00"),
            (None, date(2026, 12, 31), date(2026, 6, 1), None, "fits"),
            (None, date(2026, 12, 9), date(2026, 6, 1), None, "fits"),
            (None, date(2026, 12, 6), date(2026, 6, 1), None, "3.00"),
            (None, date(2026, 12, 31), date(2027, 1, 1), None, "1.00"),
            (date(2027, 6, 1), date(2027, 6, 30), date(2026, 12, 1), date(2026, 12, 31), "31.00"),
            (date(2026, 1, 1), date(2026, 1, 31), date(2026, 12, 1), date(2026, 12, 31), "31.00"),
        ],
    )
    def test_days_outside_are_counted(
        self,
        clinic: Clinic,
        rules: Rules,
        opens: date | None,
        closes: date | None,
        first: date,
        last: date | None,
        observed: str,
    ) -> None:
        position = PositionFactory(code="P9", org_unit=clinic.h1, opens_on=opens, closes_on=closes)
        AssignmentFactory(employee=clinic.nurse, position=position, effective_hours=10, starts_on=first, ends_on=last)
        findings = found(self.CODE)
        if observed == "fits":
            assert findings == []
        else:
            assert [finding.observed for finding in findings] == [Decimal(observed)]
            assert findings[0].records == ("P9",)

    def test_the_way_out_names_the_days(self, clinic: Clinic, rules: Rules) -> None:
        Position.objects.filter(pk=clinic.p1.pk).update(opens_on=date(2026, 2, 1), closes_on=date(2026, 12, 31))
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=10, ends_on=date(2027, 1, 31))
        [finding] = found(self.CODE)
        with translation.override("en"):
            assert finding.remedy == "Start it on 1 Feb 2026 or later. End it on 31 Dec 2026 or earlier."
            assert finding.message == (
                "E1/P1/2026-01-01 runs from 1 Jan 2026 to 31 Jan 2027; "
                "the position is open from 1 Feb 2026 to 31 Dec 2026."
            )
