"""The sweep: violations of everyone, written by difference."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.assignments.models import Assignment
from apps.business_rules.models import BusinessRule, EvaluationRun, RuleViolation
from apps.business_rules.registry import Rule, register_rule, rule_with_code
from apps.business_rules.services import (
    acknowledge_violation,
    request_sweep,
    run_waiting_sweeps,
    sweep,
    sweep_subjects,
)
from apps.business_rules.services.sweeps import RUNNING
from apps.business_rules.tasks import sweep as nightly
from apps.common.errors import Refusal
from tests.conftest import TODAY
from tests.factories import AssignmentFactory, BusinessRuleFactory, Clinic, RuleOverrideFactory, WaiverFactory
from tests.rules.catalogue import OF_ASSIGNING, install_rules

pytestmark = pytest.mark.django_db
Rules = dict[str, BusinessRule]


@pytest.fixture
def rules(db: Any) -> Rules:
    """Return the rules the sweep is told with, by code."""
    return install_rules(*OF_ASSIGNING)


History = RuleViolation.history


@pytest.fixture
def overbooked(clinic: Clinic) -> Clinic:
    """The nurse (H1, 36 in contract) works 40 + 24 hours, the surgeon (H2) 40, since before there were rules."""
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
    AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=24, accepted=True)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=40, accepted=True)
    install_rules(*OF_ASSIGNING)
    return clinic


def states() -> dict[tuple[str, str], str]:
    return {
        (row.rule.code, row.subject_code): row.state
        for row in RuleViolation.objects.select_related("rule").order_by("id")
    }


CAP, POOL, POOL_2 = ("MAX_WEEKLY_HOURS", "E1"), ("HOURS_OVER_POOL", "E1"), ("HOURS_OVER_POOL", "E2")


def test_it_opens_what_is_wrong_with_numbers_and_records(overbooked: Clinic) -> None:
    run = sweep(actor=None)
    assert states() == {CAP: "OPEN", POOL: "OPEN", POOL_2: "OPEN"}
    row = RuleViolation.objects.get(rule__code="MAX_WEEKLY_HOURS")
    assert (row.severity, row.observed, row.limit) == ("BLOCKING", Decimal(64), Decimal(60))
    assert row.verdict.records == ("E1/P1/2026-01-01", "E1/P2/2026-01-01")
    assert (run.trigger, run.opened, run.resolved, run.failure) == ("nightly", 3, 0, "")
    assert run.finished_at is not None
    assert run.results["HOURS_OVER_POOL"]["found"] == 2
    assert set(run.results) == set(install_rules(*OF_ASSIGNING))
    assert all(result["ms"] > 0 for result in run.results.values())
    assert run.subjects == 3 + 3  # employees and assignments


def test_what_did_not_change_is_not_rewritten(overbooked: Clinic, settings: Any) -> None:
    sweep(actor=None)
    before = list(RuleViolation.objects.order_by("id").values())
    settings.COVERIS_TODAY = TODAY + timedelta(days=1)
    run = sweep(actor=None)
    assert (run.opened, run.resolved, run.results["MAX_WEEKLY_HOURS"]["updated"]) == (0, 0, 0)
    assert list(RuleViolation.objects.order_by("id").values()) == before
    assert History.count() == 3


def test_changed_numbers_update_the_row_that_is_there(overbooked: Clinic) -> None:
    sweep(actor=None)
    Assignment.objects.filter(employee=overbooked.nurse, effective_hours=24).update(effective_hours=22)
    run = sweep(actor=None)
    row = RuleViolation.objects.get(rule__code="MAX_WEEKLY_HOURS")
    assert (row.observed, row.state) == (Decimal(62), "OPEN")
    assert run.results["MAX_WEEKLY_HOURS"]["updated"] == 1
    assert History.filter(id=row.pk).count() == 2


def test_what_is_right_again_is_resolved_and_a_relapse_is_a_new_violation(overbooked: Clinic) -> None:
    sweep(actor=None)
    Assignment.objects.filter(employee=overbooked.surgeon).update(effective_hours=36)
    assert sweep(actor=None).resolved == 1
    row = RuleViolation.objects.get(subject_code="E2")
    assert (row.state, row.observed) == ("RESOLVED", Decimal(-4))
    assert row.resolved_at is not None
    Assignment.objects.filter(employee=overbooked.surgeon).update(effective_hours=37)
    assert sweep(actor=None).opened == 1
    assert list(RuleViolation.objects.filter(subject_code="E2").order_by("id").values_list("state", flat=True)) == [
        "RESOLVED",
        "OPEN",
    ]


def test_an_acknowledged_one_stays_so_while_it_lasts(overbooked: Clinic) -> None:
    sweep(actor=None)
    acknowledge_violation(violation=RuleViolation.objects.get(subject_code="E2"), actor=overbooked.admin)
    Assignment.objects.filter(employee=overbooked.surgeon).update(effective_hours=38)
    sweep(actor=None)
    row = RuleViolation.objects.get(subject_code="E2")
    assert (row.state, row.observed) == ("ACKNOWLEDGED", Decimal(-2))


def test_a_waiver_waives_and_an_expired_one_reopens_by_itself(overbooked: Clinic, settings: Any) -> None:
    sweep(actor=None)
    WaiverFactory(
        rule=BusinessRule.objects.get(code="MAX_WEEKLY_HOURS"),
        subject_kind="employee",
        subject_id=overbooked.nurse.pk,
        subject_code="E1",
        granted_by=overbooked.admin,
        expires_on=TODAY,
    )
    sweep(actor=None)
    assert states()[CAP] == "WAIVED"
    sweep(actor=None)
    assert states()[CAP] == "WAIVED"
    settings.COVERIS_TODAY = TODAY + timedelta(days=1)
    sweep(actor=None)
    assert states()[CAP] == "OPEN"
    assert RuleViolation.objects.count() == 3


def test_a_unit_and_some_rules_leave_the_others_alone(overbooked: Clinic) -> None:
    sweep(actor=None, unit=overbooked.h2)
    assert states() == {POOL_2: "OPEN"}
    sweep(actor=None, rules=["MAX_WEEKLY_HOURS"])
    assert states() == {POOL_2: "OPEN", CAP: "OPEN"}
    Assignment.objects.all().update(effective_hours=1)
    sweep(actor=None, unit=overbooked.h1)
    assert states() == {POOL_2: "OPEN", CAP: "RESOLVED"}
    sweep(actor=None, unit=overbooked.root)
    assert states()[POOL_2] == "RESOLVED"


def test_a_rule_switched_off_takes_its_violations_along(overbooked: Clinic) -> None:
    sweep(actor=None)
    RuleOverrideFactory(rule=BusinessRule.objects.get(code="HOURS_OVER_POOL"), org_unit=overbooked.h2, severity="OFF")
    sweep(actor=None)
    assert states() == {CAP: "OPEN", POOL: "OPEN", POOL_2: "RESOLVED"}
    BusinessRule.objects.filter(code="MAX_WEEKLY_HOURS").update(enabled=False)
    assert sweep(actor=None).resolved == 1
    assert states()[CAP] == "RESOLVED"


def test_another_severity_is_written_into_the_violation(overbooked: Clinic) -> None:
    sweep(actor=None)
    BusinessRule.objects.filter(code="MAX_WEEKLY_HOURS").update(severity="WARNING", threshold=50)
    sweep(actor=None)
    row = RuleViolation.objects.get(rule__code="MAX_WEEKLY_HOURS")
    assert (row.severity, row.limit) == ("WARNING", Decimal(50))


def test_an_entry_without_code_is_never_asked_and_never_silently_green(overbooked: Clinic) -> None:
    BusinessRuleFactory(code="NO_SUCH_RULE")
    assert rule_with_code("NO_SUCH_RULE") is None
    assert "NO_SUCH_RULE" not in sweep(actor=None).results


def test_the_history_says_who_asked(overbooked: Clinic) -> None:
    sweep(actor=overbooked.manager, trigger="manual")
    assert {(row.history_user_id, row.origin) for row in History.all()} == {(overbooked.manager.pk, "manual")}


def test_the_nightly_task_twice_is_as_once(overbooked: Clinic) -> None:
    nightly()
    nightly()
    assert sorted(states().values()) == ["OPEN"] * 3
    assert EvaluationRun.objects.filter(finished_at__isnull=False).count() == 2


def test_some_subjects_can_be_judged_anew(overbooked: Clinic) -> None:
    counts = sweep_subjects(subjects={"employee": [overbooked.surgeon.pk]}, actor=None)
    assert states() == {POOL_2: "OPEN"}
    assert counts == {"found": 1, "opened": 1, "updated": 0, "resolved": 0}


class TestFailure:
    @pytest.fixture
    def broken_rule(self, overbooked: Clinic) -> Any:
        real = rule_with_code("MAX_WEEKLY_HOURS")
        assert real is not None
        register_rule(
            Rule(
                code=real.code, kind=real.kind, name=real.name, description="", sentence=real.sentence,
                remedy=real.remedy, violations="SELECT s.id / 0 AS subject_id, 1 AS observed, 1 AS \"limit\", "
                "'{}'::jsonb AS facts FROM subject s",
            )
        )  # fmt: skip
        yield
        register_rule(real)

    def test_one_rule_that_cannot_be_asked_is_named_and_the_others_go_on(self, broken_rule: Any, caplog: Any) -> None:
        run = sweep(actor=None)
        assert "MAX_WEEKLY_HOURS" in run.failure
        assert run.results["MAX_WEEKLY_HOURS"]["failed"] == "DataError"
        assert states() == {POOL: "OPEN", POOL_2: "OPEN"}
        assert "division by zero" in caplog.text

    def test_it_resolves_nothing_it_could_not_judge(self, overbooked: Clinic, request: Any) -> None:
        sweep(actor=None)
        request.getfixturevalue("broken_rule")
        sweep(actor=None)
        assert states()[CAP] == "OPEN"


class TestAskedFor:
    def test_a_request_is_a_row_that_a_worker_carries_out(self, overbooked: Clinic) -> None:
        run = request_sweep(actor=overbooked.admin)
        assert (run.started_at, run.trigger, run.started_by) == (None, "manual", overbooked.admin)
        assert not RuleViolation.objects.exists()
        assert [done.pk for done in run_waiting_sweeps()] == [run.pk]
        run.refresh_from_db()
        assert run.opened == 3
        assert run_waiting_sweeps() == []

    def test_whoever_has_a_scope_gets_it_for_that(self, overbooked: Clinic) -> None:
        assert request_sweep(actor=overbooked.manager).unit_code == "H1"
        run_waiting_sweeps()
        assert states() == {CAP: "OPEN", POOL: "OPEN"}
        with pytest.raises(Refusal):
            request_sweep(actor=overbooked.manager, unit=overbooked.h2)

    def test_a_supervisor_does_not_start_one(self, overbooked: Clinic) -> None:
        with pytest.raises(Refusal):
            request_sweep(actor=overbooked.supervisor)

    def test_an_interrupted_one_goes_on_where_it_stopped(self, overbooked: Clinic) -> None:
        run = request_sweep(actor=overbooked.admin)
        done = {"subjects": 3, "found": 0, "opened": 0, "updated": 0, "resolved": 0, "ms": 1.0}
        EvaluationRun.objects.filter(pk=run.pk).update(
            attempts=1, started_at="2026-12-09T03:00Z", results={"MAX_WEEKLY_HOURS": done}
        )
        run_waiting_sweeps()
        assert states() == {POOL: "OPEN", POOL_2: "OPEN"}

    def test_one_that_never_ends_is_given_up(self, overbooked: Clinic) -> None:
        run = request_sweep(actor=overbooked.admin)
        EvaluationRun.objects.filter(pk=run.pk).update(attempts=3, started_at="2026-12-09T03:00Z")
        run_waiting_sweeps()
        run.refresh_from_db()
        assert run.finished_at is not None
        assert run.failure
        assert not RuleViolation.objects.exists()

    def test_the_one_of_a_unit_that_is_gone_says_so(self, overbooked: Clinic) -> None:
        run = request_sweep(actor=overbooked.admin)
        EvaluationRun.objects.filter(pk=run.pk).update(unit_code="NOWHERE")
        run_waiting_sweeps()
        run.refresh_from_db()
        assert "NOWHERE" in run.failure

    @pytest.mark.django_db(transaction=True)
    def test_one_that_is_under_way_elsewhere_is_left_to_it(self, overbooked: Clinic) -> None:
        run = request_sweep(actor=overbooked.admin)
        elsewhere = connection.copy()
        try:
            with elsewhere.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(%s, %s)", [RUNNING, run.pk])
                assert run_waiting_sweeps() == []
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [RUNNING, run.pk])
        finally:
            elsewhere.close()
        assert [done.pk for done in run_waiting_sweeps()] == [run.pk]


class TestCommand:
    def told(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        out = StringIO()
        code: Any = 0
        try:
            call_command("evaluate_rules", *arguments, "--json", stdout=out)
        except SystemExit as error:
            code = error.code
        return code, json.loads(out.getvalue())

    def test_open_violations_by_rule_and_exit_code_1(self, overbooked: Clinic) -> None:
        code, told = self.told()
        assert code == 1
        assert told["rules"] == {
            **dict.fromkeys(sorted(install_rules(*OF_ASSIGNING)), 0),
            "MAX_WEEKLY_HOURS": 1,
            "HOURS_OVER_POOL": 2,
        }
        assert told["violations"][2] == {
            "rule": "MAX_WEEKLY_HOURS",
            "severity": "BLOCKING",
            "subject_kind": "employee",
            "subject_code": "E1",
            "observed": "64.00",
            "limit": "60.00",
            "state": "OPEN",
        }
        assert told["started_at"] <= told["finished_at"]

    def test_nothing_open_is_exit_code_0(self, clinic: Clinic, rules: Rules) -> None:
        code, told = self.told()
        assert (code, told["violations"]) == (0, [])

    def test_a_rule_and_a_unit_narrow_it(self, overbooked: Clinic) -> None:
        _code, told = self.told("--rule", "HOURS_OVER_POOL", "--unit", "H2")
        assert [(row["rule"], row["subject_code"]) for row in told["violations"]] == [POOL_2]
        assert told["rules"] == {"HOURS_OVER_POOL": 1}

    @pytest.mark.parametrize("arguments", [["--rule", "NOPE"], ["--unit", "NOPE"]])
    def test_an_unknown_rule_or_unit_is_bad_usage(self, overbooked: Clinic, arguments: list[str]) -> None:
        with pytest.raises(CommandError) as error:
            call_command("evaluate_rules", *arguments)
        assert error.value.returncode == 2

    def test_for_people_it_says_what_is_wrong(self, overbooked: Clinic) -> None:
        out = StringIO()
        with pytest.raises(SystemExit):
            call_command("evaluate_rules", stdout=out)
        assert "MAX_WEEKLY_HOURS  " in out.getvalue()
        assert "64" in out.getvalue()


def test_the_worked_example_finds_the_open_end_of_the_one_in_notice(clinic: Clinic, rules: Rules) -> None:
    from apps.fsm.services import apply_transition

    AssignmentFactory(
        employee=clinic.nurse,
        position=clinic.p1,
        effective_hours=Decimal("7.01"),
        starts_on=date(2026, 1, 1),
        accepted=True,
    )
    apply_transition(clinic.nurse, "give_notice", actor=None, last_day=date(2026, 12, 15))
    sweep(actor=None)
    assert states() == {("EMPLOYEE_NOT_AVAILABLE", "E1/P1/2026-01-01"): "OPEN"}
