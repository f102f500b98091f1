"""Workers and broker are killed in the middle of their work: the figures come out the same."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from apps.assignments.models import Assignment
from apps.changes.drain import TRIES, drain
from apps.changes.marks import mark
from apps.changes.models import Claim, DeadLetter, Kind, Mark
from apps.changes.proof import compare
from apps.demand.models import PositionCoverage
from apps.fsm.services import Order, apply_transitions
from apps.offer.models import LedgerWeek
from apps.org.models import Employee, Leave, OrgUnit, Position
from apps.tags.models import EmployeeTag, TagCatalog
from tests.changes.conftest import holding, wait_for_a_waiter
from tests.oracle.sheets import Clinic
from tests.worker.processes import CHECKOUT, Broker, Child, environment, relay, wait_until, worker

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

EMPLOYEES, POSITIONS = 60, 20
TODAY = date(2026, 12, 9)
HIRED = date(2024, 1, 1)
DAY = timedelta(days=1)


def build() -> None:
    """Make a clinic of some size through the door, in bulk."""
    root = OrgUnit.objects.create(code="R", name="R")
    units = [OrgUnit.objects.create(code=f"U{number}", name=f"U{number}", parent=root) for number in range(4)]
    Position.objects.bulk_create(
        Position(code=f"P{number}", title="P", org_unit=units[number % 4], required_weekly_hours=30 + number)
        for number in range(POSITIONS)
    )
    tag = TagCatalog.objects.create(code="C", name="C", type="CONTRACT", hours_delta=Decimal(36))
    employees = Employee.objects.bulk_create(
        Employee(
            employee_number=f"E{number}", given_name="E", family_name="E", home_unit=root, hired_on=date(2024, 1, 1)
        )
        for number in range(EMPLOYEES)
    )
    EmployeeTag.objects.bulk_create(
        EmployeeTag(employee=employee, tag=tag, valid_from=date(2024, 1, 1)) for employee in employees
    )
    apply_transitions(Employee, "activate", [Order(employee.pk) for employee in employees], actor=None, confirmed=True)
    positions = list(Position.objects.order_by("pk"))
    assignments = Assignment.objects.bulk_create(
        Assignment(
            employee=employee, position=positions[(index + step) % POSITIONS], effective_hours=5 + step,
            starts_on=date(2026, 1, 1),
        )
        for index, employee in enumerate(employees)
        for step in range(3)
    )  # fmt: skip
    apply_transitions(Assignment, "accept", [Order(one.pk) for one in assignments], actor=None, confirmed=True)


def oracle() -> Clinic:
    """Return the clinic as its records stand now, for the oracle."""
    clinic = Clinic(TODAY)
    clinic.read("org_units", [{"code": unit.code, "parent_code": ""} for unit in OrgUnit.objects.all()])
    clinic.read(
        "positions",
        [
            {"code": p.code, "unit_code": p.org_unit.code, "required_weekly_hours": str(p.required_weekly_hours)}
            for p in Position.objects.select_related("org_unit")
        ],
    )
    clinic.read("tags", [{"code": "C", "hours_delta": "36"}])
    for employee in Employee.objects.all():
        number = {"employee_number": employee.employee_number}
        clinic.read("employees", [{**number, "hired_on": str(HIRED), "transition": "activate"}])
        clinic.read("employee_tags", [{**number, "tag_code": "C", "valid_from": str(HIRED)}])
    for leave in Leave.objects.select_related("employee"):
        days = {"starts_on": str(leave.starts_on), "ends_on": str(leave.ends_on)}
        clinic.read("leaves", [{"employee_number": leave.employee.employee_number, **days}])
    for one in Assignment.objects.select_related("employee", "position"):
        clinic.read(
            "assignments",
            [
                {
                    "employee_number": one.employee.employee_number,
                    "position_code": one.position.code,
                    "starts_on": str(one.starts_on),
                    "effective_hours": str(one.effective_hours),
                    "transition": "accept",
                }
            ],
        )
    return clinic


def assert_right() -> None:
    clinic = oracle()
    monday = TODAY - DAY * TODAY.weekday()
    for row in PositionCoverage.objects.select_related("position"):
        for week in range(13):
            expected = clinic.position_week(row.position.code, monday + 7 * DAY * week)
            assert {name: Fraction(getattr(row, name)[week], 700) for name in expected} == expected
    for row in LedgerWeek.objects.select_related("employee"):
        for week in range(13):
            expected = clinic.employee_week(row.employee.employee_number, monday + 7 * DAY * week)
            assert {name: Fraction(getattr(row, name)[week], 700) for name in expected} == expected
    assert (PositionCoverage.objects.count(), LedgerWeek.objects.count()) == (POSITIONS, EMPLOYEES)
    proof = compare()
    assert (proof.drift, proof.waiting) == ([], 0)
    assert not DeadLetter.objects.exists()
    # The note of a killed worker outlives its marks until a drain finds it a few seconds old.
    wait_until(lambda: drain() is not None and not Claim.objects.exists(), 60)


def change_everything(round_: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE assignments_assignment SET effective_hours = 2 + (id + %s) %% 17", [round_])
        cursor.execute("UPDATE org_position SET required_weekly_hours = 10 + (id + %s) %% 31", [round_])
    day = TODAY + DAY * (7 * round_)
    Leave.objects.bulk_create(
        Leave(employee=employee, kind="VACATION", starts_on=day, ends_on=day + DAY * 3)
        for employee in Employee.objects.order_by("pk")[round_::7]
    )


def probe() -> None:
    mark(Kind.PROBE, [1])
    wait_until(lambda: not Mark.objects.filter(kind=Kind.PROBE).exists(), 120)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[dict[str, Any]]:
    broker = Broker(tmp_path)
    parts: dict[str, Any] = {"broker": broker, "relay": relay(broker, tmp_path), "worker": worker(broker, tmp_path)}
    for part in parts.values():
        part.start()
    yield parts
    for part in reversed(parts.values()):
        part.kill()


def test_killing_the_worker_and_the_broker_in_the_middle_changes_nothing(stack: dict[str, Any]) -> None:
    build()
    probe()
    killed = 0
    for round_, victims in enumerate((["worker"], ["broker"], ["worker", "broker"], ["relay", "worker"]), 1):
        # The rows of one unit's figures are held, so the drain is stopped in the middle of its pass.
        with holding("SELECT 1 FROM demand_unitcoverage FOR UPDATE", []) as release:
            change_everything(round_)
            wait_for_a_waiter(120)
            for victim in victims:
                stack[victim].kill()
                killed += 1
            release()
        if round_ == 3:
            # What the broker knew is gone too.
            for left in stack["broker"].folder.glob("appendonlydir/*"):
                left.unlink()
        for victim in victims:
            stack[victim].start()
        if round_ % 2 == 0:
            wait_until(lambda: not Mark.objects.exists(), 180)
            assert_right()
    wait_until(lambda: not Mark.objects.exists(), 180)
    assert_right()
    assert killed == 6
    worker_: Child = stack["worker"]
    assert "Unrecoverable error" not in worker_.output()


def test_a_database_session_lost_in_the_middle_changes_nothing(stack: dict[str, Any]) -> None:
    build()
    probe()
    with holding("SELECT 1 FROM demand_unitcoverage FOR UPDATE", []) as release:
        change_everything(1)
        wait_for_a_waiter(120)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name IN ('coveris-worker', 'coveris-relay')"
            )
            assert cursor.fetchone()[0] >= 2
        release()
    wait_until(lambda: not Mark.objects.exists(), 180)
    assert_right()


def test_a_worker_hears_again_after_the_broker_came_back(stack: dict[str, Any]) -> None:
    probe()
    for _number in range(3):
        stack["broker"].kill()
        stack["broker"].start()
        probe()
    assert stack["worker"].process.poll() is None


def test_a_subject_that_kills_its_worker_is_set_aside_after_three_and_the_others_go_on() -> None:
    build()
    drain()
    deadly = Position.objects.get(code="P7")
    Position.objects.update(required_weekly_hours=50)
    argv = [sys.executable, "-m", "tests.chaos.deadly", str(deadly.pk)]
    ends = []
    for _number in range(TRIES + 3):
        ends.append(
            subprocess.run(argv, cwd=CHECKOUT, env=environment("redis://127.0.0.1:1/0"), timeout=120).returncode
        )
        if ends[-1] == 0:
            break
    assert ends == [-signal.SIGKILL] * TRIES + [0]
    assert DeadLetter.objects.get().subject_id == deadly.pk
    assert not Mark.objects.exists()
    others = PositionCoverage.objects.exclude(position=deadly)
    assert {row.required[1] for row in others} == {50 * 700}
    assert others.count() == POSITIONS - 1
