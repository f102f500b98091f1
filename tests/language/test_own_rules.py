"""Rules that staff write: gate and sweep agree, what they say, what they may cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import translation

from apps.business_rules.language.bounds import check_condition, limited
from apps.business_rules.language.errors import ConditionError
from apps.business_rules.models import BusinessRule, RuleViolation
from apps.business_rules.own_rules import told_values
from apps.business_rules.services import evaluate_rules
from apps.business_rules.services.sweeps import sweep
from apps.changes.drain import drain
from tests.factories import AssignmentFactory, BusinessRuleFactory, Clinic, LeaveFactory, RuleOverrideFactory

pytestmark = pytest.mark.django_db


def own(condition: str, kind: str = "employee", **more: Any) -> BusinessRule:
    fields = {"message": "{who}", "severity": "WARNING", "threshold": None, "code": "OWN"} | more
    return BusinessRuleFactory(condition=condition, subject_kind=kind, **fields)


def found(**asked: Any) -> list[Any]:
    return evaluate_rules(rules=["OWN"], **asked)


def swept() -> set[str]:
    run = sweep(actor=None, rules=["OWN"])
    assert run.failure == ""
    return set(RuleViolation.objects.unresolved().filter(rule__code="OWN").values_list("subject_code", flat=True))


def test_whoever_meets_the_condition_violates_it_with_measure_limit_and_values(clinic: Clinic) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
    own(
        "balance < threshold and not on_leave",
        threshold=0,
        measure="balance",
        message="{who} has {balance} h left ({observed} < {threshold}), hired {hired_on}, {{so}}",
    )
    [finding] = found()
    assert (finding.subject_code, finding.observed, finding.limit) == ("E1", Decimal("-4.00"), Decimal("0.00"))
    assert finding.facts["values"] == {"balance": "-4.00", "on_leave": False, "hired_on": "2020-01-06"}
    assert finding.facts["records"] == [{"kind": "employee", "id": clinic.nurse.pk, "code": "E1"}]
    with translation.override("en"):
        told, remedy, values = finding.message, finding.remedy, told_values(finding, "employee")
    assert told == "Gómez, Lucía (E1) has -4.00 h left (-4.00 < 0.00), hired 6 Jan 2020, {so}"
    assert remedy == "It passes once this no longer holds: balance < the threshold and not on leave."
    with translation.override("es"):
        assert "6 de enero de 2020" in finding.message
        assert "-4,00" in finding.message
    assert values[0] == ("balance", "-4.00")


def test_a_word_that_counts_days_keeps_the_day_so_that_nothing_is_rewritten_overnight(
    clinic: Clinic, settings: Any
) -> None:
    LeaveFactory(employee=clinic.nurse, starts_on="2026-12-20")
    own("days_to_leave < 30", message="{who} leaves in {days_to_leave} days")
    [finding] = found()
    assert finding.facts["values"] == {"days_to_leave": "2026-12-20"}
    assert finding.message.endswith("leaves in 11 days")
    assert swept() == {"E1"}
    before = RuleViolation.objects.get(rule__code="OWN").updated_at
    settings.COVERIS_TODAY = clinic.nurse.hired_on.replace(2026, 12, 10)
    assert sweep(actor=None, rules=["OWN"]).results["OWN"]["updated"] == 0
    row = RuleViolation.objects.get(rule__code="OWN")
    assert row.updated_at == before


def test_the_threshold_is_that_of_the_subjects_unit(clinic: Clinic) -> None:
    rule = own("pool > threshold", threshold=40, measure="pool")
    RuleOverrideFactory(rule=rule, org_unit=clinic.h2, threshold=30)
    drain()
    assert {finding.subject_code for finding in found()} == {"E2"}
    assert swept() == {"E2"}


@pytest.mark.parametrize(
    ("condition", "worse"),
    [
        ("balance < 0", "lower"),
        ("balance > 0", "higher"),
        ("not (balance > 0)", "lower"),
        ("pool > 0 and balance <= 3", "lower"),
        ("pool > 0", "higher"),
    ],
)
def test_worse_is_the_direction_in_which_the_condition_is_met(clinic: Clinic, condition: str, worse: str) -> None:
    from apps.business_rules.definitions import definition_of

    rule = definition_of(own(condition, measure="balance"))
    assert rule is not None
    assert rule.worse == worse


def test_a_proposal_counts_as_accepted_at_the_gate(clinic: Clinic) -> None:
    proposal = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40)
    own("employee.balance < 0", "assignment")
    assert found(subjects={"assignment": [proposal.pk]}) == []
    [finding] = found(subjects={"assignment": [proposal.pk]}, as_accepted=[proposal.pk], at_gate=True)
    assert finding.subject_id == proposal.pk


def test_two_own_rules_in_one_statement_do_not_mix_their_values(clinic: Clinic) -> None:
    BusinessRuleFactory(code="ONE", condition="pool > 40", subject_kind="employee", message="{who}", severity="INFO")
    BusinessRuleFactory(code="TWO", condition="pool > 30", subject_kind="employee", message="{who}", severity="INFO")
    assert {(one.rule, one.subject_code) for one in evaluate_rules()} == {("TWO", "E1"), ("TWO", "E2")}


def test_a_rule_that_cannot_be_read_is_named_and_stops_no_other(clinic: Clinic) -> None:
    own("nonsense > 1", code="BAD")
    own("pool > 30")
    run = sweep(actor=None, rules=["BAD", "OWN"])
    assert "BAD" in run.failure
    assert "OWN" not in run.failure
    assert run.results["BAD"]["failed"] == "ConditionError"
    assert run.results["OWN"]["opened"] == 2


def test_a_rule_that_takes_too_long_is_named_and_stops_no_other(clinic: Clinic, monkeypatch: Any) -> None:
    from apps.business_rules.language import bounds

    own("pool > 30")
    slow = own("pool > 20", code="SLOW")
    BusinessRuleFactory(code="HOURS_OVER_POOL", subject_kind="employee", severity="INFO", threshold=None)
    # The one condition is made to wait, by a function the database would never be asked for.
    from apps.business_rules import own_rules

    real = own_rules._violations

    def waiting(row: Any, question: Any) -> Any:
        sql, params = real(row, question)
        return (sql + " AND pg_sleep(5) IS NULL" if row.pk == slow.pk else sql), params

    monkeypatch.setattr(own_rules, "_violations", waiting)
    monkeypatch.setattr(bounds.settings, "COVERIS_RULE_SECONDS", 1)
    run = sweep(actor=None)
    assert run.results["SLOW"]["failed"] == "OperationalError"
    assert run.results["OWN"]["opened"] == 2
    assert "failed" not in run.results["HOURS_OVER_POOL"]
    assert "SLOW" in run.failure


def test_the_time_limit_ends_with_its_block(clinic: Clinic) -> None:
    def timeout() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            return str(cursor.fetchone()[0])

    before = timeout()
    with limited(7):
        assert timeout() == "7s"
    assert timeout() == before
    with pytest.raises(OperationalError), transaction.atomic(), limited(1), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(3)")
    assert timeout() == before


def test_what_costs_too_much_is_not_kept(clinic: Clinic, settings: Any) -> None:
    settings.COVERIS_RULE_COST_CAP = 0
    with pytest.raises(ConditionError) as raised:
        check_condition("employee", "unit.coverage_percent < 80")
    assert raised.value.code == "cost"


@pytest.mark.parametrize(
    ("given", "code", "marked"),
    [
        ({"text": "balance <"}, "syntax", ""),
        ({"text": "balanc < 0"}, "word", "balanc"),
        ({"text": "balance < \"a\""}, "type", '"a"'),
        ({"text": "balance < pool.x"}, "word", "pool.x"),
        ({"text": "balance < hired_on"}, "type", "hired_on"),
        ({"text": "hired_on < 3"}, "type", "3"),
        ({"text": "status = \"ACTIV\""}, "value", '"ACTIV"'),
        ({"text": "status < \"ACTIVE\""}, "type", 'status < "ACTIVE"'),
        ({"text": "balance"}, "type", "balance"),
        ({"text": "has_tag"}, "argument", "has_tag"),
        ({"text": "has_tag(\"NONE\")"}, "argument", '"NONE"'),
        ({"text": "balance(\"x\") > 1"}, "argument", 'balance("x")'),
        ({"text": "name = \" \""}, "value", '" "'),
        ({"text": "balance < 0", "measure": "name"}, "type", "name"),
        ({"text": "balance < 0", "measure": "nope"}, "word", "nope"),
        ({"text": "balance < 0", "message": "{who} {nope}"}, "word", "nope"),
        ({"text": "balance < 0", "message": "{who"}, "syntax", "{"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_at_its_place(
    clinic: Clinic, given: dict[str, str], code: str, marked: str
) -> None:
    with pytest.raises(ConditionError) as raised:
        check_condition("employee", given.pop("text"), **given)
    error = raised.value
    assert error.code == code
    if marked:
        assert error.text[error.start : error.start + error.length] == marked
