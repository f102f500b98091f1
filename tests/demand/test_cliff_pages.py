"""The page of what will stop being covered: who sees what, where its links lead, its filters, its file, its cost."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from apps.changes.drain import drain
from apps.demand.admin import cliffs as page_module
from apps.fsm.services import apply_transition
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeFactory,
    LeaveFactory,
    OrgUnitFactory,
    PositionFactory,
    UserFactory,
)
from tests.today import TODAY

pytestmark = pytest.mark.django_db
PAGE = "/admin/demand/unitcoverage/cliffs/"
FILE = f"{PAGE}export/"
DAY = timedelta(days=1)
Browse = Callable[[Any], Client]


@pytest.fixture
def ending(clinic: Clinic) -> Any:
    """The nurse's 24 hours at P1 in H1 end on 13 December; the surgeon's at P2 in H2 pause from 4 January."""
    clinic.surgeon_row = AssignmentFactory(
        employee=clinic.surgeon, position=clinic.p2, effective_hours=30, accepted=True
    )
    clinic.leave = LeaveFactory(
        employee=clinic.surgeon, kind="SICK", starts_on=TODAY + DAY * 26, ends_on=TODAY + DAY * 30
    )
    clinic.nurse_row = AssignmentFactory(
        employee=clinic.nurse, position=clinic.p1, effective_hours=24, ends_on=TODAY + DAY * 4, accepted=True
    )
    return clinic


@pytest.fixture
def as_user(as_user: Browse) -> Browse:
    """Open the site as somebody once the workers have done what waits."""

    def signed_in(user: Any) -> Client:
        drain()
        return as_user(user)

    return signed_in


def text(response: Any) -> str:
    assert response.status_code == 200
    return str(response.getvalue().decode())


def test_the_page_tells_day_cause_place_person_and_what_follows(ending: Any, as_user: Browse) -> None:
    page = text(as_user(ending.admin).get(PAGE))
    for said in (
        "Monday", "14 Dec", "in 5 days", "Assignment ends", "Assignment until 13 Dec 2026", "24 h a week",
        "Enfermería de guardia", "Gómez, Lucía", "0 of 36 h", "Nobody follows", "nobody: the unit has no manager",
        "Leave begins", "Sick leave until 8 Jan 2027", "Back on 9 Jan 2027", "December 2026", "January 2027",
        "Week 2026-W51",
    ):  # fmt: skip
        assert said in page, said


def test_links_lead_to_the_record_the_position_and_the_person(ending: Any, as_user: Browse) -> None:
    client = as_user(ending.manager)
    page = text(client.get(PAGE))
    for address in (
        f"/admin/org/position/{ending.p1.pk}/coverage/",
        f"/admin/org/employee/{ending.nurse.pk}/change/",
        f"/admin/assignments/assignment/{ending.nurse_row.pk}/change/",
    ):
        assert f'href="{address}"' in page
        assert client.get(address).status_code == 200
    assert f"/admin/org/leave/{ending.leave.pk}/change/" in text(as_user(ending.admin).get(PAGE))


def test_find_somebody_asks_for_what_is_at_stake(ending: Any, as_user: Browse) -> None:
    client = as_user(ending.supervisor)
    response = client.get(PAGE)
    [row] = response.context["months"][0]["weeks"][0]["days"][0][1]
    assert escape(row["find_url"]) in text(response)
    wanted = client.get(row["find_url"]).context["wanted"]
    assert (wanted.position, wanted.hours, wanted.starts_on) == (ending.p1, Decimal(24), TODAY + DAY * 5)


def test_who_may_not_propose_is_offered_nobody(ending: Any, as_user: Browse) -> None:
    assert "Find somebody" not in text(as_user(ending.viewer).get(PAGE))


def test_a_person_sees_their_own_part_of_the_organisation(ending: Any, as_user: Browse) -> None:
    page = text(as_user(ending.manager).get(PAGE))
    assert "Enfermería de guardia" in page
    assert "Instrumentación" not in page
    assert "Quirófano" not in page
    assert as_user(ending.manager).get(f"{PAGE}?unit=H2").status_code == 404
    assert as_user(ending.manager).get(f"{FILE}?unit=H2").status_code == 404


def test_somebody_out_of_sight_is_named_without_a_link_and_without_the_kind_of_leave(
    ending: Any, as_user: Browse
) -> None:
    """Whoever worked here until yesterday and belongs elsewhere has no live assignment in scope any more."""
    guest = AssignmentFactory(
        employee=ending.surgeon, position=ending.p1, effective_hours=6, ends_on=TODAY, accepted=True
    )
    type(guest).objects.filter(pk=guest.pk).update(ends_on=TODAY - DAY)
    page = text(as_user(ending.manager).get(PAGE))
    assert "Díaz, Bruno" in page
    assert f"/admin/org/employee/{ending.surgeon.pk}/change/" not in page


def test_nobody_without_the_right_comes_in(ending: Any, as_user: Browse) -> None:
    worker = UserFactory(role="EMPLOYEE", is_staff=True)
    for address in (PAGE, FILE):
        assert as_user(worker).get(address).status_code == 403
        assert as_user(ending.admin).post(address).status_code == 403
        assert Client().get(address).status_code == 302


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"P1", "P2"}),
        ("?days=90", {"P1", "P2"}),
        ("?cause=LEAVE", {"P2"}),
        ("?cause=TAG", set()),
        ("?unit=H1", {"P1"}),
        ("?unit=H", {"P1", "P2"}),
        ("?unit=H1&cause=LEAVE", set()),
        ("?days=x&cause=NOTHING", {"P1", "P2"}),
        ("?days=99999999999&cause=%00", {"P1", "P2"}),
    ],
)
def test_filters_narrow_what_is_shown(ending: Any, as_user: Browse, query: str, shown: set[str]) -> None:
    response = as_user(ending.admin).get(PAGE + query)
    rows = [
        row["item"].position_code
        for month in response.context["months"]
        for week in month["weeks"]
        for _day, group in week["days"]
        for row in group
    ]
    assert response.status_code == 200
    assert set(rows) == shown


def test_the_horizon_is_kept_by_the_totals_and_beyond_it_nothing_is_told(ending: Any, as_user: Browse) -> None:
    AssignmentFactory(employee=ending.nurse, position=ending.p2, effective_hours=2, ends_on=TODAY + DAY * 60,
                      accepted=True)  # fmt: skip
    client = as_user(ending.admin)
    assert client.get(PAGE).context["found"] == 2
    longer = client.get(f"{PAGE}?days=90")
    assert longer.context["found"] == 3
    assert [tile["number"] for tile in longer.context["totals"]] == [3, 2, 0, 1, 0, 0]
    assert "?days=90&amp;cause=LEAVE" in text(longer)


def test_an_empty_page_says_so(clinic: Clinic, as_user: Browse) -> None:
    assert "Nothing stops in these days" in text(as_user(clinic.admin).get(PAGE))
    assert "Nothing stops with these filters" in text(as_user(clinic.admin).get(f"{PAGE}?cause=TAG"))


def test_a_long_list_says_that_it_is_cut(ending: Any, as_user: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "MOST_SHOWN", 1)
    page = text(as_user(ending.admin).get(PAGE))
    assert "The first 1 of 2 are shown" in page
    assert "Instrumentación" not in page


def test_the_drawing_has_every_week_of_the_horizon_in_words_too(ending: Any, as_user: Browse) -> None:
    page = text(as_user(ending.admin).get(PAGE))
    assert page.count('class="coveris-weeks-hit"') == 5
    assert 'aria-label="2026-W51: 24.00 h, 24 h stop"' in page
    assert 'aria-label="2026-W50: 0.00 h, nothing stops"' in page


def test_the_menu_marks_this_page_alone(clinic: Clinic, as_user: Browse) -> None:
    groups = as_user(clinic.admin).get(PAGE).context["sidebar_navigation"]
    active = [str(item["title"]) for group in groups for item in group["items"] if item["active"]]
    assert active == ["Coverage running out"]
    groups = as_user(clinic.admin).get("/admin/demand/demandadjustment/").context["sidebar_navigation"]
    assert len([item for group in groups for item in group["items"] if item["active"]]) == 1


def test_the_file_has_what_is_shown(ending: Any, as_user: Browse) -> None:
    ending.nurse.family_name = "=1+1"
    ending.nurse.save()
    response = as_user(ending.viewer).get(f"{FILE}?cause=ASSIGNMENT")
    assert response["Content-Disposition"] == 'attachment; filename="cliffs_2026-12-09.csv"'
    header, row = csv.reader(io.StringIO(text(response)))
    told = dict(zip(header, row, strict=True))
    assert (told["Day"], told["Days left"], told["Cause"]) == ("2026-12-14", "5", "Assignment ends")
    assert (told["Position"], told["Hours at stake"], told["Still assigned h"]) == ("P1", "24.00", "0.00")
    assert told["Name"] == "'=1+1, Lucía"


def test_the_file_in_spanish_opens_in_a_spanish_spreadsheet(ending: Any, as_user: Browse) -> None:
    client = as_user(ending.admin)
    client.cookies["django_language"] = "es"
    told = text(client.get(FILE))
    assert told.startswith("\ufeff")
    assert ";24,00;" in told
    assert "14/12/2026;5;" in told


def test_a_page_with_2_and_with_20_costs_the_same(clinic: Clinic, as_user: Browse) -> None:
    client = as_user(clinic.admin)

    def more(number: int) -> None:
        for _each in range(number):
            unit = OrgUnitFactory(parent=clinic.h1, manager=clinic.manager)
            employee = EmployeeFactory(home_unit=unit, active=True)
            AssignmentFactory(employee=employee, position=PositionFactory(org_unit=unit), ends_on=TODAY + DAY * 3,
                              accepted=True)  # fmt: skip
            leaving = EmployeeFactory(home_unit=unit, active=True)
            AssignmentFactory(employee=leaving, position=PositionFactory(org_unit=unit), accepted=True)
            apply_transition(leaving, "give_notice", actor=None, last_day=TODAY + DAY * 5)
        drain()

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            text(client.get(address))
        return len(asked)

    more(1)
    text(client.get(PAGE))
    few = [queries(PAGE), queries(FILE)]
    more(9)
    assert client.get(PAGE).context["found"] == 20
    assert [queries(PAGE), queries(FILE)] == few
    assert few[0] <= 15
