"""The preview of an assignment: as the command prints it, and equal to what really happens."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.assignments.models import Assignment
from apps.assignments.services import propose_assignment
from apps.business_rules.services import RulesRefused, WhatIf, judged
from apps.changes.drain import drain
from apps.changes.span import Span
from apps.common.errors import Refusal
from apps.demand.board import board
from apps.demand.models import PositionCoverage
from apps.demand.preview import preview_acceptance, preview_change, preview_proposal
from apps.fsm.services import apply_transition
from apps.offer.models import LedgerWeek
from apps.tags.models import EmployeeTag
from tests.conftest import TODAY
from tests.factories import (
    AssignmentFactory,
    Clinic,
    DemandAdjustmentFactory,
    EmployeeTagFactory,
    LeaveFactory,
    PositionTagFactory,
    TagFactory,
)
from tests.rules.catalogue import install_rules

pytestmark = pytest.mark.django_db


@pytest.fixture
def rules(db: Any) -> Any:
    return install_rules()


def run(*args: str) -> tuple[int, str]:
    """Return the exit code and what was printed."""
    out = StringIO()
    try:
        call_command("preview_assignment", *args, stdout=out)
    except SystemExit as exit_code:
        return int(str(exit_code)), out.getvalue()
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


class TestTheCommand:
    def test_it_prints_verdicts_ledger_and_coverage_in_the_agreed_shape(self, clinic: Clinic, rules: Any) -> None:
        code, text = run("E1", "P1", "40", "--json")
        answer = json.loads(text)
        assert code == 0
        assert answer["allowed"] is True
        verdict = answer["verdicts"][0]
        assert {other["severity"] for other in answer["verdicts"][1:]} <= {"INFO"}
        assert {name: verdict[name] for name in ("rule", "severity", "observed", "limit", "records")} == {
            "rule": "HOURS_OVER_POOL",
            "severity": "WARNING",
            "observed": "-4.00",
            "limit": "0.00",
            "records": ["E1/P1/2026-12-09"],
        }
        assert verdict["message"]
        first, second = answer["ledger"][:2]
        # Wednesday to Sunday of the first week: five sevenths of 40.
        assert (first["week"], first["before"], first["after"]) == ("2026-W50", "36.00", "7.43")
        assert (second["week"], second["before"], second["after"]) == ("2026-W51", "36.00", "-4.00")
        assert (answer["coverage"][1]["week"], answer["coverage"][1]["before"], answer["coverage"][1]["after"]) == (
            "2026-W51", "0.00", "40.00",
        )  # fmt: skip
        assert len(answer["ledger"]) == len(answer["coverage"]) == 13
        assert not Assignment.objects.exists()

    def test_it_exits_1_when_the_answer_is_no(self, clinic: Clinic, rules: Any) -> None:
        code, text = run("E1", "P1", "61", "--json")
        assert code == 1
        assert json.loads(text)["allowed"] is False
        assert run("E1", "P1", "61")[0] == 1

    def test_a_refusal_that_is_no_rule_is_a_verdict_too(self, clinic: Clinic, rules: Any) -> None:
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=4)
        code, text = run("E1", "P1", "4", "--json")
        answer = json.loads(text)
        assert code == 1
        assert [verdict["severity"] for verdict in answer["verdicts"]] == ["BLOCKING"]
        assert all(line["before"] == line["after"] for line in answer["ledger"])

    @pytest.mark.parametrize(
        "arguments",
        [
            ("E404", "P1", "4"), ("E1", "P404", "4"), ("E1", "P1", "0"), ("E1", "P1", "-1"), ("E1", "P1", "many"),
            ("E1", "P1", "1.234"), ("E1", "P1", "NaN"), ("E1", "P1", "4", "--from", "tomorrow"),
            ("E1", "P1", "4", "--from", "2026-12-10", "--until", "2026-12-09"), ("E1", "P1"),
        ],
    )  # fmt: skip
    def test_bad_usage_exits_2(self, clinic: Clinic, arguments: tuple[str, ...]) -> None:
        from django.core.management import ManagementUtility

        with pytest.raises((SystemExit, CommandError)) as ended:
            ManagementUtility(["manage.py", "preview_assignment", *arguments]).execute()
        assert getattr(ended.value, "code", None) == 2 or getattr(ended.value, "returncode", None) == 2

    def test_dates_and_reinforcement_are_taken(self, clinic: Clinic, rules: Any) -> None:
        code, text = run("E1", "P1", "7", "--from", "2026-12-14", "--until", "2026-12-20", "--json")
        assert code == 0
        assert [line["after"] for line in json.loads(text)["coverage"][:3]] == ["0.00", "7.00", "0.00"]
        assert "→" in run("E1", "P1", "7", "--reinforcement")[1]


class Life:
    """A random life of a small clinic, by a seed."""

    def __init__(self, seed: int) -> None:
        self.dice = dice = random.Random(seed)
        self.clinic = clinic = Clinic()
        install_rules()
        EmployeeTag.objects.filter(employee=clinic.nurse).delete()
        EmployeeTagFactory(
            employee=clinic.nurse,
            tag=TagFactory(contract=True, hours_delta=dice.choice([24, 36, 48])),
            valid_until=dice.choice([None, self.day(10, 60)]),
        )
        if dice.random() < 0.5:
            tag = TagFactory(code="NEED")
            PositionTagFactory(position=clinic.p1, tag=tag)
            if dice.random() < 0.7:
                EmployeeTagFactory(employee=clinic.nurse, tag=tag, valid_until=dice.choice([None, self.day(5, 40)]))
        if dice.random() < 0.5:
            first = self.day(3, 30)
            LeaveFactory(employee=clinic.nurse, starts_on=first, ends_on=first + timedelta(days=dice.randrange(20)))
        if dice.random() < 0.4:
            DemandAdjustmentFactory(position=clinic.p1, from_day=self.day(0, 20), hours=dice.choice([-12, 10]))
        if dice.random() < 0.6:
            AssignmentFactory(
                employee=clinic.nurse, position=clinic.p2, effective_hours=dice.choice([8, 20, 40]),
                ends_on=dice.choice([None, self.day(8, 50)]), accepted=True,
            )  # fmt: skip
        if dice.random() < 0.3:
            type(clinic.p1).objects.filter(pk=clinic.p1.pk).update(closes_on=self.day(20, 60))
            clinic.p1.refresh_from_db()
        drain()

    def day(self, least: int, most: int) -> date:
        return TODAY + timedelta(days=self.dice.randrange(least, most))

    def wish(self) -> dict[str, Any]:
        starts_on = self.day(-10, 20)
        ends_on = self.dice.choice([None, starts_on + timedelta(days=self.dice.randrange(60))])
        return {
            "employee": self.clinic.nurse,
            "position": self.clinic.p1,
            "hours": Decimal(self.dice.randrange(100, 5000)) / 100,
            "starts_on": starts_on,
            "ends_on": ends_on,
            "is_reinforcement": self.dice.random() < 0.3,
        }


def told(answer: WhatIf) -> set[tuple[Any, ...]]:
    return {(f.rule, f.observed, f.limit, f.severity, f.message, f.remedy) for f in answer.verdicts}


@pytest.mark.parametrize("seed", range(30))
def test_it_tells_what_really_happens(seed: int) -> None:
    life = Life(seed)
    wish = life.wish()
    preview = preview_proposal(**wish, actor=life.clinic.admin)
    # The gate says the same of the real proposal, and of its acceptance.
    try:
        made = propose_assignment(**wish, actor=life.clinic.admin)
        refused: set[Any] = set()
    except RulesRefused as refusal:
        refused = {(f.rule, f.observed, f.limit, f.severity, f.message, f.remedy) for f in refusal.findings}
        blocking = preview.answer.blocking
        expected = blocking or preview.answer.to_confirm
        assert refused == {(f.rule, f.observed, f.limit, f.severity, f.message, f.remedy) for f in expected}
    else:
        assert not preview.answer.blocking and not preview.answer.to_confirm
        assert told(preview_acceptance(assignment=made, actor=life.clinic.admin).answer) == told(preview.answer)
    # The figures are those a worker stores once it has really been done: with the rules off, so that each can be.
    if refused:
        from apps.business_rules.models import BusinessRule

        BusinessRule.objects.update(enabled=False)
        made = propose_assignment(**wish, actor=life.clinic.admin)
    apply_transition(made, "accept", actor=life.clinic.admin, confirmed=True)
    drain()
    ledger = LedgerWeek.objects.get(employee=life.clinic.nurse)
    after = preview.answer.ledger.by_subject[life.clinic.nurse.pk].after
    assert {name: list(values) for name, values in after.items()} == {
        name: getattr(ledger, name) for name in ("pool", "assigned", "proposed")
    }
    coverage = PositionCoverage.objects.get(position=life.clinic.p1)
    after = preview.answer.positions.by_subject[life.clinic.p1.pk].after
    assert {name: list(values) for name, values in after.items()} == {name: getattr(coverage, name) for name in after}
    # And of units, as the coverage command shows them.
    span = Span.current()
    for place in (0, 1, span.weeks - 1):
        shown = {line.id: line for line in board(week=span.mondays[place]).units}
        for unit, weeks in preview.answer.units.by_subject.items():
            for name, values in weeks.after.items():
                assert values[place] == getattr(shown[unit], name), (unit, name, place)


def test_canary_other_hours_would_be_told_apart(clinic: Clinic, rules: Any) -> None:
    more, less = (
        preview_proposal(employee=clinic.nurse, position=clinic.p1, hours=Decimal(hours), starts_on=TODAY, actor=None)
        for hours in ("12.01", "12.00")
    )
    assert more.ledger != less.ledger
    assert more.coverage != less.coverage


def test_a_change_of_hours_is_told_from_what_it_is_now(clinic: Clinic, rules: Any) -> None:
    row = AssignmentFactory(
        employee=clinic.nurse, position=clinic.p1, effective_hours=20, starts_on=TODAY, accepted=True
    )
    preview = preview_change(assignment=row, values={"effective_hours": Decimal(40)}, actor=clinic.manager)
    line = preview.coverage[1]
    assert (line.before, line.after) == (20 * 700, 40 * 700)
    assert [finding.rule for finding in preview.answer.to_confirm] == ["HOURS_OVER_POOL"]
    row.refresh_from_db()
    assert row.effective_hours == 20


def test_nothing_is_told_of_somebody_out_of_scope(clinic: Clinic, rules: Any) -> None:
    preview = preview_proposal(
        employee=clinic.surgeon, position=clinic.p1, hours=Decimal(4), starts_on=TODAY, actor=clinic.manager
    )
    assert preview.answer.refusal is not None
    assert preview.answer.refusal.reasons[0].code == "out_of_scope"
    assert (preview.allowed, preview.ledger) == (False, [])
    assert clinic.surgeon.family_name not in json.dumps(preview.as_json())


def test_it_costs_the_same_queries_in_a_small_clinic_and_in_a_larger_one(clinic: Clinic, rules: Any) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            preview_proposal(
                employee=clinic.nurse, position=clinic.p1, hours=Decimal(4), starts_on=TODAY, actor=clinic.manager
            )
        return len(queries)

    cost()  # statements prepared once a connection
    small = cost()
    for _number in range(6):
        AssignmentFactory(position=clinic.p1, effective_hours=3, accepted=True)
        AssignmentFactory(employee=clinic.nurse, effective_hours=1, accepted=True)
    # Each statement that is planned once a connection asks for its plan first: two questions instead of one.
    assert cost() == small <= 112


def test_a_preview_inside_a_judged_block_leaves_that_one_as_it_was(clinic: Clinic, rules: Any) -> None:
    with pytest.raises(Refusal), judged(subjects={"employee": [clinic.nurse.pk]}, actor=None):
        preview_proposal(employee=clinic.nurse, position=clinic.p1, hours=Decimal(4), starts_on=TODAY, actor=None)
        AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=61, accepted=True)
