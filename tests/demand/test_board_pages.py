"""The board of coverage: who sees what, filters, weeks, addresses, files, paper, cost."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape
from openpyxl import load_workbook

from apps.changes.drain import drain
from apps.changes.turning import close_weeks
from apps.demand.admin import board_asked, board_files, board_pack, board_rows, unit_coverage
from apps.demand.board import closed_weeks
from tests import factories

pytestmark = pytest.mark.django_db
PAGE = "/admin/demand/unitcoverage/"
FILE, PACK = f"{PAGE}export/", f"{PAGE}print/"
WEEK = date(2026, 12, 7)
Browse = Callable[[Any], Client]


def text(response: Any) -> str:
    assert response.status_code == 200, response.status_code
    return str(response.content.decode())


def codes(response: Any) -> list[str]:
    assert response.status_code == 200
    return [row.line.code for row in response.context["rows"] if not row.more]


def row_of(html: str, name: str) -> str:
    found = [row for row in re.findall(r"<tr.*?</tr>", html, re.S) if name in row]
    assert len(found) == 1, f"{name} stands in {len(found)} rows"
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


def opened(*units: Any) -> str:
    return "open=" + ",".join(str(unit.pk) for unit in units)


# What is shown


def test_a_unit_shows_its_roll_up(house: Any, as_user: Browse) -> None:
    page = text(as_user(house.admin).get(PAGE))
    row = row_of(page, "Urgencias")
    # P1 has 30 of 36 h, P4 36 of 12 h: filled 42 of 48, and 66 assigned hide the 6 that are missing.
    for said in ("87.5 %", "137.5 %", "48.00", "66.00", "42.00", "6.00", "24.00", "Net-zero", "36.00 h reinforcement"):
        assert said in row, said
    assert "20.00 h unqualified" in row_of(page, "Quirófano")


def test_an_open_unit_shows_what_is_below_it_and_its_positions_with_their_state(house: Any, as_user: Browse) -> None:
    page = text(as_user(house.admin).get(f"{PAGE}?{opened(house.root, house.h1, house.h2)}"))
    assert "Ward" in page
    assert "Partial" in row_of(page, "Enfermería de guardia") and "83.3 %" in row_of(page, "Enfermería de guardia")
    assert "Vacant" in row_of(page, "Instrumentación")


def test_a_position_with_unqualified_hours_is_not_green(house: Any, as_user: Browse) -> None:
    page = text(as_user(house.admin).get(f"{PAGE}?unit=H2"))
    [row] = [row for row in re.findall(r"<tr.*?</tr>", page, re.S) if f'id="position-{house.p3.pk}"' in row]
    assert "Covered" in row and "20.00 h unqualified" in row
    assert "coveris-tone-green" not in row and "coveris-badge-green" not in row


def test_from_a_unit_to_its_people_it_is_two_clicks(house: Any, as_user: Browse) -> None:
    client = as_user(house.admin)
    rows = client.get(PAGE).context["rows"]
    toggle = next(row.toggle for row in rows if row.line.code == "H1")
    rows = client.get(PAGE + toggle.partition("#")[0]).context["rows"]
    link = next(row.link for row in rows if row.line.code == "P1")
    assert "Gómez, Lucía" in text(client.get(link))


def test_links_lead_to_the_unit_in_that_week_and_to_its_own_board(house: Any, as_user: Browse) -> None:
    client = as_user(house.manager)
    page = text(client.get(f"{PAGE}?week=2026-W51"))
    unit = f"/admin/org/orgunit/{house.h1.pk}/change/?week=2026-W51"
    assert f'href="{unit}"' in page
    assert client.get(unit).status_code == 200
    assert escape("?week=2026-W51&unit=H1") in page


def test_a_unit_alone_shows_the_way_back_up(house: Any, as_user: Browse) -> None:
    response = as_user(house.admin).get(f"{PAGE}?unit=H1A")
    assert codes(response) == ["H1A", "P4"]
    assert [name for name, _link in response.context["above"]] == ["Hospital", "Urgencias"]
    assert [name for name, _link in as_user(house.manager).get(f"{PAGE}?unit=H1A").context["above"]] == ["Urgencias"]


# Who


def test_a_person_sees_their_own_part_of_the_organisation(house: Any, as_user: Browse) -> None:
    client = as_user(house.manager)
    for query in ("", f"?{opened(house.root, house.h1, house.h2)}", "?kind=SERVICE", "?view=weeks"):
        page = text(client.get(PAGE + query))
        assert "Urgencias" in page
        assert "Quirófano" not in page and "Hospital" not in page
    assert "Quirófano" in text(as_user(house.admin).get(PAGE)), "the canary: an administrator sees it"


def test_a_unit_out_of_sight_is_404_everywhere(house: Any, as_user: Browse) -> None:
    client = as_user(house.manager)
    for address in (PAGE, FILE, PACK):
        assert client.get(f"{address}?unit=H2").status_code == 404
        assert client.get(f"{address}?unit=H1A").status_code == 200
    assert client.get(f"{PAGE}{house.h2.pk}/change/").status_code == 404


def test_a_units_stored_figures_lead_to_its_board(house: Any, as_user: Browse) -> None:
    answer = as_user(house.manager).get(f"{PAGE}{house.h1.pk}/change/")
    assert (answer.status_code, answer["Location"]) == (302, f"{PAGE}?unit=H1")


def test_nobody_without_the_right_comes_in(house: Any, as_user: Browse) -> None:
    worker = factories.UserFactory(role="EMPLOYEE", is_staff=True)
    for address in (PAGE, FILE, PACK):
        assert as_user(worker).get(address).status_code == 403
        assert as_user(house.admin).post(address).status_code == 403
        assert Client().get(address).status_code == 302


# Filters, order, weeks


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["H", "H1", "H2"]),
        ("kind=SERVICE", ["H1", "H2"]),
        ("kind=SERVICE&order=worst", ["H2", "H1"]),
        ("state=VACANT", ["H", "H2"]),
        ("state=OVER_COVERED", ["H", "H1"]),
        ("state=UNQUALIFIED", ["H", "H2"]),
        ("state=NET_ZERO", ["H1"]),
        ("tag=ICU", ["H", "H2"]),
        ("tag=ICU&state=VACANT", []),
        ("kind=SERVICE&tag=ICU", ["H2"]),
        ("order=worst", ["H", "H2", "H1"]),
        ("kind=x&state=x&order=x&page=x&open=", ["H"]),
        ("open=99999999999999999999,-1,x", ["H"]),
        ("page=0", ["H", "H1", "H2"]),
        ("kind=%00&week=%00", ["H", "H1", "H2"]),
    ],
)
def test_filters_and_order(house: Any, as_user: Browse, query: str, shown: list[str]) -> None:
    assert codes(as_user(house.admin).get(f"{PAGE}?{query}")) == shown


def test_an_unknown_tag_or_unit_is_404(house: Any, as_user: Browse) -> None:
    assert as_user(house.admin).get(f"{PAGE}?tag=NONE").status_code == 404
    assert as_user(house.admin).get(f"{PAGE}?unit=NONE").status_code == 404


def test_a_flat_list_says_where_each_unit_belongs(house: Any, as_user: Browse) -> None:
    assert "Hospital › Urgencias" in row_of(text(as_user(house.admin).get(f"{PAGE}?kind=UNIT")), "Ward")


def test_filters_that_nothing_meets_say_so_and_lead_out(house: Any, as_user: Browse) -> None:
    page = text(as_user(house.admin).get(f"{PAGE}?tag=ICU&state=VACANT&week=2026-W51"))
    assert "Nothing meets these filters" in page
    assert 'href="?week=2026-W51"' in page


def test_everything_on_the_page_is_in_its_address(house: Any, as_user: Browse) -> None:
    asked = f"week=2026-W51&{opened(house.root, house.h2)}&state=VACANT&order=worst"
    response = as_user(house.admin).get(f"{PAGE}?{asked}")
    context = response.context
    for link in (
        context["weeks_url"], context["files"][0][1], context["print_url"],
        next(row.toggle for row in context["rows"] if row.line.code == "H2"),
    ):  # fmt: skip
        for part in ("week=2026-W51", "state=VACANT", "order=worst"):
            assert part in link
    hidden = dict(context["hidden"])
    assert hidden == {"open": ",".join(map(str, sorted((house.root.pk, house.h2.pk))))}
    assert '<option value="VACANT" selected>' in text(response)


def test_another_week_shows_that_weeks_figures(house: Any, as_user: Browse) -> None:
    house.p1.closes_on = date(2026, 12, 13)
    house.p1.save()
    drain()
    client = as_user(house.admin)
    assert "48.00" in row_of(text(client.get(PAGE)), "Urgencias")
    assert "12.00" in row_of(text(client.get(f"{PAGE}?week=2026-W51")), "Urgencias")
    assert "48.00" not in row_of(text(client.get(f"{PAGE}?week=2026-W51")), "Urgencias")


def test_a_week_gone_by_is_shown_as_it_closed(house: Any, as_user: Browse, settings: Any) -> None:
    settings.COVERIS_TODAY = WEEK + timedelta(days=8)
    close_weeks()
    factories.PositionFactory(org_unit=house.h1, required_weekly_hours=100)
    drain()
    client = as_user(house.admin)
    page = text(client.get(f"{PAGE}?week=2026-W50"))
    assert "48.00" in row_of(page, "Urgencias")
    assert "figures and tree as they were then" in page
    assert '<option value="2026-W50" selected>' in page
    assert "148.00" in row_of(text(client.get(PAGE)), "Urgencias")
    assert closed_weeks(9) == [WEEK]


@pytest.mark.parametrize("week", ["2020-W02", "2027-W40", "2026-W99", "soon"])
def test_a_week_without_figures_is_explained(house: Any, as_user: Browse, week: str) -> None:
    page = text(as_user(house.admin).get(f"{PAGE}?week={week}"))
    assert "No figures for this week" in page
    assert week in page
    assert '<option value="2026-W50"' in page
    for address in (FILE, PACK):
        answer = as_user(house.admin).get(f"{address}?week={week}")
        assert (answer.status_code, answer["Location"]) == (302, f"{PAGE}?week={week}")


def test_the_page_says_how_fresh_its_figures_are(house: Any, as_user: Browse) -> None:
    client = as_user(house.admin)
    assert "0 changes waiting" in text(client.get(PAGE))
    factories.PositionFactory(org_unit=house.h1)
    assert re.search(r"[1-9] changes? waiting", text(client.get(PAGE)))


def test_an_empty_house_says_so(db: Any, as_user: Browse, admin_user: Any) -> None:
    assert "No units here" in text(as_user(admin_user).get(PAGE))


# Long levels


def test_a_long_level_is_paged_and_one_below_says_how_many_more_there_are(
    house: Any, as_user: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_asked, "LEVEL", 1)
    client = as_user(house.admin)
    response = client.get(PAGE)
    assert (codes(response), response.context["pages"]) == (["H", "H1"], 2)
    assert "Page 1 of 2" in text(response)
    assert response.context["page_links"] == {"after": "?week=2026-W50&page=2"}
    assert codes(client.get(f"{PAGE}?page=2")) == ["H", "H2"]
    [more] = [row for row in client.get(f"{PAGE}?{opened(house.root, house.h2)}&page=2").context["rows"] if row.more]
    assert more.more == 1
    assert codes(client.get(PAGE + more.focus)) == ["H2", "P2"]


def test_a_page_beyond_the_last_leads_to_the_first(house: Any, as_user: Browse) -> None:
    for number in range(2):
        factories.OrgUnitFactory(code=f"Z{number}")
    answer = as_user(house.admin).get(f"{PAGE}?page=9&order=worst")
    assert (answer.status_code, answer["Location"]) == (302, "?week=2026-W50&order=worst")


def test_a_page_that_would_be_endless_is_cut_and_says_so(
    house: Any, as_user: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (board_rows, unit_coverage):
        monkeypatch.setattr(module, "MOST_SHOWN", 2)
    response = as_user(house.admin).get(PAGE)
    assert codes(response) == ["H", "H1"]
    assert "Only the first 2 lines" in text(response)


# Files


def table(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text(response).lstrip("\ufeff"))))


@pytest.mark.parametrize("query", ["", "open=", "state=VACANT", "tag=ICU", "kind=SERVICE&order=worst", "unit=H1"])
def test_a_file_has_the_lines_of_the_page(house: Any, as_user: Browse, query: str) -> None:
    for user in (house.admin, house.manager):
        client = as_user(user)
        shown = client.get(f"{PAGE}?{query}")
        rows = table(client.get(f"{FILE}?{query}&format=csv"))
        assert [row["Code"] for row in rows] == codes(shown)
        for row, line in zip(rows, shown.context["rows"], strict=True):
            assert row["Required h"] == str(line.line.figures.required_hours)
            assert row["Deficit h"] == str(line.line.figures.deficit_hours)


def test_a_file_goes_beyond_the_page(house: Any, as_user: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_asked, "LEVEL", 1)
    rows = table(as_user(house.viewer).get(f"{FILE}?{opened(house.h1, house.ward)}&page=2"))
    assert [row["Code"] for row in rows] == ["H1", "H1A", "P4", "P1"]
    told = rows[0]
    assert (told["Coverage %"], told["Raw %"], told["Net-zero"]) == ("87.5", "137.5", "yes")
    assert (told["Partial positions"], told["Over-covered positions"]) == ("1", "1")
    assert (rows[3]["Part of"], rows[3]["State"]) == ("Urgencias", "Partial")


def test_a_workbook_has_numbers_and_no_formula(house: Any, as_user: Browse) -> None:
    house.h1.name = "=1+1"
    house.h1.save()
    response = as_user(house.admin).get(f"{FILE}?format=xlsx")
    assert response["Content-Disposition"] == 'attachment; filename="coverage_2026-W50_2026-12-09.xlsx"'
    sheet = load_workbook(io.BytesIO(response.content)).active
    header, _root, row, _other = [list(line) for line in sheet.iter_rows()]
    told = {title.value: cell for title, cell in zip(header, row, strict=True)}
    assert (told["Name"].value, told["Name"].data_type) == ("=1+1", "s")
    assert (told["Deficit h"].value, told["Coverage %"].value) == (6, 87.5)
    assert "'=1+1" in text(as_user(house.admin).get(f"{FILE}?format=csv"))


def test_the_file_in_spanish_opens_in_a_spanish_spreadsheet(house: Any, as_user: Browse) -> None:
    client = as_user(house.admin)
    client.cookies["django_language"] = "es"
    told = text(client.get(FILE))
    assert told.startswith("\ufeff")
    assert ";87,5;137,5;" in told


def test_a_file_that_would_be_too_long_is_refused_on_the_board(
    house: Any, as_user: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_files, "MOST_ROWS", 2)
    answer = as_user(house.admin).get(f"{FILE}?format=xlsx", follow=True)
    assert answer.redirect_chain == [(f"{PAGE}?week=2026-W50", 302)]
    assert "At most 2 lines go into one file" in text(answer)
    assert len(table(as_user(house.admin).get(f"{FILE}?open="))) == 1


def test_who_may_not_export_gets_no_button_and_no_file(house: Any, as_user: Browse) -> None:
    client = as_user(house.viewer)
    assert client.get(PAGE).context["files"]
    user = type(house.viewer).objects.get(pk=house.viewer.pk)
    for group in user.groups.all():
        group.permissions.remove(*group.permissions.filter(codename="export_unitcoverage"))
    assert client.get(PAGE).context["files"] == []
    assert client.get(FILE).status_code == 403


# Paper


def test_the_pack_has_a_page_for_each_unit_of_the_board_with_its_people(house: Any, as_user: Browse) -> None:
    page = text(as_user(house.admin).get(f"{PACK}?{opened(house.root, house.h1)}"))
    sections = page.split('<section class="page"')[1:]
    titles = [re.search(r"<h1[^>]*>([^<]+) <small>", section)[1] for section in sections]  # type: ignore[index]
    assert titles == ["Hospital", "Urgencias", "Ward", "Quirófano"]
    assert "Gómez, Lucía (30.00 h)" in sections[1]
    assert "Ward" in sections[1] and "Net-zero" in sections[1]
    assert "Instrumentación" in sections[3] and "Instrumentación" not in sections[1]


def test_the_pack_of_a_flat_list_has_its_units_with_their_content(house: Any, as_user: Browse) -> None:
    sections = text(as_user(house.admin).get(f"{PACK}?kind=UNIT")).split('<section class="page"')[1:]
    assert len(sections) == 1
    assert "P4" in sections[0] and "reinforcement" in sections[0]


def test_the_pack_keeps_to_the_scope(house: Any, as_user: Browse) -> None:
    page = text(as_user(house.manager).get(f"{PACK}?{opened(house.root, house.h1, house.h2)}"))
    assert page.count('<section class="page"') == 2
    assert "Quirófano" not in page and "Hospital" not in page


def test_a_pack_that_would_be_too_thick_is_refused(
    house: Any, as_user: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_pack, "MOST_UNITS", 2)
    answer = as_user(house.admin).get(PACK, follow=True)
    assert "A pack has at most 2 pages" in text(answer)


# Where it is reached from


def test_the_menu_leads_to_the_board(house: Any, as_user: Browse) -> None:
    groups = as_user(house.admin).get(PAGE).context["sidebar_navigation"]
    active = [str(item["title"]) for group in groups for item in group["items"] if item["active"]]
    assert active == ["Coverage board"]


def test_the_overview_and_a_units_page_lead_to_the_board(house: Any, as_user: Browse) -> None:
    client = as_user(house.admin)
    overview = text(client.get("/admin/"))
    assert f'href="{PAGE}?state=VACANT"' in overview
    assert f'href="{PAGE}?state=NET_ZERO"' in overview
    assert f'href="{PAGE}?unit=H2"' in overview, "where most hours are missing"
    unit = text(client.get(f"/admin/org/orgunit/{house.h1.pk}/change/?week=2026-W51"))
    assert escape(f"{PAGE}?unit=H1&week=2026-W51") in unit
    assert escape(f"{PAGE}?unit=H1&view=weeks") in unit


# Cost


@pytest.mark.parametrize(
    "query", ["", "view=weeks", "kind=SERVICE&view=weeks&order=worst", "tag=ICU&order=worst", "unit=H1"]
)
def test_a_page_with_2_and_with_20_costs_the_same(house: Any, as_user: Browse, query: str) -> None:
    client = as_user(house.admin)
    addresses = [f"{PAGE}?{query}", f"{FILE}?{query}", f"{PACK}?{query}"]

    def more(number: int) -> None:
        for each in range(number):
            unit = factories.OrgUnitFactory(code=f"N{number}-{each}", kind="SERVICE", parent=house.h1)
            for parent in (house.h1, house.root, unit):
                position = factories.PositionFactory(org_unit=parent)
                factories.PositionTagFactory(position=position, tag=house.tag)
                factories.AssignmentFactory(employee=house.surgeon, position=position, effective_hours=1)
        drain()

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get(address).status_code == 200
        return len(asked)

    more(1)
    queries(addresses[0])
    few = [queries(address) for address in addresses]
    more(9)
    assert [queries(address) for address in addresses] == few


@pytest.mark.parametrize("view", ["", "weeks"])
def test_whatever_is_asked_takes_fifteen_queries_at_most(house: Any, as_user: Browse, view: str) -> None:
    client = as_user(house.manager)
    query = f"unit=H1A&tag=ICU&view={view}&{opened(house.h1, house.ward)}"
    factories.PositionTagFactory(position=house.extra, tag=house.tag)
    with CaptureQueriesContext(connection) as asked:
        assert codes(client.get(f"{PAGE}?{query}")) == ["H1A", "P4"]
    assert len(asked) <= 15, [query["sql"][:100] for query in asked.captured_queries]
