"""What a form answers when the service, the database or another person says no."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction

from apps.common.errors import ConfirmationNeeded, Reason
from apps.org.models import Leave, OrgUnit, Position
from apps.org.services.leaves import save_leaves
from apps.org.services.positions import save_positions
from tests.factories import Clinic, LeaveFactory, OrgUnitFactory, PositionFactory
from tests.screens.site import EmployeeScreen, LeaveInline, PositionScreen, UnitScreen

from .conftest import Browse
from .test_scope_of_screens import LIST, form_of, text

pytestmark = pytest.mark.django_db


def errors(response: Any) -> dict[str, list[str]]:
    return dict(response.context["adminform"].form.errors)


def post(client: Any, position: Position, **changed: Any) -> Any:
    return client.post(f"{LIST}{position.pk}/change/", form_of(position, **changed))


def test_a_saved_form_reaches_the_service_and_the_history_names_the_person(clinic: Clinic, browse: Browse) -> None:
    assert post(browse(clinic.manager), clinic.p1, title="New title").status_code == 302
    row = clinic.p1.history.latest()
    assert (row.title, row.history_user, row.origin) == ("New title", clinic.manager, "admin")


def test_a_refusal_comes_back_with_its_sentences_and_what_was_typed_and_nothing_is_written(
    clinic: Clinic, browse: Browse
) -> None:
    client = browse(clinic.manager)
    response = post(client, clinic.p1, title="no", code="TYPED")
    assert response.status_code == 200
    assert errors(response) == {"title": ["“no” is no title."], "__all__": ["The unit is closed."]}
    assert response.context["adminform"].form["code"].value() == "TYPED"
    assert not list(response.context["messages"])
    clinic.p1.refresh_from_db()
    assert (clinic.p1.title, clinic.p1.code) == ("Enfermería de guardia", "P1")
    assert clinic.p1.history.count() == 1


def test_a_refusal_of_a_new_record_leaves_none(clinic: Clinic, browse: Browse) -> None:
    response = browse(clinic.manager).post(f"{LIST}add/", form_of(clinic.p1, code="P9", title="no"))
    assert errors(response)["title"] == ["“no” is no title."]
    assert not Position.objects.filter(code="P9").exists()


def test_warnings_are_asked_once_and_confirmed_by_their_own_token(clinic: Clinic, browse: Browse) -> None:
    client = browse(clinic.manager)
    asked = post(client, clinic.p1, title="warn")
    assert asked.context["warnings_to_confirm"] == ["This goes 4,00 hours over the pool."]
    assert errors(asked) == {}
    clinic.p1.refresh_from_db()
    assert clinic.p1.title != "warn"

    assert post(client, clinic.p1, title="warn", _confirmed="forged").status_code == 200
    assert post(client, clinic.p1, title="warn", _confirmed=asked.context["confirmation"]).status_code == 302
    clinic.p1.refresh_from_db()
    assert clinic.p1.title == "warn"


def test_another_warning_than_the_confirmed_one_is_asked_again(
    clinic: Clinic, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = browse(clinic.manager)
    confirmation = post(client, clinic.p1, title="warn").context["confirmation"]

    def warn_otherwise(self: Any, request: Any, obj: Any, form: Any, change: bool) -> None:
        raise ConfirmationNeeded(Reason("The certificate ends tomorrow."))

    monkeypatch.setattr(PositionScreen, "perform_save", warn_otherwise)
    again = post(client, clinic.p1, title="warn", _confirmed=confirmation)
    assert again.context["warnings_to_confirm"] == ["The certificate ends tomorrow."]


def save_around_the_service(self: Any, request: Any, obj: Any, form: Any, change: bool) -> None:
    # Past the form's own checks too, as a race would be.
    obj.save()


@pytest.fixture
def no_checks_before_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    for screen in (PositionScreen, UnitScreen, EmployeeScreen, LeaveInline):
        monkeypatch.setattr(screen, "perform_save", save_around_the_service)
    for model in (Position, OrgUnit, Leave):
        monkeypatch.setattr(model, "validate_unique", lambda self, exclude=None: None)
        monkeypatch.setattr(model, "validate_constraints", lambda self, exclude=None: None)


def test_a_taken_code_is_said_on_its_field(clinic: Clinic, browse: Browse, no_checks_before_the_database: None) -> None:
    response = post(browse(clinic.admin), clinic.p1, code="P2")
    assert list(errors(response)) == ["code"]
    assert Position.objects.filter(code="P2").count() == 1


def test_a_violated_check_says_its_own_sentence(
    clinic: Clinic, browse: Browse, no_checks_before_the_database: None
) -> None:
    response = post(browse(clinic.admin), clinic.p1, opens_on="02/01/2026", closes_on="01/01/2026")
    constraint = next(c for c in Position._meta.constraints if c.name == "org_position_closes_after_it_opens")
    assert errors(response)["__all__"] == [str(constraint.violation_error_message)]


def test_an_overlap_in_the_rows_below_says_its_own_sentence(
    clinic: Clinic, browse: Browse, no_checks_before_the_database: None
) -> None:
    LeaveFactory(employee=clinic.nurse, starts_on="2026-12-10", ends_on="2026-12-12")
    nurse = clinic.nurse
    posted = {
        "employee_number": nurse.employee_number,
        "given_name": nurse.given_name,
        "family_name": nurse.family_name,
        "home_unit": nurse.home_unit_id,
        "hired_on": "06/01/2020",
        "leaves-TOTAL_FORMS": "2",
        "leaves-INITIAL_FORMS": "1",
        "leaves-0-id": nurse.leaves.get().pk,
        "leaves-0-employee": nurse.pk,
        "leaves-0-kind": "VACATION",
        "leaves-0-starts_on": "10/12/2026",
        "leaves-0-ends_on": "12/12/2026",
        "leaves-1-kind": "SICK",
        "leaves-1-starts_on": "11/12/2026",
    }
    response = browse(clinic.admin).post(f"/admin/org/employee/{nurse.pk}/change/", posted)
    constraint = next(c for c in Leave._meta.constraints if c.name == "org_leave_one_at_a_time")
    assert errors(response)["__all__"] == [str(constraint.violation_error_message)]
    assert nurse.leaves.count() == 1


def test_rows_below_are_written_and_taken_away_by_their_services(clinic: Clinic, browse: Browse) -> None:
    nurse = clinic.nurse
    leave = LeaveFactory(employee=nurse, starts_on="2027-01-10", ends_on="2027-01-12")
    posted = {
        "employee_number": nurse.employee_number,
        "given_name": nurse.given_name,
        "family_name": nurse.family_name,
        "home_unit": nurse.home_unit_id,
        "hired_on": "06/01/2020",
        "leaves-TOTAL_FORMS": "2",
        "leaves-INITIAL_FORMS": "1",
        "leaves-0-id": leave.pk,
        "leaves-0-employee": nurse.pk,
        "leaves-0-kind": "VACATION",
        "leaves-0-starts_on": "10/01/2027",
        "leaves-0-ends_on": "12/01/2027",
        "leaves-0-DELETE": "on",
        "leaves-1-kind": "TRAINING",
        "leaves-1-starts_on": "01/02/2027",
        "leaves-1-ends_on": "02/02/2027",
    }
    response = browse(clinic.manager).post(f"/admin/org/employee/{nurse.pk}/change/", posted)
    assert response.status_code == 302
    assert [(row.kind, row.employee) for row in nurse.leaves.all()] == [("TRAINING", nurse)]
    assert Leave.history.latest().history_user == clinic.manager


def test_a_fault_of_ours_stays_a_fault(clinic: Clinic, browse: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, request: Any, obj: Any, form: Any, change: bool) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column FROM org_position")

    monkeypatch.setattr(PositionScreen, "perform_save", broken)
    client = browse(clinic.manager)
    client.raise_request_exception = False
    assert post(client, clinic.p1, title="x").status_code == 500


def seen(client: Any, position: Position) -> str:
    return str(client.get(f"{LIST}{position.pk}/change/").context["seen_version"])


def test_the_second_editor_is_told_and_loses_nothing(clinic: Clinic, browse: Browse) -> None:
    client = browse(clinic.manager)
    version = seen(client, clinic.p1)
    first = Position.objects.get(pk=clinic.p1.pk)
    first.required_weekly_hours, first.title = 48, "By the first"
    save_positions(positions=[first], actor=clinic.admin)

    response = post(client, clinic.p1, title="By the second", _seen=version)
    assert response.status_code == 200
    form = response.context["adminform"].form
    assert form["title"].value() == "By the second"
    assert form["required_weekly_hours"].value() == "48.00"
    assert list(form.errors) == ["title"]
    assert "By the first" in form.errors["title"][0]
    assert str(clinic.admin) in response.context["conflict"].sentence
    first.refresh_from_db()
    assert first.title == "By the first"

    again = response.context["seen_version"]
    answer = post(client, clinic.p1, title="By the second", required_weekly_hours="48", _seen=again)
    assert answer.status_code == 302
    first.refresh_from_db()
    assert (first.title, first.required_weekly_hours) == ("By the second", 48)


def test_a_change_by_raw_sql_is_noticed_too(clinic: Clinic, browse: Browse) -> None:
    client = browse(clinic.manager)
    version = seen(client, clinic.p1)
    Position.objects.filter(pk=clinic.p1.pk).update(title="By SQL")
    response = post(client, clinic.p1, title="Mine", _seen=version)
    assert "By SQL" in errors(response)["title"][0]


def test_a_forged_version_is_a_conflict_and_no_error(clinic: Clinic, browse: Browse) -> None:
    for version in ("", "x", "1.2.3", "9" * 30, "-1"):
        assert post(browse(clinic.manager), clinic.p1, title="Mine", _seen=version).status_code == 200, version
    clinic.p1.refresh_from_db()
    assert clinic.p1.title != "Mine"


def test_an_untouched_form_after_a_change_by_others_is_no_reason_to_undo_it(clinic: Clinic, browse: Browse) -> None:
    client = browse(clinic.manager)
    version = seen(client, clinic.p1)
    Position.objects.filter(pk=clinic.p1.pk).update(title="By SQL")
    response = post(client, clinic.p1, _seen=version)
    assert response.context["adminform"].form["title"].value() == "By SQL"
    assert errors(response) == {}


def test_a_row_below_changed_by_others_is_noticed_too(clinic: Clinic, browse: Browse) -> None:
    nurse = clinic.nurse
    leave = LeaveFactory(employee=nurse, starts_on="2027-01-10", ends_on="2027-01-12")
    client = browse(clinic.manager)
    version = client.get(f"/admin/org/employee/{nurse.pk}/change/").context["seen_version"]
    save_leaves(leaves=[Leave(pk=leave.pk, employee=nurse, kind="SICK", starts_on=leave.starts_on)], actor=clinic.admin)
    posted = {
        "employee_number": nurse.employee_number,
        "given_name": nurse.given_name,
        "family_name": nurse.family_name,
        "home_unit": nurse.home_unit_id,
        "hired_on": "06/01/2020",
        "leaves-TOTAL_FORMS": "1",
        "leaves-INITIAL_FORMS": "1",
        "leaves-0-id": leave.pk,
        "leaves-0-employee": nurse.pk,
        "leaves-0-kind": "VACATION",
        "leaves-0-starts_on": "10/01/2027",
        "leaves-0-ends_on": "15/01/2027",
        "_seen": version,
    }
    response = client.post(f"/admin/org/employee/{nurse.pk}/change/", posted)
    assert response.status_code == 200
    assert str(clinic.admin) in response.context["conflict"].sentence
    assert str(Leave._meta.verbose_name_plural) in text(response)
    leave.refresh_from_db()
    assert (leave.kind, leave.ends_on) == ("SICK", None)


def test_canary_without_the_version_the_first_editor_is_silently_undone(
    clinic: Clinic, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.common.admin.writes.version_of", lambda obj, below: "1")
    client = browse(clinic.manager)
    version = seen(client, clinic.p1)
    Position.objects.filter(pk=clinic.p1.pk).update(required_weekly_hours=48)
    assert post(client, clinic.p1, title="Mine", _seen=version).status_code == 302
    clinic.p1.refresh_from_db()
    assert clinic.p1.required_weekly_hours == 36


def test_a_unit_in_use_says_how_many_and_names_none(clinic: Clinic, browse: Browse) -> None:
    page = text(browse(clinic.admin).get(f"/admin/org/orgunit/{clinic.h2.pk}/delete/"))
    assert "cannot-delete" in page
    assert "Instrumentación" not in page
    browse(clinic.admin).post(f"/admin/org/orgunit/{clinic.h2.pk}/delete/", {"post": "yes"})
    assert OrgUnit.objects.filter(pk=clinic.h2.pk).exists()


def test_a_refused_deletion_is_told_on_the_page(
    clinic: Clinic, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(UnitScreen, "get_deleted_objects", lambda self, objs, request: ([], {}, set(), []))
    response = browse(clinic.admin).post(f"/admin/org/orgunit/{clinic.h2.pk}/delete/", {"post": "yes"}, follow=True)
    assert len(list(response.context["messages"])) == 1
    assert OrgUnit.objects.filter(pk=clinic.h2.pk).exists()


def test_a_unit_nobody_uses_is_deleted_by_its_service(clinic: Clinic, browse: Browse) -> None:
    alone = OrgUnitFactory(code="ALONE")
    assert browse(clinic.admin).post(f"/admin/org/orgunit/{alone.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not OrgUnit.objects.filter(pk=alone.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_a_record_somebody_else_is_changing_right_now_says_try_again(
    clinic: Clinic, browse: Browse, settings: Any
) -> None:
    import threading

    position = PositionFactory(org_unit=clinic.h1, code="BUSY")
    held, released = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Position.objects.select_for_update().get(pk=position.pk)
                held.set()
                released.wait(20)
        finally:
            connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(10)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
        response = post(browse(clinic.manager), position, title="Mine")
    finally:
        released.set()
        thread.join()
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
    assert [reason.code for reason in response.context["adminform"].form.errors.as_data()["__all__"]] == ["busy"]
    position.refresh_from_db()
    assert position.title != "Mine"
