"""How a receiver fares."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from .webhook_endpoint import WebhookEndpoint


class WebhookHealth(models.Model):
    """How an endpoint answered lately; apart from the endpoint, so that a post is no change of its record.

    After some failures in a row the endpoint rests: until `rests_until` nothing is posted to it.
    """

    endpoint = models.OneToOneField(
        WebhookEndpoint, models.CASCADE, primary_key=True, related_name="health", verbose_name=_("webhook")
    )
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    last_success_at = models.DateTimeField(_("last success"), null=True, blank=True)
    last_failure_at = models.DateTimeField(_("last failure"), null=True, blank=True)
    rests_until = models.DateTimeField(_("rests until"), null=True, blank=True)

    class Meta:
        verbose_name = _("health of a webhook")
        verbose_name_plural = _("health of webhooks")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.endpoint_id}: {self.failures}"
