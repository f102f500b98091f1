"""What no program of good will sends: refused in words, never a failure, and nothing comes of it."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import pytest
from django.db import connection

from apps.assignments.models import Assignment
from apps.org.models import Employee, Position
from tests.factories import LeaveFactory

from .conftest import Person

GOOD = {"code": "N1", "title": "Nuevo", "unit_code": "H1", "required_weekly_hours": "10"}


def send(person: Person, content: bytes, content_type: str = "application/json", path: str = "positions/") -> Any:
    return person.client.generic(
        "POST", f"/api/v1/{path}", content, content_type=content_type,
        headers={"X-CSRFToken": person.client.cookies["csrftoken"].value},
    )  # fmt: skip


def is_a_no(answer: Any, *statuses: int) -> bool:
    """Say whether an answer is one of these, in the envelope of every no."""
    return answer.status_code in statuses and set(answer.json()) == {"code", "detail", "errors"}


def body(**others: Any) -> bytes:
    return json.dumps(GOOD | others).encode()


BODIES = {
    "nothing": (b"", 400),
    "a NUL": (body(title="a\x00b"), 400),
    "a lone surrogate": (body(title="\ud800"), 400),
    "a lone surrogate for a code": (body(unit_code="\udfff"), 400),
    "not UTF-8": (body(title="?").replace(b"?", b"\xff\xfe"), 400),
    "UTF-16": (json.dumps(GOOD).encode("utf-16"), 400),
    "cut off": (body()[:-5], 400),
    "nested a hundred thousand deep": (b"[" * 100_000, 400),
    "nested deep inside of a field": (b'{"title":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, 400),
    "a list": (b"[]", 400),
    "a number": (b"7", 400),
    "null": (b"null", 400),
    "NaN": (body().replace(b'"10"', b"NaN"), 400),
    "infinity": (body().replace(b'"10"', b"1e999"), 400),
    "a number of five thousand digits": (body().replace(b'"10"', b"9" * 5_000), 400),
    "10**30 hours": (body(required_weekly_hours=10**30), 400),
    "hours below nothing": (body(required_weekly_hours="-1"), (400, 409)),
    "a record for a code": (body(unit_code={"code": "H1"}), 400),
    "a list for a code": (body(unit_code=["H1"]), 400),
    "a truth for a code": (body(unit_code=True), 400),
    "the year 0": (body(opens_on="0000-01-01"), 400),
    "the year 10000": (body(opens_on="10000-01-01"), 400),
    "a date as a number": (body(opens_on=20261201), 400),
    "a title of a megabyte": (body(title="x" * 1_000_000), 400),
    "three megabytes": (body(title="x" * 3_000_000), 413),
}


@pytest.mark.parametrize(("content", "status"), BODIES.values(), ids=BODIES)
def test_what_cannot_be_read_is_refused(content: bytes, status: Any, who: Any, house: Any) -> None:
    answer = send(who("manager"), content)
    assert is_a_no(answer, *(status if isinstance(status, tuple) else (status,))), answer.content
    assert not Position.objects.filter(code="N1").exists()


def test_the_same_without_the_damage_is_taken(who: Any, house: Any) -> None:
    assert send(who("manager"), body()).status_code == 201
    assert send(who("manager"), body(code="N2"), "application/json; charset=utf-8").status_code == 201
    assert send(who("manager"), body(code="N3"), "application/json; charset=no-such").status_code == 201


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/xml", "application/x-www-form-urlencoded", "x"],
)
def test_another_kind_of_content_is_415(kind: str, who: Any, house: Any) -> None:
    assert is_a_no(send(who("manager"), body(), kind), 415)


def test_a_form_too_large_or_broken_is_refused(who: Any, house: Any) -> None:
    person = who("manager")
    form = b'--b\r\nContent-Disposition: form-data; name="kind"\r\n\r\n' + b"x" * 3_000_000 + b"\r\n--b--\r\n"
    assert is_a_no(send(person, form, "multipart/form-data; boundary=b", "imports/"), 413)
    many = b"".join(b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' for _number in range(2_500))
    assert is_a_no(send(person, many + b"--b--\r\n", "multipart/form-data; boundary=b", "imports/"), 400)
    for kind in ("multipart/form-data", "multipart/form-data; boundary="):
        assert is_a_no(send(person, b"--b", kind, "imports/"), 400)
        assert is_a_no(send(person, b"--b", kind), 400)


@pytest.mark.parametrize(
    "pk", [10**30, -1, 0, "²", "%00", "%ff", "1e3", "0x1", "null", "1.0", "%2e%2e", "1%20", "a" * 300]
)
def test_an_address_of_no_record_is_404(pk: Any, who: Any, house: Any) -> None:
    for prefix in ("positions", "employees", "violations", "offer/hours-ledger", "transition-logs/employees"):
        for answer in (who("admin").get(f"{prefix}/{pk}/"), who("admin").patch(f"{prefix}/{pk}/", {})):
            assert is_a_no(answer, 404, 405), (prefix, answer.status_code)


def test_an_address_without_its_slash_is_no_way_round(who: Any, house: Any) -> None:
    """A redirect would make a GET of a POST, and the list look like the answer."""
    for path in ("positions", "nowhere", "positions/1/nowhere", ""):
        for method in ("GET", "POST", "DELETE"):
            answer = who("manager").ask(method, f"/api/v1/{path}", {} if method == "POST" else None)
            assert is_a_no(answer, 404), (path, method, answer.status_code)


def cursor(place: str) -> str:
    return base64.b64encode(f"p={place}".encode()).decode()


@pytest.mark.parametrize(
    "query",
    ["page_size=0", "page_size=-1", "page_size=x", "page_size=", "page_size=1.5", "page_size=²", "search=%00",
     "page=%00", "page=10000000000000", "status=%00", "employee_number=%00", "national_id=1", "page_size[]=1", "=1",
     "%00=1"],
)  # fmt: skip
def test_a_parameter_that_is_none_is_refused(query: str, who: Any, house: Any) -> None:
    assert is_a_no(who("admin").get(f"employees/?{query}"), 400, 404)


@pytest.mark.parametrize(
    "place",
    ["abc", "1%27", "99999999999999999999999", "2026-13-45", "%00", "", "NaN", "9999-12-31 23:59:59.999999999%2B00:00"],
)
def test_a_cursor_that_somebody_made_up_leads_nowhere(place: str, who: Any, house: Any) -> None:
    for path in ("audit-log", "tag-changes", "transition-logs/employees"):
        answer = who("admin").get(f"{path}/?cursor={cursor(place)}")
        assert answer.status_code in (200, 404), (path, answer.content)
        assert is_a_no(who("admin").get(f"{path}/?cursor=%ff%00x"), 404)


@pytest.mark.parametrize(
    "moment",
    ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-12:00", "0000-01-01", "2026-02-30T00:00Z", "now", "%00"],
)
def test_a_moment_at_the_end_of_time_is_no_failure(moment: str, who: Any, house: Any) -> None:
    for path, name in (("audit-log", "since"), ("audit-log", "until"), ("transition-logs/employees", "since")):
        assert who("admin").get(f"{path}/?{name}={moment}").status_code in (200, 400)


def test_a_page_holds_no_more_than_it_may(who: Any, house: Any) -> None:
    from apps.api.paging import MOST
    from tests.factories import PositionFactory

    PositionFactory.create_batch(MOST + 5, org_unit=house.h1)
    for size in (MOST, 10**6, 10**30):
        assert len(who("admin").get(f"positions/?page_size={size}").json()["results"]) == MOST


EDGES = ("0001-01-01", "9999-12-31", "1582-10-10")


@pytest.mark.parametrize("day", EDGES)
def test_a_day_at_the_end_of_time_is_no_failure(day: str, who: Any, house: Any, records: dict[str, int]) -> None:
    leave = LeaveFactory(employee=house.nurse, starts_on="2027-03-01", ends_on="2027-03-05")
    nurse, position = f"employees/{house.nurse.pk}", f"positions/{house.p1.pk}/"
    assignment, proposal = f"assignments/{records['assignments']}/", {"employee_number": "E1", "position_code": "P1"}
    held = {"employee_number": "E3", "tag_code": "CERT"}
    answers = [
        who("admin").ask(method, path, sent)
        for method, path, sent in (
            ("POST", "positions/", GOOD | {"opens_on": day}),
            ("POST", "positions/", GOOD | {"code": "N2", "closes_on": day}),
            ("PATCH", position, {"opens_on": day}),
            ("PATCH", position, {"closes_on": day}),
            ("POST", "leaves/", {"employee_number": "E3", "kind": "SICK", "starts_on": day}),
            ("PATCH", f"leaves/{leave.pk}/", {"ends_on": day}),
            ("PATCH", f"leaves/{leave.pk}/", {"starts_on": day}),
            ("PATCH", f"employees/{house.newcomer.pk}/", {"hired_on": day}),
            ("POST", "employee-tags/", held | {"valid_from": day, "valid_until": day}),
            ("PATCH", assignment, {"starts_on": day, "confirmed": True}),
            ("PATCH", assignment, {"ends_on": day, "confirmed": True}),
            ("PATCH", assignment, {"expires_on": day, "confirmed": True}),
            ("POST", "assignments/preview/", proposal | {"effective_hours": "1", "starts_on": day}),
            ("POST", "assignments/preview/", proposal | {"effective_hours": "1", "ends_on": day}),
            ("POST", f"violations/{records['violations']}/waive/", {"reason": "r", "expires_on": day}),
            ("POST", f"{nurse}/transitions/", {"transition": "give_notice", "inputs": {"last_day": day}}),
            (
                "POST",
                f"{nurse}/transitions/",
                {"transition": "start_leave", "inputs": {"kind": "SICK", "ends_on": day}},
            ),
            ("GET", f"positions/?opens_from={day}", None),
            ("GET", f"employee-tags/?valid_until_to={day}", None),
        )
    ]
    assert not [(answer.request["PATH_INFO"], answer.content) for answer in answers if answer.status_code >= 500]
    assert [answer.status_code for answer in answers if answer.status_code < 300]


@pytest.mark.parametrize(
    "week", ["0000-W01", "0001-W01", "9999-W52", "9999-W53", "2026-W54", "2026-W00", "%00", "２０２６-W48"]
)
def test_a_week_at_the_end_of_time_is_no_failure(week: str, who: Any, house: Any) -> None:
    for path in (
        "demand/coverage-summary/?",
        "demand/candidates/?position=P1&",
        f"offer/hours-ledger/{house.nurse.pk}/?",
    ):
        assert who("admin").get(f"{path}week={week}").status_code in (200, 400, 404), path


def test_what_is_only_told_cannot_be_set(who: Any, house: Any, records: dict[str, int]) -> None:
    forced = {
        "id": 999_999, "pk": 999_999, "status": "ACTIVE", "voided": True, "accepted_at": "2020-01-01T00:00Z",
        "created_by": str(house.admin.pk), "updated_at": "2020-01-01T00:00Z", "user": str(house.admin.pk),
        "last_day": "2020-01-01", "path": [1], "home_unit": house.h2.pk, "org_unit": house.h2.pk,
        "employee": house.surgeon.pk, "is_superuser": True, "position": house.p2.pk,
    }  # fmt: skip
    made = who("manager").post("positions/", GOOD | forced)
    assert (made.status_code, made.json()["unit_code"]) == (201, "H1") and made.json()["id"] != 999_999
    who("manager").patch(f"employees/{house.nurse.pk}/", forced)
    nurse = Employee.objects.get(pk=house.nurse.pk)
    assert (nurse.status, nurse.last_day, nurse.home_unit, nurse.user) == ("ACTIVE", None, house.h1, house.employee)
    named = {"employee_number": "E3", "position_code": "P1", "effective_hours": "1", "starts_on": "2027-01-04"}
    proposed = who("manager").post("assignments/", forced | named | {"confirmed": True})
    assert proposed.status_code == 201, proposed.content
    assignment = Assignment.objects.get(pk=proposed.json()["id"])
    assert (assignment.status, assignment.voided, assignment.accepted_at) == ("PROPOSED", False, None)
    assert assignment.created_by == house.manager and assignment.employee == house.newcomer


def test_a_masked_number_sent_back_does_not_become_the_number(who: Any, house: Any) -> None:
    Employee.objects.filter(pk=house.nurse.pk).update(national_id="30111222")
    told = who("viewer").get(f"employees/{house.nurse.pk}/").json()["national_id"]
    assert is_a_no(who("manager").patch(f"employees/{house.nurse.pk}/", {"national_id": told}), 400)
    assert Employee.objects.get(pk=house.nurse.pk).national_id == "30111222"


@pytest.mark.parametrize(
    ("said", "status"),
    [("*", 200), ("", 200), ('"x"', 412), ("x", 412), ('W/"x"', 412), (",", 200), ('"a", "b"', 412), ("'; DROP", 412)],
)
def test_if_match_in_every_spelling(said: str, status: int, who: Any, house: Any) -> None:
    headers = {"If-Match": said}
    assert who("manager").patch(f"positions/{house.p1.pk}/", {"title": "Otro"}, **headers).status_code == status


def test_one_of_several_tags_is_enough(who: Any, house: Any) -> None:
    tag = who("manager").get(f"positions/{house.p1.pk}/").headers["ETag"]
    headers = {"If-Match": f'"x", {tag}'}
    assert who("manager").patch(f"positions/{house.p1.pk}/", {"title": "Otro"}, **headers).status_code == 200


def test_a_key_is_ones_own_and_of_one_request(who: Any, house: Any) -> None:
    key = {"Idempotency-Key": "k"}
    assert who("manager").post("positions/", GOOD, **key).status_code == 201
    other = who("admin").post("positions/", GOOD | {"code": "N2"}, **key)
    assert (other.status_code, other.json()["code"]) == (201, "N2")
    assert is_a_no(who("manager").post(f"positions/{house.p1.pk}/duplicate/", GOOD, **key), 422)
    assert is_a_no(who("manager").post("positions/", GOOD, **{"Idempotency-Key": "k" * 201}), 400)


def test_every_deed_is_done_once_with_a_key(who: Any, house: Any, records: dict[str, int]) -> None:
    """Also those that say nothing of it: taking note of a violation, a unit's move, one's own decision."""
    for role, path, sent in (
        ("manager", f"violations/{records['violations']}/acknowledge/", {"reason": "r"}),
        ("admin", f"org-units/{house.h2.pk}/move/", {"parent_code": "H1"}),
        ("employee", f"me/assignments/{records['me/assignments']}/accept/", {"confirmed": True}),
    ):
        first, again = (who(role).post(path, sent, **{"Idempotency-Key": "k"}) for _time in range(2))
        assert (first.status_code, again.status_code) == (200, 200), (path, first.content, again.content)
        assert first.json() == again.json() and again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.django_db(transaction=True)
def test_of_ten_at_once_with_one_key_one_is_done(house: Any) -> None:
    person, answers, start = Person(house.manager), [], threading.Barrier(10)
    cookies = {name: morsel.value for name, morsel in person.client.cookies.items()}

    def again() -> None:
        other = Person()
        for name, value in cookies.items():
            other.client.cookies[name] = value
        start.wait()
        answers.append(other.post("positions/", GOOD, **{"Idempotency-Key": "k"}))
        connection.close()

    threads = [threading.Thread(target=again) for _number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [201] * 10
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert Position.objects.filter(code="N1").count() == 1


def test_other_methods_do_nothing(who: Any, house: Any) -> None:
    for method in ("PUT", "TRACE", "CONNECT", "FROB"):
        assert is_a_no(who("manager").ask(method, f"positions/{house.p1.pk}/", GOOD), 405)
    head = who("manager").ask("HEAD", "positions/")
    assert (head.status_code, head.content) == (200, b"")
    asked = who("manager").ask("OPTIONS", "positions/")
    assert asked.status_code == 200 and "H2" not in asked.content.decode()
    assert is_a_no(Person().ask("OPTIONS", "positions/"), 401)
    assert is_a_no(who("manager").ask("GET", "positions/", Accept="text/html"), 406)


def test_a_unit_that_others_hang_on_is_not_removed(who: Any, house: Any) -> None:
    answer = who("admin").delete(f"org-units/{house.root.pk}/")
    assert is_a_no(answer, 409) and answer.json()["code"] == "in_use"


def test_an_id_of_another_kind_of_record_opens_nothing(who: Any, house: Any, records: dict[str, int]) -> None:
    """Employees' accounts and positions share numbers; who sees one need not see the other."""
    other = house.surgeon.pk
    for prefix in ("employees", "offer/hours-ledger"):
        assert is_a_no(who("manager").get(f"{prefix}/{other}/"), 404)
    assert is_a_no(who("employee").post(f"me/assignments/{records['assignments'] + 1}/accept/", {}), 404)
