"""The health of the rules: what they find, what is waived, how long they take, which settings make no sense."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from apps.business_rules.health import RuleHealth, health_of
from apps.business_rules.models import BusinessRule, EvaluationRun, RuleViolation
from apps.business_rules.services import sweep, waive_violation
from tests.conftest import TODAY
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeFactory,
    OrgUnitFactory,
    RuleOverrideFactory,
    UserFactory,
    WaiverFactory,
)

pytestmark = pytest.mark.django_db
Rules = dict[str, BusinessRule]
PAGE = reverse("admin:business_rules_businessrule_health")
SOON = TODAY + timedelta(days=30)


def of(code: str, user: Any) -> RuleHealth:
    return next(item for item in health_of(user) if item.rule.code == code)


def said(code: str, user: Any) -> list[tuple[str, str]]:
    """Return what is contradictory about a rule: (code, where)."""
    return [(one.code, one.unit.code if one.unit else "") for one in of(code, user).contradictions]


def change(rule: BusinessRule, **values: Any) -> None:
    BusinessRule.objects.filter(pk=rule.pk).update(**values)


@pytest.fixture
def two_over(clinic: Clinic, rules: Rules) -> list[RuleViolation]:
    """The nurse of H1 and the surgeon of H2, both above the pool."""
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=40, accepted=True)
    sweep(actor=None)
    return list(RuleViolation.objects.filter(rule__code="HOURS_OVER_POOL").order_by("subject_code"))


class TestWhatTheyFind:
    def test_violations_by_state_in_the_readers_part(self, clinic: Clinic, two_over: list[RuleViolation]) -> None:
        waive_violation(violation=two_over[0], actor=clinic.manager, reason="agreed", expires_on=SOON)
        whole, part = of("HOURS_OVER_POOL", clinic.admin), of("HOURS_OVER_POOL", clinic.manager)
        assert (dict(whole.states), whole.waivers, whole.waived_percent) == ({"OPEN": 1, "WAIVED": 1}, 1, 50)
        assert (dict(part.states), part.waivers, part.waived_percent) == ({"WAIVED": 1}, 1, 100)

    def test_waivers_that_are_over_do_not_count(self, clinic: Clinic, rules: Rules) -> None:
        for until in (TODAY, TODAY - timedelta(days=1)):
            WaiverFactory(rule=rules["HOURS_OVER_POOL"], org_unit=clinic.h1, granted_by=clinic.admin, expires_on=until)
        assert of("HOURS_OVER_POOL", clinic.admin).waivers == 1
        assert of("HOURS_OVER_POOL", clinic.admin).waived_percent is None

    def test_never_broken_is_what_is_in_effect_and_has_no_violation_not_even_a_resolved_one(
        self, clinic: Clinic, two_over: list[RuleViolation]
    ) -> None:
        never = {item.rule.code for item in health_of(clinic.admin) if item.never_fired}
        assert "MAX_WEEKLY_HOURS" in never and "HOURS_OVER_POOL" not in never
        assert "CONTRACT_HOURS_MISMATCH" not in never, "it is off"
        RuleViolation.objects.update(state="RESOLVED", resolved_at=timezone.now())
        assert not of("HOURS_OVER_POOL", clinic.admin).never_fired

    def test_since_when_it_could_have_been(self, clinic: Clinic, rules: Rules) -> None:
        later = timezone.localdate() + timedelta(days=5)
        assert of("MAX_WEEKLY_HOURS", clinic.admin).since == timezone.localdate()
        change(rules["MAX_WEEKLY_HOURS"], effective_from=later)
        assert of("MAX_WEEKLY_HOURS", clinic.admin).since == later


class TestHowLongTheyTake:
    def run(self, unit: str = "", finished: bool = True, **results: Any) -> None:
        EvaluationRun.objects.create(
            trigger="nightly", unit_code=unit, results=results, finished_at=timezone.now() if finished else None
        )

    def test_the_median_of_the_evaluations_of_everybody(self, clinic: Clinic, rules: Rules) -> None:
        for milliseconds in (10, 400, 20):
            self.run(MAX_WEEKLY_HOURS={"ms": milliseconds})
        self.run(unit="H1", MAX_WEEKLY_HOURS={"ms": 9_000})
        self.run(finished=False, MAX_WEEKLY_HOURS={"ms": 9_000})
        assert of("MAX_WEEKLY_HOURS", clinic.admin).milliseconds == 20
        assert of("HOURS_OVER_POOL", clinic.admin).milliseconds is None

    def test_what_failed_the_last_time_and_not_before(self, clinic: Clinic, rules: Rules) -> None:
        self.run(MAX_WEEKLY_HOURS={"failed": "DataError", "ms": 5}, HOURS_OVER_POOL={"failed": "DataError", "ms": 5})
        self.run(MAX_WEEKLY_HOURS={"ms": 7}, HOURS_OVER_POOL={"failed": "DataError", "ms": 5})
        assert [of(code, clinic.admin).failed for code in ("MAX_WEEKLY_HOURS", "HOURS_OVER_POOL")] == ["", "DataError"]
        assert of("MAX_WEEKLY_HOURS", clinic.admin).milliseconds == 7


class TestContradictions:
    def test_the_reference_rules_have_none(self, clinic: Clinic, rules: Rules) -> None:
        assert {item.rule.code: item.contradictions for item in health_of(clinic.admin) if item.contradictions} == {}

    @pytest.mark.parametrize(
        ("code", "values", "expected"),
        [
            ("MAX_WEEKLY_HOURS", {"effective_until": TODAY - timedelta(days=1)}, ["over"]),
            ("MAX_WEEKLY_HOURS", {"effective_until": TODAY}, []),
            ("MAX_WEEKLY_HOURS", {"effective_until": TODAY - timedelta(days=1), "enabled": False}, []),
            ("UNIT_UNDER_COVERED", {"severity": "BLOCKING"}, ["never_asked"]),
            ("MAX_WEEKLY_HOURS", {"threshold": Decimal(169)}, ["senseless"]),
            ("MAX_WEEKLY_HOURS", {"threshold": Decimal(168)}, []),
            ("UNIT_UNDER_COVERED", {"threshold": Decimal(101)}, ["senseless"]),
            ("POSITION_OVER_COVERED", {"threshold": Decimal(99)}, ["senseless"]),
            ("HOURS_OVER_POOL", {"code": "NOBODY_KNOWS"}, ["no_code"]),
        ],
    )
    def test_of_the_rule_itself(
        self, clinic: Clinic, rules: Rules, code: str, values: dict[str, Any], expected: list[str]
    ) -> None:
        change(rules[code], **values)
        assert [one for one, _where in said(values.get("code", code), clinic.admin)] == expected

    @pytest.mark.parametrize(
        ("override", "expected"),
        [
            ({"threshold": Decimal(60)}, ["same"]),
            ({"severity": "BLOCKING"}, ["same"]),
            ({"severity": "BLOCKING", "threshold": Decimal(60)}, ["same"]),
            ({"severity": "BLOCKING", "threshold": Decimal(50)}, []),
            ({"threshold": Decimal(200)}, ["senseless"]),
            ({"severity": "OFF", "threshold": Decimal(50)}, ["never_reached"]),
            ({"severity": "OFF"}, []),
        ],
    )
    def test_of_an_exception(self, clinic: Clinic, rules: Rules, override: dict[str, Any], expected: list[str]) -> None:
        RuleOverrideFactory(rule=rules["MAX_WEEKLY_HOURS"], org_unit=clinic.h1, **override)
        assert said("MAX_WEEKLY_HOURS", clinic.admin) == [(code, "H1") for code in expected]

    def test_an_exception_below_is_compared_with_the_one_above(self, clinic: Clinic, rules: Rules) -> None:
        rule = rules["MAX_WEEKLY_HOURS"]
        RuleOverrideFactory(rule=rule, org_unit=clinic.root, threshold=Decimal(48))
        RuleOverrideFactory(rule=rule, org_unit=clinic.h1, threshold=Decimal(60))
        RuleOverrideFactory(rule=rule, org_unit=clinic.h2, threshold=Decimal(48))
        assert said("MAX_WEEKLY_HOURS", clinic.admin) == [("same", "H2")]

    def test_a_threshold_below_a_unit_that_switched_the_rule_off(self, clinic: Clinic, rules: Rules) -> None:
        rule = rules["MAX_WEEKLY_HOURS"]
        RuleOverrideFactory(rule=rule, org_unit=clinic.root, severity="OFF")
        RuleOverrideFactory(rule=rule, org_unit=clinic.h1, threshold=Decimal(50))
        assert said("MAX_WEEKLY_HOURS", clinic.admin) == [("never_reached", "H1")]

    def test_a_threshold_above_the_cap_of_the_units(self, clinic: Clinic, rules: Rules) -> None:
        type(clinic.root).objects.filter(pk=clinic.root.pk).update(max_weekly_hours=48)
        RuleOverrideFactory(rule=rules["MAX_WEEKLY_HOURS"], org_unit=clinic.h1, threshold=Decimal(50))
        assert said("MAX_WEEKLY_HOURS", clinic.admin) == [("never_reached", "H1")]

    def test_a_cap_above_the_threshold(self, clinic: Clinic, rules: Rules) -> None:
        type(clinic.h1).objects.filter(pk=clinic.h1.pk).update(max_weekly_hours=61)
        type(clinic.h2).objects.filter(pk=clinic.h2.pk).update(max_weekly_hours=60)
        assert said("MAX_WEEKLY_HOURS", clinic.admin) == [("cap_above", "H1")]
        with translation.override("en"):
            sentence = of("MAX_WEEKLY_HOURS", clinic.admin).contradictions[0].sentence
        assert sentence == "Cap of weekly hours is 61.00, above the threshold of 60.00: it is never reached."

    def test_a_target_laxer_than_the_threshold(self, clinic: Clinic, rules: Rules) -> None:
        type(clinic.h1).objects.filter(pk=clinic.h1.pk).update(coverage_target=70)
        type(clinic.h2).objects.filter(pk=clinic.h2.pk).update(coverage_target=90)
        assert said("UNIT_UNDER_COVERED", clinic.admin) == [("target_under", "H1")]

    def test_those_of_other_parts_are_not_told(self, clinic: Clinic, rules: Rules) -> None:
        for unit in (clinic.root, clinic.h1, clinic.h2):
            RuleOverrideFactory(rule=rules["MAX_WEEKLY_HOURS"], org_unit=unit, threshold=Decimal(60))
        assert said("MAX_WEEKLY_HOURS", clinic.manager) == [("same", "H1")]


class TestSwitchedOff:
    def off(self, user: Any) -> dict[str, int]:
        return {one.unit.code: one.subjects for one in of("MAX_WEEKLY_HOURS", user).off}

    def test_it_tells_how_many_it_leaves_out_below_until_a_unit_says_otherwise(
        self, clinic: Clinic, rules: Rules
    ) -> None:
        ward, other = OrgUnitFactory(parent=clinic.h1), OrgUnitFactory(parent=clinic.h1)
        for unit in (ward, ward, other):
            EmployeeFactory(home_unit=unit)
        RuleOverrideFactory(rule=rules["MAX_WEEKLY_HOURS"], org_unit=clinic.h1, severity="OFF")
        assert self.off(clinic.admin) == {"H1": 5}
        RuleOverrideFactory(rule=rules["MAX_WEEKLY_HOURS"], org_unit=ward, severity="WARNING")
        RuleOverrideFactory(rule=rules["MAX_WEEKLY_HOURS"], org_unit=other, threshold=Decimal(50))
        assert self.off(clinic.admin) == {"H1": 3}

    def test_those_of_other_parts_are_not_told(self, clinic: Clinic, rules: Rules) -> None:
        for unit in (clinic.h1, clinic.h2):
            RuleOverrideFactory(rule=rules["MAX_WEEKLY_HOURS"], org_unit=unit, severity="OFF")
        assert self.off(clinic.manager) == {"H1": 2}


class TestThePage:
    def test_who_answers_for_waivers_reads_it(self, clinic: Clinic, rules: Rules, as_user: Any) -> None:
        catalogue = reverse("admin:business_rules_businessrule_changelist")
        people = (clinic.admin, clinic.manager, clinic.supervisor, clinic.viewer)
        assert [as_user(person).get(PAGE).status_code for person in people] == [200, 200, 403, 403]
        assert [as_user(person).post(PAGE).status_code for person in people] == [403] * 4
        # Once in the menu and once on the page.
        shown = [as_user(person).get(catalogue).content.decode().count(f'href="{PAGE}"') for person in people]
        assert [number > 1 for number in shown] == [True, True, False, False]
        assert shown[2:] == [0, 0]

    def test_it_shows_all_of_it(self, clinic: Clinic, two_over: list[RuleViolation], as_user: Any) -> None:
        RuleOverrideFactory(rule=BusinessRule.objects.get(code="NO_CONTRACT"), org_unit=clinic.h1, severity="OFF")
        BusinessRule.objects.filter(code="UNIT_UNDER_COVERED").update(severity="BLOCKING")
        waive_violation(violation=two_over[0], actor=clinic.manager, reason="agreed", expires_on=SOON)
        html = as_user(clinic.admin).get(PAGE).content.decode()
        for sentence in (
            "leaves out 2 records",
            "no change is ever asked about it",
            "in force since",
            "50 %",
            " ms</span>",
        ):
            assert sentence in html

    def test_it_costs_the_same_with_many_rules_and_exceptions(
        self, clinic: Clinic, two_over: list[RuleViolation], as_user: Any
    ) -> None:
        client = as_user(UserFactory(role="MANAGER", unit=clinic.root))

        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(PAGE).status_code == 200
            return len(captured)

        def more(number: int) -> None:
            for _one in range(number):
                unit = OrgUnitFactory(parent=clinic.root, max_weekly_hours=70)
                for rule in BusinessRule.objects.filter(code__in=("MAX_WEEKLY_HOURS", "NO_CONTRACT")):
                    RuleOverrideFactory(rule=rule, org_unit=unit, severity="OFF")
                    WaiverFactory(rule=rule, org_unit=unit, granted_by=clinic.admin, expires_on=SOON)
                EvaluationRun.objects.create(trigger="nightly", finished_at=timezone.now())

        more(1)
        queries()
        few = queries()
        more(6)
        assert queries() == few
