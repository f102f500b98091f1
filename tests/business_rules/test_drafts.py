"""Drafts: what a rule would do before it does it, what stops it, and the way back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from apps.assignments.models import Assignment
from apps.business_rules.enums import DraftState
from apps.business_rules.models import BusinessRule, RuleDraft, RuleExample, RuleViolation
from apps.business_rules.services import evaluate_rules, run_waiting_sweeps
from apps.business_rules.services.catalogue import save_rules
from apps.business_rules.services.drafts import (
    discard_draft,
    draft_rule,
    pin_example,
    publish_draft,
    roll_back,
    save_draft,
    simulate_draft,
    take_over,
)
from apps.business_rules.versions import differences, version_of, versions_of
from apps.changes.drain import drain
from apps.common.errors import Refusal
from tests.factories import AssignmentFactory, BusinessRuleFactory, Clinic, RuleOverrideFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def cap(db: Any) -> BusinessRule:
    rule = BusinessRuleFactory(code="MAX_WEEKLY_HOURS", severity="BLOCKING", threshold=Decimal("60"))
    rule.refresh_from_db()
    return rule


@pytest.fixture
def busy(clinic: Clinic, cap: BusinessRule) -> Clinic:
    """The nurse of H1 gives 50 hours, the surgeon of H2 30."""
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=50, accepted=True)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=30, accepted=True)
    drain()
    return clinic


def lowered(cap: BusinessRule, threshold: str, clinic: Clinic) -> RuleDraft:
    draft = draft_rule(rule=cap, actor=clinic.admin, note="new agreement")
    draft.threshold = Decimal(threshold)
    return save_draft(draft=draft, actor=clinic.admin)


def codes(refused: pytest.ExceptionInfo[Refusal]) -> list[str]:
    return [reason.code for reason in refused.value.reasons]


def own_draft(clinic: Clinic, **content: Any) -> RuleDraft:
    given: dict[str, Any] = {
        "code": "LONG_WEEK",
        "name": "Long week",
        "subject_kind": "assignment",
        "severity": "WARNING",
        "condition": "effective_hours > threshold",
        "threshold": Decimal("40"),
        "message": "{who}: {effective_hours} h",
        "measure": "effective_hours",
    }
    return save_draft(draft=RuleDraft(**given | content), actor=clinic.admin)


class TestSimulating:
    def test_a_lower_threshold_says_what_would_open_where(self, busy: Clinic, cap: BusinessRule) -> None:
        simulation, _cases = simulate_draft(draft=lowered(cap, "40", busy), actor=busy.admin)
        assert (simulation.standing, simulation.proposed, simulation.opens, simulation.closes) == (0, 1, 1, 0)
        assert [(unit["code"], unit["opens"]) for unit in simulation.by_unit] == [("H1", 1)]
        [example] = simulation.examples
        assert (example["what"], example["subject_code"], example["observed"]) == ("opens", "E1", 50)

    def test_a_higher_one_what_would_close(self, busy: Clinic, cap: BusinessRule) -> None:
        cap.threshold = Decimal("20")
        save_rules(rules=[cap], actor=busy.admin)
        cap.refresh_from_db()
        simulation, _cases = simulate_draft(draft=lowered(cap, "40", busy), actor=busy.admin)
        assert (simulation.standing, simulation.proposed) == (2, 1)
        assert (simulation.opens, simulation.closes, simulation.changes) == (0, 1, 1)

    def test_a_draft_that_is_switched_off_closes_everything(self, busy: Clinic, cap: BusinessRule) -> None:
        cap.threshold = Decimal("20")
        save_rules(rules=[cap], actor=busy.admin)
        cap.refresh_from_db()
        draft = lowered(cap, "20", busy)
        draft.enabled = False
        save_draft(draft=draft, actor=busy.admin)
        simulation, _cases = simulate_draft(draft=draft, actor=busy.admin)
        assert (simulation.closes, simulation.opens) == (2, 0)

    def test_exceptions_of_units_hold_for_the_draft_too(self, busy: Clinic, cap: BusinessRule) -> None:
        RuleOverrideFactory(rule=cap, org_unit=busy.h1, severity="OFF")
        simulation, _cases = simulate_draft(draft=lowered(cap, "25", busy), actor=busy.admin)
        assert [unit["code"] for unit in simulation.by_unit] == ["H2"]

    def test_it_says_what_publishing_then_does(self, busy: Clinic, cap: BusinessRule) -> None:
        draft = lowered(cap, "25", busy)
        simulation, _cases = simulate_draft(draft=draft, actor=busy.admin)
        publish_draft(draft=draft, actor=busy.admin)
        run_waiting_sweeps()
        assert RuleViolation.objects.unresolved().count() == simulation.opens == 2

    def test_nothing_is_written_but_the_answer(self, busy: Clinic, cap: BusinessRule) -> None:
        draft = lowered(cap, "25", busy)
        simulate_draft(draft=draft, actor=busy.admin)
        cap.refresh_from_db()
        assert (cap.threshold, cap.version) == (Decimal("60"), 1)
        assert not RuleViolation.objects.exists()
        draft.refresh_from_db()
        assert draft.is_simulated
        assert draft.outcome["opens"] == 2


class TestPublishing:
    def test_it_acts_at_once_at_the_gate(self, busy: Clinic, cap: BusinessRule) -> None:
        draft = lowered(cap, "40", busy)
        simulate_draft(draft=draft, actor=busy.admin)
        publish_draft(draft=draft, actor=busy.admin)
        assert [finding.subject_code for finding in evaluate_rules(rules=["MAX_WEEKLY_HOURS"])] == ["E1"]
        draft.refresh_from_db()
        assert (draft.state, draft.published_version) == (DraftState.PUBLISHED, 2)
        assert BusinessRule.history.latest("history_id").history_change_reason == "new agreement"

    def test_not_before_it_was_looked_at_as_it_stands(self, busy: Clinic, cap: BusinessRule) -> None:
        draft = lowered(cap, "40", busy)
        with pytest.raises(Refusal) as refused:
            publish_draft(draft=draft, actor=busy.admin)
        assert codes(refused) == ["not_simulated"]
        simulate_draft(draft=draft, actor=busy.admin)
        draft.threshold = Decimal("30")
        save_draft(draft=draft, actor=busy.admin)
        with pytest.raises(Refusal) as refused:
            publish_draft(draft=draft, actor=busy.admin)
        assert codes(refused) == ["not_simulated"]

    def test_not_over_a_version_its_author_has_not_seen(self, busy: Clinic, cap: BusinessRule) -> None:
        draft = lowered(cap, "40", busy)
        cap.threshold = Decimal("55")
        save_rules(rules=[cap], actor=busy.admin)
        simulate_draft(draft=draft, actor=busy.admin)
        with pytest.raises(Refusal) as refused:
            publish_draft(draft=draft, actor=busy.admin)
        assert codes(refused) == ["stale"]
        take_over(draft=draft, actor=busy.admin)
        assert publish_draft(draft=draft, actor=busy.admin).threshold == Decimal("40")

    def test_only_once(self, busy: Clinic, cap: BusinessRule) -> None:
        draft = lowered(cap, "40", busy)
        simulate_draft(draft=draft, actor=busy.admin)
        publish_draft(draft=draft, actor=busy.admin)
        for deed in (publish_draft, discard_draft, simulate_draft):
            with pytest.raises(Refusal) as refused:
                deed(draft=draft, actor=busy.admin)  # type: ignore[operator]
            assert codes(refused) == ["wrong_state"]

    @pytest.mark.parametrize("who", ["manager", "supervisor", "viewer"])
    def test_only_by_the_admin(self, busy: Clinic, cap: BusinessRule, who: str) -> None:
        draft = lowered(cap, "40", busy)
        simulate_draft(draft=draft, actor=busy.admin)
        for deed in (publish_draft, discard_draft, simulate_draft, save_draft):
            with pytest.raises(Refusal) as refused:
                deed(draft=draft, actor=getattr(busy, who))  # type: ignore[operator]
            assert codes(refused) == ["out_of_scope"]


class TestGoingBack:
    def test_an_earlier_version_comes_back_as_a_new_one(self, busy: Clinic, cap: BusinessRule) -> None:
        draft = lowered(cap, "40", busy)
        simulate_draft(draft=draft, actor=busy.admin)
        rule = publish_draft(draft=draft, actor=busy.admin)
        rule = roll_back(rule=rule, version=1, actor=busy.admin, reason="it was a mistake")
        assert (rule.threshold, rule.version) == (Decimal("60"), 3)
        assert [row.version for row in versions_of(rule)] == [3, 2, 1]
        [(name, before, after)] = differences(version_of(rule, 2), version_of(rule, 3))
        assert (name, before, after) == ("threshold", Decimal("40.00"), Decimal("60.00"))
        run_waiting_sweeps()
        assert not RuleViolation.objects.unresolved().exists()

    def test_to_a_version_there_never_was_is_refused(self, busy: Clinic, cap: BusinessRule) -> None:
        with pytest.raises(Refusal) as refused:
            roll_back(rule=cap, version=7, actor=busy.admin, reason="?")
        assert codes(refused) == ["missing"]


class TestPinnedCases:
    @pytest.fixture
    def pinned(self, busy: Clinic, cap: BusinessRule) -> RuleExample:
        """48 hours of the surgeon more than the 30 there are must stay impossible, whatever becomes of the cap."""
        return pin_example(
            example=RuleExample(
                rule=cap,
                title="78 hours are too many",
                expects="BLOCKED",
                proposal={"employee": busy.surgeon.pk, "position": busy.p1.pk, "hours": "48", "starts_in_days": 3},
            ),
            actor=busy.admin,
        )

    def test_a_draft_that_breaks_one_is_not_published(
        self, busy: Clinic, cap: BusinessRule, pinned: RuleExample
    ) -> None:
        draft = lowered(cap, "80", busy)
        _simulation, cases = simulate_draft(draft=draft, actor=busy.admin)
        assert [(case.title, case.got, case.holds) for case in cases] == [("78 hours are too many", "ALLOWED", False)]
        with pytest.raises(Refusal) as refused:
            publish_draft(draft=draft, actor=busy.admin)
        assert codes(refused) == ["case_broken"]
        cap.refresh_from_db()
        assert cap.threshold == Decimal("60")

    def test_one_that_keeps_it_is(self, busy: Clinic, cap: BusinessRule, pinned: RuleExample) -> None:
        draft = lowered(cap, "70", busy)
        simulate_draft(draft=draft, actor=busy.admin)
        assert publish_draft(draft=draft, actor=busy.admin).threshold == Decimal("70")

    def test_an_edit_of_the_catalogue_is_held_to_it_too(
        self, busy: Clinic, cap: BusinessRule, pinned: RuleExample
    ) -> None:
        cap.threshold = Decimal("90")
        with pytest.raises(Refusal) as refused:
            save_rules(rules=[cap], actor=busy.admin)
        assert codes(refused) == ["case_broken"]

    def test_trying_one_leaves_nothing(self, busy: Clinic, cap: BusinessRule, pinned: RuleExample) -> None:
        before = Assignment.objects.count(), Assignment.history.count()
        simulate_draft(draft=lowered(cap, "70", busy), actor=busy.admin)
        assert (Assignment.objects.count(), Assignment.history.count()) == before

    def test_a_record_as_it_stands_is_a_case_too(self, busy: Clinic, cap: BusinessRule) -> None:
        pin_example(
            example=RuleExample(
                rule=cap, title="50 hours are fine", expects="ALLOWED", subject_kind="employee",
                subject_id=busy.nurse.pk,
            ),
            actor=busy.admin,
        )  # fmt: skip
        _simulation, [case] = simulate_draft(draft=lowered(cap, "40", busy), actor=busy.admin)
        assert (case.got, case.holds) == ("BLOCKED", False)

    def test_one_whose_record_is_gone_cannot_be_tried_and_says_so(self, busy: Clinic, cap: BusinessRule) -> None:
        RuleExample.objects.create(rule=cap, title="gone", expects="ALLOWED", subject_kind="employee", subject_id=10**9)
        _simulation, [case] = simulate_draft(draft=lowered(cap, "70", busy), actor=busy.admin)
        assert (case.got, case.holds) == ("", False)
        assert case.why


class TestRulesOfOnesOwn:
    def test_from_draft_to_violation(self, busy: Clinic) -> None:
        draft = own_draft(busy)
        simulation, _cases = simulate_draft(draft=draft, actor=busy.admin)
        assert (simulation.opens, simulation.standing) == (1, 0)
        rule = publish_draft(draft=draft, actor=busy.admin)
        run_waiting_sweeps()
        violation = RuleViolation.objects.get()
        assert (violation.rule, violation.subject_code) == (rule, "E1/P1/2026-01-01")
        assert (violation.observed, violation.limit) == (Decimal("50"), Decimal("40"))
        assert violation.verdict.message.startswith("E1/P1/2026-01-01: 50")

    def test_until_it_is_published_it_judges_nobody(self, busy: Clinic) -> None:
        simulate_draft(draft=own_draft(busy), actor=busy.admin)
        assert not BusinessRule.objects.filter(code="LONG_WEEK").exists()

    def test_a_condition_that_does_not_parse_is_not_saved_and_the_place_is_told(self, clinic: Clinic) -> None:
        with pytest.raises(Refusal) as refused:
            own_draft(clinic, condition="effective_hours >")
        [reason] = refused.value.reasons
        assert (reason.field, "start" in reason.facts) == ("condition", True)

    def test_a_code_that_is_taken_is_refused(self, busy: Clinic, cap: BusinessRule) -> None:
        with pytest.raises(Refusal) as refused:
            own_draft(busy, code=cap.code)
        assert codes(refused) == ["taken"]

    def test_what_it_says_changes_by_a_draft_alone(self, busy: Clinic) -> None:
        draft = own_draft(busy)
        simulate_draft(draft=draft, actor=busy.admin)
        rule = publish_draft(draft=draft, actor=busy.admin)
        rule.condition = "effective_hours > 1"
        with pytest.raises(Refusal) as refused:
            save_rules(rules=[rule], actor=busy.admin)
        assert codes(refused) == ["needs_draft"]
        rule.refresh_from_db()
        rule.threshold = Decimal("45")
        assert save_rules(rules=[rule], actor=busy.admin)
