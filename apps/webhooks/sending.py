"""Posting what is due: claimed in a short transaction, posted in none, recorded in another.

A claim puts a delivery off by a lease and counts the attempt before it begins: what a killed worker had in its hands
is due again when the lease is over. So every event arrives at least once, and twice where a worker died between the
post and its record; receivers tell by the event's id.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.common.holding import held

from .enums import DeliveryState, Topic
from .models import WebhookDelivery, WebhookEndpoint, WebhookHealth
from .posting import GONE, Answer, post
from .sealing import Unsealable, unseal
from .services import close_endpoint
from .signing import body_of, headers_of

# A run ends after so long, so that the worker it runs in is free for others; the next bell goes on.
RUN_SECONDS = 10.0
AT_ONCE, AT_ONCE_AN_ENDPOINT = 16, 2
LEASE = timedelta(seconds=60)  # longer than a post can take, the look-up of a name included
# 10 s, 30 s, 90 s … at most 6 h apart: eleven attempts within a day.
FIRST_WAIT, FACTOR, LONGEST_WAIT = 10.0, 3.0, 6 * 3600.0
MOST_ATTEMPTS = 11
# After so many failures in a row an endpoint rests, and is then tried with one delivery at a time.
PATIENCE, LONGEST_REST = 3, 600.0
JITTER = 0.2
KEPT_OF_AN_ANSWER = 500
SENDING = 0x57484B53  # the advisory lock of the one run at a time

AWAKE = "e.is_active AND (h.rests_until IS NULL OR h.rests_until <= %(now)s)"
DUE = "d.endpoint_id = e.id AND d.state = 'WAITING' AND d.not_before <= %(now)s"
IS_DUE = f"""
    SELECT EXISTS (
        SELECT FROM webhooks_webhookendpoint e LEFT JOIN webhooks_webhookhealth h ON h.endpoint_id = e.id
        WHERE {AWAKE} AND EXISTS (SELECT FROM webhooks_webhookdelivery d WHERE {DUE})
    )
"""
# The oldest of each endpoint, as many as it may have under way: a slow one keeps no place of the others.
CHOOSE = f"""
    SELECT d.id FROM webhooks_webhookendpoint e
    LEFT JOIN webhooks_webhookhealth h ON h.endpoint_id = e.id
    LEFT JOIN unnest(%(busy)s::bigint[], %(under_way)s::int[]) AS b (endpoint_id, number) ON b.endpoint_id = e.id
    CROSS JOIN LATERAL (
        SELECT d.id, d.not_before FROM webhooks_webhookdelivery d WHERE {DUE}
        ORDER BY d.not_before, d.id
        LIMIT GREATEST(
            CASE WHEN COALESCE(h.failures, 0) < %(patience)s THEN %(at_once)s ELSE 1 END - COALESCE(b.number, 0), 0
        )
        FOR UPDATE OF d SKIP LOCKED
    ) d
    WHERE {AWAKE}
    ORDER BY d.not_before, d.id LIMIT %(limit)s
"""
CLAIM = """
    UPDATE webhooks_webhookdelivery SET attempts = attempts + 1, not_before = %(until)s
    WHERE id = ANY (%(ids)s)
"""


@dataclass
class Sent:
    """What a run did: posts that were taken, that failed and are tried again, that were given up."""

    taken: int = 0
    failed: int = 0
    dead: int = 0


@dataclass
class _Run:
    now: Callable[[], datetime]
    until: float
    sent: Sent = field(default_factory=Sent)
    under_way: dict[Future[Answer], WebhookDelivery] = field(default_factory=dict)


def is_due(now: datetime | None = None) -> bool:
    """Say whether anything is due at an endpoint that is active and does not rest."""
    with connection.cursor() as cursor:
        cursor.execute(IS_DUE, {"now": now or timezone.now()})
        return bool(cursor.fetchone()[0])


def send_alone(*, seconds: float = RUN_SECONDS) -> Sent | None:
    """Send what is due unless somebody does already: one place of a worker is enough, the other is for the figures."""
    with held(SENDING, 0) as is_alone:
        return send_due(seconds=seconds) if is_alone else None


def send_due(*, now: Callable[[], datetime] = timezone.now, seconds: float = RUN_SECONDS) -> Sent:
    """Post what is due until nothing is left or the time is up. Any number may run at once: a claim is one's own."""
    run = _Run(now, time.monotonic() + seconds)
    # The threads post and nothing else: this one alone speaks with the database.
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
        while True:
            if time.monotonic() < run.until:
                _begin(run, pool)
            if not run.under_way:
                return run.sent
            done, _others = wait(run.under_way, return_when=FIRST_COMPLETED)
            for future in done:
                _record(run, run.under_way.pop(future), future.result())


def _begin(run: _Run, pool: ThreadPoolExecutor) -> None:
    """Claim as much as there is room for, and hand it to the threads."""
    busy: dict[int, int] = {}
    for delivery in run.under_way.values():
        busy[delivery.endpoint_id] = busy.get(delivery.endpoint_id, 0) + 1
    for delivery in claim(now=run.now(), limit=AT_ONCE - len(run.under_way), busy=busy):
        endpoint = delivery.endpoint
        try:
            body, headers = letter_of(delivery, endpoint, run.now())
        except Unsealable as trouble:
            _record(run, delivery, Answer(error=str(trouble)))
            continue
        run.under_way[pool.submit(post, endpoint.url, headers, body)] = delivery


def claim(*, now: datetime, limit: int, busy: dict[int, int] | None = None) -> Sequence[WebhookDelivery]:
    """Take deliveries that are due, at most `limit`, and no more of an endpoint than it may have under way."""
    if limit <= 0:
        return []
    busy = busy or {}
    params: dict[str, Any] = {
        "now": now,
        "limit": limit,
        "patience": PATIENCE,
        "at_once": AT_ONCE_AN_ENDPOINT,
        "busy": list(busy),
        "under_way": list(busy.values()),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        # Two statements: see the traps in docs/locking.md.
        cursor.execute(CHOOSE, params)
        ids = [row[0] for row in cursor.fetchall()]
        if ids:
            cursor.execute(CLAIM, {"until": now + LEASE, "ids": ids})
    if not ids:
        return []
    return list(WebhookDelivery.objects.filter(pk__in=ids).select_related("endpoint").order_by("pk"))


def letter_of(delivery: WebhookDelivery, endpoint: WebhookEndpoint, moment: datetime) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a post. Raise Unsealable if the endpoint's secret cannot be read."""
    secrets = [unseal(endpoint.sealed_secret)]
    if endpoint.sealed_old_secret and endpoint.old_secret_until and endpoint.old_secret_until > moment:
        secrets.append(unseal(endpoint.sealed_old_secret))
    body = body_of(
        event=delivery.event, topic=delivery.topic, sequence=delivery.pk, at=delivery.created_at, data=delivery.data
    )
    return body, headers_of(topic=delivery.topic, event=delivery.event, moment=moment, secrets=secrets, body=body)


def _record(run: _Run, delivery: WebhookDelivery, answer: Answer) -> None:
    moment = run.now()
    # A claim that was given up meanwhile, and taken by another, is no longer ours to record.
    mine = WebhookDelivery.objects.filter(pk=delivery.pk, state=DeliveryState.WAITING, attempts=delivery.attempts)
    is_trial = delivery.topic == Topic.TRIAL
    told: dict[str, Any] = {
        "last_status": answer.status,
        "last_error": answer.error or ("" if answer.is_taken else _said(answer)),
        "answer": "" if answer.is_taken and not is_trial else answer.text[:KEPT_OF_AN_ANSWER],
    }
    with transaction.atomic():
        if answer.is_taken:
            mine.update(state=DeliveryState.SENT, sent_at=moment, **told)
            _note_success(delivery.endpoint_id, moment)
            run.sent.taken += 1
            return
        _note_failure(delivery.endpoint_id, moment)
        if answer.status == GONE or is_trial or delivery.attempts >= MOST_ATTEMPTS:
            run.sent.dead += mine.update(state=DeliveryState.DEAD, **told)
        else:
            run.sent.failed += mine.update(not_before=moment + pause_after(delivery.attempts), **told)
        if answer.status == GONE:
            close_endpoint(endpoint=delivery.endpoint, reason=_("The receiver answered 410 Gone."), actor=None)


def _said(answer: Answer) -> str:
    if answer.status is not None and 300 <= answer.status < 400:
        return _("The receiver answered %(status)d: a redirect is not followed.") % {"status": answer.status}
    return _("The receiver answered %(status)d.") % {"status": answer.status}


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts; a little less or more, so that not all come back at once."""
    return _about(min(FIRST_WAIT * FACTOR ** (attempts - 1), LONGEST_WAIT))


def _about(seconds: float) -> timedelta:
    return timedelta(seconds=seconds * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 – no secret hangs on it


def _note_success(endpoint: int, moment: datetime) -> None:
    WebhookHealth.objects.update_or_create(
        endpoint_id=endpoint, defaults={"failures": 0, "last_success_at": moment, "rests_until": None}
    )


def _note_failure(endpoint: int, moment: datetime) -> None:
    health, _made = WebhookHealth.objects.select_for_update().get_or_create(endpoint_id=endpoint)
    health.failures += 1
    health.last_failure_at = moment
    if health.failures >= PATIENCE:
        health.rests_until = moment + _about(min(FIRST_WAIT * FACTOR ** (health.failures - PATIENCE), LONGEST_REST))
    health.save()
