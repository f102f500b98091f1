"""Waivers: what they cover, for whom and until when; who may grant and end them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from apps.assignments.models import Assignment
from apps.business_rules import sql
from apps.business_rules.models import BusinessRule, EvaluationRun, RuleOverride, RuleViolation, Waiver
from apps.business_rules.services import (
    end_waiver,
    evaluate_rules,
    grant_unit_waiver,
    grant_waiver,
    reopen_expired,
    run_waiting_sweeps,
    sweep,
    waive_violation,
)
from apps.business_rules.tasks import reopen_expired as nightly_job
from apps.common.errors import Refusal
from apps.fsm.services import TransitionsRefused, apply_transition
from apps.org.models import OrgUnit
from apps.users.enums import Role
from tests.conftest import TODAY
from tests.factories import AssignmentFactory, Clinic, OrgUnitFactory, RuleOverrideFactory, UserFactory
from tests.rules.catalogue import install_rules

pytestmark = pytest.mark.django_db
Rules = dict[str, BusinessRule]
Found = dict[str, RuleViolation]
TOMORROW, SOON = TODAY + timedelta(days=1), TODAY + timedelta(days=30)
CAP, POOL, POOL_ELSEWHERE = "MAX_WEEKLY_HOURS E1", "HOURS_OVER_POOL E1", "HOURS_OVER_POOL E2"


@pytest.fixture
def found(clinic: Clinic) -> Found:
    """The nurse of H1 above the cap (BLOCKING) and the pool (WARNING), the surgeon of H2 above the pool."""
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=61, accepted=True)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=40, accepted=True)
    install_rules("MAX_WEEKLY_HOURS", "HOURS_OVER_POOL")
    sweep(actor=None)
    return {f"{row.rule.code} {row.subject_code}": row for row in RuleViolation.objects.select_related("rule")}


def refusal_of(deed: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        deed()
    return refusal.value.reasons[0].code


def state_of(violation: RuleViolation) -> str:
    violation.refresh_from_db()
    return violation.state


def for_unit(rule: BusinessRule, unit: OrgUnit, actor: Any, until: date = SOON) -> Waiver:
    return grant_unit_waiver(rule=rule, unit=unit, actor=actor, reason="agreed", expires_on=until)


def for_one(violation: RuleViolation, actor: Any, until: date = SOON) -> Waiver:
    return waive_violation(violation=violation, actor=actor, reason="agreed", expires_on=until)


class TestWhoMay:
    @pytest.mark.parametrize(
        ("who", "code", "unit", "refusal"),
        [
            ("viewer", "HOURS_OVER_POOL", "h1", "forbidden"),
            ("supervisor", "HOURS_OVER_POOL", "h1", None),
            ("supervisor", "MAX_WEEKLY_HOURS", "h1", "forbidden"),
            ("supervisor", "HOURS_OVER_POOL", "h2", "out_of_scope"),
            ("manager", "MAX_WEEKLY_HOURS", "h1", None),
            ("manager", "MAX_WEEKLY_HOURS", "h2", "out_of_scope"),
            ("manager", "MAX_WEEKLY_HOURS", "root", "out_of_scope"),
            ("admin", "MAX_WEEKLY_HOURS", "root", None),
        ],
    )
    def test_grants_one_for_a_unit_by_severity_and_scope(
        self, clinic: Clinic, rules: Rules, who: str, code: str, unit: str, refusal: str | None
    ) -> None:
        deed = lambda: for_unit(rules[code], getattr(clinic, unit), getattr(clinic, who))  # noqa: E731
        if refusal:
            assert refusal_of(deed) == refusal
            assert not Waiver.objects.exists()
            assert not EvaluationRun.objects.exists()
        else:
            waiver = deed()
            assert (waiver.severity, waiver.granted_by) == (rules[code].severity, getattr(clinic, who))

    def test_an_employee_login_and_a_blocked_one_grant_nothing(self, clinic: Clinic, rules: Rules) -> None:
        for actor in (UserFactory(role=Role.EMPLOYEE), UserFactory(role=Role.ADMIN, is_active=False)):
            with pytest.raises(Refusal):
                for_unit(rules["HOURS_OVER_POOL"], clinic.h1, actor)
        assert not Waiver.objects.exists()

    def test_the_severity_a_unit_gives_the_rule_decides(self, clinic: Clinic, rules: Rules) -> None:
        RuleOverrideFactory(rule=rules["MAX_WEEKLY_HOURS"], org_unit=clinic.root, severity="WARNING")
        assert for_unit(rules["MAX_WEEKLY_HOURS"], clinic.h1, clinic.supervisor).severity == "WARNING"
        RuleOverrideFactory(rule=rules["HOURS_OVER_POOL"], org_unit=clinic.h1, severity="BLOCKING")
        assert refusal_of(lambda: for_unit(rules["HOURS_OVER_POOL"], clinic.h1, clinic.supervisor)) == "forbidden"

    def test_where_a_unit_switched_the_rule_off_its_own_severity_decides(self, clinic: Clinic, rules: Rules) -> None:
        RuleOverrideFactory(rule=rules["MAX_WEEKLY_HOURS"], org_unit=clinic.h1, severity="OFF")
        assert refusal_of(lambda: for_unit(rules["MAX_WEEKLY_HOURS"], clinic.h1, clinic.supervisor)) == "forbidden"

    @pytest.mark.parametrize(
        ("reason", "until", "code"),
        [("", SOON, "needed"), (" \n", SOON, "needed"), ("agreed", TODAY - timedelta(days=1), "expires_in_past")],
    )
    def test_a_reason_and_a_day_to_come_are_asked_for(
        self, clinic: Clinic, rules: Rules, reason: str, until: date, code: str
    ) -> None:
        rule = rules["HOURS_OVER_POOL"]
        deed = lambda: grant_unit_waiver(  # noqa: E731
            rule=rule, unit=clinic.h1, actor=clinic.admin, reason=reason, expires_on=until
        )
        assert refusal_of(deed) == code

    def test_one_for_a_record_of_another_kind_is_refused(self, clinic: Clinic, rules: Rules) -> None:
        deed = lambda: grant_waiver(  # noqa: E731
            rule=rules["MAX_WEEKLY_HOURS"], subject_kind="position", subject_id=clinic.p1.pk, actor=clinic.admin,
            reason="agreed", expires_on=SOON,
        )  # fmt: skip
        assert refusal_of(deed) == "wrong_kind"


class TestSeverity:
    """A waiver covers nothing more severe than what it was granted for."""

    @pytest.fixture
    def over_pool(self, clinic: Clinic) -> Assignment:
        """A proposal above the pool, whose employee has a waiver a SUPERVISOR granted for a WARNING."""
        rule = install_rules("HOURS_OVER_POOL")["HOURS_OVER_POOL"]
        for_unit(rule, clinic.h1, clinic.supervisor)
        return AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40)

    def test_at_the_gate_it_lets_the_warning_pass_unasked(self, clinic: Clinic, over_pool: Assignment) -> None:
        apply_transition(over_pool, "accept", actor=clinic.manager)
        assert [item["rule"] for item in over_pool.transition_logs.get().metadata["rules"]["waived"]] == [
            "HOURS_OVER_POOL"
        ]

    def test_at_the_gate_it_lets_nothing_pass_once_the_rule_blocks(self, clinic: Clinic, over_pool: Assignment) -> None:
        BusinessRule.objects.filter(code="HOURS_OVER_POOL").update(severity="BLOCKING")
        with pytest.raises(TransitionsRefused):
            apply_transition(over_pool, "accept", actor=clinic.manager, confirmed=True)

    def test_at_the_gate_it_lets_nothing_pass_where_the_unit_makes_the_rule_block(
        self, clinic: Clinic, over_pool: Assignment
    ) -> None:
        RuleOverrideFactory(
            rule=BusinessRule.objects.get(code="HOURS_OVER_POOL"), org_unit=clinic.h1, severity="BLOCKING"
        )
        with pytest.raises(TransitionsRefused):
            apply_transition(over_pool, "accept", actor=clinic.manager, confirmed=True)

    def test_the_comparison_of_severities_is_what_stops_it(
        self, clinic: Clinic, over_pool: Assignment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        BusinessRule.objects.filter(code="HOURS_OVER_POOL").update(severity="BLOCKING")
        monkeypatch.setattr(sql, "rank", lambda severity: "1")
        assert apply_transition(over_pool, "accept", actor=clinic.manager).status == "ACTIVE"

    @pytest.mark.parametrize("how", ["rule", "unit"])
    def test_in_the_sweep_what_became_more_severe_is_open_again(self, clinic: Clinic, found: Found, how: str) -> None:
        for_one(found[POOL], clinic.supervisor)
        sweep(actor=None)
        assert state_of(found[POOL]) == "WAIVED"
        if how == "rule":
            BusinessRule.objects.filter(code="HOURS_OVER_POOL").update(severity="BLOCKING")
        else:
            RuleOverrideFactory(rule=found[POOL].rule, org_unit=clinic.h1, severity="BLOCKING")
        sweep(actor=None)
        assert (state_of(found[POOL]), found[POOL].severity) == ("OPEN", "BLOCKING")

    def test_what_became_less_severe_stays_waived(self, clinic: Clinic, found: Found) -> None:
        for_one(found[CAP], clinic.manager)
        BusinessRule.objects.filter(code="MAX_WEEKLY_HOURS").update(severity="INFO")
        sweep(actor=None)
        assert state_of(found[CAP]) == "WAIVED"


class TestOfAUnit:
    def test_it_covers_all_below_and_nothing_beside(self, clinic: Clinic, found: Found) -> None:
        ward = OrgUnitFactory(code="H1A", parent=clinic.h1)
        type(clinic.nurse).objects.filter(pk=clinic.nurse.pk).update(home_unit=ward)
        for_unit(found[POOL].rule, clinic.h1, clinic.manager)
        assert state_of(found[POOL]) == "OPEN", "a worker waives what stands"
        run_waiting_sweeps()
        assert (state_of(found[POOL]), state_of(found[POOL_ELSEWHERE])) == ("WAIVED", "OPEN")
        assert state_of(found[CAP]) == "OPEN", "another rule"

    def test_an_assignment_hangs_on_the_unit_of_its_position(self, clinic: Clinic) -> None:
        rule = install_rules("OUTSIDE_POSITION_DATES")["OUTSIDE_POSITION_DATES"]
        away = AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=10, accepted=True)
        type(clinic.p2).objects.filter(pk=clinic.p2.pk).update(closes_on=TODAY - timedelta(days=1))
        for_unit(rule, clinic.h1, clinic.admin)
        [of_home] = evaluate_rules(subjects={"assignment": [away.pk]})
        assert not of_home.waived
        for_unit(rule, clinic.h2, clinic.admin)
        [of_place] = evaluate_rules(subjects={"assignment": [away.pk]})
        assert of_place.waived

    def test_it_is_asked_for_once_however_often_it_is_granted(self, clinic: Clinic, found: Found) -> None:
        for_unit(found[POOL].rule, clinic.h1, clinic.manager)
        for_unit(found[POOL].rule, clinic.h1, clinic.manager)
        run = EvaluationRun.objects.get(trigger="change")
        assert (run.rules, run.unit_code) == (["HOURS_OVER_POOL"], "H1")


class TestRunningOut:
    """The day a waiver names is its last; the job after midnight opens what it covered."""

    @pytest.fixture(params=["record", "unit"])
    def waived(self, request: Any, clinic: Clinic, found: Found) -> RuleViolation:
        if request.param == "record":
            for_one(found[POOL], clinic.manager, TODAY)
        else:
            for_unit(found[POOL].rule, clinic.h1, clinic.manager, TODAY)
            run_waiting_sweeps()
        return found[POOL]

    def test_on_its_last_day_it_covers(self, waived: RuleViolation) -> None:
        assert (nightly_job(), state_of(waived)) == (0, "WAIVED")

    def test_the_day_after_it_is_open_once(self, waived: RuleViolation, settings: Any) -> None:
        settings.COVERIS_TODAY = TOMORROW
        assert (nightly_job(), state_of(waived)) == (1, "OPEN")
        history = waived.history.count()
        runs = EvaluationRun.objects.count()
        assert nightly_job() == 0
        assert (state_of(waived), waived.history.count(), EvaluationRun.objects.count()) == ("OPEN", history, runs)
        last = waived.history.latest()
        assert (last.history_user, last.origin) == (None, "task")

    def test_days_without_running_lose_nothing(self, waived: RuleViolation, settings: Any) -> None:
        settings.COVERIS_TODAY = TODAY + timedelta(days=20)
        assert (nightly_job(), state_of(waived)) == (1, "OPEN")

    def test_what_a_second_waiver_covers_stays_waived(
        self, clinic: Clinic, waived: RuleViolation, settings: Any
    ) -> None:
        for_one(waived, clinic.manager, SOON)
        settings.COVERIS_TODAY = TOMORROW
        assert (nightly_job(), state_of(waived)) == (0, "WAIVED")

    def test_many_of_one_rule_are_left_to_a_worker(
        self, waived: RuleViolation, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("apps.business_rules.services.waivers.AT_ONCE", 0)
        settings.COVERIS_TODAY = TOMORROW
        assert (reopen_expired(), state_of(waived)) == (1, "WAIVED")
        run_waiting_sweeps()
        assert state_of(waived) == "OPEN"

    def test_a_rule_that_does_not_act_any_more_is_left_to_the_sweep(self, waived: RuleViolation, settings: Any) -> None:
        BusinessRule.objects.update(enabled=False)
        settings.COVERIS_TODAY = TOMORROW
        assert nightly_job() == 0


class TestEnding:
    def test_ones_own_ends_at_once_with_who_and_why(self, clinic: Clinic, found: Found) -> None:
        waiver = for_one(found[POOL], clinic.supervisor)
        end_waiver(waiver=waiver, actor=clinic.supervisor, reason="a colleague came back")
        waiver.refresh_from_db()
        assert waiver.expires_on == TODAY - timedelta(days=1)
        assert state_of(found[POOL]) == "OPEN"
        last, first = Waiver.history.filter(id=waiver.pk).order_by("-history_date", "-history_id")
        assert (last.history_user, last.history_change_reason) == (clinic.supervisor, "a colleague came back")
        assert (first.history_user, first.history_change_reason) == (clinic.supervisor, "agreed")

    def test_one_of_a_unit_ends_in_seconds(self, clinic: Clinic, found: Found) -> None:
        waiver = for_unit(found[POOL].rule, clinic.h1, clinic.manager)
        run_waiting_sweeps()
        end_waiver(waiver=waiver, actor=clinic.manager, reason="not needed")
        run_waiting_sweeps()
        assert state_of(found[POOL]) == "OPEN"

    def test_a_manager_ends_others_and_a_supervisor_does_not(self, clinic: Clinic, found: Found) -> None:
        waiver = for_one(found[POOL], clinic.admin)
        assert refusal_of(lambda: end_waiver(waiver=waiver, actor=clinic.supervisor, reason="no")) == "forbidden"
        assert refusal_of(lambda: end_waiver(waiver=waiver, actor=clinic.viewer, reason="no")) == "forbidden"
        assert state_of(found[POOL]) == "WAIVED"
        end_waiver(waiver=waiver, actor=clinic.manager, reason="not needed")
        assert state_of(found[POOL]) == "OPEN"

    def test_one_out_of_scope_is_as_if_it_were_not_there(self, clinic: Clinic, found: Found) -> None:
        of_record = for_one(found[POOL_ELSEWHERE], clinic.admin)
        of_unit = for_unit(found[POOL].rule, clinic.h2, clinic.admin)
        for waiver in (of_record, of_unit):
            assert refusal_of(lambda: end_waiver(waiver=waiver, actor=clinic.manager, reason="no")) == "out_of_scope"  # noqa: B023

    def test_it_wants_a_reason_and_ends_once(self, clinic: Clinic, found: Found) -> None:
        waiver = for_one(found[POOL], clinic.manager)
        assert refusal_of(lambda: end_waiver(waiver=waiver, actor=clinic.manager, reason=" ")) == "needed"
        end_waiver(waiver=waiver, actor=clinic.manager, reason="over")
        assert refusal_of(lambda: end_waiver(waiver=waiver, actor=clinic.manager, reason="again")) == "wrong_state"


class TestWhoSees:
    def test_one_of_a_unit_is_visible_with_the_unit(self, clinic: Clinic, rules: Rules) -> None:
        here = for_unit(rules["HOURS_OVER_POOL"], clinic.h1, clinic.admin)
        for_unit(rules["HOURS_OVER_POOL"], clinic.h2, clinic.admin)
        assert list(Waiver.objects.visible_to(clinic.manager)) == [here]
        assert Waiver.objects.visible_to(clinic.admin).count() == 2
        assert not Waiver.objects.visible_to(UserFactory(role=Role.EMPLOYEE)).exists()

    def test_the_setting_of_the_unit_stays_as_it_is(self, clinic: Clinic, rules: Rules) -> None:
        for_unit(rules["HOURS_OVER_POOL"], clinic.h1, clinic.admin)
        assert not RuleOverride.objects.exists()
