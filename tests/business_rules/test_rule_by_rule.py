"""Why not: each rule of the gate with what it says about a proposal, those that pass too."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.business_rules.models import BusinessRule
from apps.business_rules.services.rule_by_rule import Outcome, RuleLine
from apps.demand.preview import preview_proposal
from apps.tags.models import EmployeeTag
from tests.conftest import TODAY
from tests.factories import (
    AssignmentFactory,
    Clinic,
    PositionTagFactory,
    RuleOverrideFactory,
    TagFactory,
    WaiverFactory,
)

pytestmark = pytest.mark.django_db
Rules = dict[str, BusinessRule]
ALWAYS_ASKED = {
    "MAX_WEEKLY_HOURS",
    "EMPLOYEE_NOT_AVAILABLE",
    "DUPLICATE_ASSIGNMENT",
    "MISSING_REQUIRED_TAG",
    "OUTSIDE_POSITION_DATES",
    "HOURS_OVER_POOL",
    "NO_CONTRACT",
    "REQUIRED_TAG_EXPIRING",
    "CONTRACT_ENDING",
    "POSITION_OVER_COVERED",
}


def ask(clinic: Clinic, hours: int, actor: Any = None) -> dict[str, RuleLine]:
    lines = preview_proposal(
        employee=clinic.nurse, position=clinic.p1, hours=Decimal(hours), starts_on=TODAY,
        actor=actor or clinic.manager, each_rule=True,
    ).answer.rules  # fmt: skip
    return {line.code: line for line in lines}


def test_every_rule_in_effect_speaks_and_no_other(clinic: Clinic, rules: Rules) -> None:
    assert set(ask(clinic, 20)) == ALWAYS_ASKED
    BusinessRule.objects.filter(code="NO_CONTRACT").update(enabled=False)
    assert set(ask(clinic, 20)) == ALWAYS_ASKED - {"NO_CONTRACT"}


def test_a_pass_has_its_number_and_the_limit_that_holds(clinic: Clinic, rules: Rules) -> None:
    lines = ask(clinic, 20)
    assert {line.outcome for line in lines.values()} == {Outcome.PASSES}
    numbers = {code: (line.observed, line.limit) for code, line in lines.items() if line.observed is not None}
    assert numbers["MAX_WEEKLY_HOURS"] == (Decimal("20.00"), Decimal(60))
    assert numbers["HOURS_OVER_POOL"] == (Decimal("16.00"), Decimal(0))


@pytest.mark.parametrize("how", ["exception", "cap"])
def test_the_limit_of_the_unit_is_told(clinic: Clinic, rules: Rules, how: str) -> None:
    if how == "exception":
        RuleOverrideFactory(rule=rules["MAX_WEEKLY_HOURS"], org_unit=clinic.root, threshold=Decimal(48))
    else:
        type(clinic.root).objects.filter(pk=clinic.root.pk).update(max_weekly_hours=48)
    line = ask(clinic, 20)["MAX_WEEKLY_HOURS"]
    assert (line.outcome, line.observed, line.limit) == (Outcome.PASSES, 20, 48)


def test_the_gravest_come_first_and_the_easiest_to_fix_of_them(clinic: Clinic, rules: Rules) -> None:
    PositionTagFactory(position=clinic.p1, tag=TagFactory())
    lines = list(ask(clinic, 61).values())
    assert [(line.code, line.outcome) for line in lines][:3] == [
        ("MAX_WEEKLY_HOURS", Outcome.BLOCKS),
        ("MISSING_REQUIRED_TAG", Outcome.BLOCKS),
        ("HOURS_OVER_POOL", Outcome.WARNS),
    ]
    assert lines[-1].outcome == Outcome.PASSES


def test_what_is_waived_says_by_whom_and_until_when(clinic: Clinic, rules: Rules) -> None:
    waiver = WaiverFactory(
        rule=rules["MAX_WEEKLY_HOURS"], org_unit=clinic.h1, granted_by=clinic.admin,
        expires_on=TODAY + timedelta(days=9),
    )  # fmt: skip
    WaiverFactory(
        rule=rules["MAX_WEEKLY_HOURS"], org_unit=clinic.h2, granted_by=clinic.admin,
        expires_on=TODAY + timedelta(days=99),
    )  # fmt: skip
    line = ask(clinic, 61)["MAX_WEEKLY_HOURS"]
    assert (line.outcome, line.waiver) == (Outcome.WAIVED, waiver)


def test_what_was_broken_before_is_told_apart(clinic: Clinic, rules: Rules) -> None:
    EmployeeTag.objects.filter(employee=clinic.nurse).delete()
    assert ask(clinic, 20)["NO_CONTRACT"].outcome == Outcome.STANDS


def test_a_rule_the_unit_switched_off_says_so(clinic: Clinic, rules: Rules) -> None:
    RuleOverrideFactory(rule=rules["MAX_WEEKLY_HOURS"], org_unit=clinic.h1, severity="OFF")
    line = ask(clinic, 61)["MAX_WEEKLY_HOURS"]
    assert (line.outcome, line.unit) == (Outcome.OFF, clinic.h1)


def test_it_is_the_same_few_queries_however_many_assignments(clinic: Clinic, rules: Rules) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            ask(clinic, 20)
        return len(captured)

    queries()
    few = queries()
    for _one in range(6):
        AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=1, is_reinforcement=True)
    assert queries() == few


def test_the_form_shows_them_with_those_that_pass_collapsed(clinic: Clinic, rules: Rules, as_user: Any) -> None:
    path = reverse("admin:assignments_assignment_preview_new")
    asked = {
        "employee": clinic.nurse.pk, "position": clinic.p1.pk, "effective_hours": "61", "starts_on": TODAY.isoformat(),
    }  # fmt: skip
    response = as_user(clinic.supervisor).get(path, asked)
    told = response.context["rules"]
    assert ([rule["name"] for rule in told["told"]], len(told["passed"])) == (
        ["Cap of weekly hours", "Hours over the pool", "Position over-covered"],
        7,
    )
    html = response.content.decode()
    assert "7 rules pass" in html
    asked["effective_hours"] = "20"
    assert "20.00, limit 60.00" in as_user(clinic.supervisor).get(path, asked).content.decode()


def test_the_page_of_an_employee_leads_there(clinic: Clinic, rules: Rules, as_user: Any) -> None:
    page = reverse("admin:org_employee_assignments", args=(clinic.nurse.pk,))
    html = as_user(clinic.supervisor).get(page).content.decode()
    assert "Could they take a position?" in html
    assert "Could they take a position?" not in as_user(clinic.viewer).get(page).content.decode()
