"""The page of people used too much or too little: who sees whom, how it opens, its files, its cost."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.changes.drain import drain
from apps.offer.admin import usage as page_module
from tests.factories import AssignmentFactory, EmployeeFactory, OrgUnitFactory, PositionFactory, UserFactory

pytestmark = pytest.mark.django_db
PAGE = "/admin/offer/ledgerweek/usage/"
FILE = f"{PAGE}export/"
NEXT = "2026-W51"  # whole, whatever day it is
Browse = Callable[[Any], Client]


def busy(unit: Any, *, contract: int = 36, assigned: int = 0, **fields: Any) -> Any:
    employee = EmployeeFactory(home_unit=unit, active=True, active__hours=str(contract), **fields)
    if assigned:
        position = PositionFactory(org_unit=unit)
        AssignmentFactory(employee=employee, position=position, effective_hours=assigned, accepted=True)
    return employee


@pytest.fixture
def used(clinic: Any) -> Any:
    """In H1 somebody 12 h and somebody 4 h over, below it in H1A somebody 20 h over; in H2 somebody 30 h over."""
    clinic.ward = OrgUnitFactory(code="H1A", name="Sala", parent=clinic.h1)
    busy(clinic.h1, assigned=48, employee_number="O1", family_name="Alonso", given_name="Ana")
    busy(clinic.h1, assigned=40, employee_number="O2", family_name="Bravo", given_name="Ben")
    busy(clinic.ward, assigned=56, employee_number="O3", family_name="Cano", given_name="Cira")
    busy(clinic.h2, assigned=66, employee_number="O4", family_name="Duarte", given_name="Dora")
    drain()
    return clinic


def text(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def people(response: Any) -> list[str]:
    return [row["person"].number for row in response.context["people"]]


def units(response: Any) -> list[tuple[int, str, int, int]]:
    return [(row.level, row.unit.code, row.unit.used.over, row.unit.used.under) for row in response.context["rows"]]


def test_whoever_is_furthest_over_comes_first_and_leads_to_the_account(used: Any, as_user: Browse) -> None:
    response = as_user(used.admin).get(f"{PAGE}?week={NEXT}")
    assert people(response) == ["O4", "O3", "O1", "O2"]
    page = text(response)
    assert f"/admin/org/employee/{response.context['people'][0]['person'].id}/hours/" in page
    assert "-30.00" in page or "−30.00" in page


def test_units_count_everybody_below_and_open_level_by_level(used: Any, as_user: Browse) -> None:
    client = as_user(used.admin)
    closed = client.get(f"{PAGE}?week={NEXT}")
    assert units(closed) == [(0, "H1", 3, 1), (0, "H2", 1, 1)]
    opened = client.get(f"{PAGE}?week={NEXT}&open={used.h1.pk}")
    assert units(opened) == [(0, "H1", 3, 1), (1, "H1A", 1, 0), (0, "H2", 1, 1)]
    assert 'aria-expanded="true"' in text(opened)


def test_a_unit_narrows_units_people_and_figures(used: Any, as_user: Browse) -> None:
    response = as_user(used.admin).get(f"{PAGE}?week={NEXT}&unit=H1")
    assert units(response) == [(0, "H1A", 1, 0)]
    assert people(response) == ["O3", "O1", "O2"]
    assert [tile["number"] for tile in response.context["tiles"]] == [3, 1]


def test_people_with_hours_left_are_listed_when_asked_for(used: Any, as_user: Browse) -> None:
    assert people(as_user(used.admin).get(f"{PAGE}?week={NEXT}&use=under")) == ["E1", "E2"]


def test_a_scope_sees_its_own_people_alone(used: Any, as_user: Browse) -> None:
    client = as_user(used.viewer)
    response = client.get(f"{PAGE}?week={NEXT}")
    assert people(response) == ["O3", "O1", "O2"]
    assert units(response) == [(0, "H1A", 1, 0)]
    assert client.get(f"{PAGE}?unit=H2").status_code == 404
    assert client.get(f"{FILE}?unit=H2").status_code == 404
    assert "Duarte" not in text(client.get(f"{PAGE}?open={used.root.pk},{used.h2.pk}"))


def test_who_may_not_see_accounts_gets_neither_the_page_nor_the_file(used: Any, as_user: Browse) -> None:
    client = as_user(UserFactory(role="EMPLOYEE"))
    assert {client.get(address).status_code for address in (PAGE, FILE)} <= {302, 403}


def test_a_long_level_says_how_many_more_there_are_and_the_top_has_pages(
    used: Any, as_user: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    OrgUnitFactory(code="H1B", parent=used.h1)
    drain()
    monkeypatch.setattr(page_module, "PER_LEVEL", 1)
    client = as_user(used.admin)
    response = client.get(f"{PAGE}?week={NEXT}&order=code&open={used.h1.pk}")
    assert [(row.unit.code, row.more) for row in response.context["rows"]] == [("H1", 0), ("H1A", 0), ("H1", 1)]
    second = client.get(f"{PAGE}?week={NEXT}&order=code&units_page=2")
    assert units(second) == [(0, "H2", 1, 1)]
    assert client.get(f"{PAGE}?units_page=9").status_code == 302


def test_people_have_pages(used: Any, as_user: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "PER_PAGE", 3)
    client = as_user(used.admin)
    first = client.get(f"{PAGE}?week={NEXT}")
    assert people(first) == ["O4", "O3", "O1"]
    assert people(client.get(PAGE + first.context["later"])) == ["O2"]


def test_the_files_have_the_units_and_all_the_people(
    used: Any, as_user: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "PER_PAGE", 1)
    client = as_user(used.manager)
    listed = list(csv.reader(io.StringIO(client.get(f"{FILE}?week={NEXT}&of=people").content.decode("utf-8-sig"))))
    assert [row[1] for row in listed] == ["Employee number", "O3", "O1", "O2"]
    assert listed[1][-3:] == ["36.00", "56.00", "-20.00"]
    table = list(csv.reader(io.StringIO(client.get(f"{FILE}?week={NEXT}&of=units").content.decode("utf-8-sig"))))
    assert [row[3:9] for row in table[1:]] == [["H1A", "Sala", "1", "1", "20.00", "0"]]
    assert client.get(f"{FILE}?of=people&format=xlsx")["Content-Type"].endswith("spreadsheetml.sheet")


def test_what_is_no_choice_is_as_if_it_were_not_asked(used: Any, as_user: Browse) -> None:
    response = as_user(used.admin).get(f"{PAGE}?week=2020-W01&order=x&use=y&page=-1&units_page=z&open=q")
    assert response.status_code == 200
    assert response.context["week_code"] == "2026-W50"


def test_twice_the_units_and_people_cost_no_query_more(used: Any, as_user: Browse) -> None:
    client = as_user(used.admin)
    address = f"{PAGE}?week={NEXT}&open={used.h1.pk}"
    client.get(address)

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get(address).status_code == 200
        return len(asked)

    before = queries()
    for number in range(8):
        busy(OrgUnitFactory(parent=used.h1, code=f"W{number}"), assigned=40)
    drain()
    assert queries() == before <= 15
