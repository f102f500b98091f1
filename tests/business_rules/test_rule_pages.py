"""The screens of rules: read by everybody in scope, edited by administrators, decided on by role."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.business_rules.models import BusinessRule, EvaluationRun, RuleOverride, RuleViolation, Waiver
from tests import factories

LIST = "admin:business_rules_ruleviolation_changelist"


def broken(rule: BusinessRule, employee: Any, severity: str = "BLOCKING") -> RuleViolation:
    now = timezone.now()
    facts = {
        "since": "2026-12-09",
        "cap_unit": "",
        "records": [{"kind": "employee", "id": employee.pk, "code": employee.employee_number, "hours": "66.00"}],
    }
    return RuleViolation.objects.create(
        rule=rule, subject_kind="employee", subject_id=employee.pk, subject_code=employee.employee_number,
        severity=severity, observed=Decimal("66"), limit=Decimal("60"), facts=facts, first_seen=now, last_seen=now,
    )  # fmt: skip


@pytest.fixture
def rule(db: Any) -> BusinessRule:
    return factories.BusinessRuleFactory()


@pytest.fixture
def here(clinic: Any, rule: BusinessRule) -> RuleViolation:
    return broken(rule, clinic.nurse)


@pytest.fixture
def elsewhere(clinic: Any, rule: BusinessRule) -> RuleViolation:
    return broken(rule, clinic.surgeon)


def page(violation: RuleViolation, deed: str = "change") -> str:
    return reverse(f"admin:business_rules_ruleviolation_{deed}", args=(violation.pk,))


WAIVER = {"reason": "covers for a colleague", "expires_on": "2026-12-31"}


def test_violations_of_another_service_are_not_there(clinic: Any, here: Any, elsewhere: Any, as_user: Any) -> None:
    client = as_user(clinic.manager)
    html = client.get(reverse(LIST)).content.decode()
    assert page(here) in html and page(elsewhere) not in html and ">E2<" not in html
    assert page(elsewhere) in as_user(clinic.admin).get(reverse(LIST)).content.decode()
    for deed in ("change", "acknowledge", "waive"):
        assert client.get(page(elsewhere, deed)).status_code == 404
        assert client.post(page(elsewhere, deed), WAIVER).status_code in (403, 404)
    elsewhere.refresh_from_db()
    assert elsewhere.state == "OPEN"


def test_a_violation_is_told_in_words_with_links_to_its_records(clinic: Any, here: Any, as_user: Any) -> None:
    html = as_user(clinic.viewer).get(page(here)).content.decode()
    assert "66.00" in html and "Gómez" in html
    assert html.count(reverse("admin:org_employee_change", args=(clinic.nurse.pk,))) >= 2
    assert page(here, "waive") not in html and page(here, "acknowledge") not in html


def test_acknowledging_needs_a_supervisor(clinic: Any, here: Any, as_user: Any) -> None:
    assert as_user(clinic.viewer).post(page(here, "acknowledge")).status_code == 403
    here.refresh_from_db()
    assert here.state == "OPEN"
    assert as_user(clinic.supervisor).get(page(here, "acknowledge")).status_code == 200
    here.refresh_from_db()
    assert here.state == "OPEN", "looking does nothing"
    assert as_user(clinic.supervisor).post(page(here, "acknowledge"), {"reason": "seen"}).status_code == 302
    here.refresh_from_db()
    assert (here.state, here.history.latest().history_user) == ("ACKNOWLEDGED", clinic.supervisor)


def test_a_blocking_violation_is_waived_by_a_manager_and_not_by_a_supervisor(
    clinic: Any, here: Any, as_user: Any
) -> None:
    assert page(here, "waive") not in as_user(clinic.supervisor).get(page(here)).content.decode()
    assert as_user(clinic.supervisor).post(page(here, "waive"), WAIVER).status_code == 403
    assert not Waiver.objects.exists()
    assert as_user(clinic.manager).post(page(here, "waive"), WAIVER).status_code == 302
    waiver = Waiver.objects.get()
    assert (waiver.granted_by, waiver.expires_on) == (clinic.manager, date(2026, 12, 31))
    here.refresh_from_db()
    assert here.state == "WAIVED"


def test_a_waiver_wants_a_reason_and_a_day_to_come(clinic: Any, here: Any, as_user: Any) -> None:
    client = as_user(clinic.manager)
    assert client.post(page(here, "waive"), {"reason": "", "expires_on": "2026-12-31"}).status_code == 200
    html = client.post(page(here, "waive"), {"reason": "typed", "expires_on": "2026-12-01"}).content.decode()
    assert "typed" in html and "today or later" in html
    assert not Waiver.objects.exists()


def test_the_register_of_waivers_tells_which_are_in_force(clinic: Any, rule: Any, as_user: Any) -> None:
    for day in (date(2026, 12, 1), date(2026, 12, 15), date(2027, 6, 1)):
        factories.WaiverFactory(
            rule=rule, subject_kind="employee", subject_id=clinic.nurse.pk, subject_code="E1",
            granted_by=clinic.admin, expires_on=day, reason=f"until {day}",
        )  # fmt: skip
    path = reverse("admin:business_rules_waiver_changelist")
    client = as_user(clinic.viewer)
    found = {
        key: [
            day
            for day in ("2026-12-01", "2026-12-15", "2027-06-01")
            if f"until {day}" in client.get(f"{path}?standing={key}").content.decode()
        ]
        for key in ("force", "soon", "over")
    }
    assert found == {"force": ["2026-12-15", "2027-06-01"], "soon": ["2026-12-15"], "over": ["2026-12-01"]}
    other = factories.UserFactory(role="VIEWER", unit=clinic.h2)
    assert "until 2027" not in as_user(other).get(path).content.decode()


def test_evaluate_now_leaves_a_wish_and_shows_how_it_goes(clinic: Any, as_user: Any) -> None:
    path = reverse("admin:business_rules_ruleviolation_evaluate")
    client = as_user(clinic.manager)
    assert client.get(path).status_code == 403 and not EvaluationRun.objects.exists()
    assert as_user(clinic.viewer).post(path).status_code == 403 and not EvaluationRun.objects.exists()
    response = client.post(path)
    run = EvaluationRun.objects.get()
    assert (run.unit_code, run.started_by) == ("H1", clinic.manager)
    html = client.get(response.headers["Location"]).content.decode()
    assert "waiting" in html and 'http-equiv="refresh"' in html
    run.finished_at = run.started_at = timezone.now()
    run.save()
    assert 'http-equiv="refresh"' not in client.get(response.headers["Location"]).content.decode()


def test_evaluations_of_other_parts_stay_out_of_sight(clinic: Any, as_user: Any) -> None:
    run = EvaluationRun.objects.create(trigger="manual", unit_code="H2", started_by=clinic.admin)
    path = reverse("admin:business_rules_evaluationrun_change", args=(run.pk,))
    assert as_user(clinic.manager).get(path).status_code == 404
    assert as_user(clinic.admin).get(path).status_code == 200


def form_of(rule: BusinessRule, **changed: Any) -> dict[str, Any]:
    return {
        "name": rule.name, "description": "", "severity": rule.severity, "threshold": rule.threshold or "",
        "enabled": "on", "effective_from": "", "effective_until": "", "overrides-TOTAL_FORMS": 0,
        "overrides-INITIAL_FORMS": 0, "overrides-MIN_NUM_FORMS": 0, "overrides-MAX_NUM_FORMS": 1000, **changed,
    }  # fmt: skip


def test_an_administrator_edits_the_rule_and_its_exceptions_and_nobody_else(
    clinic: Any, rule: Any, as_user: Any
) -> None:
    path = reverse("admin:business_rules_businessrule_change", args=(rule.pk,))
    change = form_of(
        rule, severity="WARNING", threshold="48", **{
            "overrides-TOTAL_FORMS": 1, "overrides-0-org_unit": clinic.h1.pk, "overrides-0-severity": "OFF",
            "overrides-0-threshold": "", "overrides-0-rule": rule.pk, "overrides-0-id": "",
        },
    )  # fmt: skip
    assert as_user(clinic.manager).post(path, change).status_code == 403
    assert as_user(clinic.viewer).get(path).status_code == 200
    response = as_user(clinic.admin).post(path, change)
    assert response.status_code == 302, response.context["adminform"].form.errors
    rule.refresh_from_db()
    assert (rule.severity, rule.threshold) == ("WARNING", 48)
    override = RuleOverride.objects.get()
    assert (override.org_unit, override.severity, override.threshold) == (clinic.h1, "OFF", None)
    assert override.history.latest().history_user == clinic.admin
    away = form_of(rule, **{
        "overrides-TOTAL_FORMS": 1, "overrides-INITIAL_FORMS": 1, "overrides-0-org_unit": clinic.h1.pk,
        "overrides-0-severity": "OFF", "overrides-0-threshold": "", "overrides-0-rule": rule.pk,
        "overrides-0-id": override.pk, "overrides-0-DELETE": "on",
    })  # fmt: skip
    assert as_user(clinic.admin).post(path, away).status_code == 302
    assert not RuleOverride.objects.exists()


@pytest.mark.parametrize("changed, sentence", [
    ({"threshold": "-1"}, "0 or more"),
    ({"effective_from": "2027-01-02", "effective_until": "2027-01-01"}, "cannot end before"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_and_nothing_is_saved(
    clinic: Any, rule: Any, as_user: Any, changed: Any, sentence: str
) -> None:
    path = reverse("admin:business_rules_businessrule_change", args=(rule.pk,))
    response = as_user(clinic.admin).post(path, form_of(rule, **changed))
    assert response.status_code == 200 and sentence in response.content.decode()
    rule.refresh_from_db()
    assert (rule.threshold, rule.effective_from) == (60, None)


@pytest.mark.parametrize(
    "path",
    [
        LIST,
        "admin:business_rules_businessrule_changelist",
        "admin:business_rules_waiver_changelist",
        "admin:business_rules_evaluationrun_changelist",
    ],
)
def test_lists_cost_the_same_with_two_rows_and_with_twenty(clinic: Any, here: Any, as_user: Any, path: str) -> None:
    client = as_user(clinic.admin)

    def more(number: int) -> None:
        rule = factories.BusinessRuleFactory(code=f"R{number}")
        broken(rule, clinic.nurse)
        factories.WaiverFactory(
            rule=rule,
            subject_kind="employee",
            subject_id=clinic.nurse.pk,
            subject_code="E1",
            granted_by=clinic.admin,
            expires_on=date(2027, 1, 1),
        )
        EvaluationRun.objects.create(trigger="nightly", started_by=clinic.admin)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(reverse(path)).status_code == 200
        return len(captured)

    for number in range(2):
        more(number)
    queries()
    few = queries()
    for number in range(2, 20):
        more(number)
    assert queries() == few
