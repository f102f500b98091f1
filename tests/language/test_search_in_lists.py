"""`?where=` of the lists: what is found, what is kept, and that nothing written there breaks a page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.changes.drain import drain
from tests.factories import AssignmentFactory, Clinic, EmployeeFactory

pytestmark = pytest.mark.django_db
LISTS = {
    "org_employee": ('balance < 40 and has_tag("T") or hired_on >= today - 30 days'),
    "org_position": "coverage_percent < 100 and people = 0 or unit.depth = 2",
    "assignments_assignment": 'employee.balance < 40 and position.in_unit("H1") or same_unit',
    "org_orgunit": "coverage_percent < 100 or depth = 1",
}
HOSTILE = [
    " or ".join(["balance < 0"] * 1500),
    "(" * 900 + "a" + ")" * 900,
    "not " * 900 + "a",
    "a = 1e1000000",
    "a = " + "9" * 1000,
    "\x00",
    'name = "\x00"',
    "\ud800",
    "'; DROP TABLE org_employee; --",
    "balance <",
    "national_id_ = 1",
    "today + 99999999 days",
    "hired_on = today + 99999999 days",
    '"',
    "=" * 500,
    "\u202e name",
    "x" * 5000,
]


def address(name: str, **query: Any) -> str:
    from urllib.parse import urlencode

    return f"{reverse(f'admin:{name}_changelist')}?{urlencode(query, errors='surrogatepass')}"


@pytest.fixture
def busy(clinic: Clinic) -> Clinic:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=4, accepted=True)
    drain()
    return clinic


def test_a_list_finds_what_meets_the_condition(busy: Clinic, as_user: Callable[..., Client]) -> None:
    page = as_user(busy.admin).get(address("org_employee", where="balance < 0"))
    assert [row.employee_number for row in page.context["cl"].result_list] == ["E1"]
    assert "balance &lt; 0" in page.content.decode()
    nobody = as_user(busy.admin).get(address("org_employee", where="balance < -1000"))
    assert list(nobody.context["cl"].result_list) == []
    assert "Nothing matches" in nobody.content.decode()


def test_the_tree_of_units_shows_what_meets_the_condition(busy: Clinic, as_user: Callable[..., Client]) -> None:
    page = as_user(busy.admin).get(address("org_orgunit", where="surplus_hours > 0 and depth = 2"))
    assert [node.unit.code for node in page.context["nodes"]] == ["H1"]
    wrong = as_user(busy.admin).get(address("org_orgunit", where="surplus_hours >"))
    assert wrong.context["nodes"] == []
    assert "Something is missing at the end" in wrong.content.decode()


def test_results_remain_within_the_persons_sight(busy: Clinic, as_user: Callable[..., Client]) -> None:
    page = as_user(busy.viewer).get(address("org_employee", where="pool >= 0 or pool is empty"))
    assert {row.employee_number for row in page.context["cl"].result_list} == {"E1", "E3"}


def test_search_filters_pages_and_export_keep_the_condition(
    busy: Clinic, as_user: Callable[..., Client], settings: Any
) -> None:
    for number in range(30):
        EmployeeFactory(employee_number=f"X{number}", home_unit=busy.h1, active=True)
    drain()
    client = as_user(busy.admin)
    page = client.get(address("org_employee", where="pool = 36", q="Pérez", status__exact="ACTIVE"))
    assert page.context["cl"].result_count == 30
    second = client.get(address("org_employee", where="pool = 36", q="Pérez", status__exact="ACTIVE", p="2"))
    assert len(second.context["cl"].result_list) == 5
    html = page.content.decode()
    assert re.search(r'href="\?[^"]*where=pool\+%3D\+36[^"]*p=2', html) or "where=pool+%3D+36" in html
    # The search box, the filters and the form of the condition itself hand on what is not theirs.
    assert html.count('<input type="hidden" name="where" value="pool = 36"') >= 1
    assert '<input type="hidden" name="q" value="Pérez"' in html
    export = page.context["sheet_export_url"]
    assert client.get(export).context["count"] == 30
    file = client.post(export, {"shape": "csv"}).getvalue().decode()
    assert len(file.strip().splitlines()) == 31


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", LISTS)
def test_nothing_written_there_breaks_a_list_or_finds_anything(
    clinic: Clinic, as_user: Callable[..., Client], name: str, hostile: str
) -> None:
    page = as_user(clinic.admin).get(address(name, where=hostile))
    assert page.status_code == 200
    assert 'role="alert"' in page.content.decode() or not hostile.strip("\x00 ")
    nodes = page.context.get("nodes") if name == "org_orgunit" else page.context["cl"].result_list
    assert list(nodes) == []


def test_an_error_keeps_the_text_and_says_where(clinic: Clinic, as_user: Callable[..., Client]) -> None:
    html = as_user(clinic.admin).get(address("org_employee", where='balanc < "x"')).content.decode()
    assert "balanc &lt; &quot;x&quot;" in html
    assert "There is no word “balanc” here." in html
    assert "(line 1, column 1)" in html
    assert "<code>balance</code>" in html
    assert 'data-start="0"' in html
    assert 'aria-invalid="true"' in html


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_the_same_with_few_rows_and_with_many(
    busy: Clinic, as_user: Callable[..., Client], name: str
) -> None:
    from tests.factories import TagFactory

    TagFactory(code="T")
    client = as_user(busy.admin)
    where = LISTS[name]

    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            assert client.get(address(name, where=where)).status_code == 200
        return len(caught)

    count()
    before = count()
    for number in range(12):
        person = EmployeeFactory(employee_number=f"Y{number}", home_unit=busy.h1, hired_on="2026-12-01", active=True)
        AssignmentFactory(employee=person, position=busy.p1, effective_hours=1, starts_on="2026-12-01", accepted=True)
    drain()
    assert count() == before


# What answers while somebody writes


def ask(client: Client, name: str, **query: Any) -> Any:
    return client.get(reverse(f"admin:{name}_condition"), query)


def test_the_server_checks_completes_and_joins(clinic: Clinic, as_user: Callable[..., Client]) -> None:
    client = as_user(clinic.admin)
    found = ask(client, "org_employee", ask="check", text='status="active" AND balance<0').json()
    assert found["text"] == 'status = "active" and balance < 0'
    assert found["words"] == "status = “Active” and balance < 0.00"
    assert [(row["word"], row["operator"], row["values"]) for row in found["rows"]] == [
        ("status", "=", ["active"]),
        ("balance", "<", ["0"]),
    ]
    assert ask(client, "org_employee", ask="check", text="balance < 0 or on_leave").json()["rows"] is None
    rows = '[{"word": "balance", "operator": "<", "values": ["0"]}]'
    assert ask(client, "org_employee", ask="rows", rows=rows).json()["text"] == "balance < 0"
    offered = ask(client, "org_employee", ask="complete", text="balance < 0 and st", cursor="18").json()
    assert (offered["start"], offered["end"]) == (16, 18)
    assert offered["items"][0]["insert"] == "status"
    words = {word["name"]: word for word in ask(client, "org_employee", ask="words").json()["words"]}
    assert {"unit.code", "national_id", "has_tag"} <= set(words)
    assert {choice["value"] for choice in words["in_unit"]["argument"]["choices"]} == {"H", "H1", "H2"}


def test_it_answers_only_who_may_see_the_list_by_their_own_rights(
    clinic: Clinic, as_user: Callable[..., Client]
) -> None:
    viewer = as_user(clinic.viewer)
    words = {word["name"]: word for word in ask(viewer, "org_employee", ask="words").json()["words"]}
    assert "national_id" not in words
    assert {choice["value"] for choice in words["in_unit"]["argument"]["choices"]} == {"H1"}
    assert ask(Client(), "org_employee", ask="words").status_code == 302
    rules = reverse("admin:business_rules_businessrule_condition", args=("employee",))
    assert viewer.get(rules, {"ask": "words"}).status_code == 403
    admin = as_user(clinic.admin).get(rules, {"ask": "words"}).json()["words"]
    assert "national_id" not in {word["name"] for word in admin}
    nowhere = reverse("admin:business_rules_businessrule_condition", args=("nothing",))
    assert as_user(clinic.admin).get(nowhere, {"ask": "words"}).status_code == 404


@pytest.mark.parametrize("what", ["check", "complete", "rows", "words", "", "nonsense"])
@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_no_question_breaks_it(clinic: Clinic, as_user: Callable[..., Client], what: str, hostile: str) -> None:
    client = as_user(clinic.admin)
    sent = hostile.encode("utf-8", "replace").decode()
    for cursor in ("", "-1", "abc", "3", "99999999999999999999"):
        answer = ask(client, "org_employee", ask=what, text=sent, rows=sent, cursor=cursor)
        assert answer.status_code in (200, 400)
        assert len(answer.json().get("items", ())) <= 30
    assert client.post(reverse("admin:org_employee_condition")).status_code == 405


@pytest.mark.parametrize("rows", ["[]", "[1]", '[{"word": 1}]', "{}", "[" * 3000,
                                  '[{"word": "balance", "operator": "<"}]',
                                  '[{"word": "balance", "operator": "<", "values": ["0 or 1"]}]',
                                  '[{"word": "name", "operator": "evil", "values": ["x"]}]',
                                  '[{"word": "balance or on_leave", "operator": "<", "values": ["0"]}]'])  # fmt: skip
def test_rows_that_say_nothing_are_refused(clinic: Clinic, as_user: Callable[..., Client], rows: str) -> None:
    assert "error" in ask(as_user(clinic.admin), "org_employee", ask="rows", rows=rows).json()
