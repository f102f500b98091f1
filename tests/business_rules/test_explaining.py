"""The page of a violation explains: where the limit comes from, by which version, and what changed it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.assignments.services import change_assignment
from apps.business_rules.models import BusinessRule, RuleViolation
from apps.business_rules.services import acknowledge_violation, sweep, waive_violation
from apps.business_rules.services.catalogue import save_rules
from tests.conftest import TODAY
from tests.factories import AssignmentFactory, Clinic, RuleOverrideFactory, UserFactory, WaiverFactory
from tests.rules.catalogue import install_rules

pytestmark = pytest.mark.django_db
SOON = TODAY + timedelta(days=30)


@pytest.fixture
def over_cap(clinic: Clinic) -> RuleViolation:
    """The nurse of H1, 61 hours of a cap of 60."""
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=61, accepted=True)
    install_rules("MAX_WEEKLY_HOURS")
    sweep(actor=None)
    return RuleViolation.objects.get()


def context(client: Any, violation: RuleViolation) -> Any:
    return client.get(reverse("admin:business_rules_ruleviolation_change", args=(violation.pk,))).context


def judged_again(violation: RuleViolation) -> None:
    sweep(actor=None)
    violation.refresh_from_db()


class TestWhereTheLimitComesFrom:
    def test_the_catalogue(self, clinic: Clinic, over_cap: RuleViolation, as_user: Any) -> None:
        origin = context(as_user(clinic.viewer), over_cap)["origin"]
        assert (origin.limit, origin.severity, origin.link) == ("the catalogue of rules", "the catalogue of rules", "")

    def test_the_exception_of_a_unit(self, clinic: Clinic, over_cap: RuleViolation, as_user: Any) -> None:
        RuleOverrideFactory(rule=over_cap.rule, org_unit=clinic.h1, threshold=Decimal(50), severity="WARNING")
        judged_again(over_cap)
        origin = context(as_user(clinic.viewer), over_cap)["origin"]
        assert origin.limit == f"an exception of {clinic.h1}"
        assert origin.severity == f"an exception of {clinic.h1}"
        assert origin.link == reverse("admin:org_orgunit_change", args=(clinic.h1.pk,))

    def test_the_exception_of_a_unit_above_ones_own_is_not_named(
        self, clinic: Clinic, over_cap: RuleViolation, as_user: Any
    ) -> None:
        RuleOverrideFactory(rule=over_cap.rule, org_unit=clinic.root, threshold=Decimal(50))
        judged_again(over_cap)
        mine = context(as_user(clinic.viewer), over_cap)["origin"]
        assert (mine.limit, mine.link) == ("an exception of a unit above yours", "")
        assert context(as_user(clinic.admin), over_cap)["origin"].limit == f"an exception of {clinic.root}"

    def test_the_cap_of_a_unit(self, clinic: Clinic, over_cap: RuleViolation, as_user: Any) -> None:
        type(clinic.h1).objects.filter(pk=clinic.h1.pk).update(max_weekly_hours=48)
        judged_again(over_cap)
        assert context(as_user(clinic.viewer), over_cap)["origin"].limit == f"the cap of {clinic.h1}"

    def test_the_target_of_a_unit(self, clinic: Clinic, as_user: Any) -> None:
        type(clinic.h1).objects.filter(pk=clinic.h1.pk).update(coverage_target=90)
        install_rules("UNIT_UNDER_COVERED")
        sweep(actor=None)
        violation = RuleViolation.objects.get(subject_kind="unit", subject_id=clinic.h1.pk)
        assert context(as_user(clinic.viewer), violation)["origin"].limit == f"the target of {clinic.h1}"


class TestByWhichVersion:
    def test_it_says_that_the_rule_is_unchanged(self, clinic: Clinic, over_cap: RuleViolation, as_user: Any) -> None:
        judged = context(as_user(clinic.viewer), over_cap)["judged"]
        assert (judged.version, judged.has_changed, judged.since) == (1, False, [])
        assert judged.link == reverse("admin:business_rules_businessrule_change", args=(over_cap.rule_id,))

    def test_it_says_what_the_rule_says_otherwise_since(
        self, clinic: Clinic, over_cap: RuleViolation, as_user: Any
    ) -> None:
        rule = BusinessRule.objects.get(pk=over_cap.rule_id)
        rule.threshold, rule.severity = Decimal(50), "WARNING"
        save_rules(rules=[rule], actor=clinic.admin)
        response = context(as_user(clinic.viewer), over_cap)
        assert response["judged"].now == 2
        assert response["judged"].since == [("Severity", "Blocking", "Warning"), ("Threshold", "60.00", "50.00")]


class TestWhatChangedIt:
    def test_its_own_history_is_told_with_who_and_what(
        self, clinic: Clinic, over_cap: RuleViolation, as_user: Any
    ) -> None:
        acknowledge_violation(violation=over_cap, actor=clinic.supervisor, reason="seen")
        waive_violation(violation=over_cap, actor=clinic.manager, reason="agreed", expires_on=SOON)
        story = [item for item in context(as_user(clinic.viewer), over_cap)["story"] if hasattr(item, "is_own")]
        assert [(item.deed, item.who, item.entry.reason) for item in story] == [
            ("Waived", str(clinic.manager), "agreed"),
            ("Acknowledged", str(clinic.supervisor), "seen"),
            ("Opened", "the system", "evaluation of the rules"),
        ]
        assert story[-1].from_where == "nightly evaluation"

    def test_the_change_of_a_record_behind_it_stands_before_what_it_did(
        self, clinic: Clinic, over_cap: RuleViolation, as_user: Any
    ) -> None:
        assignment = clinic.nurse.assignments.get()
        waive_violation(violation=over_cap, actor=clinic.admin, reason="agreed", expires_on=SOON)
        assignment.effective_hours = Decimal(65)
        change_assignment(assignment=assignment, actor=clinic.admin, confirmed=True)
        judged_again(over_cap)
        story = context(as_user(clinic.viewer), over_cap)["story"]
        told = [(item.entry.source, [(c.label, c.before, c.after) for c in item.changes]) for item in story]
        changed = told.index(("assignments.assignment", [("Hours a week", "61.00", "65.00")]))
        written = next(n for n, (_source, changes) in enumerate(told) if ("Observed", "61.00", "65.00") in changes)
        assert written < changed, "newest first: the record changed before the violation did"

    def test_what_the_reader_may_not_see_is_not_told(
        self, clinic: Clinic, over_cap: RuleViolation, as_user: Any
    ) -> None:
        lent = AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=4)
        type(lent).objects.filter(pk=lent.pk).update(effective_hours=5)
        judged_again(over_cap)
        reader = UserFactory(role="VIEWER", unit=clinic.h2)
        sources = {item.entry.source for item in context(as_user(reader), over_cap)["story"]}
        assert "assignments.assignment" not in {
            item.entry.source
            for item in context(as_user(reader), over_cap)["story"]
            if item.entry.assignment_id == clinic.nurse.assignments.get(position=clinic.p1).pk
        }
        assert "business_rules.ruleviolation" in sources

    def test_a_waiver_of_its_unit_is_listed(self, clinic: Clinic, over_cap: RuleViolation, as_user: Any) -> None:
        here = WaiverFactory(rule=over_cap.rule, org_unit=clinic.h1, granted_by=clinic.admin, expires_on=SOON)
        WaiverFactory(rule=over_cap.rule, org_unit=clinic.h2, granted_by=clinic.admin, expires_on=SOON)
        assert context(as_user(clinic.viewer), over_cap)["waivers"] == [here]

    def test_the_page_costs_the_same_however_much_happened(
        self, clinic: Clinic, over_cap: RuleViolation, as_user: Any
    ) -> None:
        client = as_user(clinic.manager)
        path = reverse("admin:business_rules_ruleviolation_change", args=(over_cap.pk,))
        assignment = clinic.nurse.assignments.get()

        def happens(times: int) -> None:
            for _time in range(times):
                assignment.effective_hours += 1
                assignment.save()
                judged_again(over_cap)

        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(path).status_code == 200
            return len(captured)

        happens(1)
        queries()
        few = queries()
        happens(6)
        assert queries() == few
