"""The outbox: what changed and has not yet reached the figures. Knows only kinds and ids."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Kind(models.TextChoices):
    """What a mark points at."""

    EMPLOYEE = "employee", _("employee")
    POSITION = "position", _("position")
    UNIT = "unit", _("unit")
    TAG = "tag", _("tag")
    PROBE = "probe", _("probe")


class Mark(models.Model):
    """One subject whose figures are out of date; written by triggers in the transaction of the change.

    Append-only until a drain deletes it: never ON CONFLICT DO NOTHING, or a change made during a drain that is
    deleting the earlier mark would be missed.
    """

    kind = models.CharField(max_length=16, choices=Kind)
    subject_id = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("mark")
        verbose_name_plural = _("marks")
        ordering = ["id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"


class DeadLetter(models.Model):
    """A mark that could not be worked off, kept with the reason until somebody sends it again."""

    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    subject_id = models.BigIntegerField(_("subject"))
    reason = models.TextField(_("reason"))
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("dead letter")
        verbose_name_plural = _("dead letters")
        ordering = ["-id"]
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"
