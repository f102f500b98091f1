"""Every operation of the description: who may, who may not, what is out of sight, what is not right."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.org.models import Employee, OrgUnit, Position
from apps.tags.models import PositionTag
from tests.factories import (
    AssignmentFactory,
    EmployeeFactory,
    EmployeeTagFactory,
    OrgUnitFactory,
    PositionFactory,
    PositionTagFactory,
    TagFactory,
)

from .operations import OPEN, OWN, SAFE, operations


def described() -> list[tuple[str, str, str]]:
    """Return (method, path, operation id) of everything that is described."""
    return [(operation.method, operation.path, operation.name) for operation in operations()]


def address(path: str, records: dict[str, int], missing: int | None = None) -> str:
    """Return the path of an operation with a record in it, or with one that is not there."""
    prefix = path.removeprefix("/api/v1/").split("/{")[0]
    return path.replace("{id}", str(missing if missing is not None else records.get(prefix, 1)))


def test_the_description_covers_every_address(house: Any) -> None:
    from apps.api.router import pages, router

    addresses = {path for _method, path, _name in described()}
    for prefix, _view, _name in router.registry:
        assert any(path.startswith(f"/api/v1/{prefix}/") for path in addresses), prefix
    for page in pages:
        assert f"/api/v1/{page.pattern}" in addresses


def test_who_is_not_signed_in_gets_nothing(who: Any, records: dict[str, int]) -> None:
    wrong = []
    for method, path, name in described():
        answer = who("nobody").ask(method.upper(), address(path, records), None if method in SAFE else {})
        expected = {400, 401, 403} if name in OPEN else {401}
        if answer.status_code not in expected or (name not in OPEN and not answer.json()["code"]):
            wrong.append((name, answer.status_code))
    assert not wrong


def test_an_employee_has_what_is_about_oneself_and_nothing_else(who: Any, records: dict[str, int]) -> None:
    wrong = []
    for method, path, name in described():
        if name in OPEN | OWN or path == "/api/v1/schema/":
            continue
        answer = who("employee").ask(method.upper(), address(path, records), None if method in SAFE else {})
        is_own = path.startswith("/api/v1/me/")
        if is_own is (answer.status_code == 403):
            wrong.append((name, answer.status_code))
    assert not wrong


def test_reading_is_answered_and_told_as_described(who: Any, records: dict[str, int]) -> None:
    wrong = []
    for method, path, name in described():
        if method in SAFE and not path.startswith("/api/v1/me/") and "candidates" not in path:
            answer = who("admin").get(address(path, records))
            has_record = "{id}" not in path or path.removeprefix("/api/v1/").split("/{")[0] in records
            # Of logs there is the first entry, or there is none.
            if answer.status_code not in ({200} if has_record else {200, 404}):
                wrong.append((name, answer.status_code, answer.content[:300]))
    assert not wrong


def test_what_is_not_there_is_404_whatever_the_deed(who: Any, records: dict[str, int]) -> None:
    wrong = []
    for method, path, name in described():
        if "{id}" in path and not path.startswith("/api/v1/me/"):
            answer = who("admin").ask(method.upper(), address(path, records, 999_999), None if method in SAFE else {})
            if answer.status_code != 404 or set(answer.json()) != {"code", "detail", "errors"}:
                wrong.append((name, answer.status_code))
    assert not wrong


def test_what_is_sent_wrong_is_told_by_field(who: Any, records: dict[str, int]) -> None:
    wrong = []
    for method, path, name in described():
        if method in ("post", "patch") and name not in OPEN | OWN and not path.startswith("/api/v1/me/"):
            for body in ([], {"code": {"a": 1}, "reason": {"a": 1}, "transition": 7.5, "level": "x", "note": [1],
                              "given_name": None, "effective_hours": "x", "name": None, "starts_on": "x"}):  # fmt: skip
                answer = who("admin").ask(method.upper(), address(path, records), body)
                if not 400 <= answer.status_code < 500 or set(answer.json()) != {"code", "detail", "errors"}:
                    wrong.append((name, answer.status_code, answer.content[:200]))
    assert not wrong


def test_hours_are_read_as_texts_or_numbers_and_told_as_texts(who: Any, house: Any) -> None:
    manager = who("manager")
    wanted = {"code": "N1", "title": "Nuevo", "unit_code": "H1"}
    for hours in ("12.5", 12.5):
        answer = manager.post("positions/", wanted | {"required_weekly_hours": hours, "code": f"N{hours!r:.5}"})
        assert (answer.status_code, answer.json()["required_weekly_hours"]) == (201, "12.50")


def test_an_empty_code_is_no_code_and_no_unit_above_either(who: Any, house: Any) -> None:
    unit = {"code": "N1", "name": "Nueva", "kind": "SERVICE"}
    answer = who("admin").post("org-units/", unit | {"parent_code": ""})
    assert answer.status_code == 400
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("parent_code", "blank")]
    assert who("admin").post("org-units/", unit | {"parent_code": None}).status_code == 201


def test_an_unknown_parameter_is_refused_and_looks_into_nothing(who: Any, records: dict[str, int]) -> None:
    for asked in ("national_id__startswith=3", "user__password=x", "page_sizes=3", "employee_number__gt=1"):
        answer = who("viewer").get(f"employees/?{asked}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, asked.split("=")[0])
    plain = who("viewer").get("employees/").json()["results"]
    assert who("viewer").get("employees/?ordering=national_id").json()["results"] == plain


# Out of sight


def test_a_query_string_finds_nobody_out_of_sight(who: Any, house: Any) -> None:
    for path in (
        "positions/?code=P2", "positions/?search=Instrument", "positions/?unit_code=H2", "employees/?search=D%C3%ADaz",
        "employees/?employee_number=E2", "org-units/?code=H2", "org-units/?parent_code=H",
    ):  # fmt: skip
        found = who("manager").get(path).json()
        assert not {row.get("code", row.get("employee_number")) for row in found["results"]} & {"P2", "E2", "H2"}, path
    assert who("manager").get("demand/coverage-summary/?unit=H2").status_code == 404
    assert who("manager").get("demand/candidates/?position=P2").status_code == 404


# Deeds


def test_a_position_is_created_changed_copied_and_signed(who: Any, house: Any) -> None:
    body = {"code": "N1", "title": "Nuevo", "unit_code": "H1", "required_weekly_hours": "10.50"}
    made = who("manager").post("positions/", body)
    assert made.status_code == 201, made.content
    pk = made.json()["id"]
    changed = who("manager").patch(f"positions/{pk}/", {"title": "Otro"})
    assert (changed.status_code, changed.json()["title"], changed.json()["code"]) == (200, "Otro", "N1")
    PositionTag.objects.create(position_id=pk, tag=TagFactory(code="T1"))
    copy = who("manager").post(f"positions/{pk}/duplicate/", {"code": "N2"})
    assert (copy.status_code, copy.json()["title"]) == (201, "Otro")
    assert Position.objects.get(code="N2").tags.count() == 1
    history = Position.history.filter(code="N1").first()
    assert (history.history_user, history.origin) == (house.manager, "api")


def test_a_change_of_what_was_read_before_somebody_else_is_412(who: Any, house: Any) -> None:
    read = who("manager").get(f"positions/{house.p1.pk}/")
    tag = read.headers["ETag"]
    assert who("manager").get(f"positions/{house.p1.pk}/", **{"If-None-Match": tag}).status_code == 304
    assert who("admin").patch(f"positions/{house.p1.pk}/", {"title": "Antes"}).status_code == 200
    late = who("manager").patch(f"positions/{house.p1.pk}/", {"title": "Tarde"}, **{"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")
    again = who("manager").get(f"positions/{house.p1.pk}/").headers["ETag"]
    assert who("manager").patch(f"positions/{house.p1.pk}/", {"title": "Ya"}, **{"If-Match": again}).status_code == 200


def test_a_post_sent_twice_with_a_key_is_done_once(who: Any, house: Any) -> None:
    body = {"code": "N1", "title": "Nuevo", "unit_code": "H1", "required_weekly_hours": "10"}
    first = who("manager").post("positions/", body, **{"Idempotency-Key": "k1"})
    second = who("manager").post("positions/", body, **{"Idempotency-Key": "k1"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json() and second.headers["Idempotency-Replayed"] == "true"
    assert Position.objects.filter(code="N1").count() == 1
    other = who("manager").post("positions/", body | {"code": "N2"}, **{"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["code"]) == (422, "key_taken")
    # A no is not kept: what was wrong may be put right under the same key.
    wrong = who("manager").post("positions/", body | {"code": ""}, **{"Idempotency-Key": "k2"})
    right = who("manager").post("positions/", body | {"code": "N3"}, **{"Idempotency-Key": "k2"})
    assert (wrong.status_code, right.status_code) == (400, 201)


def test_what_the_database_refuses_is_told_in_words_and_leaves_nothing(who: Any, house: Any) -> None:
    body = {"code": "N1", "title": "Nuevo", "unit_code": "H1", "required_weekly_hours": "10"}
    answer = who("manager").post("positions/", body | {"opens_on": "2026-12-02", "closes_on": "2026-12-01"})
    assert answer.status_code in (400, 409) and "close before it opens" in answer.json()["detail"]
    assert not Position.objects.filter(code="N1").exists()


def test_a_status_is_changed_by_a_transition_and_by_nothing_else(who: Any, house: Any) -> None:
    pk = house.nurse.pk
    who("manager").patch(f"employees/{pk}/", {"status": "TERMINATED", "last_day": "2026-12-01"})
    house.nurse.refresh_from_db()
    assert (house.nurse.status, house.nurse.last_day) == ("ACTIVE", None)
    offered = {one["transition"] for one in who("manager").get(f"employees/{pk}/transitions/").json()}
    assert "suspend" in offered and "complete_notice" not in offered
    assert who("viewer").post(f"employees/{pk}/transitions/", {"transition": "suspend"}).status_code == 403
    refused = who("manager").post(f"employees/{pk}/transitions/", {"transition": "suspend"})
    assert 400 <= refused.status_code < 500 and "reason" in refused.json()["detail"].lower()
    moved = who("manager").post(f"employees/{pk}/transitions/", {"transition": "suspend", "reason": "baja"})
    assert (moved.status_code, moved.json()["status"]) == (200, "SUSPENDED"), moved.content
    assert house.nurse.transition_logs.first().metadata["by"] == "api"


def test_a_proposal_is_looked_at_made_and_accepted_by_whom_it_is_about(who: Any, house: Any) -> None:
    body = {"employee_number": "E1", "position_code": "P1", "effective_hours": "8.00", "starts_on": "2026-12-14"}
    looked = who("supervisor").post("assignments/preview/", body)
    assert (looked.status_code, looked.json()["allowed"]) == (200, True), looked.content
    made = who("supervisor").post("assignments/", body | {"confirmed": True})
    assert (made.status_code, made.json()["status"]) == (201, "PROPOSED"), made.content
    own = who("employee").get("me/assignments/").json()["results"]
    assert [one["id"] for one in own] == [made.json()["id"]]
    accepted = who("employee").post(f"me/assignments/{own[0]['id']}/accept/", {"confirmed": True})
    assert (accepted.status_code, accepted.json()["status"]) == (200, "ACTIVE"), accepted.content


def test_a_document_number_is_masked_for_whoever_may_not_read_it(who: Any, house: Any) -> None:
    Employee.objects.filter(pk=house.nurse.pk).update(national_id="30111222")
    assert who("manager").get(f"employees/{house.nurse.pk}/").json()["national_id"] == "30111222"
    assert who("viewer").get(f"employees/{house.nurse.pk}/").json()["national_id"] == "•••"
    assert who("employee").get("me/profile/").json()["national_id"] == "30111222"


def test_units_move_by_a_deed_of_their_own(who: Any, house: Any) -> None:
    assert who("manager").post(f"org-units/{house.h1.pk}/move/", {"parent_code": None}).status_code == 403
    moved = who("admin").post(f"org-units/{house.h2.pk}/move/", {"parent_code": "H1"})
    assert (moved.status_code, moved.json()["parent_code"]) == (200, "H1"), moved.content
    assert OrgUnit.objects.get(code="H2").path[-2] == house.h1.pk
    circle = who("admin").post(f"org-units/{house.h1.pk}/move/", {"parent_code": "H2"})
    assert circle.status_code == 409


@pytest.mark.parametrize(
    "path",
    ["employees/", "org-units/", "positions/", "assignments/", "employee-tags/", "position-tags/", "violations/"],
)
def test_the_number_of_queries_does_not_follow_the_rows(path: str, who: Any, house: Any) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as taken:
            assert who("manager").get(f"{path}?page_size=200").status_code == 200
        return len(taken)

    def grow(count: int) -> None:
        for person in EmployeeFactory.create_batch(count, home_unit=house.h1, active=True):
            position = PositionFactory(org_unit=OrgUnitFactory(parent=house.h1))
            AssignmentFactory(employee=person, position=position, effective_hours=Decimal(1))
            PositionTagFactory(position=position, tag=EmployeeTagFactory(employee=person).tag)

    grow(2)
    queries()
    few = queries()
    grow(12)
    assert queries() == few <= 12
