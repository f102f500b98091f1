"""The whole road with real processes: relay, broker, worker; and the worker killed between a post and its record."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.webhooks.enums import DeliveryState, Topic
from apps.webhooks.models import WebhookDelivery
from apps.webhooks.sending import LEASE, send_due
from tests.worker.processes import Broker, relay, wait_until, worker

from .conftest import Make
from .receivers import Receiver, says

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chaos]


def test_a_worker_killed_between_the_post_and_its_record_costs_a_second_post_and_no_event(
    broker: Broker, tmp_path: Path, hearing: Receiver, endpoint_at: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "COVERIS_WEBHOOK_NETWORKS", "127.0.0.0/8,::1/128")
    monkeypatch.setitem(os.environ, "COVERIS_WEBHOOK_HTTP", "true")
    let_go = threading.Event()

    def hang(handler: Any) -> None:
        let_go.wait(60)
        says(204)(handler)

    endpoint, secret = endpoint_at(hearing.url)
    with_relay, with_worker = relay(broker, tmp_path), worker(broker, tmp_path)
    try:
        with_relay.start()
        with_worker.start()
        first = WebhookDelivery.objects.create(endpoint=endpoint, topic=Topic.EMPLOYEE_STATUS)
        wait_until(lambda: WebhookDelivery.objects.filter(pk=first.pk, state=DeliveryState.SENT).exists(), 60)
        assert hearing.heard[0].is_signed_by(secret)
        hearing.behaviour = hang
        second = WebhookDelivery.objects.create(endpoint=endpoint, topic=Topic.EMPLOYEE_STATUS)
        wait_until(lambda: len(hearing.heard) == 2, 60)
    finally:
        with_worker.kill()
        with_relay.kill()
        let_go.set()
    # The receiver has it; we do not know.
    second.refresh_from_db()
    assert (second.state, second.attempts) == (DeliveryState.WAITING, 1)
    hearing.behaviour = says(204)
    assert send_due().taken == 0
    assert send_due(now=lambda: timezone.now() + LEASE + timedelta(seconds=1)).taken == 1
    assert hearing.heard[2].body == hearing.heard[1].body
    second.refresh_from_db()
    assert second.state == DeliveryState.SENT
