"""The list of positions and the page of one."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.changes.drain import drain
from apps.org.models import Position
from tests.factories import (
    AssignmentFactory,
    Clinic,
    DemandAdjustmentFactory,
    EmployeeFactory,
    PositionFactory,
    PositionTagFactory,
    TagFactory,
)
from tests.screens.people import TODAY, cost, page, signed_in

TABS = ("change", "coverage", "assignments", "adjustments", "history")


def data_of(position: Position, **changed: Any) -> dict[str, Any]:
    return {
        "code": position.code, "title": position.title, "org_unit": position.org_unit_id,
        "required_weekly_hours": "36", "opens_on": "2026-01-01", "closes_on": "", **changed,
    }  # fmt: skip


def test_the_list_shows_the_coverage_of_this_week(clinic: Clinic) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, accepted=True, effective_hours=Decimal("24"))
    drain()
    response = signed_in(clinic.manager).get(page("org.position"))
    assert [row.code for row in response.context["cl"].result_list] == ["P1"]
    text = response.content.decode()
    assert "24.00 / 36.00" in text
    assert "Partial" in text


def test_a_covered_position_is_not_green_while_somebody_is_unqualified(clinic: Clinic) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, accepted=True, effective_hours=Decimal("36"))
    drain()
    client = signed_in(clinic.viewer)
    assert "coveris-badge-green" in client.get(page("org.position")).content.decode()
    PositionTagFactory(position=clinic.p1, tag=TagFactory())
    drain()
    for url in (page("org.position"), page("org.position", "coverage", clinic.p1.pk)):
        text = client.get(url).content.decode()
        assert "coveris-badge-green" not in text
        assert "unqualified hours" in text


def test_the_list_costs_the_same_with_two_rows_and_with_twenty(clinic: Clinic) -> None:
    client = signed_in(clinic.manager)
    PositionFactory(org_unit=clinic.h1)
    drain()
    cost(client, page("org.position"))
    few = cost(client, page("org.position"))
    for _number in range(18):
        PositionFactory(org_unit=clinic.h1)
    drain()
    assert cost(client, page("org.position")) == few


@pytest.mark.parametrize("tab", TABS)
def test_a_tab_costs_the_same_with_two_rows_and_with_twenty(clinic: Clinic, tab: str) -> None:
    client = signed_in(clinic.manager)

    def fill(number: int, first: int) -> None:
        for n in range(first, first + number):
            AssignmentFactory(
                employee=EmployeeFactory(home_unit=clinic.h1, active=True), position=clinic.p1, accepted=True
            )
            DemandAdjustmentFactory(position=clinic.p1, from_day=TODAY + timedelta(days=n))
            PositionTagFactory(position=clinic.p1, tag=TagFactory())
        drain()

    url = page("org.position", tab, clinic.p1.pk)
    fill(2, 0)
    cost(client, url)
    few = cost(client, url)
    fill(18, 2)
    assert cost(client, url) == few


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_opens_in_scope_alone(clinic: Clinic, tab: str) -> None:
    client = signed_in(clinic.viewer)
    assert client.get(page("org.position", tab, clinic.p1.pk)).status_code == 200
    assert client.get(page("org.position", tab, clinic.p2.pk)).status_code == 404


def test_the_coverage_tab_shows_thirteen_weeks(clinic: Clinic) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, accepted=True, effective_hours=Decimal("30"))
    other = EmployeeFactory(home_unit=clinic.h1, active=True)
    AssignmentFactory(employee=other, position=clinic.p1, effective_hours=Decimal("6"), is_reinforcement=True)
    drain()
    response = signed_in(clinic.viewer).get(page("org.position", "coverage", clinic.p1.pk))
    assert len(response.context["weeks"]) == 13
    first = response.context["weeks"][0]
    assert str(first["percent"]) == "83.3"
    assert "6.00" in first["proposed"]
    assert "0.00" in first["reinforcement"]


def test_tags_are_set_by_the_form_with_actor(clinic: Clinic) -> None:
    one, two, gone = TagFactory(), TagFactory(), TagFactory()
    PositionTagFactory(position=clinic.p1, tag=gone)
    client = signed_in(clinic.manager)
    data = data_of(clinic.p1, required_tags=[one.pk], preferred_tags=[two.pk])
    assert client.post(page("org.position", "change", clinic.p1.pk), data).status_code == 302
    assert dict(clinic.p1.tags.values_list("tag", "level")) == {one.pk: "REQUIRED", two.pk: "PREFERRED"}
    row = clinic.p1.tags.get(tag=one)
    assert row.history.get().history_user_id == clinic.manager.pk
    form = client.get(page("org.position", "change", clinic.p1.pk)).content.decode()
    assert one.name in form


def test_a_tag_cannot_be_both_required_and_preferred(clinic: Clinic) -> None:
    tag = TagFactory()
    data = data_of(clinic.p1, title="Changed", required_tags=[tag.pk], preferred_tags=[tag.pk])
    response = signed_in(clinic.manager).post(page("org.position", "change", clinic.p1.pk), data)
    assert response.status_code == 200
    assert "Already required" in response.content.decode()
    clinic.p1.refresh_from_db()
    assert clinic.p1.title == "Enfermería de guardia"
    assert not clinic.p1.tags.exists()


def test_a_position_cannot_be_moved_out_of_scope(clinic: Clinic) -> None:
    data = data_of(clinic.p1, org_unit=clinic.h2.pk)
    assert signed_in(clinic.manager).post(page("org.position", "change", clinic.p1.pk), data).status_code == 200
    clinic.p1.refresh_from_db()
    assert clinic.p1.org_unit == clinic.h1


def test_who_may_only_look_sees_the_tags_in_words(clinic: Clinic) -> None:
    tag = TagFactory(name="Intensive care")
    PositionTagFactory(position=clinic.p1, tag=tag)
    text = signed_in(clinic.viewer).get(page("org.position", "change", clinic.p1.pk)).content.decode()
    assert "Intensive care" in text
    assert "<select" not in text.partition('id="position_form"')[2].partition("</form>")[0]


def test_filters_find_what_they_say(clinic: Clinic) -> None:
    PositionFactory(code="SHUT", org_unit=clinic.h2, closes_on=TODAY - timedelta(days=1))
    client = signed_in(clinic.admin)

    def codes(**query: Any) -> set[str]:
        return {row.code for row in client.get(page("org.position"), query).context["cl"].result_list}

    assert codes(open="no") == {"SHUT"}
    assert codes(open="yes") == {"P1", "P2"}
    assert codes(org_unit__id__exact=clinic.h2.pk) == {"P2", "SHUT"}
    assert codes(org_unit__id__exact=clinic.root.pk) == {"P1", "P2", "SHUT"}
    assert codes(q="guardia") == {"P1"}
