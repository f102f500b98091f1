"""The rules about what is not covered, what is covered more than once, and whose hours lie idle."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation

from apps.business_rules.models import BusinessRule
from apps.fsm.services import apply_transition
from apps.org.models import OrgUnit, Position
from tests.conftest import TODAY
from tests.factories import AssignmentFactory, Clinic, DemandAdjustmentFactory, LeaveFactory, PositionFactory
from tests.oracle import example

from .catalogue import found, install_rules

pytestmark = pytest.mark.django_db
Rules = dict[str, BusinessRule]


def days(number: int) -> date:
    return TODAY + timedelta(days=number)


def give(clinic: Clinic, hours: str, to: str = "p1", **fields: Any) -> Any:
    return AssignmentFactory(
        employee=clinic.nurse,
        position=getattr(clinic, to),
        effective_hours=Decimal(hours),
        **{"accepted": True} | fields,
    )


@pytest.fixture
def worked_out(settings: Any, db: Any) -> dict[str, Any]:
    """Return the clinic worked out by hand, with the rules."""

    def set_today(day: date) -> None:
        settings.COVERIS_TODAY = day

    made = example.build(set_today)
    install_rules()
    return made


class TestUnitUnderCovered:
    CODE = "UNIT_UNDER_COVERED"

    def about(self, unit: OrgUnit) -> list[Any]:
        return found(self.CODE, subjects={"unit": [unit.pk]})

    def test_the_worked_example_is_under_covered_where_the_page_says(self, worked_out: dict[str, Any]) -> None:
        told = {f.subject_code: (f.facts["week"], f.observed, f.limit) for f in found(self.CODE)}
        assert told == {
            "H": ("2026-12-14", Decimal("78.8"), Decimal(80)),
            "H1": ("2026-12-07", Decimal("79.3"), Decimal(80)),
            "H2": ("2026-12-14", Decimal("58.8"), Decimal(80)),
        }
        [finding] = self.about(worked_out["H"])
        assert (finding.facts["required"], finding.facts["filled"]) == ("72.15", "56.86")
        assert finding.records == ("H1", "H2")
        with translation.override("en"):
            assert finding.message == (
                "Hospital (H): 78.8 % covered in week 2026-W51 (56.86 of 72.15 hours), below 80.0 %."
            )
            assert finding.remedy == "It takes 0.87 hours more that week. The largest gaps: H1: 10.29, H2: 5.01."

    @pytest.mark.parametrize(("hours", "shown"), [("28.80", None), ("28.79", "79.9"), ("28.6", "79.4"), ("36", None)])
    def test_what_is_below_by_a_hair_is_below_and_never_shown_as_the_target(
        self, clinic: Clinic, hours: str, shown: str | None
    ) -> None:
        give(clinic, hours)
        install_rules()
        assert [finding.observed for finding in self.about(clinic.h1)] == ([Decimal(shown)] if shown else [])

    def test_the_nearest_target_comes_before_the_threshold(self, clinic: Clinic) -> None:
        give(clinic, "18")
        install_rules()
        OrgUnit.objects.filter(pk=clinic.root.pk).update(coverage_target=60)
        [finding] = self.about(clinic.h1)
        assert (finding.limit, finding.facts["target_unit"]) == (Decimal(60), "H")
        with translation.override("en"):
            assert finding.message.endswith("below the target of 60.0 % of unit H.")
        OrgUnit.objects.filter(pk=clinic.h1.pk).update(coverage_target=50)
        assert self.about(clinic.h1) == []
        OrgUnit.objects.filter(pk=clinic.h1.pk).update(coverage_target=Decimal("50.01"))
        assert [finding.observed for finding in self.about(clinic.h1)] == [Decimal("50.0")]

    def test_without_target_and_threshold_nobody_is_below(self, clinic: Clinic, rules: Rules) -> None:
        BusinessRule.objects.filter(code=self.CODE).update(threshold=None)
        assert found(self.CODE) == []

    def test_a_week_without_demand_is_skipped_and_the_first_that_lacks_is_named(
        self, clinic: Clinic, rules: Rules
    ) -> None:
        Position.objects.filter(pk=clinic.p1.pk).update(opens_on=date(2026, 12, 28))
        [finding] = self.about(clinic.h1)
        assert (finding.facts["week"], finding.observed) == ("2026-12-28", Decimal(0))
        Position.objects.filter(pk=clinic.p1.pk).update(opens_on=date(2027, 3, 8))
        assert self.about(clinic.h1) == []

    def test_a_surplus_beside_does_not_fill_a_gap(self, clinic: Clinic) -> None:
        PositionFactory(code="P9", org_unit=clinic.h1, required_weekly_hours=36)
        give(clinic, "60")
        install_rules()
        assert [finding.observed for finding in self.about(clinic.h1)] == [Decimal(50)]


class TestPositionVacant:
    CODE = "POSITION_VACANT"

    @pytest.fixture(autouse=True)
    def filled(self, clinic: Clinic, rules: Rules) -> None:
        """Somebody covers P2 all the time, so that P1 is the only one in question."""
        AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=36, accepted=True)

    def observed(self, clinic: Clinic) -> list[Decimal | None]:
        everyone = [finding.observed for finding in found(self.CODE)]
        assert everyone == [f.observed for f in found(self.CODE, subjects={"position": [clinic.p1.pk]})]
        return everyone

    def open(self, clinic: Clinic, first: date | None, last: date | None = None) -> None:
        Position.objects.filter(pk=clinic.p1.pk).update(opens_on=first, closes_on=last)

    @pytest.mark.parametrize(
        ("first", "last", "running"),
        [(-13, None, None), (-14, None, 15), (-14, 0, 15), (-14, -1, None), (1, None, None), (-40, 90, 41)],
    )
    def test_days_since_it_opened_are_counted_today_included(
        self, clinic: Clinic, first: int, last: int | None, running: int | None
    ) -> None:
        self.open(clinic, days(first), None if last is None else days(last))
        assert self.observed(clinic) == ([Decimal(running)] if running else [])

    @pytest.mark.parametrize(("last", "running"), [(0, None), (-14, None), (-15, 15)])
    def test_the_days_since_the_last_one_in_force_are_counted(
        self, clinic: Clinic, last: int, running: int | None
    ) -> None:
        assignment = give(clinic, "10")
        apply_transition(assignment, "close", actor=None, reason="over", ends_on=days(last))
        assert self.observed(clinic) == ([Decimal(running)] if running else [])
        if running:
            [finding] = found(self.CODE)
            assert finding.records == ("E1/P1/2026-01-01",)
            with translation.override("en"):
                assert finding.message == (
                    "Enfermería de guardia (P1): nobody in force since 25 Nov 2026, for 15 days."
                )
                assert finding.remedy == "Assign somebody who is here: 36.00 hours a week are needed."

    @pytest.mark.parametrize(("since", "running"), [(-13, None), (-14, 15)])
    def test_whoever_is_away_is_not_in_force(self, clinic: Clinic, since: int, running: int | None) -> None:
        give(clinic, "10")
        LeaveFactory(employee=clinic.nurse, starts_on=days(since), ends_on=days(30))
        assert self.observed(clinic) == ([Decimal(running)] if running else [])

    def test_whoever_came_back_today_is(self, clinic: Clinic) -> None:
        give(clinic, "10")
        LeaveFactory(employee=clinic.nurse, starts_on=days(-60), ends_on=days(-1))
        assert self.observed(clinic) == []

    def test_one_who_left_covered_the_last_day(self, clinic: Clinic) -> None:
        give(clinic, "10")
        apply_transition(clinic.nurse, "terminate", actor=None, reason="end", last_day=days(-20))
        assert self.observed(clinic) == [Decimal(20)]

    def test_proposed_to_come_rejected_and_voided_ones_do_not_fill_it(self, clinic: Clinic) -> None:
        self.open(clinic, days(-20))
        proposal = give(clinic, "10", accepted=False)
        give(clinic, "10", starts_on=days(1), is_reinforcement=True)
        assert self.observed(clinic) == [Decimal(21)]
        apply_transition(proposal, "reject", actor=None, reason="no")
        assert self.observed(clinic) == [Decimal(21)]

    def test_a_position_that_always_was_there_and_never_had_anybody(self, clinic: Clinic) -> None:
        self.open(clinic, None)
        [finding] = found(self.CODE)
        assert (finding.observed, finding.facts["since"]) == (None, None)
        with translation.override("en"):
            assert finding.message == "Enfermería de guardia (P1): nobody has ever been in force."

    @pytest.mark.parametrize(
        ("first", "last", "hours", "running"),
        [
            (-40, -15, "-36", 15),
            (-40, -14, "-36", None),
            (-40, -14, "-35.99", 343),
            (-40, None, "-36", None),
            (-5, 0, "-40", None),
            (1, 9, "-36", 343),
            (-40, -14, "12", 343),
        ],
        ids=["over for long", "over a day later", "a little left", "still", "today", "to come", "more"],
    )
    def test_days_without_demand_do_not_count_and_end_the_run(
        self, clinic: Clinic, first: int, last: int | None, hours: str, running: int | None
    ) -> None:
        DemandAdjustmentFactory(
            position=clinic.p1,
            from_day=days(first),
            until_day=None if last is None else days(last),
            hours=Decimal(hours),
        )
        assert self.observed(clinic) == ([Decimal(running)] if running else [])

    def test_adjustments_beside_each_other_add_up(self, clinic: Clinic) -> None:
        for first, last, hours in ((-60, -10, -30), (-50, -20, -6)):
            DemandAdjustmentFactory(position=clinic.p1, from_day=days(first), until_day=days(last), hours=hours)
        assert self.observed(clinic) == [Decimal(20)]


class TestPositionOverCovered:
    CODE = "POSITION_OVER_COVERED"

    def observed(self, clinic: Clinic, **question: Any) -> list[Decimal | None]:
        return [f.observed for f in found(self.CODE, subjects={"position": [clinic.p1.pk]}, **question)]

    @pytest.mark.parametrize(("hours", "shown"), [("36", None), ("36.01", "100.1"), ("40", "111.1"), ("35.99", None)])
    def test_a_hundredth_more_is_more_and_never_shown_as_the_limit(
        self, clinic: Clinic, hours: str, shown: str | None
    ) -> None:
        give(clinic, hours)
        install_rules()
        assert self.observed(clinic) == ([Decimal(shown)] if shown else [])

    def test_reinforcement_does_not_count(self, clinic: Clinic) -> None:
        give(clinic, "36")
        AssignmentFactory(
            employee=clinic.surgeon, position=clinic.p1, effective_hours=10, is_reinforcement=True, accepted=True
        )
        install_rules()
        assert self.observed(clinic) == []

    def test_the_worst_week_is_told_with_its_hours_and_records(self, clinic: Clinic) -> None:
        give(clinic, "40")
        AssignmentFactory(
            employee=clinic.surgeon, position=clinic.p1, effective_hours=14, starts_on=date(2026, 12, 21), accepted=True
        )
        install_rules()
        [finding] = found(self.CODE, subjects={"position": [clinic.p1.pk]})
        assert (finding.observed, finding.limit, finding.facts["week"]) == (Decimal(150), Decimal(100), "2026-12-21")
        assert finding.records == ("E1/P1/2026-01-01", "E2/P1/2026-12-21")
        with translation.override("en"):
            assert finding.message == (
                "Enfermería de guardia (P1): 54.00 regular hours in week 2026-W52 where 36.00 are required, "
                "150.0 % of them; up to 100.0 % is allowed."
            )
            assert finding.remedy.startswith("It fits with 18.00 hours less that week")

    def test_weeks_without_demand_are_skipped(self, clinic: Clinic) -> None:
        give(clinic, "36")
        Position.objects.filter(pk=clinic.p1.pk).update(closes_on=date(2026, 12, 20))
        install_rules()
        assert self.observed(clinic) == []

    def test_a_proposal_counts_as_if_accepted_alone(self, clinic: Clinic, rules: Rules) -> None:
        proposal = give(clinic, "40", accepted=False)
        assert self.observed(clinic) == []
        assert self.observed(clinic, as_accepted=[proposal.pk], at_gate=True) == [Decimal("111.1")]


class TestUnusedCapacity:
    CODE = "UNUSED_CAPACITY"

    @pytest.mark.parametrize(
        ("hours", "free"), [("28", None), ("27.99", "8.01"), ("36", None), ("10", "26"), ("40", None)]
    )
    def test_what_is_free_this_week_is_weighed(self, clinic: Clinic, hours: str, free: str | None) -> None:
        give(clinic, hours)
        install_rules()
        told = found(self.CODE, subjects={"employee": [clinic.nurse.pk]})
        assert [finding.observed for finding in told] == ([Decimal(free)] if free else [])

    def test_a_seventh_of_a_hundredth_above_is_above_and_not_shown_as_the_limit(self, clinic: Clinic) -> None:
        give(clinic, "28", ends_on=date(2026, 12, 12))
        give(clinic, "27.99", starts_on=date(2026, 12, 13))
        install_rules()
        [finding] = found(self.CODE, subjects={"employee": [clinic.nurse.pk]})
        assert (finding.observed, finding.limit) == (Decimal("8.01"), Decimal(8))

    def test_other_weeks_do_not_matter(self, clinic: Clinic) -> None:
        give(clinic, "36", ends_on=date(2026, 12, 13))
        install_rules()
        assert found(self.CODE, subjects={"employee": [clinic.nurse.pk]}) == []

    def test_the_worked_example_has_16_hours_free(self, worked_out: dict[str, Any]) -> None:
        told = {finding.subject_code: finding.observed for finding in found(self.CODE)}
        assert told == {"E1": Decimal("8.57"), "E3": Decimal("16.00")}

    def test_it_tells_both_sides(self, clinic: Clinic) -> None:
        give(clinic, "10")
        install_rules()
        [finding] = found(self.CODE, subjects={"employee": [clinic.nurse.pk]})
        with translation.override("en"):
            assert finding.message == (
                "Gómez, Lucía (E1): 26.00 hours to give in week 2026-W50 (pool 36.00, assigned 10.00)."
            )
            assert finding.remedy == "Assign 18.00 hours more where they lack; 8.00 may stay free."
