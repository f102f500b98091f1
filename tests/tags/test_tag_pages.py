"""The catalogue, the tags employees hold, and their log."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from apps.org import querysets
from apps.tags.models import EmployeeTag, TagCatalog, TagChangeLog
from tests.factories import Clinic, EmployeeFactory, EmployeeTagFactory, TagFactory
from tests.screens.people import TODAY, cost, page, signed_in

INSIDE = {"HTTP_X_COVERIS_DIALOG": "1"}


def held_by(employee: Any, **fields: Any) -> EmployeeTag:
    return EmployeeTagFactory(employee=employee, tag=TagFactory(contract=True), **fields)


def test_the_catalogue_is_read_by_all_and_written_by_the_administrator(clinic: Clinic) -> None:
    tag = TagFactory(name="Night work")
    data = {"code": tag.code, "name": "Nights", "type": "QUALIFICATION", "hours_delta": "0", "is_active": "on",
            "first_warning_days": "", "last_warning_days": ""}  # fmt: skip
    for user in (clinic.viewer, clinic.supervisor, clinic.manager):
        client = signed_in(user)
        assert "Night work" in client.get(page("tags.tagcatalog")).content.decode()
        assert client.get(page("tags.tagcatalog", "change", tag.pk)).status_code == 200
        assert client.post(page("tags.tagcatalog", "change", tag.pk), data).status_code == 403
    assert signed_in(clinic.admin).post(page("tags.tagcatalog", "change", tag.pk), data).status_code == 302
    tag.refresh_from_db()
    assert tag.name == "Nights"
    assert tag.history.order_by("-history_id")[0].history_user_id == clinic.admin.pk


def test_a_tag_no_longer_offered_is_left_out_of_choices_only(clinic: Clinic) -> None:
    TagFactory(name="Old contract", is_active=False)
    TagFactory(name="New contract")
    client = signed_in(clinic.manager)
    query = {"app_label": "tags", "model_name": "employeetag", "field_name": "tag", "term": "contract"}
    found = [item["text"] for item in client.get("/admin/autocomplete/", query).json()["results"]]
    assert len(found) == 1
    assert found[0].startswith("New contract")
    assert "Old contract" in client.get(page("tags.tagcatalog"), {"q": "contract"}).content.decode()


def test_a_tag_is_added_from_the_page_of_its_employee(clinic: Clinic) -> None:
    client = signed_in(clinic.manager)
    tab = page("org.employee", "tags", clinic.nurse.pk)
    add = client.get(tab).context["add_url"]
    tag = TagFactory(certification=True)
    data = {"employee": clinic.nurse.pk, "tag": tag.pk, "valid_from": TODAY.isoformat(), "valid_until": "", "note": ""}
    response = client.post(add, data)
    assert response.status_code == 200
    assert "say until when" in response.content.decode()
    response = client.post(add, {**data, "valid_until": (TODAY + timedelta(days=365)).isoformat()})
    assert (response.status_code, response["Location"]) == (302, tab)
    log = TagChangeLog.objects.filter(tag=tag).get()
    assert (log.change, log.actor) == ("ADDED", clinic.manager)


def test_the_same_tag_twice_at_once_is_refused_in_words(clinic: Clinic) -> None:
    held = held_by(clinic.nurse)
    data = {"employee": clinic.nurse.pk, "tag": held.tag_id, "valid_from": "2026-06-01", "valid_until": "", "note": ""}
    response = signed_in(clinic.manager).post(page("tags.employeetag", "add"), data)
    assert response.status_code == 200
    assert "already holds this tag" in response.content.decode()


def test_ending_sets_the_last_day_with_reason(clinic: Clinic) -> None:
    held = held_by(clinic.nurse)
    client = signed_in(clinic.manager)
    url = page("tags.employeetag", "end", held.pk)
    text = client.get(url, **INSIDE).content.decode()
    assert TODAY.isoformat() in text
    assert "-36" in text
    assert client.post(url, {"valid_until": "2019-01-01", "reason": "x"}, **INSIDE).status_code == 200
    held.refresh_from_db()
    assert held.valid_until is None
    assert client.post(url, {"valid_until": TODAY.isoformat(), "reason": "new contract"}).status_code == 302
    held.refresh_from_db()
    assert held.valid_until == TODAY
    log = TagChangeLog.objects.filter(tag=held.tag).order_by("-id")[0]
    assert (log.change, log.actor, log.reason) == ("CHANGED", clinic.manager, "new contract")


def test_revoking_takes_it_away_with_reason(clinic: Clinic) -> None:
    held = held_by(clinic.nurse)
    client = signed_in(clinic.manager)
    url = page("tags.employeetag", "revoke", held.pk)
    client.get(url)
    assert client.post(url, {"reason": ""}).status_code == 200
    assert EmployeeTag.objects.filter(pk=held.pk).exists()
    assert client.post(url, {"reason": "entered by mistake"}).status_code == 302
    assert not EmployeeTag.objects.filter(pk=held.pk).exists()
    log = TagChangeLog.objects.filter(tag=held.tag).order_by("-id")[0]
    assert (log.change, log.actor, log.reason) == ("REMOVED", clinic.manager, "entered by mistake")


@pytest.mark.parametrize("verb", ["end", "revoke"])
def test_deeds_are_kept_from_those_who_may_not(clinic: Clinic, verb: str) -> None:
    held, foreign = held_by(clinic.nurse), held_by(clinic.surgeon)
    data = {"valid_until": TODAY.isoformat(), "reason": "forged"}
    for user in (clinic.viewer, clinic.supervisor):
        assert signed_in(user).post(page("tags.employeetag", verb, held.pk), data).status_code == 403
        text = signed_in(user).get(page("org.employee", "tags", clinic.nurse.pk)).content.decode()
        assert f"/{verb}/" not in text
    assert signed_in(clinic.manager).post(page("tags.employeetag", verb, foreign.pk), data).status_code == 404
    assert EmployeeTag.objects.filter(pk__in=[held.pk, foreign.pk], valid_until=None).count() == 2


def test_the_expiry_filter_finds_what_ends_soon(clinic: Clinic) -> None:
    soon = held_by(clinic.nurse, valid_until=TODAY + timedelta(days=5))
    later = held_by(clinic.nurse, valid_until=TODAY + timedelta(days=60))
    over = held_by(clinic.nurse, valid_until=TODAY - timedelta(days=1))
    client = signed_in(clinic.manager)

    def found(validity: str) -> set[int]:
        rows = client.get(page("tags.employeetag"), {"validity": validity}).context["cl"].result_list
        return {row.pk for row in rows} & {soon.pk, later.pk, over.pk}

    assert found("7") == {soon.pk}
    assert found("90") == {soon.pk, later.pk}
    assert found("over") == {over.pk}
    assert found("now") == {soon.pk, later.pk}


@pytest.mark.parametrize("model", ["tags.tagcatalog", "tags.employeetag", "tags.tagchangelog"])
def test_the_lists_cost_the_same_with_two_rows_and_with_twenty(clinic: Clinic, model: str) -> None:
    def fill(number: int) -> None:
        for _number in range(number):
            held_by(EmployeeFactory(home_unit=clinic.h1))

    client = signed_in(clinic.manager)
    fill(2)
    cost(client, page(model))
    few = cost(client, page(model))
    fill(18)
    assert cost(client, page(model)) == few


def test_the_log_is_scoped_and_read_only(clinic: Clinic) -> None:
    held_by(clinic.surgeon)
    mine = held_by(clinic.nurse)
    client = signed_in(clinic.manager)
    rows = client.get(page("tags.tagchangelog")).context["cl"].result_list
    assert {row.employee for row in rows} == {clinic.nurse}
    log = TagChangeLog.objects.filter(tag=mine.tag).get()
    assert client.get(page("tags.tagchangelog", "change", log.pk)).status_code == 200
    foreign = TagChangeLog.objects.exclude(employee=clinic.nurse)[0]
    assert client.get(page("tags.tagchangelog", "change", foreign.pk)).status_code == 404
    boss = signed_in(clinic.admin)
    for url in (page("tags.tagchangelog", "add"), page("tags.tagchangelog", "change", log.pk),
                page("tags.tagchangelog", "delete", log.pk), page("tags.tagchangelog")):  # fmt: skip
        assert boss.post(url, {"reason": "forged"}).status_code == 403


def test_the_holders_of_a_tag_are_counted_today(clinic: Clinic) -> None:
    tag = TagFactory(name="Counted")
    EmployeeTagFactory(employee=clinic.nurse, tag=tag)
    EmployeeTagFactory(employee=clinic.surgeon, tag=tag, valid_until=TODAY - timedelta(days=1))
    rows = signed_in(clinic.admin).get(page("tags.tagcatalog"), {"q": "Counted"}).context["cl"].result_list
    assert [row.number_of_holders for row in rows] == [1]
    assert TagCatalog.objects.filter(pk=tag.pk).exists()


@pytest.mark.parametrize("many", [0, 1_000_000], ids=["walked", "composed"])
def test_holders_outside_the_readers_part_are_not_counted(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(querysets, "MANY_UNITS", many)
    querysets._sizes.clear()
    tag = TagFactory(name="Counted")
    for employee in (clinic.nurse, clinic.surgeon):
        EmployeeTagFactory(employee=employee, tag=tag)
    for user, number in ((clinic.admin, 2), (clinic.manager, 1)):
        listed = signed_in(user).get(page("tags.tagcatalog"), {"q": "Counted"}).content.decode()
        assert re.search(rf"field-holders_now[^>]*>\s*{number}\s*<", listed), number
    querysets._sizes.clear()
