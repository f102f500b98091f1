"""Who could cover a position: found, ranked, judged; on its page and by the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.assignments.models import Assignment
from apps.changes.drain import drain
from apps.demand.candidates import Candidate, Wanted, candidates
from apps.demand.gaps import gap
from tests.factories import (
    AssignmentFactory,
    Clinic,
    DemandAdjustmentFactory,
    EmployeeFactory,
    EmployeeTagFactory,
    LeaveFactory,
    OrgUnitFactory,
    PositionTagFactory,
    TagFactory,
)
from tests.rules.catalogue import install_rules

pytestmark = pytest.mark.django_db

TODAY = date(2026, 12, 9)
DAY = timedelta(days=1)
Browse = Callable[..., Client]


@pytest.fixture
def rules(db: Any) -> Any:
    return install_rules()


def page(clinic: Clinic) -> str:
    return f"/admin/org/position/{clinic.p1.pk}/candidates/"


def named(found: list[Candidate]) -> list[str]:
    return [one.employee.family_name for one in found]


def person(name: str, unit: Any, hours: str = "48", **more: Any) -> Any:
    return EmployeeFactory(family_name=name, home_unit=unit, active=True, active__hours=hours, **more)


@pytest.fixture
def wanted(clinic: Clinic, rules: Any) -> Wanted:
    """P1 in H1 lacks 36 hours; nobody of the cast counts."""
    for employee in (clinic.nurse, clinic.surgeon):
        AssignmentFactory(employee=employee, position=clinic.p1, effective_hours=1, accepted=True)
    drain()
    return Wanted(clinic.p1, Decimal(30), TODAY)


def found(wanted: Wanted, clinic: Clinic, **more: Any) -> list[Candidate]:
    drain()
    return candidates(wanted, user=more.pop("user", clinic.admin), widely=True, **more)


# Who is found, and in which order


def test_whoever_is_near_comes_before_whoever_is_far(clinic: Clinic, wanted: Wanted) -> None:
    below = OrgUnitFactory(parent=clinic.h1)
    for name, unit in (("Beside", clinic.h2), ("Below", below), ("Here", clinic.h1), ("Above", clinic.root)):
        person(name, unit)
    people = found(wanted, clinic)
    assert [(one.employee.family_name, one.steps) for one in people] == [
        ("Here", 0), ("Below", 1), ("Beside", 2), ("Above", 2),
    ]  # fmt: skip


def test_somebody_of_another_house_is_found_when_looked_for_widely(clinic: Clinic, wanted: Wanted) -> None:
    top = OrgUnitFactory()
    for unit in (clinic.root,):
        unit.parent = top
        unit.save()
    clinic.p1.org_unit.refresh_from_db()
    person("Elsewhere", OrgUnitFactory(parent=top))
    assert named(found(wanted, clinic)) == ["Elsewhere"]
    assert not candidates(wanted, user=clinic.admin)


def test_a_no_of_the_rules_stands_last_however_near(clinic: Clinic, wanted: Wanted) -> None:
    full = person("Full", clinic.h1)
    AssignmentFactory(employee=full, position=clinic.p2, effective_hours=48, accepted=True)
    person("Little", clinic.h1, hours="10")
    person("Free", clinic.h2)
    people = found(wanted, clinic)
    assert [(one.employee.family_name, one.standing, one.has_room) for one in people] == [
        ("Free", 0, True), ("Little", 1, False), ("Full", 2, False),
    ]  # fmt: skip
    assert [finding.rule for finding in people[2].findings if finding.severity == "BLOCKING"] == ["MAX_WEEKLY_HOURS"]


def test_free_are_the_hours_of_the_fullest_week_asked_for(clinic: Clinic, wanted: Wanted) -> None:
    busy = person("Busy", clinic.h1)
    AssignmentFactory(
        employee=busy, position=clinic.p2, effective_hours=40, starts_on=date(2026, 12, 21), ends_on=date(2026, 12, 27),
        accepted=True,
    )  # fmt: skip
    [one] = found(wanted, clinic)
    assert (one.free // 700, one.least_free // 700, one.has_room) == (48, 8, False)
    [one] = found(Wanted(clinic.p1, Decimal(30), TODAY, date(2026, 12, 20)), clinic)
    assert (one.least_free // 700, one.has_room) == (48, True)


def test_what_is_preferred_speaks_for_somebody(clinic: Clinic, wanted: Wanted) -> None:
    liked = TagFactory(name="Triage")
    PositionTagFactory(position=clinic.p1, tag=liked, level="PREFERRED")
    person("Plain", clinic.h1)
    EmployeeTagFactory(employee=person("Preferred", clinic.h1, hours="40"), tag=liked)
    people = found(wanted, clinic)
    assert [(one.employee.family_name, list(one.preferred)) for one in people] == [
        ("Preferred", ["Triage"]), ("Plain", []),
    ]  # fmt: skip


def test_whoever_lacks_a_required_tag_is_shown_only_when_asked_for_and_why(clinic: Clinic, wanted: Wanted) -> None:
    PositionTagFactory(position=clinic.p1, tag=TagFactory(name="Triage"))
    person("Untrained", clinic.h1)
    assert not found(wanted, clinic)
    [one] = found(wanted, clinic, untrained=True)
    assert (list(one.lacking), one.standing) == (["Triage"], 2)
    assert "MISSING_REQUIRED_TAG" in [finding.rule for finding in one.findings]


def test_a_leave_in_those_days_is_told_and_puts_somebody_behind_who_is_there(clinic: Clinic, wanted: Wanted) -> None:
    LeaveFactory(employee=person("Away", clinic.h1), starts_on=TODAY + DAY * 5, ends_on=TODAY + DAY * 9)
    person("There", clinic.h1)
    people = found(wanted, clinic)
    assert [(one.employee.family_name, one.standing) for one in people] == [("There", 0), ("Away", 1)]
    assert [leave.starts_on for leave in people[1].away] == [TODAY + DAY * 5]


def test_the_contract_that_holds_is_told_with_its_end(clinic: Clinic, wanted: Wanted) -> None:
    one = person("Fixed", clinic.h1)
    one.tags.filter(tag__type="CONTRACT").update(valid_until=TODAY + DAY * 20)
    [fixed] = found(wanted, clinic)
    assert (fixed.has_contract, fixed.contract_until) == (True, TODAY + DAY * 20)


def test_those_with_room_are_found_though_the_nearest_have_none(clinic: Clinic, wanted: Wanted) -> None:
    for number in range(6):
        person(f"Near {number}", clinic.h1, hours="10")
    person("Far", clinic.h2)
    assert "Far" in named(found(wanted, clinic, limit=5))


def test_nobody_out_of_sight_is_found(clinic: Clinic, wanted: Wanted) -> None:
    person("Beside", clinic.h2)
    person("Here", clinic.h1)
    assert named(found(wanted, clinic, user=clinic.manager)) == ["Here"]


def test_many_people_cost_no_more_questions_than_one(clinic: Clinic, wanted: Wanted) -> None:
    def cost() -> tuple[int, int]:
        drain()
        with CaptureQueriesContext(connection) as queries:
            people = candidates(wanted, user=clinic.admin, widely=True, limit=25)
        return len(people), len(queries)

    person("First", clinic.h1)
    cost()
    few = cost()
    for number in range(20):
        person(f"More {number}", clinic.h1)
    many = cost()
    assert (few[0], many[0]) == (1, 21)
    assert many[1] <= few[1]


# The gap


def test_the_gap_is_the_first_week_in_which_hours_are_missing_and_lasts_as_long_as_it_does(clinic: Clinic) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=36, accepted=True)
    DemandAdjustmentFactory(
        position=clinic.p1, from_day=date(2026, 12, 21), until_day=date(2027, 1, 3), hours=Decimal(12)
    )
    drain()
    clinic.p1.refresh_from_db()
    assert gap(clinic.p1) == gap(clinic.p1, date(2026, 12, 21))
    assert (gap(clinic.p1).missing, gap(clinic.p1).until) == (12 * 700, date(2027, 1, 3))
    assert gap(clinic.p1, date(2026, 12, 7)).missing == 0
    with pytest.raises(ValueError):
        gap(clinic.p1, date(2025, 1, 6))


# The tab


def test_the_tab_looks_for_the_first_gap_by_itself(clinic: Clinic, rules: Any, as_user: Browse) -> None:
    person("Free", clinic.h1)
    drain()
    response = as_user(clinic.supervisor).get(page(clinic))
    wanted = response.context["wanted"]
    assert (wanted.hours, wanted.starts_on, wanted.ends_on) == (Decimal(36), TODAY, None)
    assert "Nothing stands in the way." in response.content.decode()


def test_propose_opens_the_form_filled_in(clinic: Clinic, rules: Any, as_user: Browse) -> None:
    free = person("Free", clinic.h1)
    drain()
    client = as_user(clinic.supervisor)
    response = client.get(page(clinic), {"hours": "20", "starts_on": "2026-12-14", "ends_on": "2026-12-20"})
    address = next(row["propose_url"] for row in response.context["rows"] if row["one"].employee == free)
    assert parse_qs(urlsplit(address).query)["back"][0].startswith(page(clinic))
    form = client.get(address).context["adminform"].form
    bound = form.__class__(data={name: form.get_initial_for_field(form.fields[name], name) for name in form.fields})
    assert bound.is_valid(), bound.errors
    assert {name: bound.cleaned_data[name] for name in ("employee", "position", "effective_hours")} == {
        "employee": free, "position": clinic.p1, "effective_hours": Decimal(20),
    }  # fmt: skip
    assert (bound.cleaned_data["starts_on"], bound.cleaned_data["ends_on"]) == (date(2026, 12, 14), date(2026, 12, 20))


def test_who_may_only_look_is_offered_no_proposal(clinic: Clinic, rules: Any, as_user: Browse) -> None:
    person("Free", clinic.h1)
    drain()
    response = as_user(clinic.viewer).get(page(clinic))
    assert response.context["rows"]
    assert not any(row["propose_url"] for row in response.context["rows"])


def test_looking_keeps_nothing(clinic: Clinic, rules: Any, as_user: Browse) -> None:
    person("Free", clinic.h1)
    drain()
    as_user(clinic.supervisor).get(page(clinic))
    assert not Assignment.objects.exists()


def test_a_position_out_of_scope_has_no_such_page(clinic: Clinic, as_user: Browse) -> None:
    assert as_user(clinic.supervisor).get(f"/admin/org/position/{clinic.p2.pk}/candidates/").status_code == 404


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"week": "2020-W01"}, "choose one of those"), ({"week": "soon"}, "choose one of those"),
        ({"hours": "many"}, "Enter a number"), ({"hours": "-3"}, "greater than or equal to 0.01"),
        ({"starts_on": "x"}, "Enter a valid date"), ({"starts_on": "2026-12-20", "ends_on": "2026-12-19"}, "before"),
        ({"ends_on": "2026-12-01"}, "gone by"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_beside_the_field(
    clinic: Clinic, rules: Any, as_user: Browse, asked: dict[str, str], says: str
) -> None:
    drain()
    response = as_user(clinic.supervisor).get(page(clinic), asked)
    assert response.status_code == 200
    assert says in response.content.decode()
    assert response.context["wanted"] is None


def test_hours_are_read_as_the_language_writes_them(clinic: Clinic, rules: Any, as_user: Browse) -> None:
    drain()
    client = as_user(clinic.supervisor)
    client.cookies["django_language"] = "es"
    response = client.get(page(clinic), {"hours": "7,5"})
    assert response.context["wanted"].hours == Decimal("7.5")


# The command


def run(*args: str) -> dict[str, Any]:
    out = StringIO()
    call_command("candidates", *args, "--json", stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_the_command_ranks_with_reasons(clinic: Clinic, rules: Any) -> None:
    person("Free", clinic.h2, employee_number="E7")
    person("Little", clinic.h1, hours="10", employee_number="E8")
    drain()
    answer = run("P1", "--week", "2026-W51")
    assert (answer["week"], answer["hours"], answer["from"]) == ("2026-W51", "36.00", "2026-12-14")
    ranked = [(one["employee_number"], one["allowed"], one["has_room"]) for one in answer["candidates"]]
    assert ranked == [("E1", True, True), ("E7", True, True), ("E2", True, True), ("E8", True, False)]
    assert "48.00" in [one["free_hours"] for one in answer["candidates"]]
    assert [finding["rule"] for finding in answer["candidates"][-1]["verdicts"]] == ["HOURS_OVER_POOL"]


def test_the_command_says_no_when_nobody_could(clinic: Clinic, rules: Any) -> None:
    PositionTagFactory(position=clinic.p1, tag=TagFactory())
    drain()
    with pytest.raises(SystemExit) as ended:
        run("P1")
    assert ended.value.code == 1


def test_the_command_shows_a_person_only_whom_they_may_see(clinic: Clinic, rules: Any) -> None:
    drain()
    assert {one["employee_number"] for one in run("P1", "--as", "manager@example.org")["candidates"]} == {"E1"}
    with pytest.raises(CommandError):
        run("P2", "--as", "manager@example.org")


@pytest.mark.parametrize("args", [["P9"], ["P1", "--week", "2019-W01"], ["P1", "--hours", "x"], ["P1", "--as", "no@x"]])
def test_wrong_use_of_the_command_is_said(clinic: Clinic, args: list[str]) -> None:
    drain()
    with pytest.raises(CommandError) as error:
        run(*args)
    assert error.value.returncode == 2
