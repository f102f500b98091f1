"""The second target on the pages of coverage: there when some unit keeps headroom, and apart from the first."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.changes.drain import drain
from apps.changes.turning import close_weeks
from apps.org.models import OrgUnit
from tests.factories import OrgUnitFactory, PositionFactory
from tests.imports.support import bring, sheet

pytestmark = pytest.mark.django_db
PAGE = "/admin/demand/unitcoverage/"
FILE, PACK = f"{PAGE}export/", f"{PAGE}print/"
Browse = Callable[[Any], Client]


@pytest.fixture
def kept(house: Any) -> Any:
    """H1 keeps 25 % above what it needs (P1 36 h; P4 12 h below it), H2 nothing."""
    OrgUnit.objects.filter(pk=house.h1.pk).update(headroom=25)
    drain()
    return house


def text(response: Any) -> str:
    assert response.status_code == 200, response.status_code
    return str(response.content.decode())


def row_of(html: str, name: str) -> str:
    [found] = [row for row in re.findall(r"<tr.*?</tr>", html, re.S) if name in row]
    return " ".join(re.sub(r"<[^>]+>", " ", found).split())


def lines(response: Any) -> list[dict[str, str]]:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


# The board


def test_a_unit_shows_required_with_headroom_and_what_is_missing_to_it(kept: Any, as_user: Browse) -> None:
    row = row_of(text(as_user(kept.admin).get(PAGE)), "Urgencias")
    # 48 h and a quarter. P1 lacks 6 h and its 9 h; P4 has 24 h too many, more than its 3 h.
    assert "60.00 15.00 missing" in row
    assert "87.5 %" in row and "6.00" in row, "the first target stays"


def test_without_headroom_the_board_has_no_second_target(house: Any, as_user: Browse) -> None:
    page = text(as_user(house.admin).get(PAGE))
    assert "headroom" not in page.lower() and "coveris-second" not in page


def test_the_second_target_is_there_only_for_whom_it_is_shown(kept: Any, as_user: Browse) -> None:
    assert "coveris-second" in text(as_user(kept.manager).get(PAGE))
    assert "coveris-second" not in text(as_user(kept.admin).get(f"{PAGE}?unit=H2"))
    assert "coveris-second" not in text(as_user(kept.admin).get(f"{PAGE}?tag=ICU")), "some positions have none"


def test_a_closed_week_shows_the_second_target_it_had(kept: Any, as_user: Browse, settings: Any) -> None:
    settings.COVERIS_TODAY += timedelta(days=7)
    assert close_weeks() == 1
    OrgUnit.objects.update(headroom=None)
    drain()
    client = as_user(kept.admin)
    assert "60.00 15.00 missing" in row_of(text(client.get(f"{PAGE}?week=2026-W50")), "Urgencias")
    assert "coveris-second" not in text(client.get(PAGE))


def test_the_board_costs_as_many_queries_with_a_second_target_as_without(house: Any, as_user: Browse) -> None:
    client = as_user(house.admin)

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(PAGE)
        return len(queries)

    cost()
    before = cost()
    for number in range(20):
        unit = OrgUnitFactory(code=f"N{number}", parent=house.root, headroom=number)
        PositionFactory(org_unit=unit)
    drain()
    assert cost() == before


# Files and paper


def test_the_file_has_the_second_target_at_its_end_and_only_then(kept: Any, as_user: Browse) -> None:
    client = as_user(kept.admin)
    opened = f"open={kept.root.pk},{kept.h1.pk}&format=csv"
    found = {line["Code"]: line for line in lines(client.get(f"{FILE}?{opened}"))}
    ends = ("Headroom h", "With headroom h", "Missing with headroom h", "Coverage with headroom %")
    assert tuple(found["H1"])[-4:] == ends
    assert [Decimal(found["H1"][name]) for name in ends] == [12, 60, 15, 75]
    assert found["H1"]["Deficit h"] == "6.00"
    assert [found["P1"][name] for name in ends] == ["", "", "", ""]
    OrgUnit.objects.update(headroom=None)
    drain()
    assert tuple(lines(client.get(f"{FILE}?{opened}"))[0])[-1] == "State"


def test_the_pack_says_the_second_target_in_a_line_of_its_own(kept: Any, as_user: Browse) -> None:
    page = text(as_user(kept.admin).get(f"{PACK}?unit=H1"))
    assert "Second target, with 12.00 h of headroom: 60.00 h, 15.00 h missing, 75.0 % there" in page


# The unit's page and sheet


def test_the_unit_s_page_shows_the_percent_that_holds_there_and_the_second_target(kept: Any, as_user: Browse) -> None:
    client = as_user(kept.admin)
    ward = text(client.get(f"/admin/org/orgunit/{kept.ward.pk}/change/"))
    [tile] = re.findall(r'<div class="coveris-tile coveris-tile-second">.*?</div>', ward, re.S)
    said = " ".join(re.sub(r"<[^>]+>", " ", tile).split())
    assert said == "With headroom 25 % 15.00 second target, reached"
    other = text(client.get(f"/admin/org/orgunit/{kept.h2.pk}/change/"))
    assert "coveris-tile-second" not in other and "coveris-horizon-second" not in other
    assert ward.count("coveris-horizon-second") == 13


def test_whoever_edits_units_sets_it_on_the_unit_s_form(house: Any, as_user: Browse) -> None:
    address = f"/admin/org/orgunit/{house.h1.pk}/change/"
    data = {"code": "H1", "name": "Urgencias", "kind": "SERVICE", "parent": house.root.pk, "is_active": "on"}
    client = as_user(house.admin)
    assert "between 0 and 100" in text(client.post(address, data | {"headroom": "101"}))
    assert client.post(address, data | {"headroom": "18.5"}).status_code == 302
    house.h1.refresh_from_db()
    assert house.h1.headroom == Decimal("18.5")
    assert house.h1.history.first().headroom == Decimal("18.5")
    assert as_user(house.manager).post(address, data | {"headroom": "1"}).status_code == 403


def test_a_sheet_sets_it_clears_it_and_refuses_what_is_no_percent(house: Any) -> None:
    assert bring("org_units", sheet("code,headroom", "H1,18.25", "H2,")).ok
    assert list(OrgUnit.objects.filter(code__in=["H1", "H2"]).values_list("headroom", flat=True)) == [
        Decimal("18.25"), None,
    ]  # fmt: skip
    report = bring("org_units", sheet("code,headroom", "H1,100.01"))
    assert not report.ok and [error["column"] for error in report.errors] == ["headroom"]
    assert bring("org_units", sheet("code,name", "H1,Urgencias")).ok
    assert OrgUnit.objects.get(code="H1").headroom == Decimal("18.25"), "a sheet without the column leaves it"
    assert bring("org_units", sheet("code,headroom", "H1,")).ok
    assert OrgUnit.objects.get(code="H1").headroom is None
