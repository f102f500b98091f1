"""The gate: what a change adds decides whether it may happen."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from apps.assignments.models import Assignment
from apps.assignments.services import change_assignment, propose_assignment
from apps.business_rules.models import BusinessRule
from apps.business_rules.services import RulesRefused, WarningsToConfirm, evaluate_rules, gate, judged
from apps.common.errors import ConfirmationNeeded
from apps.fsm.services import Order, TransitionsRefused, apply_transition, apply_transitions
from apps.tags.models import EmployeeTag
from tests.conftest import TODAY
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeFactory,
    EmployeeTagFactory,
    PositionFactory,
    PositionTagFactory,
    TagFactory,
    WaiverFactory,
)
from tests.imports.support import bring, sheet
from tests.rules.catalogue import install_rules

pytestmark = pytest.mark.django_db
Rules = dict[str, BusinessRule]


def contract_of(clinic: Clinic, hours: int) -> None:
    EmployeeTag.objects.filter(employee=clinic.nurse).delete()
    EmployeeTagFactory(employee=clinic.nurse, tag=TagFactory(contract=True, hours_delta=hours))


class TestAccepting:
    """The door asks the rules in its own transaction."""

    @pytest.fixture
    def more(self, clinic: Clinic, rules: Rules) -> Assignment:
        """A proposal of 24 hours beside 40 accepted ones, with hours enough in the contract."""
        contract_of(clinic, 80)
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
        return AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=24, starts_on=TODAY)

    def test_above_the_cap_is_refused_with_rule_numbers_records_and_a_way_out(
        self, clinic: Clinic, more: Assignment
    ) -> None:
        with translation.override("en"), pytest.raises(TransitionsRefused) as refused:
            apply_transition(more, "accept", actor=clinic.admin)
        [reason] = refused.value.reasons
        assert reason.code == "MAX_WEEKLY_HOURS"
        assert reason.records == ("E1", "E1/P1/2026-01-01", "E1/P2/2026-12-09")
        assert "64.00 hours a week" in reason.message
        assert "the cap of 60.00" in reason.message
        assert "It fits with 4.00 hours less" in reason.message
        assert Assignment.objects.get(pk=more.pk).status == "PROPOSED"
        assert not more.transition_logs.exists()

    def test_a_confirmation_does_not_open_a_blocking_rule(self, clinic: Clinic, more: Assignment) -> None:
        with pytest.raises(TransitionsRefused):
            apply_transition(more, "accept", actor=clinic.admin, confirmed=True)

    def test_exactly_the_cap_is_accepted(self, clinic: Clinic, more: Assignment) -> None:
        Assignment.objects.filter(pk=more.pk).update(effective_hours=20)
        assert apply_transition(more, "accept", actor=clinic.admin).status == "ACTIVE"

    def test_a_waiver_in_force_lets_it_pass_and_the_log_says_so(
        self, clinic: Clinic, rules: Rules, more: Assignment
    ) -> None:
        WaiverFactory(
            rule=rules["MAX_WEEKLY_HOURS"],
            subject_kind="employee",
            subject_id=clinic.nurse.pk,
            subject_code="E1",
            granted_by=clinic.admin,
            expires_on=TODAY,
        )
        apply_transition(more, "accept", actor=clinic.admin)
        [waived] = more.transition_logs.get().metadata["rules"]["waived"]
        assert waived == {"rule": "MAX_WEEKLY_HOURS", "subject": "E1", "observed": "64.00", "limit": "60.00"}

    def test_an_expired_waiver_lets_nothing_pass(self, clinic: Clinic, rules: Rules, more: Assignment) -> None:
        WaiverFactory(
            rule=rules["MAX_WEEKLY_HOURS"],
            subject_kind="employee",
            subject_id=clinic.nurse.pk,
            subject_code="E1",
            granted_by=clinic.admin,
            expires_on=TODAY - timedelta(days=1),
        )
        with pytest.raises(TransitionsRefused):
            apply_transition(more, "accept", actor=clinic.admin)

    def test_a_proposal_that_stands_in_breach_is_refused_although_the_breach_is_not_new(
        self, clinic: Clinic, rules: Rules
    ) -> None:
        proposal = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=10)
        PositionTagFactory(position=clinic.p1, tag=TagFactory(code="ICU"))
        with pytest.raises(TransitionsRefused) as refused:
            apply_transition(proposal, "accept", actor=clinic.admin)
        assert [reason.code for reason in refused.value.reasons] == ["MISSING_REQUIRED_TAG"]

    def test_the_easiest_to_fix_comes_first(self, clinic: Clinic, more: Assignment) -> None:
        PositionTagFactory(position=clinic.p2, tag=TagFactory())
        type(clinic.p2).objects.filter(pk=clinic.p2.pk).update(closes_on=TODAY - timedelta(days=1))
        with pytest.raises(TransitionsRefused) as refused:
            apply_transition(more, "accept", actor=clinic.admin)
        assert [reason.code for reason in refused.value.reasons] == [
            "OUTSIDE_POSITION_DATES",
            "MAX_WEEKLY_HOURS",
            "MISSING_REQUIRED_TAG",
        ]

    def test_a_rule_that_is_off_refuses_nothing(self, clinic: Clinic, rules: Rules, more: Assignment) -> None:
        BusinessRule.objects.filter(code="MAX_WEEKLY_HOURS").update(enabled=False)
        assert apply_transition(more, "accept", actor=clinic.admin).status == "ACTIVE"

    def test_taking_away_is_never_refused(self, clinic: Clinic, rules: Rules) -> None:
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=10, accepted=True)
        assert apply_transition(clinic.nurse, "suspend", actor=clinic.admin, reason="inquiry").status == "SUSPENDED"


class TestWarnings:
    @pytest.fixture
    def over_pool(self, clinic: Clinic, rules: Rules) -> Assignment:
        return AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40)

    def test_a_warning_asks_first_and_nothing_happens(self, clinic: Clinic, over_pool: Assignment) -> None:
        with pytest.raises(ConfirmationNeeded) as asked:
            apply_transition(over_pool, "accept", actor=clinic.admin)
        assert isinstance(asked.value, WarningsToConfirm)
        assert [finding.observed for finding in asked.value.findings] == [Decimal("-4.00")]
        assert list(asked.value.of("assignment")) == [over_pool.pk]
        assert Assignment.objects.get(pk=over_pool.pk).status == "PROPOSED"

    def test_confirmed_it_goes_on_and_the_log_keeps_what_and_who(self, clinic: Clinic, over_pool: Assignment) -> None:
        apply_transition(over_pool, "accept", actor=clinic.manager, confirmed=True)
        log = over_pool.transition_logs.get()
        assert log.actor == clinic.manager
        assert log.metadata["rules"]["confirmed"] == [
            {"rule": "HOURS_OVER_POOL", "subject": "E1", "observed": "-4.00", "limit": "0.00"}
        ]

    def test_an_info_goes_on_and_is_noted(self, clinic: Clinic, over_pool: Assignment) -> None:
        BusinessRule.objects.filter(code="HOURS_OVER_POOL").update(severity="INFO")
        apply_transition(over_pool, "accept", actor=clinic.manager)
        assert over_pool.transition_logs.get().metadata["rules"]["noted"][0]["rule"] == "HOURS_OVER_POOL"

    def test_nothing_to_tell_leaves_no_trace(self, clinic: Clinic, rules: Rules) -> None:
        fine = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=36)
        apply_transition(fine, "accept", actor=clinic.manager)
        assert "rules" not in fine.transition_logs.get().metadata

    def test_activating_somebody_with_more_hours_than_the_contract_asks(self, clinic: Clinic, rules: Rules) -> None:
        EmployeeTagFactory(employee=clinic.newcomer, tag=TagFactory(contract=True, hours_delta=24))
        AssignmentFactory(employee=clinic.newcomer, position=clinic.p1, effective_hours=30, accepted=True)
        with pytest.raises(WarningsToConfirm):
            apply_transition(clinic.newcomer, "activate", actor=clinic.manager)
        apply_transition(clinic.newcomer, "activate", actor=clinic.manager, confirmed=True)
        [confirmed] = clinic.newcomer.transition_logs.get().metadata["rules"]["confirmed"]
        assert (confirmed["rule"], confirmed["subject"]) == ("HOURS_OVER_POOL", "E3")


class TestWhatAChangeAdds:
    """Only what is new, or worse than before, is the change's doing."""

    @pytest.fixture
    def overloaded(self, clinic: Clinic) -> Assignment:
        """64 hours since before there were rules."""
        contract_of(clinic, 80)
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
        other = AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=24, accepted=True)
        install_rules()
        return other

    def change(self, assignment: Assignment, clinic: Clinic, **fields: Any) -> Any:
        with judged(subjects={"assignment": [assignment.pk]}, actor=clinic.admin) as judgement:
            Assignment.objects.filter(pk=assignment.pk).update(**fields)
        return judgement

    @pytest.mark.parametrize("hours", [24, 23, 20])
    def test_what_was_wrong_before_and_gets_no_worse_is_let_be(
        self, clinic: Clinic, overloaded: Assignment, hours: int
    ) -> None:
        assert self.change(overloaded, clinic, effective_hours=hours).added == []

    def test_a_hundredth_worse_is_refused_and_rolled_back(self, clinic: Clinic, overloaded: Assignment) -> None:
        with pytest.raises(RulesRefused) as refused:
            self.change(overloaded, clinic, effective_hours=Decimal("24.01"))
        assert set(refused.value.by_subject) == {("employee", clinic.nurse.pk), ("assignment", overloaded.pk)}
        assert Assignment.objects.get(pk=overloaded.pk).effective_hours == 24

    def test_a_proposal_is_judged_as_if_accepted_and_a_lighter_one_is_no_worse(
        self, clinic: Clinic, overloaded: Assignment
    ) -> None:
        proposal = AssignmentFactory(employee=clinic.nurse, position=PositionFactory(), effective_hours=5)
        with pytest.raises(RulesRefused):
            self.change(proposal, clinic, effective_hours=6)
        assert self.change(proposal, clinic, effective_hours=4).added == []

    def test_of_one_made_inside_the_block_everything_counts(self, clinic: Clinic, rules: Rules) -> None:
        PositionTagFactory(position=clinic.p1, tag=TagFactory())
        with (
            pytest.raises(RulesRefused) as refused,
            judged(subjects={"employee": [clinic.nurse.pk]}, actor=clinic.admin) as judgement,
        ):
            made = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=61)
            judgement.add("assignment", [made.pk])
        assert [reason.code for reason in refused.value.of("assignment")[made.pk]] == [
            "MAX_WEEKLY_HOURS",
            "MISSING_REQUIRED_TAG",
        ]
        assert not Assignment.objects.exists()

    def test_an_error_inside_the_block_is_not_hidden(self, clinic: Clinic, rules: Rules) -> None:
        with pytest.raises(ZeroDivisionError), judged(subjects={"employee": [clinic.nurse.pk]}, actor=None):
            1 / 0
        with judged(subjects={"employee": [clinic.nurse.pk]}, actor=None) as judgement:
            pass
        assert judgement.added == []


class TestCapacity:
    """What commits capacity is judged by what it does to its position too; what takes it away is never asked about."""

    def test_more_than_the_position_needs_is_noted_on_the_log(self, clinic: Clinic, rules: Rules) -> None:
        contract_of(clinic, 80)
        proposal = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=45)
        apply_transition(proposal, "accept", actor=clinic.manager)
        assert proposal.transition_logs.get().metadata["rules"]["noted"] == [
            {"rule": "POSITION_OVER_COVERED", "subject": "P1", "observed": "125.00", "limit": "100.00"}
        ]

    def test_where_it_blocks_the_second_to_the_same_position_is_refused(self, clinic: Clinic, rules: Rules) -> None:
        BusinessRule.objects.filter(code="POSITION_OVER_COVERED").update(severity="BLOCKING")
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=30, accepted=True)
        with pytest.raises(RulesRefused) as refused:
            propose_assignment(
                employee=clinic.surgeon, position=clinic.p1, hours=Decimal(7), starts_on=TODAY, ends_on=None,
                actor=clinic.admin,
            )  # fmt: skip
        assert [(finding.rule, finding.subject_code) for finding in refused.value.findings] == [
            ("POSITION_OVER_COVERED", "P1")
        ]

    def test_a_surplus_from_before_is_not_the_proposals_doing_unless_it_grows(
        self, clinic: Clinic, rules: Rules
    ) -> None:
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=36, accepted=True)
        AssignmentFactory(employee=clinic.surgeon, position=clinic.p1, effective_hours=20, accepted=True)
        BusinessRule.objects.filter(code="POSITION_OVER_COVERED").update(severity="BLOCKING")
        made = propose_assignment(
            employee=clinic.newcomer, position=clinic.p1, hours=Decimal(5), starts_on=TODAY, ends_on=None,
            actor=clinic.admin,
        )  # fmt: skip
        # Who has not begun to work gives no hours yet: nothing is added to the surplus.
        assert made.pk
        with pytest.raises(RulesRefused):
            propose_assignment(
                employee=EmployeeFactory(home_unit=clinic.h1, active=True), position=clinic.p1, hours=Decimal(1),
                starts_on=TODAY, ends_on=None, actor=clinic.admin,
            )  # fmt: skip

    @pytest.mark.parametrize("severity", ["WARNING", "BLOCKING"])
    @pytest.mark.parametrize(
        "change", [{"effective_hours": Decimal(1)}, {"ends_on": TODAY}, {"starts_on": TODAY + timedelta(days=60)}]
    )
    def test_fewer_hours_or_days_are_neither_refused_nor_asked_about(
        self, clinic: Clinic, severity: str, change: dict[str, Any]
    ) -> None:
        assignment = AssignmentFactory(
            employee=clinic.nurse, position=clinic.p1, effective_hours=36, starts_on=TODAY, accepted=True
        )
        lacking = ("POSITION_VACANT", "UNIT_UNDER_COVERED", "UNUSED_CAPACITY")
        install_rules(*lacking)
        BusinessRule.objects.update(severity=severity, threshold=0)
        BusinessRule.objects.filter(code="UNIT_UNDER_COVERED").update(threshold=100)
        for name, value in change.items():
            setattr(assignment, name, value)
        change_assignment(assignment=assignment, actor=clinic.admin)
        # The test has power: the sweep finds what the gate did not ask about.
        assert {finding.rule for finding in evaluate_rules(subjects={"unit": [clinic.h1.pk]})} == {"UNIT_UNDER_COVERED"}


class TestSheets:
    """Many rows in one block are judged by what is there in the end."""

    def test_the_door_inside_a_block_leaves_the_judging_to_it(self, clinic: Clinic, rules: Rules) -> None:
        contract_of(clinic, 80)
        type(clinic.p2).objects.filter(pk=clinic.p2.pk).update(required_weekly_hours=40)
        old = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
        new = AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=40, starts_on=TODAY)
        with judged(
            subjects={"assignment": [old.pk]}, entering={"assignment": [new.pk]}, actor=clinic.admin
        ) as judgement:
            apply_transition(new, "accept", actor=clinic.admin)
            apply_transition(old, "close", actor=clinic.admin, reason="replaced", ends_on=TODAY - timedelta(days=1))
        assert judgement.added == []
        assert Assignment.objects.get(pk=new.pk).status == "ACTIVE"

    def test_too_much_in_the_end_rolls_all_of_it_back(self, clinic: Clinic, rules: Rules) -> None:
        contract_of(clinic, 80)
        old = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
        new = AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=40, starts_on=TODAY)
        with (
            pytest.raises(RulesRefused) as refused,
            judged(subjects={"employee": [clinic.nurse.pk]}, actor=clinic.admin),
        ):
            apply_transition(new, "accept", actor=clinic.admin)
            Assignment.objects.filter(pk=old.pk).update(effective_hours=21)
        assert new.pk in refused.value.of("assignment")
        assert Assignment.objects.get(pk=new.pk).status == "PROPOSED"
        assert Assignment.objects.get(pk=old.pk).effective_hours == 40

    def test_a_row_proposed_and_accepted_beside_an_old_overload_answers_for_its_own_alone(self, clinic: Clinic) -> None:
        contract_of(clinic, 80)
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=62, accepted=True)
        AssignmentFactory(employee=clinic.surgeon, position=clinic.p1, effective_hours=10, accepted=True)
        install_rules()
        with judged(subjects={"employee": [clinic.nurse.pk]}, actor=clinic.admin) as judgement:
            Assignment.objects.filter(employee=clinic.nurse).update(effective_hours=40)
            row = AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=21)
            judgement.add("assignment", [row.pk])
            apply_transition(row, "accept", actor=clinic.admin)
        assert judgement.added == []

    def test_a_proposal_named_as_changed_and_then_accepted_answers_for_all_it_breaks(
        self, clinic: Clinic, rules: Rules
    ) -> None:
        PositionTagFactory(position=clinic.p1, tag=TagFactory())
        proposal = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=61)
        with (
            pytest.raises(RulesRefused) as refused,
            judged(subjects={"assignment": [proposal.pk]}, actor=clinic.admin, confirmed=True),
        ):
            apply_transition(proposal, "accept", actor=clinic.admin)
        assert [reason.code for reason in refused.value.reasons] == ["MAX_WEEKLY_HOURS", "MISSING_REQUIRED_TAG"]


class TestMany:
    def proposals(self, clinic: Clinic, number: int, heavy: set[int]) -> list[Assignment]:
        rows = []
        for at in range(number):
            employee = EmployeeFactory(home_unit=clinic.h1, active=True, active__hours="80")
            hours = 61 if at in heavy else 36
            rows.append(AssignmentFactory(employee=employee, position=clinic.p1, effective_hours=hours))
        return rows

    def test_each_refused_one_is_told_why_and_none_is_moved(self, clinic: Clinic, rules: Rules) -> None:
        rows = self.proposals(clinic, 6, {1, 4})
        with pytest.raises(TransitionsRefused) as refused:
            apply_transitions(Assignment, "accept", [Order(row.pk) for row in rows], actor=clinic.admin)
        assert set(refused.value.by_subject) == {rows[1].pk, rows[4].pk}
        assert not Assignment.objects.active().exists()

    def test_two_that_are_too_much_together_are_both_refused(self, clinic: Clinic, rules: Rules) -> None:
        contract_of(clinic, 80)
        pair = [
            AssignmentFactory(employee=clinic.nurse, position=position, effective_hours=40)
            for position in (clinic.p1, clinic.p2)
        ]
        with pytest.raises(TransitionsRefused) as refused:
            apply_transitions(Assignment, "accept", [Order(row.pk) for row in pair], actor=clinic.admin)
        assert set(refused.value.by_subject) == {row.pk for row in pair}

    def test_the_number_of_queries_does_not_grow_with_the_subjects(self, clinic: Clinic, rules: Rules) -> None:
        def queries(number: int) -> int:
            rows = self.proposals(clinic, number, set())
            with (
                CaptureQueriesContext(
                    connection,
                ) as captured,
                judged(subjects={"assignment": [row.pk for row in rows]}, actor=clinic.admin),
            ):
                pass
            return len(captured)

        assert queries(1) == queries(12)


class TestInTurn:
    """More subjects than one statement takes are put to the rules in turn, each with the proposals beside it."""

    @pytest.fixture
    def pairs(self, clinic: Clinic, rules: Rules) -> list[Assignment]:
        """Proposals that are too much only together: for four people, and at two positions of 40 hours."""
        rows = []
        positions = [PositionFactory(org_unit=clinic.h1, required_weekly_hours=40) for _ in range(4)]
        for at in range(4):
            employee = EmployeeFactory(home_unit=clinic.h1, active=True, active__hours="80")
            rows += [
                AssignmentFactory(employee=employee, position=position, effective_hours=hours)
                for position, hours in ((positions[at], 36), (positions[(at + 1) % 2], 25 if at % 2 else 24))
            ]
        return rows

    def found(self, clinic: Clinic, rows: list[Assignment], before: list[Assignment]) -> dict[Any, Any]:
        subjects = {
            "employee": [row.employee_id for row in rows],
            "position": [row.position_id for row in rows],
            "assignment": [row.pk for row in before],
        }
        with translation.override("en"):
            try:
                with judged(subjects=subjects, actor=clinic.admin, confirmed=True) as judgement:
                    judgement.add("assignment", [row.pk for row in rows])
            except RulesRefused:
                pass
        return {finding.key: finding.observed for finding in judgement.added}

    @pytest.mark.parametrize("at_a_time", [1, 2, 5])
    def test_they_find_what_one_statement_finds(
        self, clinic: Clinic, pairs: list[Assignment], monkeypatch: pytest.MonkeyPatch, at_a_time: int
    ) -> None:
        for before in ([], pairs[:3]):
            together = self.found(clinic, pairs, before)
            assert {rule for rule, _kind, _pk in together} >= {"MAX_WEEKLY_HOURS"}
            with monkeypatch.context() as patch:
                patch.setattr(gate, "AT_A_TIME", at_a_time)
                assert self.found(clinic, pairs, before) == together

    @pytest.mark.parametrize("accepted", [False, True])
    def test_a_sheet_of_very_many_is_judged_in_turns_from_the_first_look_on(
        self, clinic: Clinic, rules: Any, monkeypatch: pytest.MonkeyPatch, accepted: bool
    ) -> None:
        move = "accept" if accepted else ""
        good = [f"E1,P1,2026-12-14,30,{move}", f"E2,P2,2026-12-14,30,{move}"]
        header = "employee_number,position_code,starts_on,effective_hours,transition"
        too_much = sheet(header, *good, f"E1,P2,2026-12-14,50,{move}")
        together = bring("assignments", too_much)
        monkeypatch.setattr(gate, "AT_A_TIME", 1)
        assert bring("assignments", too_much).errors == together.errors != []
        assert bring("assignments", sheet(header, *good)).created == 2

    def test_the_canary_without_the_proposals_beside_them_too_little_is_found(
        self, clinic: Clinic, pairs: list[Assignment], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        together = self.found(clinic, pairs, [])
        monkeypatch.setattr(gate, "AT_A_TIME", 1)
        monkeypatch.setattr(
            gate, "_as_accepted", lambda kind, some, subjects: tuple(some) if kind == "assignment" else ()
        )
        assert len(self.found(clinic, pairs, [])) < len(together)

    def test_what_no_longer_is_a_proposal_is_not_sent_along(
        self, clinic: Clinic, pairs: list[Assignment], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gate, "AT_A_TIME", 1)
        subjects = {"assignment": {row.pk for row in pairs}}
        of = ("employee", [pairs[0].employee_id])
        near = gate._as_accepted(*of, subjects)
        assert {pairs[0].pk, pairs[1].pk} <= set(near) < subjects["assignment"]
        Assignment.objects.filter(pk=pairs[0].pk).update(status="ACTIVE", accepted_at="2026-12-01T00:00Z")
        assert set(gate._as_accepted(*of, subjects)) == set(near) - {pairs[0].pk}
