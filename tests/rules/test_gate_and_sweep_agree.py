"""The gate's way of asking (a few, computed anew) and the sweep's (everyone, from what is kept) give one verdict."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import given, settings, strategies

from apps.assignments.models import Assignment
from apps.business_rules.models import BusinessRule, RuleOverride, Waiver
from apps.business_rules.questions import Question
from apps.business_rules.services import evaluate_rules
from apps.business_rules.services.evaluation import ask
from apps.business_rules.sql import settings_in_effect
from apps.business_rules.verdicts import Finding
from apps.changes.drain import drain
from apps.changes.due import due_subjects
from apps.demand.models import DemandAdjustment
from apps.fsm.models import EmployeeStatusPeriod
from apps.org.models import Employee, Leave, OrgUnit, Position
from apps.tags.models import EmployeeTag, PositionTag, TagCatalog
from tests.conftest import TODAY
from tests.factories import UserFactory

from .catalogue import REFERENCE, install_rules
from .plain import SAID_PLAINLY, Plain

pytestmark = pytest.mark.django_db
CODES = [code for code, *_ in REFERENCE]
CLINICS, EXAMPLES, SUBJECTS = 12, 5, 1_000
# Each rule is broken, and kept, at least so often in all examples together, or the test says little.
POWER = 10
OVERRIDDEN = {"HOURS_OVER_POOL": ("0", "6"), "POSITION_VACANT": ("3", "30"), "UNIT_UNDER_COVERED": ("5", "95")}


def day(number: int) -> date:
    return TODAY + timedelta(days=number)


class Lives:
    """Random small clinics, as people could have made them over the years, written at once."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.actor = UserFactory()
        self.contracts = [
            TagCatalog(code=f"C{hours}", name=f"C{hours}", type="CONTRACT", hours_delta=hours) for hours in (12, 24, 36)
        ]
        self.licences = [TagCatalog(code=f"L{n}", name=f"L{n}", type="CERTIFICATION") for n in range(3)]
        self.less = TagCatalog(code="X4", name="X4", type="EXCEPTION", hours_delta=-4)
        TagCatalog.objects.bulk_create([*self.contracts, *self.licences, self.less])

    def near(self, back: int = 60, ahead: int = 90) -> int:
        """Return a day from today, most often one on which something turns."""
        return self.rng.choice([self.rng.randint(-back, ahead), *(-15, -14, -1, 0, 1, 9, 10, 30, 60)])

    def write(self, clinics: int) -> None:
        for number in range(clinics):
            units = self.units(number)
            positions = self.positions(number, units)
            employees = self.employees(number, units)
            self.tags(employees)
            self.assignments(employees, positions)
        self.overrides()

    def units(self, number: int) -> list[OrgUnit]:
        made: list[OrgUnit] = []
        for index, above in enumerate((None, 0, 0, 1)):
            made.append(
                OrgUnit.objects.create(
                    code=f"U{number}.{index}",
                    name="Unit",
                    parent=None if above is None else made[above],
                    coverage_target=self.rng.choice([None, None, 5, 20, 50, Decimal("66.67"), 90]),
                    max_weekly_hours=self.rng.choice([None, None, None, 40]),
                )
            )
        return made

    def positions(self, number: int, units: list[OrgUnit]) -> list[Position]:
        rng = self.rng
        made = [
            Position(
                code=f"P{number}.{index}",
                title="Post",
                org_unit=rng.choice(units),
                required_weekly_hours=rng.choice([12, 24, 36, Decimal("7.01")]),
                opens_on=rng.choice([None, day(-300), day(-300), day(self.near())]),
            )
            for index in range(10)
        ]
        for row in made:
            if rng.random() < 0.3:
                row.closes_on = max(row.opens_on or day(-400), day(self.near()))
        Position.objects.bulk_create(made)
        adjusted = [
            DemandAdjustment(position=row, from_day=day(first), until_day=last, hours=hours)
            for row in made
            if rng.random() < 0.4
            for first in {self.near() for _ in range(2)}
            for hours in [rng.choice([-12, -24, -36, 12, Decimal("-7.01")])]
            for last in [rng.choice([None, day(first + rng.randint(0, 40))])]
        ]
        DemandAdjustment.objects.bulk_create(adjusted)
        PositionTag.objects.bulk_create(
            PositionTag(position=row, tag=tag, level=rng.choice(["REQUIRED", "REQUIRED", "PREFERRED"]))
            for row in made
            for tag in self.licences
            if rng.random() < 0.25
        )
        return made

    def employees(self, number: int, units: list[OrgUnit]) -> list[Employee]:
        rng = self.rng
        made, periods, leaves = [], [], []
        for index in range(14):
            status = rng.choice(["ACTIVE"] * 6 + ["NOTICE", "ON_LEAVE", "SUSPENDED", "TERMINATED", "ONBOARDING"])
            row = Employee(
                employee_number=f"E{number}.{index}",
                given_name="Ana",
                family_name="Paz",
                home_unit=rng.choice(units),
                hired_on=day(-400),
                status=status,
            )
            turned = -rng.choice([0, 1, 13, 14, 15, 40])
            if status == "TERMINATED":
                row.last_day = day(turned - 1)
            elif status == "NOTICE":
                row.last_day = day(rng.choice([0, 1, 10, 60]))
            made.append(row)
            if status != "ONBOARDING":
                steady = status in ("ACTIVE", "NOTICE")
                periods.append((row, "ACTIVE", day(-400), None if status == "ACTIVE" else day(turned - 1)))
                if status != "ACTIVE":
                    periods.append((row, status, day(turned), None))
                if not steady and status == "ON_LEAVE":
                    leaves.append(
                        Leave(employee=row, starts_on=day(turned), ends_on=rng.choice([None, day(0), day(20)]))
                    )
                elif rng.random() < 0.3:
                    first = self.near(back=30)
                    leaves.append(Leave(employee=row, starts_on=day(first), ends_on=day(first + rng.randint(0, 30))))
        Employee.objects.bulk_create(made)
        EmployeeStatusPeriod.objects.bulk_create(
            EmployeeStatusPeriod(employee=row, status=status, from_day=first, until_day=last)
            for row, status, first, last in periods
        )
        Leave.objects.bulk_create(leaves)
        return made

    def tags(self, employees: list[Employee]) -> None:
        rng = self.rng
        made = []
        for row in employees:
            chosen = rng.sample(self.contracts, rng.choice([0, 1, 1, 1, 1, 2])) + rng.sample(self.licences, 2)
            for tag in [*chosen, *([self.less] if rng.random() < 0.2 else [])]:
                first = rng.choice([-400, -400, self.near()])
                for _run in range(2):
                    last = rng.choice([None, first + rng.randint(0, 500), max(first, self.near())])
                    made.append(
                        EmployeeTag(
                            employee=row,
                            tag=tag,
                            valid_from=day(first),
                            valid_until=None if last is None else day(last),
                        )
                    )
                    if last is None or rng.random() < 0.4:
                        break
                    first = last + rng.choice([1, 1, 2, 15])
        EmployeeTag.objects.bulk_create(made)

    def assignments(self, employees: list[Employee], positions: list[Position]) -> None:
        rng = self.rng
        made = []
        for _ in range(30):
            state = rng.choice(["ACTIVE"] * 6 + ["PROPOSED", "PROPOSED", "CLOSED", "CLOSED", "REJECTED", "VOIDED"])
            first = rng.choice([-300, -300, self.near()])
            last = None if rng.random() < 0.5 else max(first, self.near())
            if state == "CLOSED":
                last = max(first, -rng.choice([1, 13, 14, 15, 30]))
            made.append(
                Assignment(
                    employee=rng.choice(employees),
                    position=rng.choice(positions),
                    effective_hours=rng.choice([6, 12, 24, 36, 50, Decimal("7.01")]),
                    is_reinforcement=rng.random() < 0.15,
                    status="CLOSED" if state in ("REJECTED", "VOIDED") else state,
                    starts_on=day(first),
                    ends_on=None if last is None else day(last),
                    accepted_at=timezone.now() if state in ("ACTIVE", "CLOSED", "VOIDED") else None,
                    voided=state == "VOIDED",
                )
            )
        Assignment.objects.bulk_create(made)

    def overrides(self) -> None:
        """Give some units another threshold, severity or none, and some subjects a waiver."""
        rng = self.rng
        units, rules = list(OrgUnit.objects.all()), list(BusinessRule.objects.all())
        RuleOverride.objects.bulk_create(
            RuleOverride(
                rule=rule,
                org_unit=unit,
                severity=rng.choice(["", "OFF", "INFO"] if rule.code not in OVERRIDDEN else ["", "INFO"]),
                threshold=rng.choice(OVERRIDDEN.get(rule.code, ("0", "20"))) if rule.threshold is not None else None,
            )
            for rule in rules
            for unit in rng.sample(units, 4)
        )
        Waiver.objects.bulk_create(
            Waiver(
                rule=rule,
                subject_kind=rule.subject_kind,
                subject_id=pk,
                subject_code="x",
                reason="agreed",
                granted_by=self.actor,
                expires_on=day(rng.choice([-1, 0, 5])),
            )
            for rule in rules
            for pk in rng.sample(everyone()[rule.subject_kind], 8)
        )

    def disturb(self) -> None:
        """Change a few rows without telling the workers."""
        for row in self.rng.sample(list(Assignment.objects.exclude(status="CLOSED")), 10):
            Assignment.objects.filter(pk=row.pk).update(effective_hours=row.effective_hours + 9)
        for row in self.rng.sample(list(Position.objects.all()), 5):
            Position.objects.filter(pk=row.pk).update(required_weekly_hours=row.required_weekly_hours + 9)
        self.rng.choice(self.contracts).__class__.objects.filter(code="C24").update(hours_delta=20)
        unit = OrgUnit.objects.get(code="U0.3")
        unit.parent = OrgUnit.objects.get(code="U1.0")
        unit.save()


def everyone() -> dict[str, list[int]]:
    models = {"employee": Employee, "assignment": Assignment, "position": Position, "unit": OrgUnit}
    return {kind: list(model.objects.values_list("pk", flat=True)) for kind, model in models.items()}


def verdicts(findings: list[Finding]) -> dict[tuple[str, str, int], dict[str, Any]]:
    told = {finding.key: asdict(finding) for finding in findings}
    assert len(told) == len(findings)
    return told


def as_the_gate_asks(rng: random.Random, size: int) -> dict[Any, Any]:
    """Ask about everybody, so many at a time and the kinds mixed."""
    left = {kind: rng.sample(ids, len(ids)) for kind, ids in everyone().items()}
    told: dict[Any, Any] = {}
    while any(left.values()):
        told |= verdicts(evaluate_rules(subjects={kind: ids[:size] for kind, ids in left.items()}))
        left = {kind: ids[size:] for kind, ids in left.items()}
    return told


def as_the_sweep_asks() -> dict[Any, Any]:
    return verdicts(ask(settings_in_effect(TODAY), Question(TODAY, due=due_subjects())))


def thresholds(rule: BusinessRule, unit_of: dict[int, OrgUnit]) -> dict[int, Decimal | None]:
    """Return the threshold of each subject the rule is not switched off for; the nearest unit says it."""
    said = {row.org_unit_id: row for row in RuleOverride.objects.filter(rule=rule)}
    found = {}
    for pk, unit in unit_of.items():
        rows = [said[one] for one in unit.path if one in said]
        severities = [row.severity for row in rows if row.severity]
        own = [row.threshold for row in rows if row.threshold is not None]
        if not severities or severities[-1] != "OFF":
            found[pk] = own[-1] if own else rule.threshold
    return found


def said_plainly(code: str, plain: Plain) -> tuple[set[int], int]:
    """Return who breaks a rule as it is said a second time, and of how many."""
    rule = BusinessRule.objects.get(code=code)
    units = plain.units
    unit_of = {
        "employee": lambda: {pk: units[row.home_unit_id] for pk, row in plain.employees.items()},
        "position": lambda: {pk: units[row.org_unit_id] for pk, row in plain.positions.items()},
        "unit": lambda: units,
        "assignment": lambda: {
            pk: units[plain.positions[row.position_id].org_unit_id] for pk, row in plain.assignments.items()
        },
    }[rule.subject_kind]()
    asked = thresholds(rule, unit_of)
    return {pk for pk, threshold in asked.items() if getattr(plain, code)(pk, threshold)}, len(asked)


class Undo(Exception):
    pass


def test_one_verdict_whichever_way_it_is_asked() -> None:
    with connection.cursor() as cursor:
        # Duplicates are kept out by the database; without its constraint the rule has something to say.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE assignments_assignment DROP CONSTRAINT assignments_one_live_regular")
    broken: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    asked_about: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, database=None)
    @given(strategies.integers(0, 2**32 - 1))
    def agree(seed: int) -> None:
        print(f"seed {seed}")
        try:
            with transaction.atomic():
                install_rules()
                BusinessRule.objects.update(enabled=True)
                lives = Lives(seed)
                lives.write(CLINICS)
                drain()
                sweep = as_the_sweep_asks()
                assert as_the_gate_asks(lives.rng, 40) == sweep
                some = {kind: ids[:1] for kind, ids in everyone().items()}
                assert verdicts(evaluate_rules(subjects=some)) == {
                    key: told for key, told in sweep.items() if key[2] in some[key[1]]
                }
                asked_about["subjects"] += sum(len(ids) for ids in everyone().values())
                broken.update(code for code, _kind, _pk in sweep)
                plain = Plain(TODAY)
                for code in SAID_PLAINLY:
                    by_hand, asked = said_plainly(code, plain)
                    assert {pk for rule, _kind, pk in sweep if rule == code} == by_hand, code
                    kept[code] += asked - len(by_hand)
                lives.disturb()
                assert any(due_subjects().values())
                assert as_the_sweep_asks() == as_the_gate_asks(lives.rng, 400)
                assert as_the_sweep_asks() != sweep
                raise Undo
        except Undo:
            pass

    agree()
    print("broken", dict(broken), "kept", dict(kept))
    assert asked_about["subjects"] >= SUBJECTS
    assert {code: broken[code] for code in CODES if broken[code] < POWER} == {}
    assert {code: kept[code] for code in SAID_PLAINLY if kept[code] < POWER} == {}
