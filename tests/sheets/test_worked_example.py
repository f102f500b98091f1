"""The small clinic worked out by hand, as a clinic would bring it in: nine sheets, then the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from apps.changes.drain import drain
from tests.oracle.example import UNITS
from tests.sheets.test_whole_clinic import bring_in, run

pytestmark = pytest.mark.django_db
SHEETS = Path(__file__).parent / "example"

UNIT_KEYS = (
    "required_hours", "assigned_hours", "filled_hours", "deficit_hours", "surplus_hours", "coverage_percent",
    "raw_percent", "net_zero",
)  # fmt: skip
# position: required, assigned, reinforcement, proposed, state
POSITIONS = {
    "2026-W50": {
        "P1": ("36.00", "25.71", "0.00", "0.00", "PARTIAL"),
        "P2": ("13.71", "13.71", "0.00", "0.00", "COVERED"),
        "P3": ("12.00", "25.14", "20.00", "0.00", "OVER_COVERED"),
        "P4": ("7.01", "7.01", "0.00", "0.00", "COVERED"),
    },
    "2026-W51": {
        "P1": ("36.00", "25.71", "0.00", "10.00", "PARTIAL"),
        "P2": ("24.00", "24.00", "0.00", "0.00", "COVERED"),
        "P3": ("5.14", "8.57", "8.57", "0.00", "OVER_COVERED"),
        "P4": ("7.01", "2.00", "0.00", "0.00", "PARTIAL"),
    },
}
POSITION_KEYS = ("required_hours", "assigned_hours", "reinforcement_hours", "proposed_hours", "state")
# employee: pool, assigned and balance of W50, then of W51
LEDGER = {
    "E1": [("34.29", "25.71", "8.57"), ("34.29", "25.71", "8.57")],
    "E2": [("18.86", "13.71", "5.14"), ("20.00", "24.00", "-4.00")],
    "E3": [("36.00", "20.00", "16.00"), ("48.00", "8.57", "39.43")],
    "E4": [("12.50", "7.01", "5.49"), ("3.57", "2.00", "1.57")],
    "E5": [("10.29", "5.14", "5.14"), ("0.00", "0.00", "0.00")],
}


@pytest.fixture(autouse=True)
def the_clinic_brought_in(db: Any) -> list[dict[str, Any]]:
    call_command("load_reference", verbosity=0)
    sheets = bring_in(SHEETS)
    drain()
    return sheets


def test_every_row_comes_in_and_the_one_warning_is_named(the_clinic_brought_in: list[dict[str, Any]]) -> None:
    assert [sheet["refused"] for sheet in the_clinic_brought_in] == [0] * 9
    warnings = [warning["rule"] for sheet in the_clinic_brought_in for warning in sheet["warnings"]]
    assert warnings == ["HOURS_OVER_POOL"]


@pytest.mark.parametrize("week", UNITS)
def test_the_commands_print_the_coverage_of_the_page(week: str) -> None:
    figures = run("coverage", "--week", week)
    assert {row["code"]: tuple(row[key] for key in UNIT_KEYS) for row in figures["units"]} == UNITS[week]
    assert {row["code"]: tuple(row[key] for key in POSITION_KEYS) for row in figures["positions"]} == POSITIONS[week]


@pytest.mark.parametrize("employee", LEDGER)
def test_the_commands_print_the_ledger_of_the_page(employee: str) -> None:
    weeks = run("ledger", employee)["weeks"][:2]
    figures = [(week["pool_hours"], week["assigned_hours"], week["balance_hours"]) for week in weeks]
    assert figures == LEDGER[employee]
    for week in weeks:
        assert all({"kind", "record", "hours", "from", "until"} <= set(line) for line in week["lines"])
