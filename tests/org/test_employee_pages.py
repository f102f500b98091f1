"""The list of employees and the page of one."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.changes.drain import drain
from apps.common.admin.history import MASK
from apps.fsm.services import apply_transition
from apps.org.models import Employee
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeFactory,
    EmployeeTagFactory,
    LeaveFactory,
    OrgUnitFactory,
    PositionFactory,
    TagFactory,
)
from tests.screens.people import TODAY, cost, page, signed_in

TABS = ("change", "tags", "leaves", "assignments", "hours", "log", "history")


def names(response: Any) -> set[str]:
    return {row.employee_number for row in response.context["cl"].result_list}


def test_the_list_shows_who_is_in_scope_and_how_their_hours_stand(clinic: Clinic) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, accepted=True, effective_hours=Decimal("40"))
    drain()
    response = signed_in(clinic.manager).get(page("org.employee"))
    assert names(response) == {"E1", "E3"}
    text = response.content.decode()
    assert "40.00 / 36.00" in text
    assert "-4.00" in text
    assert "Onboarding" in text


def test_the_list_costs_the_same_with_two_rows_and_with_twenty(clinic: Clinic) -> None:
    client = signed_in(clinic.manager)
    cost(client, page("org.employee"))
    few = cost(client, page("org.employee"))
    for _number in range(18):
        EmployeeFactory(home_unit=clinic.h1, active=True)
    drain()
    assert cost(client, page("org.employee")) == few


@pytest.mark.parametrize("tab", TABS)
def test_a_tab_costs_the_same_with_two_rows_and_with_twenty(clinic: Clinic, tab: str) -> None:
    client = signed_in(clinic.manager)

    def fill(number: int) -> None:
        for _n in range(number):
            tag = TagFactory(contract=True, hours_delta=Decimal("1"))
            EmployeeTagFactory(employee=clinic.nurse, tag=tag)
            AssignmentFactory(
                employee=clinic.nurse,
                position=PositionFactory(org_unit=clinic.h1),
                accepted=True,
                effective_hours=Decimal("1"),
            )
        start = TODAY + timedelta(days=50 * clinic.nurse.leaves.count() + 100)
        for n in range(number):
            LeaveFactory(
                employee=clinic.nurse, starts_on=start + timedelta(days=2 * n), ends_on=start + timedelta(days=2 * n)
            )
        for _n in range(number):
            apply_transition(clinic.nurse, "suspend", actor=clinic.manager, reason="x")
            clinic.nurse.refresh_from_db()
            apply_transition(clinic.nurse, "reinstate", actor=clinic.manager, reason="x")
            clinic.nurse.refresh_from_db()
        drain()

    url = page("org.employee", tab, clinic.nurse.pk)
    fill(2)
    cost(client, url)
    few = cost(client, url)
    fill(18)
    assert cost(client, url) == few


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_is_an_address_of_its_own_for_whoever_may_look(clinic: Clinic, tab: str) -> None:
    response = signed_in(clinic.viewer).get(page("org.employee", tab, clinic.nurse.pk))
    assert response.status_code == 200
    text = response.content.decode()
    assert text.count('aria-current="page"') >= 1
    for other in TABS:
        assert page("org.employee", other, clinic.nurse.pk) in text


@pytest.mark.parametrize("tab", TABS)
def test_a_tab_of_somebody_out_of_scope_does_not_exist(clinic: Clinic, tab: str) -> None:
    assert signed_in(clinic.manager).get(page("org.employee", tab, clinic.surgeon.pk)).status_code == 404


@pytest.mark.parametrize("tab", [tab for tab in TABS if tab not in ("change", "history")])
def test_a_tab_is_only_for_looking(clinic: Clinic, tab: str) -> None:
    assert signed_in(clinic.admin).post(page("org.employee", tab, clinic.nurse.pk)).status_code == 405


def test_only_the_shown_tab_asks_the_database(clinic: Clinic) -> None:
    client = signed_in(clinic.viewer)
    for tab, table in (("tags", "tags_employeetag"), ("leaves", "org_leave"), ("log", "fsm_employeetransitionlog")):
        for other in ("tags", "leaves", "log"):
            with CaptureQueriesContext(connection) as captured:
                client.get(page("org.employee", other, clinic.nurse.pk))
            assert any(f'FROM "{table}"' in query["sql"] for query in captured) is (other == tab)


def test_the_national_id_is_masked_below_manager_everywhere(clinic: Clinic) -> None:
    clinic.nurse.national_id = "27333444"
    clinic.nurse.save()
    clinic.nurse.national_id = "27333445"
    clinic.nurse.save()
    for user in (clinic.viewer, clinic.supervisor):
        client = signed_in(user)
        for url in [page("org.employee"), *(page("org.employee", tab, clinic.nurse.pk) for tab in TABS)]:
            assert "2733344" not in client.get(url).content.decode(), url
        form = client.get(page("org.employee", "change", clinic.nurse.pk)).content.decode()
        assert MASK in form
        assert client.get(page("org.employee"), {"national_id__startswith": "27"}).status_code in (302, 400)
    # The canary: whoever may see it does, on the form and in the history.
    client = signed_in(clinic.manager)
    assert "27333445" in client.get(page("org.employee", "change", clinic.nurse.pk)).content.decode()
    assert "27333444" in client.get(page("org.employee", "history", clinic.nurse.pk)).content.decode()


def test_filters_find_whom_they_say(clinic: Clinic) -> None:
    client = signed_in(clinic.admin)
    away = EmployeeFactory(home_unit=clinic.h2, active=True, employee_number="AWAY")
    LeaveFactory(employee=away, starts_on=TODAY - timedelta(days=1), ends_on=TODAY)
    leaving = EmployeeFactory(home_unit=clinic.h2, active=True, employee_number="LEAVING")
    apply_transition(leaving, "give_notice", actor=None, last_day=TODAY + timedelta(days=10))
    below = OrgUnitFactory(parent=clinic.h1)
    EmployeeFactory(home_unit=below, employee_number="BELOW")
    url = page("org.employee")
    assert names(client.get(url, {"status__exact": "ONBOARDING"})) == {"E3", "BELOW"}
    assert names(client.get(url, {"on_leave": "yes"})) == {"AWAY"}
    assert "AWAY" not in names(client.get(url, {"on_leave": "no"}))
    assert names(client.get(url, {"leaving": "soon"})) == {"LEAVING"}
    assert names(client.get(url, {"home_unit__id__exact": clinic.h1.pk})) == {"E1", "E3", "BELOW"}
    assert names(client.get(url, {"home_unit__id__exact": "x"})) == set()
    # A unit out of scope filters like one that does not exist.
    assert names(signed_in(clinic.manager).get(url, {"home_unit__id__exact": clinic.h2.pk})) == set()


def test_search_finds_by_name_and_number(clinic: Clinic) -> None:
    client = signed_in(clinic.admin)
    assert names(client.get(page("org.employee"), {"q": "gómez luc"})) == {"E1"}
    assert names(client.get(page("org.employee"), {"q": "e2"})) == {"E2"}


def test_a_new_employee_starts_onboarding_whatever_is_posted(clinic: Clinic) -> None:
    data = {
        "family_name": "Suárez", "given_name": "Inés", "employee_number": "N1", "email": "", "national_id": "",
        "home_unit": clinic.h1.pk, "hired_on": "2026-12-01", "status": "ACTIVE", "last_day": "2026-12-31",
        "user": clinic.viewer.pk,
    }  # fmt: skip
    response = signed_in(clinic.manager).post(page("org.employee", "add"), data)
    assert response.status_code == 302, response.content.decode()
    hired = Employee.objects.get(employee_number="N1")
    assert (hired.status, hired.last_day, hired.user) == ("ONBOARDING", None, None)
    history = Employee.history.filter(id=hired.pk).get()
    assert (history.history_user_id, history.origin) == (clinic.manager.pk, "admin")


def test_a_manager_keeps_the_login_of_an_employee(clinic: Clinic) -> None:
    clinic.nurse.user = clinic.viewer
    clinic.nurse.save()
    data = {
        "family_name": "Gómez", "given_name": "Lucía", "employee_number": "E1", "email": "lucia@example.org",
        "national_id": "", "home_unit": clinic.h1.pk, "hired_on": clinic.nurse.hired_on.isoformat(),
    }  # fmt: skip
    assert signed_in(clinic.manager).post(page("org.employee", "change", clinic.nurse.pk), data).status_code == 302
    clinic.nurse.refresh_from_db()
    assert (clinic.nurse.email, clinic.nurse.user) == ("lucia@example.org", clinic.viewer)


@pytest.mark.parametrize("role", ["viewer", "supervisor"])
def test_who_may_only_look_cannot_save(clinic: Clinic, role: str) -> None:
    client = signed_in(getattr(clinic, role))
    before = Employee.objects.filter(pk=clinic.nurse.pk).values().get()
    response = client.post(page("org.employee", "change", clinic.nurse.pk), {"family_name": "Changed"})
    assert response.status_code == 403
    assert client.post(page("org.employee", "add"), {"family_name": "New"}).status_code == 403
    assert Employee.objects.filter(pk=clinic.nurse.pk).values().get() == before


def test_the_account_of_a_week_names_its_records(clinic: Clinic) -> None:
    work = AssignmentFactory(
        employee=clinic.nurse, position=clinic.p1, accepted=True, effective_hours=Decimal("14"), ends_on=TODAY
    )
    drain()
    client = signed_in(clinic.viewer)
    response = client.get(page("org.employee", "hours", clinic.nurse.pk))
    lines = {(line.word, line.hours) for line in response.context["lines"]}
    # Monday to Wednesday: three sevenths of 14.
    assert lines == {("gives", "36.00"), ("assigned", "6.00")}
    assert page("assignments.assignment", "change", work.pk) in response.content.decode()
    later = client.get(page("org.employee", "hours", clinic.nurse.pk), {"week": "2026-W51"})
    assert {line.word for line in later.context["lines"]} == {"gives"}
    for odd in ("2026-W99", "x", "1999-W01", "2026-W51\x00"):
        assert client.get(page("org.employee", "hours", clinic.nurse.pk), {"week": odd}).status_code == 200


def test_work_out_of_sight_counts_without_a_name(clinic: Clinic) -> None:
    guest = EmployeeFactory(home_unit=clinic.h2, active=True, active__hours="48")
    AssignmentFactory(employee=guest, position=clinic.p1, accepted=True, effective_hours=Decimal("12"))
    elsewhere = PositionFactory(org_unit=clinic.h2, title="Secret ward")
    AssignmentFactory(employee=guest, position=elsewhere, accepted=True, effective_hours=Decimal("24"))
    drain()
    client = signed_in(clinic.manager)
    text = client.get(page("org.employee", "hours", guest.pk)).content.decode()
    assert "in another unit" in text
    assert "36.00" in text
    for tab in TABS:
        assert "Secret ward" not in client.get(page("org.employee", tab, guest.pk)).content.decode()


def test_a_page_without_figures_says_so(clinic: Clinic) -> None:
    response = signed_in(clinic.viewer).get(page("org.employee", "hours", clinic.newcomer.pk))
    assert "Not computed yet" in response.content.decode()


def test_hired_on_sorts_and_a_column_without_an_index_does_not(clinic: Clinic) -> None:
    client = signed_in(clinic.admin)
    response = client.get(page("org.employee"), {"o": "4"})
    days = [row.hired_on for row in response.context["cl"].result_list]
    assert days == sorted(days)
    assert date(2020, 1, 6) in days
