"""The relay rings when something waits, through restarts of the broker and lost database sessions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.changes.freshness import freshness
from apps.changes.marks import mark
from apps.changes.models import Kind, Mark
from apps.webhooks.enums import Topic
from apps.webhooks.models import WebhookDelivery, WebhookEndpoint

from .processes import Broker, Child, relay, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def running(broker: Broker, tmp_path: Path) -> Iterator[Child]:
    child = relay(broker, tmp_path)
    child.start()
    wait_until(lambda: freshness().relay_at is not None)
    yield child
    child.kill()


def bells(broker: Broker) -> int:
    return int(broker.client().llen("recompute"))


def test_a_change_rings_a_worker_within_a_moment(broker: Broker, running: Child) -> None:
    assert bells(broker) == 0
    begun = time.monotonic()
    mark(Kind.PROBE, [1])
    wait_until(lambda: bells(broker) > 0, 10, every=0.01)
    # Far below the poll of a second, even on a busy machine: the notification did it.
    assert time.monotonic() - begun < 5


def test_unheard_bells_do_not_pile_up(broker: Broker, running: Child) -> None:
    for number in range(5):
        mark(Kind.PROBE, [number])
        time.sleep(0.3)
    time.sleep(2.5)
    assert 1 <= bells(broker) <= 2


def test_without_a_broker_changes_wait_and_ring_once_it_is_back(broker: Broker, running: Child) -> None:
    broker.kill()
    mark(Kind.PROBE, [1])
    wait_until(lambda: "the broker is away" in running.output())
    broker.start()
    broker.client().flushall()
    wait_until(lambda: bells(broker) > 0)
    assert running.process is not None
    assert running.process.poll() is None
    assert Mark.objects.count() == 1


def test_a_lost_database_session_is_made_anew(broker: Broker, running: Child) -> None:
    def end_sessions() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'coveris-relay'"
            )
            return cursor.fetchone()[0]

    assert end_sessions() == 1
    wait_until(lambda: "the database is back" in running.output())
    mark(Kind.PROBE, [1])
    wait_until(lambda: bells(broker) > 0)


def test_it_ends_in_order_when_asked(broker: Broker, running: Child) -> None:
    assert running.stop(15) == 0


def test_what_it_sends_names_nobody(broker: Broker, running: Child, django_user_model: Any) -> None:
    mark(Kind.PROBE, [1])
    wait_until(lambda: bells(broker) > 0)
    message = broker.client().lindex("recompute", 0).decode()
    assert '"task": "changes.drain"' in message
    assert '"argsrepr": "()"' in message


def due() -> None:
    """Leave an event that is due, for an endpoint nobody listens at."""
    endpoint = WebhookEndpoint.objects.create(
        name="nobody", url="https://receiver.example.org/", topics=[Topic.EMPLOYEE_STATUS], sealed_secret="x"
    )
    WebhookDelivery.objects.create(endpoint=endpoint, topic=Topic.EMPLOYEE_STATUS)


def test_an_event_that_is_due_rings_for_a_post_and_one_that_rests_does_not(broker: Broker, running: Child) -> None:
    due()
    wait_until(lambda: broker.client().llen("webhooks") > 0, 10)
    time.sleep(2.5)
    assert 1 <= broker.client().llen("webhooks") <= 2
    assert bells(broker) == 0
    WebhookDelivery.objects.update(not_before=timezone.now() + timedelta(hours=1))
    broker.client().delete("webhooks")
    time.sleep(2.5)
    assert broker.client().llen("webhooks") == 0
