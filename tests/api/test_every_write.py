"""Every operation that changes something: done by whom may, refused by field where what is sent is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.factories import OrgUnitFactory, TagFactory

from .conftest import PASSWORD, Person
from .operations import SAFE, operations

NEW_PASSWORD = "another-password-of-tests"
UPLOADED = b"code,title\r\nP1,Nuevo\r\n"


@dataclass(frozen=True)
class Write:
    """Who sends what, and the status of the answer; a body that is wrong (None: none can be), and in which field."""

    right: dict[str, Any] = field(default_factory=dict)
    status: int = 201
    wrong: dict[str, Any] | None = None
    where: str = ""
    person: str = "manager"


PERSON = {
    "employee_number": "E9", "given_name": "Ana", "family_name": "Paz", "email": "ana@example.org",
    "home_unit_code": "H1", "hired_on": "2026-12-01",
}  # fmt: skip
PROPOSAL = {"employee_number": "E3", "position_code": "P1", "effective_hours": "4.00", "starts_on": "2026-12-14"}
POSITION = {"code": "N1", "title": "Nuevo", "unit_code": "H1", "required_weekly_hours": "10.00"}
WRITES = {
    "assignments_create": Write(
        PROPOSAL | {"confirmed": True}, 201, PROPOSAL | {"effective_hours": "x"}, "effective_hours"
    ),
    "assignments_preview_create": Write(PROPOSAL, 200, PROPOSAL | {"position_code": "NONE"}, "position_code"),
    "assignments_partial_update": Write({"effective_hours": "9.00"}, 200, {"starts_on": "x"}, "starts_on"),
    "assignments_transitions_create": Write(
        {"transition": "accept", "confirmed": True}, 200, {"transition": 7.5, "reason": {"a": 1}}, "reason"
    ),
    "auth_login": Write({}, 200, {"email": "x", "password": PASSWORD}, "email"),
    "auth_logout": Write({}, 204),
    "auth_password": Write(
        {"current": PASSWORD, "new": NEW_PASSWORD}, 204, {"current": "wrong", "new": NEW_PASSWORD}, "current"
    ),
    "auth_token_refresh": Write({}, 204),
    "employee_tags_create": Write(
        {"employee_number": "E3", "tag_code": "CERT", "valid_from": "2026-01-01"}, 201,
        {"employee_number": "E3", "tag_code": "NONE", "valid_from": "2026-01-01"}, "tag_code",
    ),
    "employee_tags_partial_update": Write({"note": "n"}, 200, {"valid_from": "x"}, "valid_from"),
    "employee_tags_destroy": Write({}, 204),
    "employees_create": Write(PERSON, 201, PERSON | {"hired_on": "2026-13-01"}, "hired_on"),
    "employees_partial_update": Write({"given_name": "Otra"}, 200, {"email": "x"}, "email"),
    "employees_transitions_create": Write(
        {"transition": "suspend", "reason": "r"}, 200, {"transition": "suspend", "reason": "x" * 2_000}, "reason"
    ),
    "imports_create": Write({"kind": "positions"}, 201, {"kind": "positions", "dates": "x"}, "dates"),
    "imports_abandon_create": Write({}, 200),
    "imports_cancel_create": Write({}, 409),  # it is looked at already: there is nothing to stop
    "imports_confirm_create": Write({}, 200, {"confirmation": "x" * 100}, "confirmation"),
    "imports_undo_create": Write({"reason": "r"}, 200, {"reason": "x" * 500}, "reason"),
    "leaves_create": Write(
        {"employee_number": "E3", "kind": "VACATION", "starts_on": "2027-02-01", "ends_on": "2027-02-05"}, 201,
        {"employee_number": "E3", "kind": "NONE", "starts_on": "2027-02-01"}, "kind",
    ),
    "leaves_partial_update": Write({"reason": "r"}, 200, {"ends_on": "x"}, "ends_on"),
    "leaves_destroy": Write({}, 204),
    "me_assignments_accept_create": Write({"confirmed": True}, 200, {"confirmed": "perhaps"}, "confirmed", "employee"),
    "me_assignments_reject_create": Write({"reason": "r"}, 200, {"reason": "x" * 2_000}, "reason", "employee"),
    "org_units_create": Write(
        {"code": "N", "name": "Nueva", "kind": "SERVICE", "parent_code": "H"}, 201,
        {"code": "N", "name": "Nueva", "kind": "NONE", "parent_code": "H"}, "kind", "admin",
    ),
    "org_units_partial_update": Write({"name": "Otra"}, 200, {"name": ""}, "name", "admin"),
    "org_units_destroy": Write({}, 204, person="admin"),
    "org_units_move_create": Write({"parent_code": "H2"}, 200, {"parent_code": "NONE"}, "parent_code", "admin"),
    "position_tags_create": Write(
        {"position_code": "P1", "tag_code": "MORE", "level": "REQUIRED"}, 201,
        {"position_code": "P1", "tag_code": "MORE", "level": "x"}, "level",
    ),
    "position_tags_partial_update": Write({"level": "PREFERRED"}, 200, {"level": "x"}, "level"),
    "position_tags_destroy": Write({}, 204),
    "positions_create": Write(POSITION, 201, POSITION | {"required_weekly_hours": "x"}, "required_weekly_hours"),
    "positions_partial_update": Write({"title": "Otro"}, 200, {"title": ""}, "title"),
    "positions_duplicate_create": Write({"code": "N2"}, 201, {"code": "x" * 41}, "code"),
    "tags_create": Write(
        {"code": "T9", "name": "Nueva", "type": "CERTIFICATION"}, 201, {"code": "T9", "name": "x", "type": "x"}, "type",
        "admin",
    ),
    "tags_partial_update": Write({"name": "Otra"}, 200, {"name": ""}, "name", "admin"),
    "violations_acknowledge_create": Write({"reason": "r"}, 200, {"reason": "x" * 2_000}, "reason"),
    "violations_waive_create": Write(
        {"reason": "r", "expires_on": "2026-12-20"}, 201, {"reason": "r", "expires_on": "x"}, "expires_on"
    ),
    "waivers_end_create": Write({"reason": "r"}, 200, {"reason": "x" * 2_000}, "reason"),
}  # fmt: skip


@pytest.fixture
def there(house: Any, records: dict[str, int], who: Callable[[str], Person]) -> dict[str, int]:
    """Return the record each operation is about, by prefix."""
    TagFactory(code="MORE")
    return records


def uploaded(person: Person, **said: Any) -> Any:
    return person.client.post(
        "/api/v1/imports/", {"file": SimpleUploadedFile("p.csv", UPLOADED), **said},
        headers={"X-CSRFToken": person.client.cookies["csrftoken"].value, "Accept-Language": "en"},
    )  # fmt: skip


def sent(name: str, write: Write, body: dict[str, Any], house: Any, there: dict[str, int], who: Any) -> Any:
    """Carry a write out and return the answer."""
    [operation] = [one for one in operations() if one.name == name]
    person = who(write.person)
    if name == "imports_create":
        return uploaded(person, **body)
    if name == "auth_login":
        return Person().ask("POST", operation.path, {"email": house.manager.email, "password": PASSWORD} | body)
    path, pk = operation.path, there.get(operation.prefix)
    if name == "org_units_destroy":
        pk = OrgUnitFactory(parent=house.h1).pk
    if operation.prefix == "imports":
        looked = uploaded(person, kind="positions").json()
        pk = looked["id"]
        if name == "imports_undo_create":
            assert person.post(f"imports/{pk}/confirm/", {"confirmation": looked["confirmation"]}).status_code == 200
        elif name == "imports_confirm_create":
            body = {"confirmation": looked["confirmation"]} | body
    return person.ask(operation.method.upper(), path.replace("{id}", str(pk)), body)


def test_every_write_of_the_description_is_in_the_table() -> None:
    assert {one.name for one in operations() if one.method not in SAFE} == set(WRITES)


@pytest.mark.parametrize("name", WRITES)
def test_what_is_right_is_done(name: str, house: Any, there: dict[str, int], who: Any) -> None:
    write = WRITES[name]
    answer = sent(name, write, write.right, house, there, who)
    assert answer.status_code == write.status, answer.content
    if write.status == 204:
        assert not answer.content


@pytest.mark.parametrize("name", [name for name, write in WRITES.items() if write.wrong is not None])
def test_what_is_wrong_is_told_by_its_field(name: str, house: Any, there: dict[str, int], who: Any) -> None:
    write = WRITES[name]
    assert write.wrong is not None
    answer = sent(name, write, write.wrong, house, there, who)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.content
    assert write.where in [one["field"] for one in answer.json()["errors"]], answer.content


LISTS = [one.path for one in operations() if any(said["name"] == "page_size" for said in one.parameters)]


@pytest.mark.parametrize("path", [path for path in LISTS if "{id}" not in path])
def test_every_list_has_pages(path: str, there: dict[str, int], who: Any) -> None:
    person = who("employee" if "/me/" in path else "admin")
    first = person.get(f"{path}?page_size=1").json()
    of_a_log = first["count"] is None
    assert set(first) == {"count", "next", "previous", "results"} | (set() if of_a_log else {"count_is_exact"})
    # Nobody has accepted or brought in anything yet.
    assert len(first["results"]) == 1 or path.endswith(("/transition-logs/assignments/", "/imports/"))
    assert first["previous"] is None
    if first["next"]:
        [second] = person.get(first["next"].removeprefix("http://testserver")).json()["results"]
        assert second != first["results"][0]
    wrong = ("cursor", ("x", "cD14")) if of_a_log else ("page", ("0", "x", "99999", "-1"))
    for value in wrong[1]:
        answer = person.get(f"{path}?{wrong[0]}={value}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), value
