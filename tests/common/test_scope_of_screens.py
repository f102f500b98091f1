"""What the base admin shows, and to whom: every path of a screen stays inside the scope."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import ModelAdmin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.common.admin.scope import Scoped
from apps.org.models import Employee, Position
from apps.org.services.employees import save_employees
from tests.factories import Clinic, EmployeeFactory, OrgUnitFactory, PositionFactory
from tests.screens.site import EmployeeScreen, PositionScreen

from .conftest import Browse

pytestmark = pytest.mark.django_db
LIST = "/admin/org/position/"


def form_of(position: Position, **changed: Any) -> dict[str, Any]:
    return {
        "code": position.code,
        "title": position.title,
        "org_unit": position.org_unit_id,
        "required_weekly_hours": "36",
        "opens_on": "",
        "closes_on": "",
    } | changed


def text(response: Any) -> str:
    return str(response.content.decode())


def test_the_list_holds_what_is_in_scope(clinic: Clinic, browse: Browse) -> None:
    page = text(browse(clinic.manager).get(LIST))
    assert "Enfermería de guardia" in page
    assert "Instrumentación" not in page
    assert "Instrumentación" in text(browse(clinic.admin).get(LIST))


@pytest.mark.parametrize("tail", ["change/", "history/", "history/{version}/"])
def test_a_record_out_of_scope_does_not_exist(clinic: Clinic, browse: Browse, tail: str) -> None:
    version = clinic.p2.history.latest().history_id
    address = f"{LIST}{clinic.p2.pk}/{tail.format(version=version)}"
    assert browse(clinic.manager).get(address).status_code == 404
    assert browse(clinic.manager).post(address, {"post": "yes"}).status_code in (404, 405)
    assert browse(clinic.admin).get(address).status_code == 200


def test_what_no_service_deletes_is_deleted_by_nobody(clinic: Clinic, browse: Browse) -> None:
    for user in (clinic.manager, clinic.admin):
        for position in (clinic.p1, clinic.p2):
            assert browse(user).post(f"{LIST}{position.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Position.objects.count() == 2


def test_a_version_of_another_record_is_not_shown(clinic: Clinic, browse: Browse) -> None:
    foreign = clinic.p2.history.latest().history_id
    assert browse(clinic.manager).get(f"{LIST}{clinic.p1.pk}/history/{foreign}/").status_code == 404


def test_who_may_only_look_gets_no_form_and_no_answer_to_a_forged_one(clinic: Clinic, browse: Browse) -> None:
    address = f"{LIST}{clinic.p1.pk}/change/"
    page = browse(clinic.viewer).get(address)
    assert page.status_code == 200
    assert 'name="_save"' not in text(page)
    assert browse(clinic.viewer).post(address, form_of(clinic.p1, title="Forged")).status_code == 403
    clinic.p1.refresh_from_db()
    assert clinic.p1.title != "Forged"


def test_a_visible_record_of_another_unit_is_read_only(clinic: Clinic, browse: Browse) -> None:
    from tests.factories import AssignmentFactory

    AssignmentFactory(employee=clinic.surgeon, position=clinic.p1, accepted=True)
    address = f"/admin/org/employee/{clinic.surgeon.pk}/change/"
    page = browse(clinic.manager).get(address)
    assert page.status_code == 200
    assert 'name="_save"' not in text(page)
    assert browse(clinic.manager).post(address, {}).status_code == 403


def test_a_forged_unit_is_refused_like_any_wrong_choice(clinic: Clinic, browse: Browse) -> None:
    response = browse(clinic.manager).post(f"{LIST}{clinic.p1.pk}/change/", form_of(clinic.p1, org_unit=clinic.h2.pk))
    assert response.status_code == 200
    assert response.context["adminform"].form.errors.keys() == {"org_unit"}
    clinic.p1.refresh_from_db()
    assert clinic.p1.org_unit_id == clinic.h1.pk


def test_canary_without_the_scoped_choices_the_forged_unit_goes_through(
    clinic: Clinic, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scoped, "get_field_queryset", lambda self, db, field, request: None)
    monkeypatch.setattr(PositionScreen, "perform_save", lambda self, request, obj, form, change: obj.save())
    browse(clinic.manager).post(f"{LIST}{clinic.p1.pk}/change/", form_of(clinic.p1, org_unit=clinic.h2.pk))
    clinic.p1.refresh_from_db()
    assert clinic.p1.org_unit_id == clinic.h2.pk


def test_a_hidden_column_cannot_be_read_by_filtering(clinic: Clinic, browse: Browse) -> None:
    for lookup in ("national_id__startswith=2", "email__gte=m", "home_unit__name__startswith=U", "user__email=x"):
        assert browse(clinic.manager).get(f"/admin/org/employee/?{lookup}").status_code == 400, lookup


def test_canary_djangos_own_check_lets_the_hidden_column_through(
    clinic: Clinic, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmployeeScreen, "lookup_allowed", ModelAdmin.lookup_allowed)
    assert browse(clinic.manager).get("/admin/org/employee/?national_id__startswith=2").status_code == 200


def test_the_lists_own_filters_work(clinic: Clinic, browse: Browse) -> None:
    client = browse(clinic.admin)
    for lookup in (
        f"home_unit__id__exact={clinic.h1.pk}",
        "status__exact=ACTIVE",
    ):
        assert client.get(f"/admin/org/employee/?{lookup}").status_code == 200, lookup
    page = text(
        client.get(f"{LIST}?opens_on_from=01/01/2026&opens_on_to=31/12/2026&org_unit__id__exact={clinic.h1.pk}")
    )
    assert "Enfermería de guardia" in page
    assert "Instrumentación" not in page


def test_a_filter_by_a_unit_out_of_scope_finds_nothing_and_names_nothing(clinic: Clinic, browse: Browse) -> None:
    page = text(browse(clinic.manager).get(f"{LIST}?org_unit__id__exact={clinic.h2.pk}"))
    assert "Quirófano" not in page
    assert "P1" not in page
    assert "Quirófano" in text(browse(clinic.admin).get(f"{LIST}?org_unit__id__exact={clinic.h2.pk}"))


def test_a_filter_value_that_is_no_key_is_no_error_of_the_server(clinic: Clinic, browse: Browse) -> None:
    for value in ("abc", "1e9", "-1", "99999999999999999999"):
        assert browse(clinic.manager).get(f"{LIST}?org_unit__id__exact={value}").status_code in (200, 302), value


def test_autocomplete_offers_what_is_in_scope(clinic: Clinic, browse: Browse) -> None:
    query = "app_label=org&model_name=position&field_name=org_unit"
    found = browse(clinic.manager).get(f"/admin/autocomplete/?{query}&term=").json()["results"]
    assert [row["text"] for row in found] == ["Urgencias (H1)"]
    assert browse(clinic.manager).get(f"/admin/autocomplete/?{query}&term=%00Urg").status_code == 200


def test_relations_are_autocompletes_by_themselves(clinic: Clinic, browse: Browse) -> None:
    for number in range(30):
        OrgUnitFactory(code=f"X{number}", name=f"Hidden in the select {number}", parent=clinic.h1)
    page = text(browse(clinic.manager).get(f"{LIST}{clinic.p1.pk}/change/"))
    assert "Hidden in the select" not in page
    assert "admin-autocomplete" in page


def test_a_selection_forged_with_rows_out_of_scope_is_refused_whole(clinic: Clinic, browse: Browse) -> None:
    client = browse(clinic.manager)
    posted = {"action": "count_them", "index": "0", "_selected_action": [clinic.p1.pk, clinic.p2.pk]}
    assert client.post(LIST, posted).status_code == 404
    assert client.post(LIST, posted | {"_selected_action": ["x"]}).status_code == 404
    answer = client.post(LIST, posted | {"_selected_action": [clinic.p1.pk]}, follow=True)
    assert "1 counted" in text(answer)


def test_nothing_is_deleted_in_bulk(clinic: Clinic, browse: Browse) -> None:
    page = text(browse(clinic.admin).get("/admin/org/orgunit/"))
    assert "delete_selected" not in page
    browse(clinic.admin).post(
        "/admin/org/orgunit/",
        {"action": "delete_selected", "_selected_action": [clinic.h2.pk], "post": "yes", "index": "0"},
    )
    clinic.h2.refresh_from_db()


@pytest.mark.parametrize("kind", ["position", "employee", "orgunit"])
def test_a_list_costs_the_same_with_2_rows_and_with_20(clinic: Clinic, browse: Browse, kind: str) -> None:
    make = {"position": PositionFactory, "employee": EmployeeFactory, "orgunit": OrgUnitFactory}[kind]
    client = browse(clinic.admin)
    client.get(f"/admin/org/{kind}/")  # whatever is looked up once a process

    def queries() -> list[str]:
        with CaptureQueriesContext(connection) as asked:
            assert client.get(f"/admin/org/{kind}/").status_code == 200
        return [query["sql"] for query in asked]

    few = queries()
    for _ in range(18):
        make()
    many = queries()
    assert len(many) == len(few), "\n".join(many[len(few) :])


def test_the_change_page_costs_the_same_with_2_rows_below_and_with_20(clinic: Clinic, browse: Browse) -> None:
    from datetime import date

    from tests.factories import LeaveFactory

    client = browse(clinic.admin)
    address = f"/admin/org/employee/{clinic.nurse.pk}/change/"

    def queries(count: int) -> int:
        for number in range(count):
            day = date(2027, 1 + clinic.nurse.leaves.count(), 1)
            LeaveFactory(employee=clinic.nurse, starts_on=day, ends_on=day.replace(day=2 + number % 3))
        with CaptureQueriesContext(connection) as asked:
            client.get(address)
        return len(asked)

    queries(1)
    assert queries(1) == queries(8)


def test_columns_without_an_index_do_not_sort_even_when_asked_by_address(clinic: Clinic, browse: Browse) -> None:
    client = browse(clinic.admin)

    def ordering(number: int) -> str:
        with CaptureQueriesContext(connection) as asked:
            client.get(f"{LIST}?o={number}")
        listed = [q["sql"] for q in asked if 'FROM "org_position"' in q["sql"] and "ORDER BY" in q["sql"]]
        return listed[-1].rpartition("ORDER BY")[2]

    assert '"title"' in ordering(2)  # the checkbox column is 0
    assert "required_weekly_hours" not in ordering(4)


def test_a_page_beyond_the_last_is_the_last(clinic: Clinic, browse: Browse) -> None:
    for _ in range(30):
        PositionFactory(org_unit=clinic.h1)
    response = browse(clinic.manager).get(f"{LIST}?p=999")
    assert response.status_code == 200
    assert response.context["cl"].page_num == 2


def test_logs_are_read_only_for_a_superuser_too(clinic: Clinic, browse: Browse) -> None:
    client: Client = browse(clinic.admin)
    log = clinic.nurse.transition_logs.get()
    base = "/admin/fsm/employeetransitionlog/"
    assert client.get(base).status_code == 200
    for address in (f"{base}add/", f"{base}{log.pk}/change/", f"{base}{log.pk}/delete/", base):
        assert client.post(address, {"post": "yes", "reason": "forged"}).status_code == 403, address
    assert clinic.nurse.transition_logs.get().reason == log.reason


def test_a_posted_status_changes_nothing(clinic: Clinic, browse: Browse) -> None:
    nurse = clinic.nurse
    posted = {
        "employee_number": nurse.employee_number,
        "given_name": "Lucía",
        "family_name": "Gómez",
        "home_unit": nurse.home_unit_id,
        "hired_on": "06/01/2020",
        "status": "TERMINATED",
        "leaves-TOTAL_FORMS": "0",
        "leaves-INITIAL_FORMS": "0",
    }
    response = browse(clinic.manager).post(f"/admin/org/employee/{nurse.pk}/change/", posted)
    assert response.status_code == 302
    assert Employee.objects.get(pk=nurse.pk).status == "ACTIVE"


def test_the_history_masks_sensitive_values_below_manager(clinic: Clinic, browse: Browse) -> None:
    clinic.nurse.national_id = "27123456"
    save_employees(employees=[clinic.nurse], actor=clinic.admin)
    address = f"/admin/org/employee/{clinic.nurse.pk}/history/"
    version = clinic.nurse.history.latest().history_id
    for page in (address, f"{address}{version}/"):
        assert "27123456" in text(browse(clinic.manager).get(page))
        assert "27123456" not in text(browse(clinic.supervisor).get(page))
        assert "27123456" not in text(browse(clinic.viewer).get(page))


def test_history_pages_take_nothing_in(clinic: Clinic, browse: Browse) -> None:
    version = clinic.p1.history.latest().history_id
    address = f"{LIST}{clinic.p1.pk}/history/{version}/"
    assert browse(clinic.admin).post(address, form_of(clinic.p1, title="Reverted")).status_code == 405
