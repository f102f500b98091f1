"""Thirteen weeks side by side: what the cells say, where they lead, what they hide from whom, and their file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.test import Client

from apps.changes.drain import drain
from apps.demand.admin.board_rows import position_words, unit_words
from apps.demand.overview import Figures, of_position
from tests import factories

pytestmark = pytest.mark.django_db
PAGE = "/admin/demand/unitcoverage/"
WEEKS = f"{PAGE}?view=weeks"
FILE = f"{PAGE}export/?view=weeks"
Browse = Callable[[Any], Client]


def text(response: Any) -> str:
    assert response.status_code == 200, response.status_code
    return str(response.content.decode())


def cells_of(html: str, identity: str) -> list[str]:
    [row] = re.findall(rf'<tr id="{identity}".*?</tr>', html, re.S)
    return re.findall(r'<td class="coveris-heat.*?</td>', row, re.S)


def read(cell: str) -> str:
    """Return what a screen reader says of a cell."""
    spoken = re.sub(r'<span[^>]*aria-hidden="true">.*?</span>', "", cell)
    return " ".join(re.sub(r"<[^>]+>", "", spoken).split())


def test_every_line_has_thirteen_weeks_in_words_shape_and_colour(house: Any, as_user: Browse) -> None:
    page = text(as_user(house.admin).get(f"{WEEKS}&unit=H1"))
    assert re.findall(r'<abbr title="([^"]+)"', page)[:2] == ["2026-W50", "2026-W51"]
    units, positions = cells_of(page, f"unit-{house.h1.pk}"), cells_of(page, f"position-{house.p1.pk}")
    assert len(units) == len(positions) == 13
    assert read(units[0]) == "87.5 %, 1 position short, net-zero, 6.00 h missing"
    assert "coveris-badge-yellow" in units[0] and ">balance<" in units[0]
    assert read(positions[0]) == "83.3 %, Partial, 6.00 h missing"
    assert "coveris-badge-yellow" in positions[0] and ">contrast<" in positions[0]


def test_each_week_says_its_own(house: Any, as_user: Browse) -> None:
    factories.LeaveFactory(employee=house.nurse, starts_on=date(2026, 12, 14), ends_on=date(2026, 12, 20))
    house.p2.closes_on = date(2026, 12, 20)
    house.p2.save()
    drain()
    page = text(as_user(house.admin).get(f"{WEEKS}&open={house.root.pk},{house.h1.pk},{house.h2.pk}"))
    said = [read(cell) for cell in cells_of(page, f"position-{house.p1.pk}")]
    assert said[:3] == ["83.3 %, Partial, 6.00 h missing", "0.0 %, Vacant, 36.00 h missing",
                        "83.3 %, Partial, 6.00 h missing"]  # fmt: skip
    closing = cells_of(page, f"position-{house.p2.pk}")
    assert [read(cell) for cell in closing[1:3]] == ["0.0 %, Vacant, 36.00 h missing", "– No demand"]
    assert "coveris-badge-red" in closing[1] and "coveris-badge-grey" in closing[2]


def test_unqualified_hours_are_told_and_never_green(house: Any, as_user: Browse) -> None:
    [first, *_rest] = cells_of(text(as_user(house.admin).get(f"{WEEKS}&unit=H2")), f"position-{house.p3.pk}")
    assert read(first) == "100.0 %, Covered, unqualified hours"
    assert "coveris-badge-green" not in first


def test_a_cell_leads_to_its_week(house: Any, as_user: Browse) -> None:
    client = as_user(house.manager)
    page = text(client.get(f"{WEEKS}&tag=&unit=H1&order=worst"))
    link = re.search(r'href="([^"]+)"', cells_of(page, f"unit-{house.h1.pk}")[2]).group(1).replace("&amp;", "&")  # type: ignore[union-attr]
    response = client.get(PAGE + link)
    assert response.context["week_code"] == "2026-W52"
    assert [row.line.code for row in response.context["rows"]] == ["H1", "H1A", "P1"]
    position = re.search(r'href="([^"#]+)#([^"]+)"', cells_of(page, f"position-{house.p1.pk}")[2])
    assert position is not None and position.group(2) == "2026-W52"
    assert 'id="2026-W52"' in text(client.get(position.group(1)))


def test_states_and_the_worst_look_at_all_the_weeks(house: Any, as_user: Browse) -> None:
    later = factories.PositionFactory(
        code="LATER", org_unit=house.ward, required_weekly_hours=400, opens_on=date(2027, 2, 1)
    )
    drain()
    client = as_user(house.admin)

    def codes(query: str) -> list[str]:
        return [row.line.code for row in client.get(f"{PAGE}?{query}").context["rows"]]

    opened = f"open={house.root.pk},{house.h1.pk},{house.ward.pk}"
    assert later.code not in codes(f"{opened}&state=VACANT")
    assert codes(f"{opened}&state=VACANT&view=weeks") == ["H", "H1", "H1A", "LATER", "H2"]
    assert codes("order=worst") == ["H", "H2", "H1"]
    assert codes("order=worst&view=weeks") == ["H", "H1", "H2"]


def test_a_week_in_the_address_does_not_matter_here(house: Any, as_user: Browse) -> None:
    for week in ("2026-W51", "2020-W01", "nonsense"):
        page = text(as_user(house.admin).get(f"{WEEKS}&week={week}"))
        assert len(cells_of(page, f"unit-{house.root.pk}")) == 13


def test_a_person_sees_their_own_part(house: Any, as_user: Browse) -> None:
    for address in (f"{WEEKS}&open={house.root.pk},{house.h2.pk},{house.h1.pk}", f"{FILE}&open={house.h2.pk}"):
        page = text(as_user(house.manager).get(address))
        assert "Urgencias" in page
        assert "Quirófano" not in page and "P2" not in page


def test_the_file_has_every_week_of_every_line(house: Any, as_user: Browse) -> None:
    client = as_user(house.admin)
    query = f"open={house.root.pk},{house.h1.pk}&state=PARTIAL"
    shown = client.get(f"{WEEKS}&{query}").context["rows"]
    rows = list(csv.DictReader(io.StringIO(text(client.get(f"{FILE}&{query}&format=csv")))))
    assert [row["Code"] for row in rows] == [row.line.code for row in shown] == ["H", "H1", "P1"]
    assert (rows[2]["2026-W50 %"], rows[2]["2026-W50 missing h"], rows[2]["2026-W50 state"]) == (
        "83.3", "6.00", "Partial",
    )  # fmt: skip
    assert rows[1]["2027-W09 state"] == "1 position short, net-zero"
    assert len(rows[0]) == 5 + 3 * 13


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        (of_position(0, 0, 0, 0, 0), ("No demand", "No demand")),
        (of_position(700, 700, 0, 0, 0), ("Covered", "Covered")),
        (of_position(700, 1400, 0, 0, 0), ("Covered", "Over-covered")),
        (of_position(700, 0, 0, 0, 0), ("1 position short", "Vacant")),
        (of_position(700, 700, 0, 0, 7), ("Unqualified hours", "Covered, unqualified hours")),
    ],
)
def test_the_words_of_a_state(figures: Figures, said: tuple[str, str]) -> None:
    assert (unit_words(figures), position_words(figures)) == said
