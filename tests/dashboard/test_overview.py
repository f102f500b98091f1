"""The overview: real figures, in the reader's scope, at a constant price, without writing."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.business_rules.models import RuleViolation
from apps.changes.models import DeadLetter
from apps.fsm.services import apply_transition
from apps.org.models import OrgUnit
from project import dashboard
from tests import factories

from .conftest import store_unit

INDEX = "admin:index"


def violation(rule: Any, employee: Any, severity: str) -> RuleViolation:
    now = timezone.now()
    return RuleViolation.objects.create(
        rule=rule, subject_kind="employee", subject_id=employee.pk, subject_code=employee.employee_number,
        severity=severity, first_seen=now, last_seen=now,
    )  # fmt: skip


@pytest.fixture
def busy(clinic: Any) -> Any:
    """Figures of the worked example, a proposal, a leave, a notice, an expiring tag and a violation in each service."""
    store_unit(
        clinic.h1, required=49.714286, assigned=39.428571, filled=39.428571, deficit=10.285714, partial=1, covered=1
    )
    store_unit(
        clinic.h2, required=19.01, assigned=32.152857, filled=19.01, surplus=13.142857, covered=1, over_covered=1
    )
    rule = factories.BusinessRuleFactory()
    for unit, position in ((clinic.h1, clinic.p1), (clinic.h2, clinic.p2)):
        one, two, three = (factories.EmployeeFactory(home_unit=unit, active=True) for _ in range(3))
        factories.AssignmentFactory(employee=one, position=position, effective_hours=1)
        factories.LeaveFactory(employee=two, starts_on=date(2026, 12, 8), ends_on=date(2026, 12, 10))
        apply_transition(three, "give_notice", actor=None, last_day=date(2026, 12, 31), confirmed=True)
        tag = factories.TagFactory(certification=True)
        factories.EmployeeTagFactory(employee=one, tag=tag, valid_until=date(2026, 12, 20))
        violation(rule, one, "BLOCKING")
    return clinic


def overview(client: Any) -> Any:
    response = client.get(reverse(INDEX))
    assert response.status_code == 200
    return response


def tiles(response: Any, name: str) -> dict[str, Any]:
    return {str(tile.label): tile.value for tile in response.context[name]}


def test_the_figures_are_those_stored_for_this_week(busy: Any, as_user: Any) -> None:
    response = overview(as_user(busy.admin))
    html = response.content.decode()
    assert "85.0<small> %</small>" in html, "filled ÷ required"
    assert "104.2 %" in html, "raw"
    found = tiles(response, "hours")
    assert [str(found[name]) for name in ("Required hours", "Filled hours", "Missing hours", "Surplus hours")] == [
        "68.72", "58.44", "10.29", "13.14"
    ]  # fmt: skip
    assert found["Net-zero units"] == 1


def test_people_and_violations_are_counted(busy: Any, as_user: Any) -> None:
    response = overview(as_user(busy.admin))
    assert tiles(response, "people") == {
        "Proposals waiting": 2, "On leave today": 2, "Leaving": 2, "Tags expiring": 2
    }  # fmt: skip
    assert tiles(response, "violations") == {"Blocking": 2, "Warning": 0, "Informative": 0}


def test_a_manager_of_one_service_sees_only_its_share(busy: Any, as_user: Any) -> None:
    response = overview(as_user(busy.manager))
    html = response.content.decode()
    assert "Quirófano" not in html and "Instrumentación" not in html
    assert "79.3<small> %</small>" in html
    assert tiles(response, "people") == {
        "Proposals waiting": 1, "On leave today": 1, "Leaving": 1, "Tags expiring": 1
    }  # fmt: skip
    assert tiles(response, "violations")["Blocking"] == 1
    assert tiles(response, "hours")["Net-zero units"] == 0


def test_a_scoped_unit_that_hides_a_gap_counts_only_within_the_scope(busy: Any, as_user: Any) -> None:
    below = factories.OrgUnitFactory(code="H1A", parent=busy.h1)
    store_unit(below, required=10, assigned=30, filled=10, surplus=20, over_covered=1)
    assert tiles(overview(as_user(busy.manager)), "hours")["Net-zero units"] == 1, "H1; H above it is out of sight"
    assert tiles(overview(as_user(busy.admin)), "hours")["Net-zero units"] == 2


def test_the_worst_units_come_first_and_lead_to_their_board(busy: Any, as_user: Any) -> None:
    store_unit(busy.h2, required=100, deficit=100, vacant=3)
    rows = overview(as_user(busy.admin)).context["worst"]
    assert [row["unit"].code for row in rows] == ["H2", "H1"]
    assert rows[0]["link"] == f"{reverse('admin:demand_unitcoverage_changelist')}?unit=H2"


def test_the_weeks_are_drawn_with_a_text_and_a_table(busy: Any, as_user: Any) -> None:
    html = overview(as_user(busy.admin)).content.decode()
    assert html.count('class="coveris-horizon-value"') == 13
    assert '<title id="weeks-title">' in html and '<desc id="weeks-text">2026-W50: 85.0 %, 10.29 h missing.' in html
    assert len(re.findall(r'<th scope="row">202[67]-W', html)) == 13


def test_a_change_that_could_not_be_worked_off_is_flagged(busy: Any, as_user: Any) -> None:
    assert "could not be worked off" not in overview(as_user(busy.admin)).content.decode()
    DeadLetter.objects.create(kind="employee", subject_id=1, reason="division by zero")
    html = overview(as_user(busy.admin)).content.decode()
    assert "1 change could not be worked off" in html and "division by zero" not in html


def test_the_overview_costs_the_same_with_two_units_and_with_twenty(busy: Any, as_user: Any) -> None:
    client = as_user(busy.admin)
    overview(client)
    with CaptureQueriesContext(connection) as few:
        overview(client)
    for number in range(20):
        unit = factories.OrgUnitFactory(code=f"X{number}", parent=busy.h2)
        store_unit(unit, required=36, deficit=36, vacant=1)
        factories.EmployeeFactory(home_unit=unit)
    with CaptureQueriesContext(connection) as many:
        overview(client)
    assert len(few) == len(many) < 20


def test_a_tile_says_how_many_items_wait_the_gravest_first_and_leads_to_them(busy: Any, as_user: Any) -> None:
    client = as_user(busy.manager)
    tile = overview(client).context["inbox"]
    assert (tile.value, tile.text, tile.tone) == (1, "Blocking 1", "red")
    assert tile.link == reverse("admin:inbox_attention_inbox")
    rule = RuleViolation.objects.first().rule
    for number, severity in enumerate(("WARNING", "WARNING", "INFO")):
        employee = factories.EmployeeFactory(home_unit=busy.h1, employee_number=f"W{number}")
        violation(rule, employee, severity)
    tile = overview(client).context["inbox"]
    assert (tile.value, tile.text) == (3, "Blocking 1 · Warning 2"), "what only informs waits for nobody"
    assert overview(as_user(busy.admin)).context["inbox"].value == 4


def test_an_inbox_with_more_than_anybody_does_today_says_more(
    busy: Any, as_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "WAITING_COUNTED", 2)
    rule = RuleViolation.objects.first().rule
    for number in range(3):
        employee = factories.EmployeeFactory(home_unit=busy.h1, employee_number=f"W{number}")
        violation(rule, employee, "WARNING")
    tile = overview(as_user(busy.manager)).context["inbox"]
    assert (tile.value, tile.text) == ("more than 2", "Blocking 1 · Warning more than 1")


def test_an_empty_inbox_is_told_as_good_news(clinic: Any, as_user: Any) -> None:
    tile = overview(as_user(clinic.manager)).context["inbox"]
    assert (tile.value, tile.text, tile.tone) == (0, "nothing waits", "green")


def test_looking_writes_nothing(busy: Any, as_user: Any) -> None:
    client = as_user(busy.admin)
    overview(client)
    with CaptureQueriesContext(connection) as captured:
        overview(client)
    written = [query["sql"] for query in captured if query["sql"].split()[0].upper() in ("INSERT", "UPDATE", "DELETE")]
    assert not written


def test_an_empty_installation_says_what_to_do_first(admin_user: Any, as_user: Any) -> None:
    assert not OrgUnit.objects.exists()
    response = overview(as_user(admin_user))
    html = response.content.decode()
    assert "Nothing has been entered yet" in html
    assert reverse("admin:org_orgunit_changelist") in html
    assert response.context["first_steps"][0]["title"] == "Enter the units"


def test_nobody_without_a_login_sees_it(clinic: Any, client: Any) -> None:
    assert client.get(reverse(INDEX)).status_code == 302
