"""By change: what the marks touch is judged anew by the drain, without anyone asking."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from apps.assignments.models import Assignment
from apps.business_rules.models import BusinessRule, EvaluationRun, RuleViolation
from apps.business_rules.services import run_waiting_sweeps, sweep_subjects
from apps.business_rules.services.catalogue import remove_override, save_override, save_rules
from apps.changes.drain import drain
from apps.fsm.services import apply_transition
from apps.org.services.units import save_units
from apps.tags.models import EmployeeTag
from tests.conftest import TODAY
from tests.factories import (
    AssignmentFactory,
    BusinessRuleFactory,
    Clinic,
    EmployeeTagFactory,
    OrgUnitFactory,
    PositionTagFactory,
    RuleOverrideFactory,
    TagFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def cap(db: Any) -> BusinessRule:
    return BusinessRuleFactory(code="MAX_WEEKLY_HOURS", severity="BLOCKING", threshold=Decimal("60"))


def standing() -> dict[str, str]:
    rows = RuleViolation.objects.exclude(state="RESOLVED").select_related("rule")
    return {f"{row.rule.code} {row.subject_code}": row.state for row in rows}


def overbook(clinic: Clinic) -> None:
    """Give the nurse more than the cap, past the gate."""
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=10, accepted=True)
    Assignment.objects.update(effective_hours=61)


def test_a_certificate_that_is_gone_shows_with_the_next_drain(clinic: Clinic) -> None:
    BusinessRuleFactory(code="MISSING_REQUIRED_TAG", subject_kind="assignment", threshold=None)
    PositionTagFactory(position=clinic.p1, tag=(tag := TagFactory(code="RCP", type="CERTIFICATION")))
    held = EmployeeTagFactory(employee=clinic.nurse, tag=tag, valid_from=TODAY - timedelta(days=400))
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=10, accepted=True)
    drain()
    assert standing() == {}
    EmployeeTag.objects.filter(pk=held.pk).update(valid_until=TODAY - timedelta(days=1))
    drain()
    assert standing() == {"MISSING_REQUIRED_TAG E1/P1/2026-01-01": "OPEN"}
    EmployeeTag.objects.filter(pk=held.pk).update(valid_until=None)
    drain()
    assert standing() == {}


def test_a_position_that_asks_for_more_shows_on_its_assignments(clinic: Clinic) -> None:
    BusinessRuleFactory(code="MISSING_REQUIRED_TAG", subject_kind="assignment", threshold=None)
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=10, accepted=True)
    drain()
    PositionTagFactory(position=clinic.p1, tag=TagFactory(code="RCP", type="CERTIFICATION"))
    drain()
    assert standing() == {"MISSING_REQUIRED_TAG E1/P1/2026-01-01": "OPEN"}


def test_rows_written_past_every_service_are_judged_too(clinic: Clinic, cap: BusinessRule) -> None:
    assignment = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=10, accepted=True)
    drain()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE assignments_assignment SET effective_hours = 61 WHERE id = %s", [assignment.pk])
    drain()
    assert standing() == {"MAX_WEEKLY_HOURS E1": "OPEN"}
    apply_transition(assignment, "close", actor=None, ends_on=TODAY - timedelta(days=1), reason="too much")
    drain()
    assert standing() == {}


def test_what_did_not_change_is_not_rewritten(clinic: Clinic, cap: BusinessRule) -> None:
    overbook(clinic)
    drain()
    before = RuleViolation.objects.get()
    Assignment.objects.update(expires_on=TODAY)
    EmployeeTagFactory(employee=clinic.nurse, tag=TagFactory(code="X", hours_delta=4), valid_from=TODAY)
    drain()
    after = RuleViolation.objects.get()
    assert (after.updated_at, after.last_seen) == (before.updated_at, before.last_seen)
    assert RuleViolation.history.count() == 1


def test_one_change_or_many_are_judged_by_the_same_number_of_queries(
    clinic: Clinic, cap: BusinessRule, django_assert_num_queries: Any
) -> None:
    overbook(clinic)
    ids = [clinic.nurse.pk, clinic.surgeon.pk, clinic.newcomer.pk]
    # The locks and the catalogue; then the difference, signed and in a savepoint. Planned once a connection.
    sweep_subjects(subjects={"employee": ids}, actor=None, due={})
    for some in (ids[:1], ids):
        with django_assert_num_queries(2):
            sweep_subjects(subjects={"employee": some}, actor=None, due={})


class TestCatalogue:
    """An edit of the catalogue has the violations judged anew by a worker, without a restart."""

    @pytest.fixture
    def busy(self, clinic: Clinic, cap: BusinessRule) -> Clinic:
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=50, accepted=True)
        drain()
        run_waiting_sweeps()
        assert standing() == {}
        return clinic

    def test_a_lower_threshold_shows(self, busy: Clinic, cap: BusinessRule) -> None:
        cap.threshold = Decimal("40")
        save_rules(rules=[cap], actor=busy.admin)
        run_waiting_sweeps()
        assert standing() == {"MAX_WEEKLY_HOURS E1": "OPEN"}

    def test_switching_off_resolves(self, busy: Clinic, cap: BusinessRule) -> None:
        cap.threshold = Decimal("40")
        save_rules(rules=[cap], actor=busy.admin)
        run_waiting_sweeps()
        cap.enabled = False
        save_rules(rules=[cap], actor=busy.admin)
        run_waiting_sweeps()
        assert standing() == {}

    def test_an_exception_of_a_unit_reaches_its_subtree_and_goes_again(self, busy: Clinic, cap: BusinessRule) -> None:
        override = RuleOverrideFactory.build(rule=cap, org_unit=busy.root, threshold=Decimal("45"))
        save_override(override=override, actor=busy.admin)
        run_waiting_sweeps()
        assert standing() == {"MAX_WEEKLY_HOURS E1": "OPEN"}
        remove_override(override=override, actor=busy.admin)
        run_waiting_sweeps()
        assert standing() == {}

    def test_a_cap_of_a_unit_reaches_who_works_below(self, busy: Clinic, cap: BusinessRule) -> None:
        busy.root.max_weekly_hours = Decimal("36")
        save_units(units=[busy.root], actor=busy.admin)
        drain()
        run_waiting_sweeps()
        assert standing() == {"MAX_WEEKLY_HOURS E1": "OPEN"}

    def test_a_unit_nobody_is_in_asks_for_nothing(self, busy: Clinic) -> None:
        OrgUnitFactory(code="H9", name="Empty", parent=busy.root)
        drain()
        assert not EvaluationRun.objects.filter(finished_at__isnull=True).exists()

    def test_wishes_that_wait_for_the_same_are_one(self, busy: Clinic, cap: BusinessRule) -> None:
        for threshold in ("41", "42", "43"):
            cap.threshold = Decimal(threshold)
            save_rules(rules=[cap], actor=busy.admin)
        assert EvaluationRun.objects.filter(finished_at__isnull=True).count() == 1

    def test_each_content_is_a_version_and_the_violation_names_its_own(self, busy: Clinic, cap: BusinessRule) -> None:
        save_rules(rules=[cap], actor=busy.admin)
        cap.refresh_from_db()
        assert cap.version == 1
        for threshold, version in (("40", 2), ("30", 3)):
            cap.threshold = Decimal(threshold)
            save_rules(rules=[cap], actor=busy.admin)
            cap.refresh_from_db()
            assert cap.version == version
            run_waiting_sweeps()
            assert RuleViolation.objects.get().rule_version == version
        assert [str(row.threshold) for row in BusinessRule.history.filter(version=2)] == ["40.00"]
