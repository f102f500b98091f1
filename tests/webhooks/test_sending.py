"""Posts really go over the wire: signed, retried, given up, and never twice by two workers at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.webhooks import sending
from apps.webhooks.enums import DeliveryState, Topic
from apps.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookHealth
from apps.webhooks.posting import MOST_BYTES, post
from apps.webhooks.sending import (
    LEASE,
    LONGEST_WAIT,
    MOST_ATTEMPTS,
    PATIENCE,
    claim,
    is_due,
    pause_after,
    send_alone,
    send_due,
)
from apps.webhooks.services import (
    BOTH_SIGN,
    DEAD_KEPT,
    LONGEST_WAITING,
    SENT_KEPT,
    close_endpoint,
    forget_old,
    renew_secret,
    send_again,
    send_trial,
)

from .conftest import Make
from .receivers import Receiver, after, drips, floods, is_silent, receiver, says

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.moment = timezone.now() + timedelta(seconds=1)

    def __call__(self) -> datetime:
        return self.moment

    def pass_(self, delta: timedelta) -> None:
        self.moment += delta


@pytest.fixture
def clock() -> Clock:
    return Clock()


def events(endpoint: WebhookEndpoint, number: int = 1) -> list[WebhookDelivery]:
    """Write so many events as the triggers write them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO webhooks_webhookdelivery (endpoint_id, topic, event, subject_kind, subject_id, data)"
            " SELECT %s, 'employee.status', gen_random_uuid(), 'employee', n, jsonb_build_object('n', n)"
            " FROM generate_series(1, %s) n ORDER BY n",
            [endpoint.pk, number],
        )
    return list(WebhookDelivery.objects.filter(endpoint=endpoint).order_by("pk"))


def state(delivery: WebhookDelivery) -> str:
    delivery.refresh_from_db()
    return str(delivery.state)


def health(endpoint: WebhookEndpoint) -> WebhookHealth:
    return WebhookHealth.objects.get(endpoint=endpoint)


def test_an_event_arrives_signed_and_dated(hearing: Receiver, endpoint_at: Make) -> None:
    endpoint, secret = endpoint_at(hearing.url)
    [delivery] = events(endpoint)
    assert is_due()
    assert send_due().taken == 1
    [heard] = hearing.heard
    assert heard.path == "/coveris"
    assert heard.is_signed_by(secret)
    assert not heard.is_signed_by(secret + "x")
    assert heard.headers["Coveris-Event"] == "employee.status"
    assert heard.headers["Coveris-Delivery"] == str(delivery.event)
    assert abs(int(heard.headers["Coveris-Timestamp"]) - time.time()) < 60
    assert heard.headers["Content-Type"] == "application/json"
    delivery.refresh_from_db()
    assert heard.content == {
        "id": str(delivery.event),
        "topic": "employee.status",
        "sequence": delivery.pk,
        "at": delivery.created_at.isoformat(),
        "data": {"n": 1},
    }
    assert (delivery.state, delivery.last_status, delivery.attempts) == ("SENT", 204, 1)
    assert delivery.sent_at is not None
    assert health(endpoint).last_success_at is not None
    assert not is_due()


def test_canary_a_changed_body_or_time_is_no_longer_signed(hearing: Receiver, endpoint_at: Make) -> None:
    endpoint, secret = endpoint_at(hearing.url)
    events(endpoint)
    send_due()
    [heard] = hearing.heard
    heard.body += b" "
    assert not heard.is_signed_by(secret)
    heard.body = heard.body[:-1]
    assert heard.is_signed_by(secret)
    heard.headers["Coveris-Timestamp"] = str(int(heard.headers["Coveris-Timestamp"]) + 1)
    assert not heard.is_signed_by(secret)


def test_while_a_secret_changes_both_sign_and_a_day_later_the_new_one_alone(
    hearing: Receiver, endpoint_at: Make, clock: Clock
) -> None:
    endpoint, old = endpoint_at(hearing.url)
    new = renew_secret(endpoint=endpoint, keep_old=True, actor=None)
    events(endpoint)
    send_due(now=clock)
    clock.pass_(BOTH_SIGN)
    events(endpoint)
    send_due(now=clock)
    during, after = hearing.heard
    assert during.is_signed_by(old)
    assert during.is_signed_by(new)
    assert after.is_signed_by(new)
    assert not after.is_signed_by(old)


def test_a_secret_that_leaked_is_good_no_longer_at_once(hearing: Receiver, endpoint_at: Make) -> None:
    endpoint, old = endpoint_at(hearing.url)
    new = renew_secret(endpoint=endpoint, keep_old=False, actor=None)
    events(endpoint)
    send_due()
    [heard] = hearing.heard
    assert heard.is_signed_by(new)
    assert not heard.is_signed_by(old)


def test_a_changed_key_of_the_installation_is_told_and_a_former_key_still_opens(
    hearing: Receiver, endpoint_at: Make, settings: Any, clock: Clock
) -> None:
    endpoint, secret = endpoint_at(hearing.url)
    [delivery] = events(endpoint)
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another key " + "y" * 50
    assert send_due(now=clock).failed == 1
    delivery.refresh_from_db()
    assert delivery.last_error
    assert hearing.heard == []
    settings.SECRET_KEY_FALLBACKS = [former]
    clock.pass_(timedelta(minutes=1))
    assert send_due(now=clock).taken == 1
    assert hearing.heard[0].is_signed_by(secret)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_taken(hearing: Receiver, endpoint_at: Make, status: int) -> None:
    hearing.behaviour = says(status)
    [delivery] = events(endpoint_at(hearing.url)[0])
    send_due()
    assert state(delivery) == DeliveryState.SENT


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_anything_else_waits_and_is_tried_again(
    hearing: Receiver, endpoint_at: Make, clock: Clock, status: int
) -> None:
    hearing.behaviour = says(status, b"not today")
    [delivery] = events(endpoint_at(hearing.url)[0])
    assert send_due(now=clock).failed == 1
    delivery.refresh_from_db()
    assert (delivery.state, delivery.last_status, delivery.answer) == ("WAITING", status, "not today")
    assert str(status) in delivery.last_error
    assert send_due(now=clock).failed == 0
    hearing.behaviour = says(200)
    clock.pass_(timedelta(seconds=13))
    assert send_due(now=clock).taken == 1
    assert [one.body for one in hearing.heard] == [hearing.heard[0].body] * 2


def test_pauses_grow_from_seconds_to_hours_and_are_never_quite_the_same() -> None:
    waits = [pause_after(attempts).total_seconds() for attempts in range(1, MOST_ATTEMPTS)]
    assert 8 <= waits[0] <= 12
    assert max(waits) <= LONGEST_WAIT * 1.2
    assert 12 <= sum(waits) / 3600 <= 30
    assert len({pause_after(5) for _number in range(20)}) > 10


def test_after_the_last_attempt_it_is_a_dead_letter_and_can_be_sent_again(
    hearing: Receiver, endpoint_at: Make, clock: Clock
) -> None:
    hearing.behaviour = says(500)
    endpoint, _secret = endpoint_at(hearing.url)
    [delivery] = events(endpoint)
    tries = 0
    while state(delivery) == DeliveryState.WAITING:
        sent = send_due(now=clock)
        tries += sent.failed + sent.dead
        clock.pass_(timedelta(hours=8))
        assert tries <= MOST_ATTEMPTS
    assert tries == MOST_ATTEMPTS == len(hearing.heard)
    assert health(endpoint).failures == MOST_ATTEMPTS
    hearing.behaviour = says(200)
    assert send_due(now=clock).taken == 0
    assert send_again(deliveries=[delivery], actor=None) == 1
    assert send_due(now=clock).taken == 1
    assert hearing.heard[-1].body == hearing.heard[0].body
    assert health(endpoint).failures == 0


def test_an_endpoint_that_fails_rests_and_is_then_tried_one_at_a_time(
    hearing: Receiver, endpoint_at: Make, clock: Clock
) -> None:
    hearing.behaviour = says(500)
    endpoint, _secret = endpoint_at(hearing.url)
    events(endpoint, 40)
    send_due(now=clock)
    # Two were under way when the third failure came.
    assert PATIENCE <= len(hearing.heard) <= PATIENCE + 1
    assert not is_due(clock())
    heard = len(hearing.heard)
    clock.pass_(timedelta(hours=1))
    send_due(now=clock)
    assert len(hearing.heard) == heard + 1
    hearing.behaviour = says(200)
    clock.pass_(timedelta(hours=1))
    assert send_due(now=clock).taken == 40


def test_410_switches_the_endpoint_off_and_its_history_says_why(hearing: Receiver, endpoint_at: Make) -> None:
    hearing.behaviour = says(410)
    endpoint, _secret = endpoint_at(hearing.url)
    [delivery] = events(endpoint)
    send_due()
    assert state(delivery) == DeliveryState.DEAD
    endpoint.refresh_from_db()
    assert not endpoint.is_active
    assert "410" in endpoint.history.latest().history_change_reason


def test_a_redirect_is_not_followed(hearing: Receiver, endpoint_at: Make) -> None:
    with receiver() as elsewhere:
        hearing.behaviour = says(307, Location=elsewhere.url)
        [delivery] = events(endpoint_at(hearing.url)[0])
        assert send_due().failed == 1
        assert elsewhere.heard == []
    delivery.refresh_from_db()
    assert delivery.last_status == 307


@pytest.mark.parametrize("behaviour", [is_silent(3), drips], ids=["silent", "dripping"])
def test_a_receiver_that_takes_its_time_is_left_after_seconds(loopback: None, behaviour: Any) -> None:
    with receiver(behaviour) as slow:
        begun = time.monotonic()
        answer = post(slow.url, {}, b"{}", seconds=1.0)
        assert time.monotonic() - begun < 2
        assert answer.status is None
        assert answer.error


def test_of_a_flood_only_the_beginning_is_read(loopback: None) -> None:
    with receiver(floods) as endless:
        answer = post(endless.url, {}, b"{}")
    assert answer.status == 200
    assert len(answer.text) == MOST_BYTES
    assert answer.seconds < 3


def test_a_closed_port_and_nonsense_are_failures_with_a_sentence(loopback: None) -> None:
    with receiver() as gone:
        url = gone.url
    assert post(url, {}, b"{}").error
    with receiver(lambda handler: handler.wfile.write(b"\x00\xff nonsense\r\n\r\n") and None) as odd:
        assert post(odd.url, {}, b"{}").error


def test_proxies_of_the_environment_are_not_used(
    hearing: Receiver, endpoint_at: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        events(endpoint_at(hearing.url)[0])
        assert send_due().taken == 1
        assert proxy.heard == []


def test_a_slow_endpoint_does_not_hold_back_the_others(hearing: Receiver, endpoint_at: Make) -> None:
    arrived: list[float] = []

    def note(handler: Any) -> None:
        arrived.append(time.monotonic())
        says(204)(handler)

    hearing.behaviour = note
    with receiver(after(4)) as slow:
        events(endpoint_at(slow.url)[0], 20)
        events(endpoint_at(hearing.url)[0], 10)
        begun = time.monotonic()
        send_due(seconds=3.5)
        # All of them before the slow one has answered at all, and it had its two.
        assert len(arrived) == 10
        assert arrived[-1] - begun < 4
        assert len(slow.heard) == 2


def test_events_of_an_endpoint_begin_in_their_order(hearing: Receiver, endpoint_at: Make) -> None:
    endpoint, _secret = endpoint_at(hearing.url)
    events(endpoint, 20)
    send_due()
    sequence = [one.content["sequence"] for one in hearing.heard]
    # Two are under way at once, so that neighbours may swap.
    assert all(abs(place - sorted(sequence).index(number)) <= 2 for place, number in enumerate(sequence))


def in_threads(number: int, work: Callable[[], Any]) -> None:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _number in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_workers_at_once_post_each_event_once(hearing: Receiver, endpoint_at: Make) -> None:
    events(endpoint_at(hearing.url)[0], 60)
    in_threads(3, send_due)
    told = [one.headers["Coveris-Delivery"] for one in hearing.heard]
    assert len(told) == len(set(told)) == 60


def test_canary_without_the_claim_two_workers_post_twice(
    hearing: Receiver, endpoint_at: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, claiming, not_claiming in (
        ("CHOOSE", "FOR UPDATE OF d SKIP LOCKED", ""),
        ("CLAIM", "%(until)s", "not_before"),
    ):
        statement = getattr(sending, name)
        assert claiming in statement
        monkeypatch.setattr(sending, name, statement.replace(claiming, not_claiming))
    hearing.behaviour = after(0.05)
    events(endpoint_at(hearing.url)[0], 10)
    in_threads(2, lambda: send_due(seconds=1.0))
    told = [one.headers["Coveris-Delivery"] for one in hearing.heard]
    assert len(told) > len(set(told))


def test_a_second_run_leaves_the_sending_to_the_first(hearing: Receiver, endpoint_at: Make) -> None:
    hearing.behaviour = after(0.5)
    events(endpoint_at(hearing.url)[0])
    results: list[Any] = []
    first = threading.Thread(target=lambda: (results.append(send_alone()), connection.close()))
    first.start()
    while not hearing.heard:
        time.sleep(0.01)
    assert send_alone() is None
    first.join()
    assert results[0].taken == 1
    assert send_alone() is not None


def test_what_a_killed_worker_had_in_its_hands_is_posted_again(
    hearing: Receiver, endpoint_at: Make, clock: Clock
) -> None:
    [delivery] = events(endpoint_at(hearing.url)[0])
    [claimed] = claim(now=clock(), limit=5)
    # Dies here: posted or not, nothing is recorded.
    assert send_due(now=clock).taken == 0
    clock.pass_(LEASE)
    assert send_due(now=clock).taken == 1
    assert hearing.heard[0].headers["Coveris-Delivery"] == str(claimed.event)
    delivery.refresh_from_db()
    assert delivery.attempts == 2


def test_a_worker_that_comes_back_late_does_not_undo_what_another_recorded(
    hearing: Receiver, endpoint_at: Make, clock: Clock
) -> None:
    def late(handler: Any) -> None:
        if len(hearing.heard) == 1:
            # While the first one hangs, its lease ends, and another takes the event over.
            clock.pass_(LEASE)
            in_threads(1, lambda: send_due(now=clock))
            says(500)(handler)
        else:
            says(200)(handler)

    hearing.behaviour = late
    [delivery] = events(endpoint_at(hearing.url)[0])
    send_due(now=clock)
    assert len(hearing.heard) == 2
    assert state(delivery) == DeliveryState.SENT


def test_what_waits_for_an_endpoint_that_is_off_goes_out_when_it_is_on_again(
    hearing: Receiver, endpoint_at: Make
) -> None:
    endpoint, _secret = endpoint_at(hearing.url)
    events(endpoint)
    close_endpoint(endpoint=endpoint, reason="maintenance", actor=None)
    assert not is_due()
    assert send_due().taken == 0
    WebhookEndpoint.objects.update(is_active=True)
    assert send_due().taken == 1


def test_a_trial_goes_before_what_waits_is_tried_once_and_keeps_the_answer(
    hearing: Receiver, endpoint_at: Make
) -> None:
    endpoint, secret = endpoint_at(hearing.url)
    events(endpoint, 5)
    hearing.behaviour = says(200, b"heard you")
    trial = send_trial(endpoint=endpoint, actor=None)
    send_due()
    assert Topic.TRIAL in [one.headers["Coveris-Event"] for one in hearing.heard[:2]]
    assert hearing.heard[0].is_signed_by(secret)
    trial.refresh_from_db()
    assert (trial.state, trial.last_status, trial.answer) == ("SENT", 200, "heard you")
    hearing.behaviour = says(500, b"no")
    trial = send_trial(endpoint=endpoint, actor=None)
    send_due()
    trial.refresh_from_db()
    assert (trial.state, trial.last_status, trial.answer) == ("DEAD", 500, "no")


def test_old_deliveries_are_forgotten_and_what_nobody_takes_is_given_up(hearing: Receiver, endpoint_at: Make) -> None:
    endpoint, _secret = endpoint_at(hearing.url)
    sent, kept, dead, stuck, waiting = events(endpoint, 5)
    moment, hour = timezone.now(), timedelta(hours=1)
    rows = WebhookDelivery.objects
    rows.filter(pk=sent.pk).update(state="SENT", sent_at=moment, created_at=moment - SENT_KEPT - hour)
    rows.filter(pk=kept.pk).update(state="SENT", sent_at=moment, created_at=moment - SENT_KEPT + hour)
    rows.filter(pk=dead.pk).update(state="DEAD", created_at=moment - DEAD_KEPT - hour)
    rows.filter(pk=stuck.pk).update(not_before=moment - LONGEST_WAITING - hour)
    assert forget_old(actor=None) == 2
    assert set(rows.values_list("pk", "state")) == {(kept.pk, "SENT"), (stuck.pk, "DEAD"), (waiting.pk, "WAITING")}
    assert forget_old(actor=None) == 0


def test_sending_costs_the_same_few_statements_for_each_event(
    hearing: Receiver, endpoint_at: Make, django_assert_max_num_queries: Any
) -> None:
    events(endpoint_at(hearing.url)[0], 10)
    # Claim, record and note: eight each, savepoints included.
    with django_assert_max_num_queries(10 * 14):
        send_due()
    with django_assert_max_num_queries(3):
        send_due()


def test_no_transaction_is_open_while_a_receiver_is_waited_for(hearing: Receiver, endpoint_at: Make) -> None:
    open_transactions: list[int] = []

    def look(handler: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
            )
            open_transactions.append(cursor.fetchone()[0])
        connection.close()
        says(204)(handler)

    hearing.behaviour = look
    # One alone: with more, another one's answer may be recorded just then.
    events(endpoint_at(hearing.url)[0])
    assert send_due().taken == 1
    assert open_transactions == [0]
