"""The page of the inbox: who sees what, its filters, links and dialogs, its cost."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from apps.business_rules.models import RuleViolation
from apps.business_rules.services import sweep
from apps.changes.drain import drain
from apps.inbox import items as items_module
from apps.inbox.enums import AlertKind
from apps.inbox.models import AlertRefresh, Attention, Subscription
from apps.inbox.services import assign, refresh_alerts, snooze
from tests.factories import AssignmentFactory, Clinic, EmployeeFactory, PositionFactory, UserFactory
from tests.today import TODAY

from .conftest import DAY, one

pytestmark = pytest.mark.django_db
PAGE = "/admin/inbox/attention/inbox/"
Browse = Callable[[Any], Client]


def text(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def kinds_on(response: Any) -> set[str]:
    assert response.status_code == 200
    return {row["item"].key.kind for row in response.context["rows"]}


def row_of(response: Any, kind: AlertKind) -> Any:
    [row] = [row for row in response.context["rows"] if row["item"].key.kind == kind]
    return row


def deed_url(key: Any, deed: str) -> str:
    return f"{PAGE}{key.token}/{deed}/"


def test_an_item_says_what_where_since_when_by_when_and_who(waiting: Clinic, as_user: Browse) -> None:
    assign(key=one(waiting.manager, AlertKind.CLIFF).key, to=waiting.supervisor, actor=waiting.manager, note="call her")
    page = text(as_user(waiting.manager).get(PAGE))
    for said in (
        "Blocking", "Rule broken", "Gómez, Lucía (E1)", "Unit below target", "Vacancy", "Triage (EMPTY)",
        "Coverage running out", "Assignment ends: 36 h a week are missing from 30 Dec 2026 on. Nobody follows.",
        "by 30 Dec 2026, in 21 days", "Echeverría, Marta → Terapia intensiva (P3)", "Urgencias (H1)",
        "Proposed 30 days ago and not decided.", "Reanimación", "call her", str(waiting.supervisor), "nobody",
    ):  # fmt: skip
        assert said in page, said


def test_a_person_sees_their_own_part_of_the_organisation(waiting: Clinic, as_user: Browse) -> None:
    for who in ("manager", "supervisor", "viewer"):
        page = text(as_user(getattr(waiting, who)).get(PAGE))
        assert "Gómez" in page
        assert "Díaz" not in page
        assert "Quirófano" not in page
        assert as_user(getattr(waiting, who)).get(f"{PAGE}?unit=H2").status_code == 404
    assert "Díaz" in text(as_user(waiting.admin).get(PAGE))


def test_nobody_without_the_right_comes_in(waiting: Clinic, as_user: Browse) -> None:
    worker = UserFactory(role="EMPLOYEE", is_staff=True)
    assert as_user(worker).get(PAGE).status_code == 403
    assert as_user(waiting.admin).post(PAGE).status_code == 403
    assert Client().get(PAGE).status_code == 302


def test_every_link_of_an_item_leads_somewhere(waiting: Clinic, as_user: Browse) -> None:
    for user in (waiting.manager, waiting.admin):
        client = as_user(user)
        response = client.get(PAGE)
        links = {
            link
            for row in response.context["rows"]
            for link in (row["told"].url, row["told"].subject_url, row["told"].deed_url, *(d[0] for d in row["deeds"]))
        }
        assert len(links) > 20
        for link in links:
            assert escape(link) in text(response), link
            assert client.get(link).status_code == 200, link


def test_the_next_deed_is_what_the_reader_may_do(waiting: Clinic, as_user: Browse) -> None:
    deeds: dict[str, dict[str, str]] = {}
    for who in ("manager", "supervisor", "viewer"):
        rows = as_user(getattr(waiting, who)).get(PAGE).context["rows"]
        deeds[who] = {row["item"].key.kind: row["told"].deed for row in rows}
    assert deeds["manager"][AlertKind.PROPOSAL] == "Accept or reject"
    assert deeds["supervisor"][AlertKind.PROPOSAL] == "Look at the proposal"
    assert deeds["manager"][AlertKind.EXPIRY] == "Renew Reanimación"
    assert deeds["supervisor"][AlertKind.EXPIRY] == "See what ends"
    assert deeds["supervisor"][AlertKind.VACANT] == deeds["supervisor"][AlertKind.CLIFF] == "Find somebody"
    assert deeds["viewer"][AlertKind.VACANT] == deeds["viewer"][AlertKind.CLIFF] == "See the position"
    assert deeds["viewer"][AlertKind.UNDER_COVERED] == "See what is missing"


def test_find_somebody_and_renew_open_forms_filled_in(waiting: Clinic, as_user: Browse) -> None:
    client = as_user(waiting.manager)
    response = client.get(PAGE)
    find = row_of(response, AlertKind.CLIFF)["told"].deed_url
    wanted = client.get(find).context["wanted"]
    assert (wanted.position, wanted.hours, wanted.starts_on) == (waiting.p3, 36, TODAY + DAY * 21)
    form = client.get(row_of(response, AlertKind.EXPIRY)["told"].deed_url).context["adminform"].form
    bound = form.__class__(data=_initial(form))
    assert bound.is_valid(), bound.errors
    assert (bound.cleaned_data["employee"], bound.cleaned_data["tag"].code) == (waiting.leaver, "RCP")
    assert bound.cleaned_data["valid_from"] == TODAY + DAY * 13


def _initial(form: Any) -> dict[str, Any]:
    return {name: form.get_initial_for_field(form.fields[name], name) for name in form.fields}


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("?kind=CLIFF", {"CLIFF"}),
        ("?severity=BLOCKING", {"RULE"}),
        ("?kind=RULE&severity=BLOCKING", {"RULE"}),
        ("?kind=CLIFF&severity=BLOCKING", set()),
        ("?whose=mine", {"VACANT"}),
        ("?whose=unassigned", {"RULE", "CLIFF", "EXPIRY", "UNDER_COVERED"}),
        ("?state=asleep", {"PROPOSAL"}),
        ("?q=echeverr", {"CLIFF", "EXPIRY"}),
        ("?unit=H1&q=triage", {"VACANT"}),
        ("?kind=x&severity=y&whose=z&state=w&page=q", {"RULE", "VACANT", "CLIFF", "EXPIRY", "UNDER_COVERED"}),
        ("?kind=FIGURES", {"RULE", "VACANT", "CLIFF", "EXPIRY", "UNDER_COVERED"}),
        ("?q=%00&page=%00", {"RULE", "VACANT", "CLIFF", "EXPIRY", "UNDER_COVERED"}),
        ("?page=99999", set()),
    ],
)
def test_filters_narrow_what_is_shown(waiting: Clinic, as_user: Browse, query: str, kinds: set[str]) -> None:
    me = waiting.manager
    assign(key=one(me, AlertKind.VACANT).key, to=me, actor=me)
    snooze(key=one(me, AlertKind.PROPOSAL).key, until=TODAY + DAY, actor=me)
    assert kinds_on(as_user(me).get(PAGE + query)) == kinds


def test_counts_stand_on_top_and_lead_to_their_kind(waiting: Clinic, as_user: Browse) -> None:
    client = as_user(waiting.manager)
    response = client.get(f"{PAGE}?severity=WARNING")
    for tile in response.context["tiles"]:
        there = client.get(PAGE + tile["link"])
        assert len(there.context["rows"]) == int(tile["number"]), tile["label"]
        assert "severity=WARNING" in tile["link"]


def test_beyond_ten_thousand_it_is_no_longer_counted(
    waiting: Clinic, as_user: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items_module, "COUNTED", 1)
    response = as_user(waiting.admin).get(PAGE)
    assert response.context["number"] == "more than 1"
    assert {str(tile["label"]): tile["number"] for tile in response.context["tiles"]}["Vacancy"] == 1


def test_pages_are_turned(waiting: Clinic, as_user: Browse, settings: Any) -> None:
    settings.COVERIS_PAGE_SIZE = 2
    client, seen, address = as_user(waiting.manager), [], "?"
    while address:
        response = client.get(PAGE + address)
        seen += [row["item"].key for row in response.context["rows"]]
        address = response.context["next"]
    settings.COVERIS_PAGE_SIZE = 100
    assert seen == [row["item"].key for row in client.get(PAGE).context["rows"]]


def test_an_empty_inbox_says_so(clinic: Clinic, as_user: Browse) -> None:
    assert "Nothing waits" in text(as_user(clinic.manager).get(PAGE))
    assert "Nothing waits with these filters" in text(as_user(clinic.manager).get(f"{PAGE}?kind=CLIFF"))


def test_the_page_says_how_fresh_it_is_and_lets_ask_again(waiting: Clinic, as_user: Browse) -> None:
    client = as_user(waiting.supervisor)
    assert "was last looked for on" in text(client.get(PAGE))
    assert client.get(f"{PAGE}refresh/").status_code == 403
    assert client.post(f"{PAGE}refresh/").status_code == 302
    assert AlertRefresh.objects.get().requested_at is not None
    assert "It is being looked for now." in text(client.get(PAGE))
    assert as_user(waiting.viewer).post(f"{PAGE}refresh/").status_code == 403
    AlertRefresh.objects.all().delete()
    assert "has not been looked for yet" in text(as_user(waiting.viewer).get(PAGE))


class TestDialogs:
    @pytest.mark.parametrize("deed", ["acknowledge", "assign", "snooze"])
    def test_asking_changes_nothing_and_doing_it_returns(self, waiting: Clinic, as_user: Browse, deed: str) -> None:
        client, key = as_user(waiting.manager), one(waiting.manager, AlertKind.CLIFF).key
        back = f"{PAGE}?kind=CLIFF"
        assert "Echeverría" in text(client.get(deed_url(key, deed), {"back": back}))
        assert not Attention.objects.exists()
        values = {"to": str(waiting.supervisor.pk), "until": (TODAY + DAY).isoformat(), "note": "n", "back": back}
        response = client.post(deed_url(key, deed), values)
        assert (response.status_code, response["Location"]) == (302, back)
        assert Attention.objects.get().note == "n"

    @pytest.mark.parametrize("deed", ["acknowledge", "assign", "snooze", "wake"])
    def test_out_of_scope_is_not_found_and_a_reader_is_refused(
        self, waiting: Clinic, as_user: Browse, deed: str
    ) -> None:
        row = RuleViolation.objects.get(rule__code="HOURS_OVER_POOL", subject_code="E2")
        key = items_module.Key(AlertKind.RULE, "employee", row.subject_id, row.rule_id)  # type: ignore[arg-type]
        for method in ("get", "post"):
            assert getattr(as_user(waiting.manager), method)(deed_url(key, deed)).status_code == 404
            seen = one(waiting.viewer, AlertKind.CLIFF).key
            assert getattr(as_user(waiting.viewer), method)(deed_url(seen, deed)).status_code == 403
        assert as_user(waiting.admin).get(deed_url(key, deed)).status_code == 200

    @pytest.mark.parametrize("address", ["nothing/snooze/", "RULE.1..employee.1/snooze/", "{key}/explode/"])
    def test_a_forged_address_is_not_found(self, waiting: Clinic, as_user: Browse, address: str) -> None:
        key = one(waiting.manager, AlertKind.CLIFF).key.token
        assert as_user(waiting.manager).get(PAGE + address.format(key=key)).status_code == 404

    def test_offered_is_who_can_see_it(self, waiting: Clinic, as_user: Browse) -> None:
        other = UserFactory(role="MANAGER", unit=waiting.h2)
        whole = UserFactory(role="SUPERVISOR")
        page = text(as_user(waiting.manager).get(deed_url(one(waiting.manager, AlertKind.CLIFF).key, "assign")))
        offered = set(re.findall(r'<option value="([0-9a-f-]{36})"', page))
        assert offered == {str(user.pk) for user in
                           (waiting.admin, waiting.manager, waiting.supervisor, waiting.viewer, whole)}  # fmt: skip
        assert str(other.pk) not in offered

    def test_a_wrong_day_comes_back_with_its_reason(self, waiting: Clinic, as_user: Browse) -> None:
        key = one(waiting.manager, AlertKind.CLIFF).key
        response = as_user(waiting.manager).post(deed_url(key, "snooze"), {"until": TODAY.isoformat()})
        assert "Name a day to come" in text(response)

    def test_everybody_says_for_themselves_what_to_be_told(self, waiting: Clinic, as_user: Browse) -> None:
        address, client = f"{PAGE}subscription/", as_user(waiting.viewer)
        assert "One mail a day" in text(client.get(address))
        assert not Subscription.objects.exists()
        values = {"by_mail": "on", "kinds": ["VACANT", "CLIFF"], "cliff_lead_days": 14, "coverage_lead_days": 30}
        assert client.post(address, values).status_code == 302
        row = Subscription.objects.get()
        assert (row.user, row.by_mail, row.only_mine, row.kinds) == (waiting.viewer, True, False, ["VACANT", "CLIFF"])
        assert (row.cliff_lead_days, row.coverage_lead_days) == (14, 30)
        assert client.post(address, {**values, "kinds": ["FAILURE"]}).status_code == 200
        assert client.post(address, {**values, "cliff_lead_days": 91}).status_code == 200
        assert client.post(address, {**values, "kinds": []}).status_code == 200
        worker = UserFactory(role="EMPLOYEE", is_staff=True)
        assert as_user(worker).get(address).status_code == 403

    def test_no_mail_is_offered_where_none_is_sent(self, waiting: Clinic, as_user: Browse, settings: Any) -> None:
        settings.COVERIS_SENDS_MAIL = False
        client = as_user(waiting.viewer)
        page = text(client.get(f"{PAGE}subscription/"))
        assert "One mail a day" not in page and "sends no mail" in page
        client.post(f"{PAGE}subscription/", {"by_mail": "on", "cliff_lead_days": 5, "coverage_lead_days": 5})
        row = Subscription.objects.get()
        assert (row.by_mail, row.cliff_lead_days) == (False, 5)


def test_the_menu_counts_what_is_assigned_to_the_reader(waiting: Clinic, as_user: Browse) -> None:
    def line(user: Any) -> Any:
        groups = as_user(user).get(PAGE).context["sidebar_navigation"]
        [item] = [item for group in groups for item in group["items"] if str(item["title"]) == "Inbox"]
        return item

    assert "badge" not in line(waiting.manager)
    assign(key=one(waiting.manager, AlertKind.VACANT).key, to=waiting.manager, actor=waiting.manager)
    assert (line(waiting.manager)["badge"], line(waiting.manager)["active"]) == (1, True)
    assert "badge" not in line(waiting.supervisor)


@pytest.mark.parametrize("who", ["admin", "manager"])
@pytest.mark.parametrize("query", ["", "?q=triage", "?unit=H1", "?whose=mine"])
def test_a_page_with_few_and_with_many_costs_the_same(
    waiting: Clinic, as_user: Browse, settings: Any, who: str, query: str
) -> None:
    settings.COVERIS_PAGE_SIZE = 200
    user = getattr(waiting, who)
    client = as_user(user)
    for kind in (AlertKind.VACANT, AlertKind.CLIFF):
        assign(key=one(waiting.manager, kind).key, to=user, actor=waiting.manager)

    def cost() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as asked:
            response = client.get(PAGE + query)
        assert response.status_code == 200
        return len(asked), len(response.context["rows"])

    cost()
    few, before = cost()
    for number in range(10):
        employee = EmployeeFactory(home_unit=waiting.h1, active=True)
        position = PositionFactory(org_unit=waiting.h1, title=f"Triage {number}")
        PositionFactory(org_unit=waiting.h1, title=f"Triage vacío {number}")
        AssignmentFactory(
            employee=employee, position=position, effective_hours=40, ends_on=TODAY + DAY * 5, accepted=True,
        )  # fmt: skip
    drain()
    sweep(actor=None)
    refresh_alerts(actor=None)
    many, after = cost()
    assert many == few
    assert after > before + 15 or query == "?whose=mine"
    # The session, the person, their rights and scope are four or five of them.
    assert many <= 17, many
