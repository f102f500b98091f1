"""Receivers: where events are posted."""

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.history import history_triggers, records
from apps.common.models import Recorded

from ..enums import ASKABLE, ASKED_FOR
from ..querysets import EndpointQuerySet
from ..targets import TargetRefused, parts_of

SECRETS = ("sealed_secret", "sealed_old_secret", "old_secret_until")


class WebhookEndpoint(Recorded):
    """An address that is told of events of some topics, of the whole organisation or of one unit with all below it.

    Its secrets are sealed (apps.webhooks.sealing) and left out of the history; the old one signs beside the new one
    until `old_secret_until`. What happens while it is not active is never told to it.
    """

    name = models.CharField(_("name"), max_length=100, unique=True)
    url = models.CharField(
        _("address"), max_length=500, help_text=_("https://… of a receiver outside, or of a private network allowed.")
    )
    topics = ArrayField(
        models.CharField(max_length=32, choices=ASKABLE), verbose_name=_("events"),
        help_text=_("What the receiver is told of."),
    )  # fmt: skip
    org_unit = models.ForeignKey(
        "org.OrgUnit", models.PROTECT, null=True, blank=True, related_name="webhook_endpoints", verbose_name=_("unit"),
        help_text=_("Only what concerns this unit or one below it. Empty: the whole organisation."),
    )  # fmt: skip
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("What happens while it is not active is not told later.")
    )
    sealed_secret = models.TextField(_("secret"), editable=False)
    sealed_old_secret = models.TextField(_("secret before"), blank=True, default="", editable=False)
    old_secret_until = models.DateTimeField(_("secret before is good until"), null=True, blank=True, editable=False)

    history = records(excluded_fields=SECRETS)
    objects = EndpointQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["name"]
        default_permissions = ("add", "change", "delete", "view", "export")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(topics__contained_by=ASKED_FOR) & models.Q(topics__len__gt=0),
                name="webhooks_topics_known",
                violation_error_message=_("Choose at least one kind of event."),
            )
        ]
        triggers = history_triggers()

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        try:
            parts_of(self.url)
        except TargetRefused as refusal:
            raise ValidationError({"url": str(refusal)}) from refusal
