"""One timeline over all logs: what happened, to which record, by whom, when and why."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.common.triggers import append_only

from .querysets import AuditEntryQuerySet


class AuditKind(models.TextChoices):
    """What an entry is."""

    TRANSITION = "TRANSITION", _("Transition")
    TAG = "TAG", _("Tag")
    CHANGE = "CHANGE", _("Change of data")
    CORRECTION = "CORRECTION", _("Correction of a closed week")
    REPAIR = "REPAIR", _("Repair of figures")
    EXPORT = "EXPORT", _("Export")


class AuditEntry(models.Model):
    """One deed on one record, read from a view over the transition logs, the log of tags and the history tables.

    `source` and `key` name the row it comes from, `id` is both; the other ids are those of the record and of what it
    hangs on.
    """

    id = models.CharField(max_length=120, primary_key=True)
    at = models.DateTimeField(_("when"))
    key = models.BigIntegerField()
    source = models.CharField(max_length=80)
    kind = models.CharField(_("kind"), max_length=16, choices=AuditKind)
    deed = models.CharField(_("what"), max_length=32)
    actor_id = models.UUIDField(_("who"), null=True)
    origin = models.CharField(_("from where"), max_length=32)
    reason = models.TextField(_("reason"), null=True)  # noqa: DJ001 – as the history tables have it
    record_id = models.BigIntegerField(null=True)
    record_uuid = models.UUIDField(null=True)
    employee_id = models.BigIntegerField(null=True)
    position_id = models.BigIntegerField(null=True)
    assignment_id = models.BigIntegerField(null=True)
    unit_id = models.BigIntegerField(null=True)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "audit_log_auditentry"
        verbose_name = _("entry of the timeline")
        verbose_name_plural = _("timeline")
        default_permissions = ("view", "export")

    def __str__(self) -> str:
        return f"{self.source} {self.key}"


class ExportRecord(models.Model):
    """A file with rows that somebody took out: what it was of, through which filters, how long. Append-only."""

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.DO_NOTHING, null=True, db_constraint=False, db_index=False, related_name="+",
        verbose_name=_("by"),
    )  # fmt: skip
    what = models.CharField(_("what"), max_length=80)
    page = models.CharField(_("page"), max_length=200, blank=True)
    filters = models.CharField(_("filters"), max_length=1_000, blank=True)
    format = models.CharField(_("format"), max_length=16)
    rows = models.PositiveIntegerField(_("rows"))
    origin = models.CharField(_("from where"), max_length=32)
    created_at = models.DateTimeField(_("when"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        default_permissions = ("view",)
        triggers = [append_only()]

    def __str__(self) -> str:
        return f"{self.what}.{self.format}"
