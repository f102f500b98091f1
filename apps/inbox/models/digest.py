"""What a person was told on a day."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..enums import DigestOutcome


class Digest(models.Model):
    """The one digest of a person and day: claimed before anything is sent, so that there is never a second.

    `snapshot` is what the person knew after it, item → [rank, value]: the next one tells the difference to it.
    `is_cut`: there was more than a digest compares.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user"))
    day = models.DateField(_("day"))
    claimed_at = models.DateTimeField(_("begun"))
    outcome = models.CharField(_("outcome"), max_length=16, choices=DigestOutcome, default=DigestOutcome.CLAIMED)
    told = models.PositiveIntegerField(_("changes told"), default=0)
    snapshot = models.JSONField(_("what was known"), default=dict)
    is_cut = models.BooleanField(_("cut"), default=False)
    failure = models.TextField(_("failed"), blank=True, default="")

    class Meta:
        verbose_name = _("digest")
        verbose_name_plural = _("digests")
        ordering = ["-id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["user", "day"], name="inbox_digest_one_a_day"),
            models.CheckConstraint(condition=models.Q(outcome__in=DigestOutcome.values), name="inbox_digest_outcome"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(outcome=DigestOutcome.FAILED), name="inbox_digest_failed")
        ]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} {self.user}"
