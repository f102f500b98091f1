"""A sheet's whole way over the interface."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from apps.imports.models import ImportJob
from apps.org.models import Position

from .conftest import Person


def sent(person: Person, content: bytes, **options: Any) -> Any:
    return person.client.post(
        "/api/v1/imports/",
        {"kind": "positions", "file": SimpleUploadedFile("p.csv", content), **options},
        headers={"X-CSRFToken": person.client.cookies["csrftoken"].value, "Accept-Language": "en"},
    )


def test_a_sheet_is_looked_at_brought_in_and_taken_back(who: Any, house: Any) -> None:
    manager = who("manager")
    looked = sent(manager, b"code,title\r\nP1,Nuevo\r\n")
    assert (looked.status_code, looked.json()["state"], looked.json()["updated"]) == (201, "PREVIEWED", 1), (
        looked.content
    )
    pk = looked.json()["id"]
    assert Position.objects.get(code="P1").title != "Nuevo"
    done = manager.post(f"imports/{pk}/confirm/", {"confirmation": looked.json()["confirmation"]})
    assert (done.status_code, done.json()["state"]) == (200, "APPLIED"), done.content
    assert Position.objects.get(code="P1").title == "Nuevo"
    back = manager.post(f"imports/{pk}/undo/", {"reason": "a mistake"})
    assert (back.status_code, back.json()["state"]) == (200, "UNDONE"), back.content
    assert Position.objects.get(code="P1").title != "Nuevo"


def test_what_is_wrong_is_told_by_line_and_column(who: Any, house: Any) -> None:
    job = sent(who("manager"), b"code,title,unit_code\r\nP1,,H1\r\nP9,Otro,NOWHERE\r\n").json()
    assert (job["refused"], job["errors_total"] >= 2) == (2, True)
    told = who("manager").get(f"imports/{job['id']}/errors/").json()
    assert {(one["line"], one["column"]) for one in told["results"]} >= {(2, "title"), (3, "unit_code")}
    refused = who("manager").post(f"imports/{job['id']}/confirm/", {})
    assert refused.json()["state"] in ("REFUSED", "PREVIEWED") and not Position.objects.filter(code="P9").exists()


def test_nobody_sees_or_confirms_the_sheet_of_another(who: Any, house: Any) -> None:
    pk = sent(who("manager"), b"code,title\r\nP1,Nuevo\r\n").json()["id"]
    assert who("supervisor").get(f"imports/{pk}/").status_code == 403
    refused = who("admin").post(f"imports/{pk}/confirm/", {})
    assert refused.status_code == 403 and ImportJob.objects.get(pk=pk).state == "PREVIEWED"


def test_a_kind_one_may_not_bring_in_and_one_that_is_none_are_refused(who: Any, house: Any) -> None:
    assert sent(who("manager"), b"code,name\r\nT,T\r\n", kind="tags").status_code == 403
    assert 400 <= sent(who("manager"), b"x", kind="users").status_code < 500
    assert sent(who("manager"), b"", kind="positions").status_code == 400
    assert not ImportJob.objects.exists()
