"""The rules about contracts and about tags that run out."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation

from apps.business_rules.models import BusinessRule
from apps.fsm.services import apply_transition
from apps.tags.models import EmployeeTag
from tests.conftest import TODAY
from tests.factories import AssignmentFactory, Clinic, EmployeeTagFactory, PositionTagFactory, TagFactory

from .catalogue import at_the_gate, found

pytestmark = pytest.mark.django_db
Rules = dict[str, BusinessRule]


def days(number: int) -> date:
    return TODAY + timedelta(days=number)


def contract_until(clinic: Clinic, last: date | None) -> None:
    EmployeeTag.objects.filter(employee=clinic.nurse).update(valid_until=last)


def about(code: str, clinic: Clinic) -> list[Any]:
    return found(code, subjects={"employee": [clinic.nurse.pk]})


class TestNoContract:
    CODE = "NO_CONTRACT"

    @pytest.mark.parametrize(
        ("move", "inputs", "broken"),
        [
            (None, {}, True),
            ("give_notice", {"last_day": days(20)}, True),
            ("start_leave", {"kind": "SICK"}, False),
            ("suspend", {"reason": "inquiry"}, False),
            ("terminate", {"reason": "end", "last_day": TODAY}, False),
        ],
    )
    def test_whoever_works_or_is_in_notice_needs_one(
        self, clinic: Clinic, rules: Rules, move: str | None, inputs: dict[str, Any], broken: bool
    ) -> None:
        if move:
            apply_transition(clinic.nurse, move, actor=None, **inputs)
        assert about(self.CODE, clinic) == []
        contract_until(clinic, days(-1))
        assert bool(about(self.CODE, clinic)) is broken

    def test_whoever_is_not_here_yet_does_not(self, clinic: Clinic, rules: Rules) -> None:
        assert found(self.CODE, subjects={"employee": [clinic.newcomer.pk]}) == []

    def test_today_is_the_day_that_counts(self, clinic: Clinic, rules: Rules) -> None:
        contract_until(clinic, TODAY)
        assert about(self.CODE, clinic) == []
        contract_until(clinic, days(-1))
        EmployeeTagFactory(employee=clinic.nurse, tag=TagFactory(contract=True), valid_from=days(1))
        EmployeeTagFactory(employee=clinic.nurse, tag=TagFactory())
        [finding] = about(self.CODE, clinic)
        held = EmployeeTag.objects.get(employee=clinic.nurse, valid_until=days(-1)).tag
        assert finding.records == (held.code,)
        with translation.override("en"):
            assert finding.message == (
                f"Gómez, Lucía (E1) works without a contract: the last one, {held.name} ({held.code}), "
                "ended on 8 Dec 2026."
            )

    def test_one_who_never_had_any_is_told_so(self, clinic: Clinic, rules: Rules) -> None:
        EmployeeTag.objects.filter(employee=clinic.nurse).delete()
        [finding] = about(self.CODE, clinic)
        with translation.override("en"):
            assert finding.message == "Gómez, Lucía (E1) works without a contract and has never had one."


class TestContractEnding:
    CODE = "CONTRACT_ENDING"

    @pytest.mark.parametrize(("last", "left"), [(-1, None), (0, "0"), (60, "60"), (61, None)])
    def test_the_lead_time_begins_today_and_includes_its_last_day(
        self, clinic: Clinic, rules: Rules, last: int, left: str | None
    ) -> None:
        contract_until(clinic, days(last))
        assert [finding.observed for finding in about(self.CODE, clinic)] == ([Decimal(left)] if left else [])

    def test_one_without_an_end_does_not_end(self, clinic: Clinic, rules: Rules) -> None:
        assert about(self.CODE, clinic) == []

    @pytest.mark.parametrize(
        ("first", "tag", "broken"),
        [
            (11, {"contract": True}, False),
            (12, {"contract": True}, True),
            (-100, {"contract": True}, False),
            (11, {}, True),
        ],
        ids=["follows", "a day late", "runs beside", "no contract"],
    )
    def test_a_contract_held_on_the_day_after_follows_it(
        self, clinic: Clinic, rules: Rules, first: int, tag: dict[str, Any], broken: bool
    ) -> None:
        contract_until(clinic, days(10))
        EmployeeTagFactory(employee=clinic.nurse, tag=TagFactory(**tag), valid_from=days(first))
        assert bool(about(self.CODE, clinic)) is broken

    @pytest.mark.parametrize(("last_day", "broken"), [(10, False), (11, True)])
    def test_whoever_leaves_by_then_needs_none(self, clinic: Clinic, rules: Rules, last_day: int, broken: bool) -> None:
        contract_until(clinic, days(10))
        apply_transition(clinic.nurse, "give_notice", actor=None, last_day=days(last_day))
        assert bool(about(self.CODE, clinic)) is broken

    def test_nobody_asks_after_the_contract_of_one_who_left(self, clinic: Clinic, rules: Rules) -> None:
        apply_transition(clinic.nurse, "terminate", actor=None, reason="end", last_day=days(-1))
        contract_until(clinic, days(10))
        assert about(self.CODE, clinic) == []

    def test_it_names_tag_day_and_what_would_follow(self, clinic: Clinic, rules: Rules) -> None:
        contract_until(clinic, days(10))
        tag = EmployeeTag.objects.get(employee=clinic.nurse).tag
        [finding] = about(self.CODE, clinic)
        assert (finding.limit, finding.records) == (Decimal(60), (tag.code,))
        with translation.override("en"):
            assert finding.message == (
                f"Gómez, Lucía (E1): the contract ends and none follows: {tag.name} ({tag.code}) on 19 Dec 2026."
            )
            assert finding.remedy == "Enter a contract from 20 Dec 2026 on, or give notice."


class TestRequiredTagExpiring:
    CODE = "REQUIRED_TAG_EXPIRING"

    @pytest.fixture
    def tag(self, clinic: Clinic, rules: Rules) -> Any:
        tag = TagFactory(code="ICU", name="Intensive care")
        PositionTagFactory(position=clinic.p1, tag=tag)
        return tag

    def hold(self, clinic: Clinic, tag: Any, last: int | None, first: int = -100) -> None:
        EmployeeTagFactory(
            employee=clinic.nurse, tag=tag, valid_from=days(first), valid_until=None if last is None else days(last)
        )

    def assign(self, clinic: Clinic, **fields: Any) -> Any:
        return AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=10, **fields)

    @pytest.mark.parametrize(("last", "left"), [(-1, None), (0, "0"), (30, "30"), (31, None), (None, None)])
    def test_the_lead_time_begins_today_and_includes_its_last_day(
        self, clinic: Clinic, tag: Any, last: int | None, left: str | None
    ) -> None:
        self.hold(clinic, tag, last)
        assignment = self.assign(clinic)
        assert [finding.observed for finding in found(self.CODE)] == ([Decimal(left)] if left else [])
        assert bool(at_the_gate(self.CODE, assignment)) is bool(left)

    @pytest.mark.parametrize(("ends", "broken"), [(9, False), (10, False), (11, True), (None, True)])
    def test_only_an_assignment_that_goes_on_minds(
        self, clinic: Clinic, tag: Any, ends: int | None, broken: bool
    ) -> None:
        self.hold(clinic, tag, 10)
        self.assign(clinic, ends_on=None if ends is None else days(ends))
        assert bool(found(self.CODE)) is broken

    @pytest.mark.parametrize(("again", "broken"), [(11, False), (12, True)])
    def test_a_renewal_from_the_day_after_is_in_time(self, clinic: Clinic, tag: Any, again: int, broken: bool) -> None:
        self.hold(clinic, tag, 10)
        self.hold(clinic, tag, None, first=again)
        self.assign(clinic)
        assert bool(found(self.CODE)) is broken

    @pytest.mark.parametrize(
        ("again", "last", "left"),
        [(None, None, "10"), (15, None, None), (15, 25, "25"), (21, None, "10")],
        ids=["never again", "renewed by then", "renewed and ending again", "renewed a day late"],
    )
    def test_of_an_assignment_yet_to_begin_its_days_count(
        self, clinic: Clinic, tag: Any, again: int | None, last: int | None, left: str | None
    ) -> None:
        self.hold(clinic, tag, 10)
        if again is not None:
            self.hold(clinic, tag, last, first=again)
        self.assign(clinic, starts_on=days(20))
        assert [finding.observed for finding in found(self.CODE)] == ([Decimal(left)] if left else [])

    def test_what_is_preferred_closed_or_over_is_let_be(self, clinic: Clinic, tag: Any) -> None:
        self.hold(clinic, tag, 10)
        PositionTagFactory(position=clinic.p2, tag=tag, level="PREFERRED")
        AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=10)
        apply_transition(self.assign(clinic), "reject", actor=None, reason="no")
        self.assign(clinic, ends_on=days(-1))
        assert found(self.CODE) == []

    def test_the_first_to_end_is_measured_and_all_are_named(self, clinic: Clinic, tag: Any) -> None:
        other = TagFactory(code="BLS", name="Life support")
        PositionTagFactory(position=clinic.p1, tag=other)
        self.hold(clinic, tag, 10)
        self.hold(clinic, other, 5)
        self.assign(clinic, ends_on=days(22))
        [finding] = found(self.CODE)
        assert (finding.observed, finding.limit, finding.records) == (Decimal(5), Decimal(30), ("BLS", "ICU"))
        with translation.override("en"):
            assert finding.message == (
                "E1/P1/2026-01-01 goes on until 31 Dec 2026, what its position requires ends before: "
                "Life support (BLS) on 14 Dec 2026, Intensive care (ICU) on 19 Dec 2026."
            )
            assert finding.remedy == (
                "Renew the tags, and enter until when, or end the assignment on 14 Dec 2026 or earlier."
            )


class TestContractHoursMismatch:
    CODE = "CONTRACT_HOURS_MISMATCH"

    @pytest.fixture(autouse=True)
    def switched_on(self, rules: Rules) -> None:
        assert not rules[self.CODE].enabled
        BusinessRule.objects.filter(code=self.CODE).update(enabled=True)

    @pytest.mark.parametrize(("hours", "apart"), [("36", None), ("36.01", "0.01"), ("35.99", "0.01"), ("24", "12")])
    def test_the_hours_are_those_of_the_contract(self, clinic: Clinic, hours: str, apart: str | None) -> None:
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=Decimal(hours))
        assert [f.observed for f in found(self.CODE)] == ([Decimal(apart)] if apart else [])

    def test_contracts_add_up_and_nothing_else_does(self, clinic: Clinic) -> None:
        EmployeeTagFactory(employee=clinic.nurse, tag=TagFactory(contract=True, hours_delta=12))
        EmployeeTagFactory(employee=clinic.nurse, tag=TagFactory(type="EXCEPTION", hours_delta=-4))
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=48)
        assert found(self.CODE) == []

    def test_the_contract_of_today_counts_or_that_of_the_first_day(self, clinic: Clinic) -> None:
        contract_until(clinic, days(10))
        EmployeeTagFactory(employee=clinic.nurse, tag=TagFactory(contract=True, hours_delta=24), valid_from=days(11))
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=36)
        AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=24, starts_on=days(11))
        assert found(self.CODE) == []
        EmployeeTag.objects.filter(employee=clinic.nurse).update(valid_until=days(-1), valid_from=days(-9))
        told = {f.subject_code: (f.facts["hours"], f.facts["contract_hours"]) for f in found(self.CODE)}
        assert told == {
            "E1/P1/2026-01-01": ("36.00", "0.00"),
            f"E1/P2/{days(11)}": ("24.00", "0.00"),
        }

    def test_reinforcement_and_what_is_over_are_let_be(self, clinic: Clinic) -> None:
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=5, is_reinforcement=True)
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=5, ends_on=days(-1))
        assert found(self.CODE) == []

    def test_it_tells_both_figures(self, clinic: Clinic) -> None:
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=30)
        [finding] = found(self.CODE)
        assert finding.records == ("E1",)
        with translation.override("en"):
            assert finding.message == "E1/P1/2026-01-01: 30.00 hours a week, the contract of its employee has 36.00."
            assert finding.remedy == "Change the hours to 36.00, or enter another contract."
