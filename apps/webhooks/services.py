"""What administrators do with webhooks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.errors import Reason, Refusal
from apps.common.saving import in_words, refuse_outside, within_scope

from .enums import DeliveryState, Topic
from .models import WebhookDelivery, WebhookEndpoint, WebhookHealth
from .models.webhook_endpoint import SECRETS
from .sealing import new_secret, seal
from .targets import TargetRefused, addresses_of, parts_of

if TYPE_CHECKING:
    from apps.users.models import User

# What a form writes; a secret has its own way.
WRITTEN = ("name", "url", "topics", "org_unit", "is_active")
# So long the secret before signs beside the new one.
BOTH_SIGN = timedelta(hours=24)
# How long deliveries are kept: sent ones, dead ones; and how long one may wait for an endpoint that does not answer.
SENT_KEPT, DEAD_KEPT, LONGEST_WAITING = timedelta(days=7), timedelta(days=90), timedelta(days=3)
FORGOTTEN_AT_ONCE = 10_000


def save_endpoint(*, endpoint: WebhookEndpoint, actor: User | None, reason: str = "") -> str:
    """Create or change an endpoint; return the secret of a new one, which is told this once, else "".

    Raise Refusal if its address is none we may post to (looked up now, and again with every post), ValidationError for
    other values that are not right.
    """
    try:
        addresses_of(parts_of(endpoint.url))
    except TargetRefused as refused:
        raise Refusal(Reason(str(refused), code="target_refused", field="url", fixable=5)) from refused
    secret = ""
    if endpoint.pk is None:
        secret = new_secret()
        endpoint.sealed_secret = seal(secret)
    with acting(actor, reason), within_scope(WebhookEndpoint, [endpoint], actor):
        endpoint.full_clean(exclude=SECRETS)
        with in_words():
            endpoint.save(update_fields=None if secret else (*WRITTEN, "updated_at"))
        # Somebody looked after it: it is tried at once.
        WebhookHealth.objects.filter(endpoint=endpoint).update(failures=0, rests_until=None)
    return secret


def renew_secret(*, endpoint: WebhookEndpoint, keep_old: bool, actor: User | None, reason: str = "") -> str:
    """Give an endpoint a new secret and return it, this once. With `keep_old` the one before signs a day longer."""
    secret, moment = new_secret(), timezone.now()
    with acting(actor, reason):
        refuse_outside(WebhookEndpoint, [endpoint], actor)
        row = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
        row.sealed_old_secret = row.sealed_secret if keep_old else ""
        row.old_secret_until = moment + BOTH_SIGN if keep_old else None
        row.sealed_secret = seal(secret)
        row.save(update_fields=["sealed_secret", "sealed_old_secret", "old_secret_until", "updated_at"])
    return secret


def close_endpoint(*, endpoint: WebhookEndpoint, reason: str, actor: User | None) -> None:
    """Switch an endpoint off; its history says why. What waits for it waits on."""
    with acting(actor, reason):
        refuse_outside(WebhookEndpoint, [endpoint], actor)
        WebhookEndpoint.objects.filter(pk=endpoint.pk, is_active=True).update(
            is_active=False, updated_at=timezone.now()
        )


def remove_endpoint(*, endpoint: WebhookEndpoint, actor: User | None, reason: str = "") -> None:
    """Take an endpoint away with all its deliveries; its history stays."""
    with acting(actor, reason):
        refuse_outside(WebhookEndpoint, [endpoint], actor)
        WebhookDelivery.objects.filter(endpoint=endpoint).delete()
        endpoint.delete()


def send_trial(*, endpoint: WebhookEndpoint, actor: User | None) -> WebhookDelivery:
    """Put a trial into the outbox, before everything else that waits there; it is tried once, within seconds.

    Raise Refusal for an endpoint that is not active.
    """
    with acting(actor):
        refuse_outside(WebhookEndpoint, [endpoint], actor)
        if not WebhookEndpoint.objects.filter(pk=endpoint.pk, is_active=True).exists():
            raise Refusal(
                Reason(
                    _("%(webhook)s is not active: switch it on, save it, then send a trial.") % {"webhook": endpoint},
                    code="not_active",
                )
            )
        WebhookHealth.objects.filter(endpoint=endpoint).update(rests_until=None)
        return WebhookDelivery.objects.create(
            endpoint=endpoint,
            topic=Topic.TRIAL,
            data={"webhook": endpoint.pk},
            not_before=timezone.now() - LONGEST_WAITING / 2,
        )


def send_again(*, deliveries: Iterable[WebhookDelivery], actor: User | None) -> int:
    """Have deliveries posted again as they were, from the first attempt on; return how many. Waiting ones wait on."""
    pks = [delivery.pk for delivery in deliveries]
    with acting(actor):
        rows = list(WebhookDelivery.objects.select_for_update().filter(pk__in=pks).order_by("pk"))
        refuse_outside(WebhookDelivery, rows, actor)
        again = [row.pk for row in rows if row.state != DeliveryState.WAITING]
        moment = timezone.now()
        WebhookDelivery.objects.filter(pk__in=again).update(
            state=DeliveryState.WAITING, attempts=0, not_before=moment, sent_at=None
        )
        endpoints = {row.endpoint_id for row in rows}
        WebhookHealth.objects.filter(endpoint_id__in=endpoints).update(rests_until=None)
    return len(again)


def forget_old(*, actor: Any) -> int:
    """Forget what was sent a week ago and given up three months ago; give up what has waited for three days.

    Return how many were forgotten; so many at once that no statement is long.
    """
    moment, forgotten = timezone.now(), 0
    with acting(actor):
        WebhookDelivery.objects.filter(state=DeliveryState.WAITING, not_before__lt=moment - LONGEST_WAITING).update(
            state=DeliveryState.DEAD, last_error=_("It waited for three days and could not be posted.")
        )
    for state, kept in ((DeliveryState.SENT, SENT_KEPT), (DeliveryState.DEAD, DEAD_KEPT)):
        old = WebhookDelivery.objects.filter(state=state, created_at__lt=moment - kept).order_by("created_at")
        while True:
            with acting(actor):
                number, _kinds = WebhookDelivery.objects.filter(
                    pk__in=list(old.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
                ).delete()
            forgotten += number
            if number < FORGOTTEN_AT_ONCE:
                break
    return forgotten
