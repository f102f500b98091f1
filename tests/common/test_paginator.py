"""Counting and paging lists that may be very long."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.common import paginator as paging
from apps.common.paginator import CappedPaginator, planned_rows
from apps.org.models import OrgUnit

pytestmark = pytest.mark.django_db


@pytest.fixture
def many_units() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO org_orgunit (code, name, kind, is_active, path)
               SELECT 'U' || n, 'Unit ' || n, 'UNIT', true, '{}' FROM generate_series(1, 1200) n"""
        )
        cursor.execute("ANALYZE org_orgunit")


@pytest.fixture
def low_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "COUNTED_EXACTLY", 500)
    monkeypatch.setattr(paging, "REACHABLE_ROWS", 500)


def test_a_short_list_is_counted_exactly(many_units: None, low_caps: None) -> None:
    pages = CappedPaginator(OrgUnit.objects.filter(code__startswith="U100").order_by("code"), 25)
    assert (pages.count, pages.is_estimate, pages.num_pages, pages.has_hidden_pages) == (11, False, 1, False)


def test_a_list_of_exactly_the_cap_is_still_exact(many_units: None, low_caps: None) -> None:
    ids = OrgUnit.objects.order_by("pk").values_list("pk", flat=True)[:500]
    pages = CappedPaginator(OrgUnit.objects.filter(pk__in=list(ids)).order_by("code"), 25)
    assert (pages.count, pages.is_estimate) == (500, False)


def test_a_long_list_is_estimated_and_never_counted(many_units: None, low_caps: None) -> None:
    pages = CappedPaginator(OrgUnit.objects.order_by("code"), 25)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert pages.count == pytest.approx(1200, rel=0.1)
    assert pages.is_estimate
    counts = [query["sql"] for query in asked if "COUNT" in query["sql"]]
    assert len(counts) == 1
    assert "LIMIT 501" in counts[0]


def test_an_estimate_is_shown_to_two_digits(many_units: None, low_caps: None) -> None:
    pages = CappedPaginator(OrgUnit.objects.order_by("code"), 25)
    assert pages.shown_count == 1200


def test_an_estimate_below_what_was_seen_gives_way(
    many_units: None, low_caps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "planned_rows", lambda rows: 3)
    assert CappedPaginator(OrgUnit.objects.order_by("code"), 25).count == 501


def test_pages_end_where_skipping_gets_costly(many_units: None, low_caps: None) -> None:
    pages = CappedPaginator(OrgUnit.objects.order_by("code"), 25)
    assert pages.num_pages == 20
    assert pages.has_hidden_pages
    assert len(pages.page(20).object_list) == 25


def test_the_planner_is_asked_about_the_filter_too(many_units: None) -> None:
    assert planned_rows(OrgUnit.objects.filter(code="U7")) < 10
    assert planned_rows(OrgUnit.objects.order_by("code")) == pytest.approx(1200, rel=0.1)


def test_a_plain_list_is_paged_as_ever() -> None:
    pages: Any = CappedPaginator(list(range(30)), 25)
    assert (pages.count, pages.num_pages, pages.is_estimate) == (30, 2, False)
