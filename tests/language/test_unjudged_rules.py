"""Rules staff wrote that give no answer: seen by those in charge, harmless to the others, and never a verdict."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.assignments.models import Assignment, AssignmentTransitionLog
from apps.assignments.services import propose_assignment
from apps.business_rules import own_rules
from apps.business_rules.models import BusinessRule, EvaluationRun, RuleViolation
from apps.business_rules.services import evaluate_rules, run_waiting_sweeps, sweep
from apps.business_rules.services.drafts import draft_rule, publish_draft, save_draft, simulate_draft
from apps.business_rules.services.gate import judged
from apps.business_rules.services.what_if import what_if
from apps.business_rules.unjudged import unjudged
from apps.changes.drain import drain
from apps.changes.models import DeadLetter, Mark
from apps.common.errors import Refusal
from apps.fsm.services import apply_transition
from apps.org.models import Employee
from tests.factories import AssignmentFactory, BusinessRuleFactory, Clinic

pytestmark = pytest.mark.django_db
Break = Callable[[BusinessRule], None]


def own(code: str, condition: str = "balance < threshold", **more: Any) -> BusinessRule:
    fields = {"subject_kind": "employee", "severity": "BLOCKING", "threshold": 0, "message": "{who}: {balance}"} | more
    return BusinessRuleFactory(code=code, condition=condition, **fields)


def renamed(rule: BusinessRule, patch: pytest.MonkeyPatch) -> None:
    """A word of the condition and the message is called otherwise in this version of the product."""
    text = {"condition": "balanze < threshold", "message": "{who}: {balanze}"}
    BusinessRule.objects.filter(pk=rule.pk).update(**text)


def of_another_language(rule: BusinessRule, patch: pytest.MonkeyPatch) -> None:
    BusinessRule.objects.filter(pk=rule.pk).update(language=7)


def no_syntax(rule: BusinessRule, patch: pytest.MonkeyPatch) -> None:
    BusinessRule.objects.filter(pk=rule.pk).update(condition="balance << (", message="{who} {bal(ance}")


def slow(rule: BusinessRule, patch: pytest.MonkeyPatch) -> None:
    _with(rule, patch, " AND pg_sleep(5) IS NOT NULL")
    patch.setattr("django.conf.settings.COVERIS_GATE_RULE_SECONDS", 1)
    patch.setattr("django.conf.settings.COVERIS_RULE_SECONDS", 1)


def failing(rule: BusinessRule, patch: pytest.MonkeyPatch) -> None:
    _with(rule, patch, " AND 1 / (subject.id - subject.id) = 0")


def _with(rule: BusinessRule, patch: pytest.MonkeyPatch, more: str) -> None:
    real = own_rules._violations

    def changed(row: Any, question: Any) -> Any:
        sql, params = real(row, question)
        return (sql + more if row.pk == rule.pk else sql), params

    patch.setattr(own_rules, "_violations", changed)


UNREADABLE = [renamed, of_another_language, no_syntax]
EVERY = [*UNREADABLE, slow, failing]


@pytest.fixture(params=EVERY, ids=lambda way: way.__name__)
def breaking(request: Any, monkeypatch: pytest.MonkeyPatch) -> Break:
    """Return what makes a rule give no answer."""
    return lambda rule: request.param(rule, monkeypatch)


@pytest.fixture
def pair(clinic: Clinic) -> tuple[BusinessRule, BusinessRule]:
    """Two rules that say the same; the first will give no answer."""
    return own("A_BAD"), own("B_GOOD", severity="WARNING")


def standing(code: str) -> list[tuple[str, str, Any]]:
    rows = RuleViolation.objects.filter(rule__code=code).order_by("subject_code")
    return list(rows.values_list("subject_code", "state", "updated_at"))


def test_the_gate_goes_on_and_the_log_names_the_rule(
    clinic: Clinic, pair: tuple[BusinessRule, BusinessRule], breaking: Break, caplog: Any
) -> None:
    breaking(pair[0])
    proposal = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40)
    with caplog.at_level(logging.ERROR), pytest.raises(Refusal) as refused:
        apply_transition(proposal, "accept", actor=clinic.admin)
    assert [reason.code for reason in refused.value.reasons] == ["B_GOOD"]
    assert "A_BAD could not be judged" in caplog.text
    apply_transition(proposal, "accept", actor=clinic.admin, confirmed=True)
    log = AssignmentTransitionLog.objects.get(subject=proposal, transition="accept")
    assert log.metadata["rules"]["unjudged"] == [{"rule": "A_BAD"}]
    assert [found["rule"] for found in log.metadata["rules"]["confirmed"]] == ["B_GOOD"]


def test_a_rule_in_order_does_refuse(clinic: Clinic, pair: tuple[BusinessRule, BusinessRule]) -> None:
    # The canary of the test above: but for what breaks the first rule it would refuse.
    proposal = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40)
    with pytest.raises(Refusal) as refused:
        apply_transition(proposal, "accept", actor=clinic.admin, confirmed=True)
    assert [reason.code for reason in refused.value.reasons] == ["A_BAD"]


def test_a_proposal_is_made(clinic: Clinic, pair: tuple[BusinessRule, BusinessRule], breaking: Break) -> None:
    breaking(pair[0])
    made = propose_assignment(
        employee=clinic.nurse,
        position=clinic.p1,
        hours=Decimal(40),
        starts_on=date(2026, 1, 1),
        actor=clinic.admin,
        confirmed=True,
    )
    assert Assignment.objects.filter(pk=made.pk).exists()


def test_what_stood_before_is_held_against_nobody_when_only_the_answer_before_is_missing(
    clinic: Clinic, pair: tuple[BusinessRule, BusinessRule], monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted(clinic, pair)
    BusinessRule.objects.filter(pk=pair[1].pk).update(enabled=False)
    with judged(subjects={"employee": [clinic.nurse.pk]}, actor=None) as judgement:
        assert judgement.before
    # It fails when it is asked before the change, and answers after it.
    with monkeypatch.context() as patch:
        failing(pair[0], patch)
        with judged(subjects={"employee": [clinic.nurse.pk]}, actor=None) as judgement:
            patch.undo()
    assert (judgement.added, list(judgement.unjudged)) == ([], ["A_BAD"])


def test_the_drain_works_everything_off_and_leaves_the_violations_of_the_rule_as_they_stand(
    clinic: Clinic, pair: tuple[BusinessRule, BusinessRule], breaking: Break
) -> None:
    accepted(clinic, pair)
    before = standing("A_BAD")
    assert [row[:2] for row in before] == [("E1", "OPEN")]
    breaking(pair[0])
    Assignment.objects.update(effective_hours=1)
    assert drain().dead == 0
    assert (Mark.objects.count(), DeadLetter.objects.count()) == (0, 0)
    assert standing("A_BAD") == before
    assert [row[1] for row in standing("B_GOOD")] == ["RESOLVED"]
    # Somebody is told: an evaluation of the rule is asked for, fails, and is not asked for again.
    [run] = [run for run in run_waiting_sweeps() if run.rules]
    assert (run.rules, "failed" in run.results["A_BAD"], "A_BAD" in run.failure) == (["A_BAD"], True, True)
    assert standing("A_BAD") == before
    Assignment.objects.update(effective_hours=2)
    drain()
    assert not EvaluationRun.objects.filter(finished_at__isnull=True).exists()
    assert list(unjudged(BusinessRule.objects.all())) == ["A_BAD"]


def accepted(clinic: Clinic, pair: tuple[BusinessRule, BusinessRule]) -> None:
    """The nurse has been overbooked since before there were rules, and they have found it."""
    BusinessRule.objects.update(enabled=False)
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
    BusinessRule.objects.update(enabled=True)
    drain()
    sweep(actor=None)


def test_in_order_the_drain_resolves_what_is_over(clinic: Clinic, pair: tuple[BusinessRule, BusinessRule]) -> None:
    accepted(clinic, pair)
    Assignment.objects.update(effective_hours=1)
    drain()
    assert [standing(code)[0][1] for code in ("A_BAD", "B_GOOD")] == ["RESOLVED", "RESOLVED"]
    assert unjudged(BusinessRule.objects.all()) == {}


def test_the_sweep_leaves_its_violations_as_they_stand(
    clinic: Clinic, pair: tuple[BusinessRule, BusinessRule], breaking: Break
) -> None:
    accepted(clinic, pair)
    before = standing("A_BAD")
    breaking(pair[0])
    Assignment.objects.update(effective_hours=1)
    run = sweep(actor=None)
    assert "A_BAD" in run.failure and "B_GOOD" not in run.failure
    assert standing("A_BAD") == before
    assert [row[1] for row in standing("B_GOOD")] == ["RESOLVED"]


def test_a_what_if_says_nothing_by_it_and_names_it(
    clinic: Clinic, pair: tuple[BusinessRule, BusinessRule], breaking: Break
) -> None:
    proposal = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40)
    answer = what_if(lambda: apply_transition(proposal, "accept", actor=None, confirmed=True), actor=None)
    assert [found.rule for found in answer.blocking] == ["A_BAD"]
    breaking(pair[0])
    answer = what_if(lambda: apply_transition(proposal, "accept", actor=None, confirmed=True), actor=None)
    assert {found.rule for found in [*answer.verdicts, *answer.opened, *answer.closed]} == {"B_GOOD"}
    assert (list(answer.unjudged), answer.blocking) == (["A_BAD"], [])


@pytest.mark.parametrize("way", UNREADABLE)
def test_a_draft_that_repairs_it_is_simulated_and_published(
    clinic: Clinic, pair: tuple[BusinessRule, BusinessRule], way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted(clinic, pair)
    way(pair[0], monkeypatch)
    before = standing("A_BAD")
    rule = BusinessRule.objects.get(pk=pair[0].pk)
    draft = draft_rule(rule=rule, actor=clinic.admin)
    with pytest.raises(Refusal):
        simulate_draft(draft=draft, actor=clinic.admin)
    with pytest.raises(Refusal):
        publish_draft(draft=draft, actor=clinic.admin)
    draft.condition, draft.message = pair[0].condition, pair[0].message
    save_draft(draft=draft, actor=clinic.admin)
    simulation, _outcomes = simulate_draft(draft=draft, actor=clinic.admin)
    assert (simulation.standing, simulation.proposed, simulation.opens) == (0, 1, 1)
    publish_draft(draft=draft, actor=clinic.admin)
    run_waiting_sweeps()
    assert standing("A_BAD") == before
    assert unjudged(BusinessRule.objects.all()) == {}


def test_pages_show_it_and_its_violations(
    clinic: Clinic, pair: tuple[BusinessRule, BusinessRule], breaking: Break, as_user: Callable[..., Client]
) -> None:
    accepted(clinic, pair)
    breaking(pair[0])
    sweep(actor=None)
    client = as_user(clinic.admin)
    html = client.get(reverse("admin:business_rules_businessrule_changelist")).content.decode()
    assert html.count("cannot be judged") == 1
    assert html.count("not judged yet") == 0
    [violation] = RuleViolation.objects.filter(rule=pair[0])
    for page in (
        reverse("admin:business_rules_ruleviolation_changelist"),
        reverse("admin:business_rules_ruleviolation_change", args=(violation.pk,)),
        reverse("admin:business_rules_businessrule_change", args=(pair[0].pk,)),
        reverse("admin:business_rules_evaluationrun_changelist"),
    ):
        assert client.get(page).status_code == 200, page
    assert client.get("/api/health/").json() == {"status": "ok", "database": "up", "unjudged_rules": 1}


def test_in_order_no_page_says_so(
    clinic: Clinic, pair: tuple[BusinessRule, BusinessRule], as_user: Callable[..., Client]
) -> None:
    sweep(actor=None)
    html = as_user(clinic.admin).get(reverse("admin:business_rules_businessrule_changelist")).content.decode()
    assert "cannot be judged" not in html and "not judged yet" not in html
    assert as_user(clinic.admin).get("/api/health/").json()["unjudged_rules"] == 0


def test_a_rule_that_comes_with_the_product_and_fails_stops_no_other_in_the_drain(
    clinic: Clinic, pair: tuple[BusinessRule, BusinessRule], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from apps.business_rules.registry import register_rule, rule_with_code

    rule = rule_with_code("HOURS_OVER_POOL")
    assert rule is not None
    for code in ("HOURS_OVER_POOL", "MAX_WEEKLY_HOURS"):
        BusinessRuleFactory(code=code, subject_kind="employee", severity="INFO", threshold=1)
    accepted(clinic, pair)
    broken = replace(rule, violations="SELECT id AS subject_id, 1 / (id - id), 1, '{}'::jsonb FROM subject")
    register_rule(broken)
    try:
        Assignment.objects.update(effective_hours=41)
        assert drain().dead == 0
    finally:
        register_rule(rule)
    assert RuleViolation.objects.filter(rule__code="MAX_WEEKLY_HOURS").exists()
    assert EvaluationRun.objects.filter(rules=["HOURS_OVER_POOL"], finished_at__isnull=True).count() == 1


def test_a_lock_that_cannot_be_had_is_not_the_rules_fault(
    clinic: Clinic, pair: tuple[BusinessRule, BusinessRule], monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    def away(*args: Any) -> Any:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr("apps.business_rules.services.evaluation._fetched", away)
    with pytest.raises(OperationalError):
        evaluate_rules(subjects={"employee": [clinic.nurse.pk]})


def test_the_timeout_of_whoever_asks_is_what_it_was(
    clinic: Clinic, pair: tuple[BusinessRule, BusinessRule], breaking: Break
) -> None:
    breaking(pair[0])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '7s'")
        evaluate_rules(subjects={"employee": list(Employee.objects.values_list("pk", flat=True))})
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] == "7s"
