"""The inbox taken out as a file: what is shown, in scope, on record, harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from apps.audit_log.models import ExportRecord
from apps.business_rules.services import sweep
from apps.changes.drain import drain
from apps.inbox.admin import inbox as page_module
from apps.inbox.enums import AlertKind
from apps.inbox.services import assign
from tests.factories import Clinic, PositionFactory, UserFactory

from .conftest import items_of, one

pytestmark = pytest.mark.django_db
PAGE = "/admin/inbox/attention/inbox/"
FILE = f"{PAGE}export/"
Browse = Callable[[Any], Client]


def lines(response: Any) -> list[dict[str, str]]:
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))


def test_the_file_has_what_the_page_shows(waiting: Clinic, as_user: Browse) -> None:
    me = waiting.manager
    assign(key=one(me, AlertKind.CLIFF).key, to=waiting.supervisor, actor=me, note="call her")
    told = lines(as_user(me).get(FILE))
    page = as_user(me).get(PAGE)
    assert [line["About"] for line in told] == [row["told"].subject for row in page.context["rows"]]
    [cliff] = [line for line in told if line["Kind"] == "Coverage running out"]
    assert (cliff["Severity"], cliff["Day"], cliff["Assigned to"], cliff["Note"]) == (
        "Warning", "2026-12-30", str(waiting.supervisor), "call her",
    )  # fmt: skip
    assert cliff["What is wrong"].startswith("Assignment ends: 36 h a week are missing")
    assert f'href="{FILE}?"' in page.content.decode() and "format=xlsx" in page.content.decode()


def test_filters_narrow_the_file_and_pages_do_not(waiting: Clinic, as_user: Browse, settings: Any) -> None:
    settings.COVERIS_PAGE_SIZE = 2
    client = as_user(waiting.manager)
    assert len(lines(client.get(f"{FILE}?page=2"))) == len(items_of(waiting.manager))
    assert {line["Kind"] for line in lines(client.get(f"{FILE}?kind=VACANT"))} == {"Vacancy"}


def test_nothing_of_another_unit_is_taken_out(waiting: Clinic, as_user: Browse) -> None:
    for who in ("manager", "viewer"):
        body = as_user(getattr(waiting, who)).get(FILE).content.decode()
        assert "Gómez" in body and "Díaz" not in body and "Quirófano" not in body
    assert as_user(waiting.manager).get(f"{FILE}?unit=H2").status_code == 404
    assert "Díaz" in as_user(waiting.admin).get(FILE).content.decode()


def test_nobody_without_the_right_takes_anything_out(waiting: Clinic, as_user: Browse) -> None:
    worker = UserFactory(role="EMPLOYEE", is_staff=True)
    assert as_user(worker).get(FILE).status_code == 403
    assert as_user(waiting.manager).post(FILE).status_code == 403
    assert Client().get(FILE).status_code == 302
    assert not ExportRecord.objects.exists()


def test_it_is_on_record_who_took_how_many_rows_by_which_filters(waiting: Clinic, as_user: Browse) -> None:
    response = as_user(waiting.manager).get(f"{FILE}?kind=VACANT&format=xlsx")
    row = ExportRecord.objects.get()
    assert (row.actor, row.what, row.format, row.rows, row.page) == (waiting.manager, "inbox", "xlsx", 1, FILE)
    assert "kind=VACANT" in row.filters
    sheet = load_workbook(io.BytesIO(response.content)).active
    assert [cell.value for cell in sheet[1]][:3] == ["Severity", "Kind", "About"]
    assert sheet.max_row == 2


def test_a_formula_is_only_text(waiting: Clinic, as_user: Browse) -> None:
    me = waiting.manager
    assign(key=one(me, AlertKind.CLIFF).key, to=me, actor=me, note="=HYPERLINK(1)")
    [cliff] = lines(as_user(me).get(f"{FILE}?kind=CLIFF"))
    assert cliff["Note"] == "'=HYPERLINK(1)"


def test_no_more_rows_than_pages_reach(waiting: Clinic, as_user: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "MOST_TAKEN_OUT", 2)
    assert len(lines(as_user(waiting.manager).get(FILE))) == 2


def test_a_long_file_costs_as_many_queries_as_a_short_one(waiting: Clinic, as_user: Browse) -> None:
    client = as_user(waiting.manager)

    def cost() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as asked:
            told = lines(client.get(FILE))
        return len(asked), len(told)

    cost()
    few, before = cost()
    for number in range(15):
        PositionFactory(org_unit=waiting.h1, title=f"Vacío {number}")
    drain()
    sweep(actor=None)
    many, after = cost()
    assert (many, after) == (few, before + 15)
