"""`coverage` and `ledger` print the worked example to the hundredth, in the shapes other programs rely on."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.changes.drain import drain
from apps.common.hours import to_hours
from apps.demand.models import WholeCoverage
from apps.org.models import OrgUnit
from tests.factories import UserFactory
from tests.oracle import example
from tests.oracle.example import UNITS

pytestmark = pytest.mark.django_db


@pytest.fixture
def clinic(settings: Any, db: Any) -> dict[str, Any]:
    def set_today(day: date) -> None:
        settings.COVERIS_TODAY = day

    made = example.build(set_today)
    drain()
    return made


def run(*arguments: str) -> Any:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return json.loads(out.getvalue()) if "--json" in arguments else out.getvalue()


@pytest.mark.parametrize("week", UNITS)
def test_coverage_rolls_up_as_on_the_page(clinic: dict[str, Any], week: str) -> None:
    answer = run("coverage", "--week", week, "--json")
    assert answer["week"] == week
    assert {
        unit["code"]: (
            unit["required_hours"],
            unit["assigned_hours"],
            unit["filled_hours"],
            unit["deficit_hours"],
            unit["surplus_hours"],
            unit["coverage_percent"],
            unit["raw_percent"],
            unit["net_zero"],
        )
        for unit in answer["units"]
    } == UNITS[week]
    assert [(unit["code"], unit["parent_code"]) for unit in answer["units"]] == [("H", None), ("H1", "H"), ("H2", "H")]
    assert sum(answer["units"][0]["positions"].values()) == 4


def test_a_position_without_demand_has_no_percent(clinic: dict[str, Any]) -> None:
    answer = run("coverage", "--week", "2027-W01", "--json")
    p3 = next(position for position in answer["positions"] if position["code"] == "P3")
    assert (p3["state"], p3["coverage_percent"], p3["required_hours"]) == ("NO_DEMAND", None, "0.00")


def test_a_unit_stands_alone_with_what_is_below_it(clinic: dict[str, Any]) -> None:
    answer = run("coverage", "H2", "--json")
    assert [unit["code"] for unit in answer["units"]] == ["H2"]
    assert [position["code"] for position in answer["positions"]] == ["P3", "P4"]


def test_someone_with_a_scope_sees_that_part_and_not_what_is_above(clinic: dict[str, Any]) -> None:
    UserFactory(email="jefa@example.org", role="MANAGER", unit=clinic["H1"])
    answer = run("coverage", "--as", "jefa@example.org", "--json")
    assert [(unit["code"], unit["parent_code"]) for unit in answer["units"]] == [("H1", None)]
    assert {position["unit_code"] for position in answer["positions"]} == {"H1"}
    with pytest.raises(CommandError) as refused:
        run("coverage", "H2", "--as", "jefa@example.org", "--json")
    assert refused.value.returncode == 2


def test_a_week_without_figures_is_a_no_and_a_wrong_week_bad_usage(clinic: dict[str, Any]) -> None:
    for week, code in (("2026-W40", 1), ("2031-W01", 1), ("2026-48", 2), ("2026-W60", 2)):
        with pytest.raises(CommandError) as refused:
            run("coverage", "--week", week)
        assert refused.value.returncode == code


def test_the_table_for_people_names_units_positions_and_freshness(clinic: dict[str, Any]) -> None:
    text = run("coverage")
    assert "net-zero" in text
    assert "OVER_COVERED" in text
    assert "fresh, last looked at" in text


def test_the_second_target_is_told_as_on_the_board(clinic: dict[str, Any]) -> None:
    assert "headroom" not in run("coverage", "--week", "2026-W50")
    for unit in run("coverage", "--json")["units"]:
        assert (unit["headroom_hours"], unit["headroom_filled_hours"]) == ("0.00", "0.00")
    OrgUnit.objects.filter(code="H1").update(headroom=10)
    drain()
    told = {unit["code"]: unit for unit in run("coverage", "--json")["units"]}
    required = Decimal(told["H1"]["required_hours"])
    assert Decimal(told["H1"]["headroom_hours"]) == (required / 10).quantize(Decimal("0.01"))
    kept = WholeCoverage.objects.get(org_unit__code="H1")
    assert told["H1"]["headroom_filled_hours"] == str(to_hours(kept.headroom_filled[0]))
    assert told["H"]["headroom_hours"] == told["H1"]["headroom_hours"]
    text = run("coverage")
    assert "headroom" in text and told["H1"]["headroom_hours"] in text


@pytest.mark.parametrize(
    ("number", "sums"),
    [
        ("E1", [("34.29", "25.71", "8.57"), ("34.29", "25.71", "8.57")]),
        ("E2", [("18.86", "13.71", "5.14"), ("20.00", "24.00", "-4.00")]),
        ("E3", [("36.00", "20.00", "16.00"), ("48.00", "8.57", "39.43")]),
        ("E4", [("12.50", "7.01", "5.49"), ("3.57", "2.00", "1.57")]),
        ("E5", [("10.29", "5.14", "5.14"), ("0.00", "0.00", "0.00")]),
    ],
)
def test_the_account_comes_out_to_the_hundredth(
    clinic: dict[str, Any], number: str, sums: list[tuple[str, ...]]
) -> None:
    answer = run("ledger", number, "--json")
    assert answer["employee_number"] == number
    assert len(answer["weeks"]) == 13
    assert [(week["pool_hours"], week["assigned_hours"], week["balance_hours"]) for week in answer["weeks"][:2]] == sums


def test_every_line_of_the_account_names_its_record_and_its_days(clinic: dict[str, Any]) -> None:
    (week,) = run("ledger", "E3", "--week", "2026-W51", "--json")["weeks"]
    assert [(line["kind"], line["record"], line["hours"], line["from"], line["until"]) for line in week["lines"]] == [
        ("POOL", "C48", "48.00", "2026-12-14", "2026-12-20"),
        ("ASSIGNED", "E3/P3/2026-12-01", "8.57", "2026-12-14", "2026-12-16"),
        ("PROPOSED", "E3/P1/2026-12-14", "10.00", "2026-12-14", "2026-12-20"),
    ]
    assert week["proposed_hours"] == "10.00"


def test_a_leave_in_the_middle_of_a_week_splits_a_line(clinic: dict[str, Any]) -> None:
    (week,) = run("ledger", "E1", "--week", "2026-W51", "--json")["weeks"]
    assert [(line["kind"], line["from"]) for line in week["lines"]] == [
        ("POOL", "2026-12-16"),
        ("ASSIGNED", "2026-12-16"),
    ]
    assert "balance" in run("ledger", "E1")


def test_an_unknown_employee_is_bad_usage(clinic: dict[str, Any]) -> None:
    with pytest.raises(CommandError) as refused:
        run("ledger", "nobody", "--json")
    assert refused.value.returncode == 2


def test_a_closed_week_is_still_printed_as_it_was(clinic: dict[str, Any], settings: Any) -> None:
    from apps.changes.turning import close_weeks

    settings.COVERIS_TODAY = date(2026, 12, 14)
    assert close_weeks() == 1
    drain()
    settings.COVERIS_TODAY += timedelta(days=1)
    answer = run("coverage", "--week", "2026-W50", "--json")
    assert answer["closed"] is True
    assert {unit["code"]: unit["required_hours"] for unit in answer["units"]} == {
        code: figures[0] for code, figures in UNITS["2026-W50"].items()
    }
    (week,) = run("ledger", "E5", "--week", "2026-W50", "--json")["weeks"]
    assert (week["closed"], week["pool_hours"]) == (True, "10.29")
