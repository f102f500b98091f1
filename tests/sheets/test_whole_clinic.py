"""A whole clinic from its sheets: what the commands print equals what plain Python makes of the same files."""

from __future__ import annotations

import json
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from apps.assignments.models import Assignment
from apps.changes.drain import drain
from apps.org.models import Employee, Leave, OrgUnit, Position
from apps.tags.models import EmployeeTag
from fixtures.scale import SIZES, write_sheets
from tests.imports.support import history_rows, marks
from tests.oracle.sheets import Clinic

pytestmark = pytest.mark.django_db

SEEDS = range(20)
DAY = timedelta(days=1)
COVERAGE = (
    "required_hours", "assigned_hours", "reinforcement_hours", "proposed_hours", "filled_hours", "deficit_hours",
    "surplus_hours", "coverage_percent", "raw_percent", "net_zero", "positions",
)  # fmt: skip
POSITION = (
    "unit_code", "required_hours", "assigned_hours", "reinforcement_hours", "proposed_hours", "coverage_percent",
    "state",
)  # fmt: skip
LEDGER = ("week", "pool_hours", "assigned_hours", "balance_hours", "proposed_hours")


def run(*arguments: str) -> Any:
    out = StringIO()
    call_command(*arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def bring_in(folder: Path) -> list[dict[str, Any]]:
    answer = run("import_folder", str(folder))
    assert answer["stopped_at"] is None
    return answer["sheets"]


@pytest.mark.parametrize("seed", SEEDS)
def test_coverage_and_ledger_equal_plain_python(seed: int, tmp_path: Path, settings: Any) -> None:
    today = settings.COVERIS_TODAY = date(2026, 12, 7) + DAY * (seed % 7)
    call_command("load_reference", stdout=StringIO())
    run("generate_scale", "--size", "s", "--seed", str(seed), "--out", str(tmp_path))
    sheets = bring_in(tmp_path)
    assert sum(sheet["refused"] for sheet in sheets) == 0
    drain()
    oracle = Clinic.from_folder(tmp_path, today)
    monday = today - DAY * today.weekday()
    for number in range(13):
        first = monday + 7 * DAY * number
        expected = oracle.coverage(first)
        found = run("coverage", "--week", expected["week"])
        assert found["week"] == expected["week"]
        assert {row["code"]: {name: row[name] for name in COVERAGE} for row in found["units"]} == {
            code: {name: row[name] for name in COVERAGE} for code, row in expected["units"].items()
        }, f"seed {seed}"
        assert {row["code"]: {name: row[name] for name in POSITION} for row in found["positions"]} == {
            code: {name: row[name] for name in POSITION} for code, row in expected["positions"].items()
        }, f"seed {seed}"
    for employee in oracle.employees:
        weeks = run("ledger", employee)["weeks"]
        assert [{name: week[name] for name in LEDGER} for week in weeks] == oracle.ledger(employee), f"seed {seed}"


def test_a_clinic_has_what_was_promised(tmp_path: Path, settings: Any) -> None:
    call_command("load_reference", stdout=StringIO())
    write_sheets(tmp_path, size="s", seed=1, today=settings.COVERIS_TODAY)
    bring_in(tmp_path)
    size = SIZES["s"]
    assert OrgUnit.objects.count() == size.units
    assert Position.objects.count() == size.positions
    assert Employee.objects.count() == size.employees
    assert Assignment.objects.count() == size.assignments
    assert EmployeeTag.objects.count() == size.tags
    today = settings.COVERIS_TODAY
    statuses = set(Employee.objects.values_list("status", flat=True))
    assert statuses >= {"ACTIVE", "ONBOARDING", "NOTICE", "TERMINATED", "ON_LEAVE", "SUSPENDED"}
    assert Leave.objects.filter(starts_on__gt=today).exists()
    assert Leave.objects.filter(starts_on__lte=today, ends_on=None).exists()
    assert Assignment.objects.filter(is_reinforcement=True, status="ACTIVE").exists()
    assert Assignment.objects.filter(status="PROPOSED").exists()
    assert Assignment.objects.filter(status="CLOSED", accepted_at=None).exists()
    assert Position.objects.filter(tags__level="REQUIRED").exists()
    monday = today - DAY * today.weekday()
    assert Position.objects.filter(opens_on__gt=monday, opens_on__lt=monday + 7 * DAY).exists()


def test_the_same_seed_gives_the_same_files_and_another_seed_others(tmp_path: Path, settings: Any) -> None:
    def written(folder: str, seed: int) -> dict[str, bytes]:
        paths = write_sheets(tmp_path / folder, size="s", seed=seed, today=settings.COVERIS_TODAY)
        return {path.name: path.read_bytes() for path in paths}

    assert written("a", 7) == written("b", 7)
    assert written("a", 7) != written("c", 8)
    assert list(written("a", 7)) == [
        "01_org_units.csv", "02_tags.csv", "03_positions.csv", "04_employees.csv", "05_employee_tags.csv",
        "06_employees_activate.csv", "07_leaves.csv", "08_assignments.csv", "09_demand_adjustments.csv",
        "10_employees_transitions.csv",
    ]  # fmt: skip


def test_each_sheet_twice_changes_nothing_the_second_time(tmp_path: Path, settings: Any) -> None:
    call_command("load_reference", stdout=StringIO())
    for path in write_sheets(tmp_path, size="s", seed=3, today=settings.COVERIS_TODAY):
        kind = path.stem[3:].removesuffix("_activate").removesuffix("_transitions")
        first = run("import_sheet", kind, str(path))
        assert first["refused"] == 0, first["errors"][:3]
        before = history_rows(), marks()
        again = run("import_sheet", kind, str(path))
        assert (again["created"], again["updated"], again["refused"]) == (0, 0, 0), path.name
        assert again["unchanged"] == first["created"] + first["updated"] + first["unchanged"]
        assert (history_rows(), marks()) == before, path.name
