"""What the catalogue says holds for every rule alike: severity, threshold, units, dates, waivers, both languages."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from apps.business_rules import sql
from apps.business_rules.models import BusinessRule
from apps.business_rules.registry import defined_rules, rule_with_code
from apps.business_rules.services import RulesRefused, judged
from apps.business_rules.verdicts import Finding
from tests.conftest import TODAY
from tests.factories import Clinic, RuleOverrideFactory, WaiverFactory

from .catalogue import REFERENCE, found, install_rules
from .situations import BROKEN, Situation

pytestmark = pytest.mark.django_db
CODES = [code for code, *_ in REFERENCE]
WITH_THRESHOLD = [code for code, _kind, _severity, threshold, _enabled in REFERENCE if threshold is not None]
# Rules about capacity that lacks or lies idle: the gate does not ask them.
NOT_GATED = {"UNIT_UNDER_COVERED", "POSITION_VACANT", "UNUSED_CAPACITY"}
TOMORROW, YESTERDAY = TODAY + timedelta(days=1), TODAY - timedelta(days=1)


class Case:
    """A rule that is in effect, and somebody who breaks it."""

    def __init__(self, code: str, clinic: Clinic) -> None:
        self.code, self.clinic = code, clinic
        self.situation: Situation = BROKEN[code](clinic)
        self.rule: BusinessRule = install_rules(code)[code]
        self.change(enabled=True)

    def change(self, **fields: Any) -> None:
        BusinessRule.objects.filter(pk=self.rule.pk).update(**fields)

    def override(self, unit: str, **fields: Any) -> None:
        RuleOverrideFactory(rule=self.rule, org_unit=getattr(self.clinic, unit), **fields)

    def waive(self, until: Any) -> None:
        waive(self.rule, self.situation, self.clinic, until)

    @property
    def findings(self) -> list[Finding]:
        """Return what the rule says of the subject, which is the same whoever else is asked about."""
        alone = found(self.code, subjects=self.situation.asked)
        assert [
            f for f in found(self.code) if f.key == (self.code, self.situation.kind, self.situation.subject.pk)
        ] == alone
        return alone


def waive(rule: BusinessRule, situation: Situation, clinic: Clinic, until: Any) -> None:
    WaiverFactory(
        rule=rule,
        subject_kind=situation.kind,
        subject_id=situation.subject.pk,
        subject_code="whoever",
        granted_by=clinic.admin,
        expires_on=until,
    )


@pytest.fixture(params=CODES)
def case(request: Any, clinic: Clinic) -> Case:
    return Case(request.param, clinic)


@pytest.fixture(params=WITH_THRESHOLD)
def weighed(request: Any, clinic: Clinic) -> Case:
    return Case(request.param, clinic)


def test_there_is_a_situation_for_every_rule_and_code_for_the_whole_catalogue() -> None:
    assert set(BROKEN) == set(CODES) == {rule.code for rule in defined_rules()}


def test_it_is_broken_with_the_severity_of_the_catalogue(case: Case) -> None:
    [finding] = case.findings
    assert (finding.severity, finding.waived) == (case.rule.severity, False)
    assert {"kind", "id", "code"} <= set().union(*finding.facts["records"]) or finding.facts["records"] == []


def test_asked_about_very_many_it_says_the_same(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    few = case.findings
    monkeypatch.setattr(sql, "MANY", 0)
    with CaptureQueriesContext(connection) as asked:
        assert case.findings == few != []
    # Beside a join an array of ids is gone through for every row of the join.
    assert any("s.id IN (SELECT unnest(" in query["sql"] for query in asked)
    assert not any("s.id = ANY" in query["sql"] for query in asked)


def test_it_speaks_both_languages_with_its_numbers(case: Case) -> None:
    [finding] = case.findings
    told = {}
    for language in ("en", "es"):
        with translation.override(language):
            told[language] = (finding.message, finding.remedy, str(rule_with_code(case.code).name))
        assert all(told[language])
        assert "%" not in "".join(told[language]).replace(" %", "")
    assert all(english != spanish for english, spanish in zip(told["en"], told["es"], strict=True))


def test_switched_off_it_finds_nobody(case: Case) -> None:
    case.change(enabled=False)
    assert case.findings == []


DATES = {
    "not yet": ({"effective_from": TOMORROW}, False),
    "from today": ({"effective_from": TODAY}, True),
    "within": ({"effective_from": YESTERDAY, "effective_until": TOMORROW}, True),
    "until today": ({"effective_until": TODAY}, True),
    "no more": ({"effective_until": YESTERDAY}, False),
}


def test_it_holds_on_its_dates_alone(case: Case) -> None:
    told = {}
    for when, (dates, _broken) in DATES.items():
        case.change(**{"effective_from": None, "effective_until": None} | dates)
        told[when] = bool(case.findings)
    assert told == {when: broken for when, (_dates, broken) in DATES.items()}


def test_a_unit_may_switch_it_off_for_itself_and_below(case: Case) -> None:
    case.override("h2", severity="OFF")
    assert len(case.findings) == 1
    case.override("root", severity="OFF")
    assert case.findings == []


def test_the_nearest_unit_decides_on_the_severity(case: Case) -> None:
    case.override("root", severity="OFF")
    case.override("h1", severity="INFO" if case.rule.severity != "INFO" else "WARNING")
    [finding] = case.findings
    assert finding.severity == ("INFO" if case.rule.severity != "INFO" else "WARNING")


# To which side of the threshold it is broken, by how much the smallest step.
BEYOND = {
    "MAX_WEEKLY_HOURS": "-0.01",
    "HOURS_OVER_POOL": "-0.01",
    "REQUIRED_TAG_EXPIRING": "1",
    "CONTRACT_ENDING": "1",
    "UNIT_UNDER_COVERED": "0.01",
    "POSITION_VACANT": "-1",
    "POSITION_OVER_COVERED": "-0.01",
    "UNUSED_CAPACITY": "-0.01",
}


def test_at_the_threshold_it_is_kept_and_a_step_beyond_it_is_broken(weighed: Case) -> None:
    fits = Decimal(weighed.situation.fits)
    weighed.change(threshold=fits)
    assert weighed.findings == []
    weighed.change(threshold=fits + Decimal(BEYOND[weighed.code]))
    [finding] = weighed.findings
    # What breaks a rule is never shown as what it allows, but a day of the lead time is within it.
    if weighed.code not in ("REQUIRED_TAG_EXPIRING", "CONTRACT_ENDING"):
        assert finding.observed != finding.limit


def test_a_threshold_is_inherited_and_the_nearest_one_wins(weighed: Case) -> None:
    [finding] = weighed.findings
    weighed.override("root", threshold=Decimal(weighed.situation.fits))
    assert weighed.findings == []
    weighed.override("h1", threshold=weighed.rule.threshold)
    assert weighed.findings == [finding]


def test_severity_and_threshold_are_inherited_apart(weighed: Case) -> None:
    weighed.override("root", severity="INFO", threshold=Decimal(weighed.situation.fits))
    weighed.override("h1", threshold=weighed.rule.threshold)
    assert [finding.severity for finding in weighed.findings] == ["INFO"]


def test_a_waiver_covers_it_until_its_last_day(case: Case) -> None:
    case.waive(YESTERDAY)
    assert [finding.waived for finding in case.findings] == [False]
    case.waive(TODAY)
    assert [finding.waived for finding in case.findings] == [True]


@pytest.mark.parametrize("code", CODES)
def test_at_the_gate_a_waiver_in_force_alone_lets_it_pass(clinic: Clinic, code: str) -> None:
    rule = install_rules(code)[code]
    BusinessRule.objects.filter(pk=rule.pk).update(enabled=True, severity="BLOCKING")

    def change(until: Any) -> None:
        with transaction.atomic(), judged(subjects={}, actor=clinic.admin, confirmed=True) as judgement:
            situation = BROKEN[code](clinic)
            judgement.add(situation.kind, [situation.subject.pk])
            if until is not None:
                waive(rule, situation, clinic, until)

    for until in (None, YESTERDAY):
        if code in NOT_GATED:
            continue
        with pytest.raises(RulesRefused) as refused:
            change(until)
        assert {finding.rule for finding in refused.value.findings} == {code}
        # What the refused change did to the objects at hand is as undone as in the database.
        for record in (clinic.nurse, clinic.p1):
            record.refresh_from_db()
    change(None if code in NOT_GATED else TODAY)


def test_rules_about_what_lacks_or_lies_idle_are_not_asked_at_the_gate() -> None:
    assert {rule.code for rule in defined_rules() if not rule.gated} == NOT_GATED
