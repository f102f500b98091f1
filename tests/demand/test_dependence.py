"""Positions that hang on one person: who could fill them, and when that person will be missed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.demand.admin import dependence as page_module
from apps.demand.dependence import Dependent, dependent_positions, look_if_asked
from apps.demand.services import request_dependence
from apps.fsm.services import apply_transition
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeFactory,
    EmployeeTagFactory,
    LeaveFactory,
    OrgUnitFactory,
    PositionFactory,
    PositionTagFactory,
    TagFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

TODAY = date(2026, 12, 9)
DAY = timedelta(days=1)
PAGE = "/admin/demand/unitcoverage/dependence/"


@pytest.fixture
def triage(clinic: Clinic) -> Any:
    """P1 asks for Triage; the two of the cast hold it, two others do not."""
    for _number in range(2):
        EmployeeFactory(home_unit=clinic.root, active=True)
    tag = TagFactory(name="Triage")
    PositionTagFactory(position=clinic.p1, tag=tag)
    for employee in (clinic.nurse, clinic.surgeon):
        EmployeeTagFactory(employee=employee, tag=tag)
    return tag


def found(**more: Any) -> dict[str, Dependent]:
    asked = {"today": TODAY, "days": 91, "root": None, "scope": None, "limit": 50} | more
    return {row.position_code: row for row in dependent_positions(**asked).rows}


def test_two_who_could_are_enough(clinic: Clinic, triage: Any) -> None:
    assert not found()


def test_one_who_could_is_named_with_the_hours_they_give(clinic: Clinic, triage: Any) -> None:
    clinic.surgeon.tags.filter(tag=triage).delete()
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=20, accepted=True)
    [row] = found().values()
    assert (row.position_code, row.employee_number, row.required, row.given) == ("P1", "E1", 3600, 2000)
    assert (row.tags, row.house_name) == (["Triage"], "Hospital")


@pytest.mark.parametrize("why", ["suspended", "on leave", "tag not yet", "tag gone", "other clinic", "gone"])
def test_whoever_could_not_today_does_not_count(clinic: Clinic, triage: Any, why: str) -> None:
    match why:
        case "suspended":
            apply_transition(clinic.surgeon, "suspend", actor=None, reason="x")
        case "on leave":
            LeaveFactory(employee=clinic.surgeon, starts_on=TODAY - DAY, ends_on=TODAY)
        case "tag not yet":
            clinic.surgeon.tags.filter(tag=triage).update(valid_from=TODAY + DAY)
        case "tag gone":
            clinic.surgeon.tags.filter(tag=triage).update(valid_until=TODAY - DAY)
        case "other clinic":
            clinic.surgeon.home_unit = OrgUnitFactory(kind="CLINIC")
            clinic.surgeon.save()
        case "gone":
            type(clinic.surgeon).objects.filter(pk=clinic.surgeon.pk).update(last_day=TODAY - DAY)
    assert [row.employee_number for row in found().values()] == ["E1"]


def test_every_required_tag_counts_and_no_preferred_one(clinic: Clinic, triage: Any) -> None:
    second = TagFactory(name="ICU")
    PositionTagFactory(position=clinic.p1, tag=second, level="PREFERRED")
    assert not found()
    PositionTagFactory(position=clinic.p1, tag=(third := TagFactory(name="Night")))
    assert [row.employee_id for row in found().values()] == [None]
    EmployeeTagFactory(employee=clinic.surgeon, tag=third)
    assert [row.employee_number for row in found().values()] == ["E2"]


def test_without_a_clinic_above_the_house_is_the_whole_tree(clinic: Clinic, triage: Any) -> None:
    type(clinic.root).objects.update(kind="SERVICE")
    assert not found()
    clinic.h2.parent = None
    clinic.h2.save()
    assert "P1" in found()


@pytest.mark.parametrize(
    ("opens", "closes", "looked_at"),
    [(None, None, True), (TODAY, TODAY, True), (TODAY + DAY, None, False), (None, TODAY - DAY, False)],
)
def test_positions_open_today_are_looked_at(clinic: Clinic, opens: Any, closes: Any, looked_at: bool) -> None:
    position = PositionFactory(org_unit=OrgUnitFactory(kind="CLINIC"), opens_on=opens, closes_on=closes)
    assert (position.code in found()) is looked_at


def test_nobody_comes_before_one_and_many_hours_before_few(clinic: Clinic, triage: Any) -> None:
    clinic.surgeon.tags.filter(tag=triage).delete()
    empty = OrgUnitFactory(kind="CLINIC")
    PositionFactory(code="Z1", org_unit=empty, required_weekly_hours=10)
    PositionFactory(code="Z2", org_unit=empty, required_weekly_hours=20)
    assert list(found()) == ["Z2", "Z1", "P1"]
    assert list(found(many=1)) == ["P1"]
    answer = dependent_positions(today=TODAY, days=91, root=None, scope=None, many=1, limit=50)
    assert (answer.nobody, answer.one) == (2, 1)
    assert list(found(limit=1, offset=1)) == ["Z1"]


@pytest.mark.parametrize(
    ("loss", "day", "cause"),
    [("leave", 5, "LEAVE"), ("last day", 7, "LAST_DAY"), ("tag", 9, "TAG"), ("contract", 11, "CONTRACT"),
     ("renewed", None, None), ("far", None, None)],
)  # fmt: skip
def test_it_is_told_when_the_one_person_will_be_missed(
    clinic: Clinic, triage: Any, loss: str, day: int | None, cause: str | None
) -> None:
    clinic.surgeon.tags.filter(tag=triage).delete()
    nurse, mine = clinic.nurse, clinic.nurse.tags
    match loss:
        case "leave":
            LeaveFactory(employee=nurse, starts_on=TODAY + DAY * 5, ends_on=TODAY + DAY * 8)
            mine.filter(tag=triage).update(valid_until=TODAY + DAY * 20)
        case "last day":
            apply_transition(nurse, "give_notice", actor=None, last_day=TODAY + DAY * 6)
        case "tag":
            mine.filter(tag=triage).update(valid_until=TODAY + DAY * 8)
        case "contract":
            mine.filter(tag__type="CONTRACT").update(valid_until=TODAY + DAY * 10)
        case "renewed":
            mine.filter(tag=triage).update(valid_until=TODAY + DAY * 8)
            EmployeeTagFactory(employee=nurse, tag=triage, valid_from=TODAY + DAY * 9)
        case "far":
            LeaveFactory(employee=nurse, starts_on=TODAY + DAY * 92)
    [row] = found().values()
    assert (row.away_on, row.cause) == (None if day is None else TODAY + DAY * day, cause)


# The page


def test_each_sees_their_part_and_names_only_whom_they_may_see(
    clinic: Clinic, triage: Any, as_user: Callable[..., Client]
) -> None:
    clinic.nurse.tags.filter(tag=triage).delete()
    page = as_user(clinic.viewer).get(PAGE).content.decode()
    assert "somebody out of your sight" in page
    assert "Díaz" not in page
    assert "Díaz" in as_user(clinic.admin).get(PAGE).content.decode()
    for unit, status in (("H1", 200), ("H2", 404), ("no", 404)):
        assert as_user(clinic.viewer).get(PAGE, {"unit": unit}).status_code == status


def test_somebody_else_is_looked_for_with_all_the_position_needs(
    clinic: Clinic, triage: Any, as_user: Callable[..., Client]
) -> None:
    clinic.surgeon.tags.filter(tag=triage).delete()
    client = as_user(clinic.admin)
    [row] = client.get(PAGE).context["rows"]
    page = client.get(row["find_url"])
    assert page.context["wanted"].hours == 36
    assert clinic.surgeon in [one["one"].employee for one in page.context["rows"]]


def test_it_is_asked_for_by_kind_and_page(clinic: Clinic, as_user: Callable[..., Client]) -> None:
    empty = OrgUnitFactory(kind="CLINIC")
    for _number in range(60):
        PositionFactory(org_unit=empty)
    client = as_user(clinic.admin)
    first = client.get(PAGE)
    assert [len(first.context["rows"]), first.context["earlier"], first.context["later"]] == [50, "", "?page=2"]
    assert len(client.get(PAGE, {"page": "2"}).context["rows"]) == 10
    assert client.get(PAGE, {"kind": "one"}).context["rows"] == []
    for page in ("0", "x", "-1", "99999", "²"):
        assert client.get(PAGE, {"page": page}).status_code == 200


def test_it_costs_the_same_however_many_there_are(clinic: Clinic, as_user: Callable[..., Client]) -> None:
    client = as_user(clinic.admin)

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(PAGE).status_code == 200
        return len(queries)

    empty = OrgUnitFactory(kind="CLINIC")
    PositionFactory(org_unit=empty)
    PositionFactory(org_unit=(lonely := OrgUnitFactory(kind="CLINIC")))
    EmployeeFactory(home_unit=lonely, active=True)
    cost()
    few = cost()
    for _number in range(20):
        PositionFactory(org_unit=empty)
        PositionFactory(org_unit=(lonely := OrgUnitFactory(kind="CLINIC")))
        EmployeeFactory(home_unit=lonely, active=True)
    assert cost() == few <= 15


def test_who_may_not_see_coverage_is_refused(clinic: Clinic, as_user: Callable[..., Client]) -> None:
    assert as_user(clinic.admin).post(PAGE).status_code == 403


# A large house


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "FEW_POSITIONS", 0)


def test_in_a_large_house_workers_look_and_the_page_says_so(
    clinic: Clinic, triage: Any, large: None, as_user: Callable[..., Client]
) -> None:
    clinic.surgeon.tags.filter(tag=triage).delete()
    client = as_user(clinic.admin)
    page = client.get(PAGE).content.decode()
    assert "The answer is being looked for" in page and 'http-equiv="refresh"' in page
    assert "No position hangs on one person" not in page
    assert look_if_asked() == 1
    response = client.get(PAGE)
    assert [row["item"] for row in response.context["rows"]] == list(found().values())
    assert "As of" in response.content.decode()
    assert look_if_asked() == 0
    clinic.nurse.tags.filter(tag=triage).delete()
    assert "Records have changed since" in client.get(PAGE).content.decode()
    assert [row["item"].employee_number for row in client.get(PAGE).context["rows"]] == ["E1"]
    assert client.post(f"{PAGE}anew/?kind=one").headers["Location"] == f"{PAGE}?kind=one"
    assert look_if_asked() == 1
    assert [row["item"].employee_number for row in client.get(PAGE).context["rows"]] == [None]


def test_what_is_kept_is_what_is_found(clinic: Clinic, triage: Any) -> None:
    clinic.surgeon.tags.filter(tag=triage).delete()
    empty = OrgUnitFactory(kind="CLINIC")
    closes = PositionFactory(code="Z1", org_unit=empty, closes_on=TODAY)
    PositionFactory(code="Z2", org_unit=empty)
    request_dependence(actor=clinic.admin)
    look_if_asked()
    for asked in ({}, {"many": 0}, {"root": empty.pk}, {"scope": clinic.h1.pk}, {"limit": 1, "offset": 1}):
        assert found(kept=True, **asked) == found(**asked)
    assert closes.code in found(kept=True)
    assert closes.code not in found(kept=True, today=TODAY + DAY)


def test_each_sees_their_part_of_what_is_kept(
    clinic: Clinic, triage: Any, large: None, as_user: Callable[..., Client]
) -> None:
    clinic.nurse.tags.filter(tag=triage).delete()
    PositionFactory(code="Z1", org_unit=OrgUnitFactory(kind="CLINIC"))
    as_user(clinic.viewer).get(PAGE)
    look_if_asked()
    response = as_user(clinic.viewer).get(PAGE)
    assert [row["item"].position_code for row in response.context["rows"]] == ["P1"]
    assert "Díaz" not in response.content.decode()
    worker = UserFactory(role="EMPLOYEE", is_staff=True)
    assert as_user(worker).post(f"{PAGE}anew/").status_code == 403
    assert as_user(clinic.viewer).get(f"{PAGE}anew/").status_code == 403
