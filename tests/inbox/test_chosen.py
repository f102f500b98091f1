"""Several items at once: one call does what fits, tells why of what does not, and forged ids reach nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.business_rules.models import RuleViolation
from apps.common.errors import Refusal
from apps.inbox.enums import AlertKind
from apps.inbox.items import Key, Sleep
from apps.inbox.models import Attention
from apps.inbox.reading import item_for, items_for
from apps.inbox.services import (
    acknowledge,
    acknowledge_chosen,
    assign,
    assign_chosen,
    snooze,
    snooze_chosen,
)
from apps.users.enums import Role
from tests.factories import Clinic, PositionFactory, UserFactory
from tests.today import TODAY

from .conftest import DAY, items_of, one
from .test_deeds import key_elsewhere

pytestmark = pytest.mark.django_db
PAGE = "/admin/inbox/attention/inbox/"
WEEK = TODAY + DAY * 7
CLIFF, VACANT, PROPOSAL, RULE = AlertKind.CLIFF, AlertKind.VACANT, AlertKind.PROPOSAL, AlertKind.RULE
Browse = Callable[[Any], Client]


def all_keys(user: Any) -> list[Key]:
    return [item.key for item in items_of(user)]


def codes(refused: dict[Key, Any]) -> dict[Key, str]:
    return {key: reason.code for key, reason in refused.items()}


DEEDS: dict[str, Callable[[list[Key], Any], Any]] = {
    "acknowledge": lambda keys, actor: acknowledge_chosen(keys=keys, actor=actor),
    "snooze": lambda keys, actor: snooze_chosen(keys=keys, until=WEEK, actor=actor),
    "assign": lambda keys, actor: assign_chosen(keys=keys, to=actor, actor=actor),
}


class TestWhoMay:
    @pytest.mark.parametrize("who", ["admin", "manager", "supervisor", "viewer"])
    def test_several_items_are_found_as_each_is_found_alone(self, waiting: Clinic, who: str) -> None:
        user = getattr(waiting, who)
        keys = [*all_keys(waiting.admin), Key(CLIFF, "assignment", 10**9, None, "LEAVE")]  # type: ignore[arg-type]
        alone = {key: item_for(user, key) for key in keys}
        assert items_for(user, keys) == {key: item for key, item in alone.items() if item is not None}

    @pytest.mark.parametrize("deed", DEEDS)
    def test_what_is_out_of_scope_or_over_is_refused_and_the_rest_stands(self, waiting: Clinic, deed: str) -> None:
        there, elsewhere = one(waiting.manager, CLIFF).key, key_elsewhere(waiting)
        over = Key(PROPOSAL, there.subject_kind, 10**9)
        outcome = DEEDS[deed]([elsewhere, there, over], waiting.manager)
        assert outcome.done == [there]
        assert codes(outcome.refused) == {elsewhere: "out_of_scope", over: "out_of_scope"}
        assert Attention.objects.get().subject_id == there.subject_id
        assert RuleViolation.objects.filter(rule=elsewhere.rule_id, state="ACKNOWLEDGED").count() == 0

    @pytest.mark.parametrize("deed", DEEDS)
    def test_who_only_reads_does_nothing(self, waiting: Clinic, deed: str) -> None:
        with pytest.raises(Refusal) as refusal:
            DEEDS[deed](all_keys(waiting.viewer), waiting.viewer)
        assert refusal.value.reasons[0].code == "forbidden"
        assert not Attention.objects.exists()

    @pytest.mark.parametrize("deed", DEEDS)
    def test_a_blocked_login_and_an_employee_do_nothing(self, waiting: Clinic, deed: str) -> None:
        for actor in (UserFactory(role=Role.EMPLOYEE), UserFactory(role=Role.ADMIN, is_active=False)):
            with pytest.raises(Refusal):
                DEEDS[deed](all_keys(waiting.manager), actor)
        assert not Attention.objects.exists()


class TestWhatBecomesOfThem:
    def test_all_of_a_page_are_acknowledged_violations_on_themselves(self, waiting: Clinic) -> None:
        keys = all_keys(waiting.manager)
        outcome = acknowledge_chosen(keys=keys, actor=waiting.manager, note="seen")
        assert (set(outcome.done), outcome.refused) == (set(keys), {})
        assert all(item.is_noted for item in items_of(waiting.viewer))
        rows = Attention.objects.all()
        assert {row.kind for row in rows} == {"CLIFF", "PROPOSAL"}
        assert {(row.acknowledged_by, row.note) for row in rows} == {(waiting.manager, "seen")}
        last = Attention.history.latest("history_id")
        assert (last.history_user_id, last.history_change_reason) == (waiting.manager.pk, "seen")
        told = RuleViolation.history.filter(state="ACKNOWLEDGED")
        assert told and {row.history_user_id for row in told} == {waiting.manager.pk}

    def test_what_was_acknowledged_before_says_so_and_the_others_are(self, waiting: Clinic) -> None:
        for kind in (CLIFF, VACANT):
            acknowledge(key=one(waiting.manager, kind).key, actor=waiting.manager)
        outcome = acknowledge_chosen(keys=all_keys(waiting.manager), actor=waiting.supervisor)
        assert {key.kind: code for key, code in codes(outcome.refused).items()} == {
            CLIFF: "wrong_state", VACANT: "wrong_state",
        }  # fmt: skip
        assert all(item.is_noted for item in items_of(waiting.viewer))

    def test_each_sleeps_with_what_it_was_when_put_to_sleep(self, waiting: Clinic) -> None:
        before = {item.key: item for item in items_of(waiting.manager)}
        snooze_chosen(keys=list(before), until=WEEK, actor=waiting.manager, note="later")
        assert items_of(waiting.viewer) == []
        asleep = items_of(waiting.viewer, sleep=Sleep.ASLEEP)
        assert {item.key for item in asleep} == set(before)
        assert all((item.snoozed_until, item.note) == (WEEK, "later") for item in asleep)
        for row in Attention.objects.all():
            item = next(item for item in before.values() if item.key.subject_id == row.subject_id
                        and item.key.kind == row.kind and item.key.rule_id == row.rule_id)  # fmt: skip
            assert (row.seen_rank, row.seen_value) == (item.rank, item.value)

    @pytest.mark.parametrize(("days", "code"), [(0, "past"), (366, "too_long")])
    def test_a_day_on_which_nothing_comes_back_is_refused_for_all(self, waiting: Clinic, days: int, code: str) -> None:
        with pytest.raises(Refusal) as refusal:
            snooze_chosen(keys=all_keys(waiting.manager), until=TODAY + DAY * days, actor=waiting.manager)
        assert refusal.value.reasons[0].code == code
        assert not Attention.objects.exists()

    def test_they_are_given_to_somebody_who_sees_them_and_not_to_who_does_not(self, waiting: Clinic) -> None:
        here, elsewhere = one(waiting.manager, CLIFF).key, key_elsewhere(waiting)
        outcome = assign_chosen(keys=[here, elsewhere], to=waiting.supervisor, actor=waiting.admin)
        assert (outcome.done, codes(outcome.refused)) == ([here], {elsewhere: "assignee"})
        assert one(waiting.manager, CLIFF).assigned_to_id == waiting.supervisor.pk

    def test_they_are_taken_back_where_somebody_has_them(self, waiting: Clinic) -> None:
        held, free = one(waiting.manager, CLIFF).key, one(waiting.manager, VACANT).key
        assign(key=held, to=waiting.supervisor, actor=waiting.manager)
        outcome = assign_chosen(keys=[held, free], to=None, actor=waiting.manager)
        assert (outcome.done, codes(outcome.refused)) == ([held], {free: "wrong_state"})
        assert one(waiting.manager, CLIFF).assigned_to_id is None

    def test_what_was_said_before_stays_where_nothing_is_said(self, waiting: Clinic) -> None:
        key = one(waiting.manager, CLIFF).key
        snooze(key=key, until=WEEK, actor=waiting.manager, note="first")
        assign_chosen(keys=[key], to=waiting.supervisor, actor=waiting.manager)
        row = Attention.objects.get()
        assert (row.note, row.snoozed_until, row.assigned_to) == ("first", WEEK, waiting.supervisor)

    @pytest.mark.parametrize("deed", DEEDS)
    def test_many_cost_as_many_statements_as_few(self, waiting: Clinic, deed: str) -> None:
        from apps.business_rules.services import sweep
        from apps.changes.drain import drain

        def cost() -> tuple[int, int]:
            keys = [key for key in all_keys(waiting.manager) if key not in done]
            with CaptureQueriesContext(connection) as asked:
                outcome = DEEDS[deed](keys, waiting.manager)
            done.update(keys)
            return len(asked), len(outcome.done)

        done: set[Key] = set()
        few, first = cost()
        for number in range(12):
            PositionFactory(org_unit=waiting.h1, title=f"Vacío {number}")
        drain()
        sweep(actor=None)
        many, more = cost()
        assert more > first
        assert many <= few


class TestOnThePage:
    def ticked(self, client: Client, deed: str, keys: list[Key], **values: Any) -> Any:
        return client.post(f"{PAGE}chosen/{deed}/", {"item": [key.token for key in keys], "back": PAGE, **values})

    def done(self, client: Client, deed: str, keys: list[Key], **values: Any) -> Any:
        tokens = ",".join(key.token for key in keys)
        return client.post(f"{PAGE}chosen/{deed}/", {"chosen": tokens, "back": f"{PAGE}?page=1", **values})

    def test_each_item_can_be_ticked_by_who_may_act_and_by_nobody_else(self, waiting: Clinic, as_user: Browse) -> None:
        page = as_user(waiting.manager).get(PAGE)
        for row in page.context["rows"]:
            assert f'name="item" value="{row["token"]}"' in page.content.decode()
        assert 'name="item"' not in as_user(waiting.viewer).get(PAGE).content.decode()

    @pytest.mark.parametrize("deed", DEEDS)
    def test_it_asks_once_for_all_and_changes_nothing_before(self, waiting: Clinic, as_user: Browse, deed: str) -> None:
        keys = [one(waiting.manager, kind).key for kind in (CLIFF, VACANT)]
        response = self.ticked(as_user(waiting.manager), deed, keys)
        page = response.content.decode()
        assert response.status_code == 200
        assert "2 items" in page and "Echeverría" in page and "Triage" in page
        assert not Attention.objects.exists()

    @pytest.mark.parametrize("deed", DEEDS)
    def test_done_to_all_it_returns_to_the_page_and_says_so(self, waiting: Clinic, as_user: Browse, deed: str) -> None:
        client, keys = as_user(waiting.manager), [one(waiting.manager, kind).key for kind in (CLIFF, PROPOSAL)]
        values = {"until": WEEK.isoformat(), "to": str(waiting.supervisor.pk), "note": "n"}
        response = self.done(client, deed, keys, **values)
        assert (response.status_code, response["Location"]) == (302, f"{PAGE}?page=1")
        assert Attention.objects.filter(note="n").count() == 2
        assert "2 items." in client.get(PAGE).content.decode()

    @pytest.mark.parametrize("deed", DEEDS)
    def test_what_is_refused_is_told_without_its_name_where_it_is_out_of_sight(
        self, waiting: Clinic, as_user: Browse, deed: str
    ) -> None:
        here, elsewhere = one(waiting.manager, CLIFF).key, key_elsewhere(waiting)
        values = {"until": WEEK.isoformat(), "to": str(waiting.supervisor.pk)}
        for response in (
            self.ticked(as_user(waiting.manager), deed, [here, elsewhere]),
            self.done(as_user(waiting.manager), deed, [here, elsewhere], **values),
        ):
            page = response.content.decode()
            assert response.status_code == 200
            assert "Echeverría" in page and "Díaz" not in page and "Quirófano" not in page
        assert "1 done" in page and "1 refused" in page and "no such item" in page
        assert Attention.objects.count() == 1

    def test_who_may_not_act_is_refused_and_a_link_leads_to_the_inbox(self, waiting: Clinic, as_user: Browse) -> None:
        keys = [one(waiting.viewer, CLIFF).key]
        assert self.done(as_user(waiting.viewer), "acknowledge", keys).status_code == 403
        assert not Attention.objects.exists()
        assert as_user(waiting.manager).get(f"{PAGE}chosen/acknowledge/")["Location"] == PAGE

    @pytest.mark.parametrize("tokens", ["x", "RULE.1..employee.1,x", "CLIFF..LEAVE.employee.1\x00"])
    def test_what_names_no_item_is_not_found(self, waiting: Clinic, as_user: Browse, tokens: str) -> None:
        response = as_user(waiting.manager).post(f"{PAGE}chosen/acknowledge/", {"chosen": tokens})
        assert response.status_code == 404

    def test_more_than_fit_on_a_page_are_not_taken(self, waiting: Clinic, as_user: Browse) -> None:
        keys = [Key(CLIFF, "assignment", number, None, "LEAVE") for number in range(201)]  # type: ignore[arg-type]
        assert self.done(as_user(waiting.manager), "acknowledge", keys).status_code == 404

    def test_nothing_ticked_says_so(self, waiting: Clinic, as_user: Browse) -> None:
        client = as_user(waiting.manager)
        assert self.ticked(client, "snooze", [])["Location"] == PAGE
        assert "Choose at least one item first." in client.get(PAGE).content.decode()

    def test_an_unknown_deed_is_not_found(self, waiting: Clinic, as_user: Browse) -> None:
        keys = [one(waiting.manager, CLIFF).key]
        assert self.ticked(as_user(waiting.manager), "explode", keys).status_code == 404

    def test_offered_is_who_sees_one_of_them_and_a_forged_person_is_no_choice(
        self, waiting: Clinic, as_user: Browse
    ) -> None:
        stranger, keys = UserFactory(role="MANAGER", unit=waiting.h2), [one(waiting.manager, CLIFF).key]
        client = as_user(waiting.manager)
        page = self.ticked(client, "assign", keys).content.decode()
        assert str(waiting.supervisor.pk) in page and str(stranger.pk) not in page
        assert self.done(client, "assign", keys, to=str(stranger.pk)).status_code == 200
        assert not Attention.objects.exists()
        both = self.ticked(as_user(waiting.admin), "assign", [*keys, key_elsewhere(waiting)]).content.decode()
        assert str(waiting.supervisor.pk) in both and str(stranger.pk) in both

    def test_a_day_gone_by_comes_back_in_the_same_form(self, waiting: Clinic, as_user: Browse) -> None:
        keys = [one(waiting.manager, CLIFF).key]
        response = self.done(as_user(waiting.manager), "snooze", keys, until=TODAY.isoformat())
        assert "Name a day to come" in response.content.decode()
        assert keys[0].token in response.content.decode()
