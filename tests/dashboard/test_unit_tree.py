"""The unit tree: rolled up, level by level, within the reader's scope."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.demand.models import WholeCoverage
from apps.org.models import OrgUnit
from tests import factories

from .conftest import MONDAY, store_position, store_unit

TREE = "admin:org_orgunit_changelist"


def row_of(html: str, unit: Any) -> str:
    found = re.search(rf'<tr id="unit-{unit.pk}".*?</tr>', html, re.S)
    assert found, f"{unit} is not on the page"
    return " ".join(re.sub(r"<[^>]+>", " ", found.group()).split())


@pytest.fixture
def figures(clinic: Any) -> None:
    """The week 2026-W50 of the worked example: H1 misses hours, H2 has too many, so H hides a gap."""
    store_unit(
        clinic.h1, required=49.714286, assigned=39.428571, filled=39.428571, deficit=10.285714, partial=1, covered=1
    )
    store_unit(
        clinic.h2, required=19.01, assigned=32.152857, filled=19.01, surplus=13.142857, covered=1, over_covered=1
    )


def page(client: Any, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_a_unit_shows_the_sums_of_everything_below_it(clinic: Any, figures: None, as_user: Any) -> None:
    html = page(as_user(clinic.admin), reverse(TREE))
    root = row_of(html, clinic.root)
    for figure in ("85.0 %", "104.2", "68.72", "58.44", "10.29", "13.14"):
        assert figure in root
    assert "79.3 %" in row_of(html, clinic.h1)


def test_net_zero_is_flagged_where_a_surplus_hides_a_gap_and_nowhere_else(
    clinic: Any, figures: None, as_user: Any
) -> None:
    html = page(as_user(clinic.admin), reverse(TREE))
    assert "Net-zero" in row_of(html, clinic.root)
    assert "Net-zero" not in row_of(html, clinic.h1)
    assert "Net-zero" not in row_of(html, clinic.h2)


def test_a_unit_with_unqualified_hours_is_not_green(clinic: Any, as_user: Any) -> None:
    store_unit(clinic.h1, required=36, assigned=36, filled=36, covered=1)
    store_unit(clinic.h2, required=36, assigned=36, filled=36, covered=1, unqualified=12)
    html = page(as_user(clinic.admin), reverse(TREE))
    green, unqualified = (
        re.search(rf'<tr id="unit-{u.pk}".*?</tr>', html, re.S).group() for u in (clinic.h1, clinic.h2)
    )
    assert "coveris-tone-green" in green and "coveris-badge-green" in green
    assert "coveris-tone-green" not in unqualified


def test_a_scoped_reader_starts_at_the_own_unit_and_sees_no_other(clinic: Any, figures: None, as_user: Any) -> None:
    html = page(as_user(clinic.manager), reverse(TREE))
    assert "Urgencias" in html
    assert "Quirófano" not in html and "Hospital" not in html
    assert page(as_user(clinic.admin), reverse(TREE)).count("Quirófano"), "the canary: an administrator sees it"


def test_units_outside_cannot_be_opened_found_or_visited(clinic: Any, figures: None, as_user: Any) -> None:
    client = as_user(clinic.manager)
    assert "Quirófano" not in page(client, f"{reverse(TREE)}?open={clinic.root.pk},{clinic.h2.pk}")
    assert "Quirófano" not in page(client, f"{reverse(TREE)}?q=Quir")
    assert client.get(reverse("admin:org_orgunit_change", args=(clinic.h2.pk,))).status_code == 404


def test_only_what_was_opened_is_on_the_page(clinic: Any, as_user: Any) -> None:
    below = factories.OrgUnitFactory(code="H1A", name="Shock room", parent=clinic.h1)
    client = as_user(clinic.admin)
    assert "Shock room" not in page(client, reverse(TREE))
    html = page(client, f"{reverse(TREE)}?open={clinic.root.pk},{clinic.h1.pk}")
    assert "Shock room" in html
    closing = re.search(rf'<tr id="unit-{clinic.h1.pk}".*?href="([^"]+)"', html, re.S).group(1)
    assert str(below.pk) not in closing and f"#unit-{clinic.h1.pk}" in closing


def test_another_week_shows_that_weeks_figures(clinic: Any, as_user: Any) -> None:
    store_unit(clinic.h1, required=36, assigned=36, filled=36, covered=1)
    stored = WholeCoverage.objects.get(pk=clinic.h1.pk)
    stored.filled[1], stored.assigned[1], stored.deficit[1] = 0, 0, 36 * 700
    stored.save()
    client = as_user(clinic.admin)
    assert "100.0 %" in row_of(page(client, reverse(TREE)), clinic.h1)
    html = page(client, f"{reverse(TREE)}?week=2026-W51")
    assert " 0.0 %" in row_of(html, clinic.h1) and "36.00" in row_of(html, clinic.h1)


def test_figures_that_lag_a_week_behind_are_read_at_the_right_week(clinic: Any, as_user: Any) -> None:
    store_unit(clinic.h1, required=36, filled=36, covered=1)
    stored = WholeCoverage.objects.get(pk=clinic.h1.pk)
    stored.first_week, stored.filled[1] = MONDAY - timedelta(weeks=1), 18 * 700
    stored.save()
    assert "50.0 %" in row_of(page(as_user(clinic.admin), reverse(TREE)), clinic.h1)


def test_the_tree_costs_the_same_with_two_units_and_with_twenty(clinic: Any, as_user: Any) -> None:
    client = as_user(clinic.admin)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page(client, reverse(TREE))
        return len(captured)

    page(client, reverse(TREE))
    few = queries()
    for number in range(20):
        store_unit(factories.OrgUnitFactory(code=f"X{number}", parent=clinic.root), required=36, deficit=36, vacant=1)
    assert queries() == few
    assert few < 20


def test_a_units_page_shows_its_positions_with_their_state_and_the_weeks(
    clinic: Any, figures: None, as_user: Any
) -> None:
    store_position(clinic.p1, required=36, assigned=25.714286)
    html = page(as_user(clinic.manager), reverse("admin:org_orgunit_change", args=(clinic.h1.pk,)))
    assert "Enfermería de guardia" in html and "25.71" in html
    assert html.count("coveris-horizon-value") == 13


@pytest.mark.parametrize(
    ("assigned", "unqualified", "tone", "state"),
    [(0, 0, "red", "Vacant"), (12, 0, "yellow", "Partial"), (36, 0, "green", "Covered"), (36, 6, "yellow", "Covered"),
     (40, 0, "green", "Over-covered")],
)  # fmt: skip
def test_the_bar_of_a_position_on_its_units_page_has_the_colour_of_its_state(
    clinic: Any, as_user: Any, assigned: int, unqualified: int, tone: str, state: str
) -> None:
    store_position(clinic.p1, required=36, assigned=assigned, unqualified=unqualified)
    html = page(as_user(clinic.manager), reverse("admin:org_orgunit_change", args=(clinic.h1.pk,)))
    [row] = re.findall(r"<tr>(?:(?!</tr>).)*Enfermería de guardia.*?</tr>", html, re.S)
    assert re.findall(r"coveris-progress coveris-tone-(\w+)", row) == [tone]
    badge = re.search(rf'coveris-badge-(\w+)">(?:(?!</span>).)*</span>{state}</span>', row, re.S)
    assert badge, row
    assert (badge.group(1) == "green") == (state == "Covered" and not unqualified)


def test_only_an_administrator_changes_units(clinic: Any, as_user: Any) -> None:
    path = reverse("admin:org_orgunit_change", args=(clinic.h1.pk,))
    data = {"code": "H1", "name": "Guardia", "kind": "SERVICE", "parent": clinic.root.pk, "is_active": "on"}
    assert as_user(clinic.manager).post(path, data).status_code == 403
    assert as_user(clinic.admin).post(path, data).status_code == 302
    clinic.h1.refresh_from_db()
    assert clinic.h1.name == "Guardia"
    row = clinic.h1.history.latest()
    assert (row.history_user, row.origin) == (clinic.admin, "admin")


def test_a_unit_cannot_be_hung_below_itself(clinic: Any, as_user: Any) -> None:
    data = {"code": "H", "name": "Hospital", "kind": "CLINIC", "parent": clinic.h1.pk, "is_active": "on"}
    response = as_user(clinic.admin).post(reverse("admin:org_orgunit_change", args=(clinic.root.pk,)), data)
    assert response.status_code == 200
    assert response.context["errors"]
    assert OrgUnit.objects.get(pk=clinic.root.pk).parent is None


def test_an_administrator_adds_moves_and_removes_a_unit(clinic: Any, as_user: Any) -> None:
    client = as_user(clinic.admin)
    data = {"code": "N", "name": "Neo", "kind": "UNIT", "parent": clinic.h1.pk, "is_active": "on"}
    assert client.post(reverse("admin:org_orgunit_add"), data).status_code == 302
    unit = OrgUnit.objects.get(code="N")
    assert unit.path == [clinic.root.pk, clinic.h1.pk, unit.pk]
    client.post(reverse("admin:org_orgunit_change", args=(unit.pk,)), data | {"parent": clinic.h2.pk})
    unit.refresh_from_db()
    assert unit.path == [clinic.root.pk, clinic.h2.pk, unit.pk]
    assert client.post(reverse("admin:org_orgunit_delete", args=(unit.pk,)), {"post": "yes"}).status_code == 302
    assert not OrgUnit.objects.filter(code="N").exists()
