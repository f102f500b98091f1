"""The outbox: what is to be posted, and what became of it."""

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from ..enums import DeliveryState, Topic
from ..querysets import DeliveryQuerySet
from .webhook_endpoint import WebhookEndpoint


class WebhookDelivery(models.Model):
    """One event for one endpoint; written by triggers in the transaction of the change (apps.webhooks.triggers).

    `data` has ids, codes, states and days alone. `not_before` is when it is due; a sender that has claimed it puts
    it off by its lease, and counts the attempt before it begins.
    """

    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="deliveries", verbose_name=_("webhook"))
    topic = models.CharField(_("event"), max_length=32, choices=Topic)
    event = models.UUIDField(_("id of the event"), default=uuid.uuid4)
    subject_kind = models.CharField(_("subject kind"), max_length=16, blank=True)
    subject_id = models.BigIntegerField(_("subject"), null=True, blank=True)
    data = models.JSONField(_("data"), default=dict)
    state = models.CharField(
        _("state"), max_length=16, choices=DeliveryState, default=DeliveryState.WAITING,
        db_default=DeliveryState.WAITING,
    )  # fmt: skip
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0, db_default=0)
    created_at = models.DateTimeField(_("when"), db_default=Now(), editable=False)
    not_before = models.DateTimeField(_("next attempt"), db_default=Now())
    last_status = models.PositiveSmallIntegerField(_("last status"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True, default="", db_default="")
    answer = models.TextField(_("answer"), blank=True, default="", db_default="")
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery of a webhook")
        verbose_name_plural = _("deliveries of webhooks")
        ordering = ["-id"]
        default_permissions = ("view", "change", "export")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=DeliveryState.values), name="webhooks_delivery_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state=DeliveryState.SENT, sent_at__isnull=False)
                | (~models.Q(state=DeliveryState.SENT) & models.Q(sent_at__isnull=True)),
                name="webhooks_delivery_sent_when",
            ),
        ]
        indexes = [
            # What is due at an endpoint, the oldest first.
            models.Index(
                fields=["endpoint", "not_before", "id"], condition=models.Q(state=DeliveryState.WAITING),
                name="webhooks_delivery_due",
            ),
            models.Index(fields=["endpoint", "state", "-id"], name="webhooks_delivery_of_endpoint"),
            models.Index(fields=["state", "-id"], name="webhooks_delivery_state"),
            # What is old enough to be forgotten.
            models.Index(fields=["state", "created_at"], name="webhooks_delivery_age"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.topic} {self.event}"
