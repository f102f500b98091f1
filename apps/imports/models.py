"""Imports as jobs: what came in, what it did, what was refused."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.common.models import Recorded

from .enums import JobState, Mode, Stage
from .export_job import ExportJob as ExportJob
from .export_job import ExportPiece as ExportPiece
from .querysets import ImportJobQuerySet


class ImportJob(Recorded):
    """One sheet brought in: the file, how it was read, its counts, its refused rows and what it touched."""

    kind = models.CharField(_("kind of sheet"), max_length=32)
    file_name = models.CharField(_("file"), max_length=255)
    # The bytes stay in the database until the job is decided: no temporary files, no shared folder.
    content = models.BinaryField(_("content"), null=True, editable=False)
    # The rows that were refused, as a workbook to mend; kept as long as the content, or some days once it is decided.
    refused_rows = models.BinaryField(_("refused rows as a workbook"), null=True, editable=False)
    digest = models.CharField(_("fingerprint"), max_length=64, blank=True)
    options = models.JSONField(_("how it is read"), default=dict, blank=True)
    mode = models.CharField(_("mode"), max_length=16, choices=Mode, default=Mode.ALL_OR_NOTHING)
    state = models.CharField(_("state"), max_length=16, choices=JobState, default=JobState.UPLOADED)
    created = models.PositiveIntegerField(_("created"), default=0)
    updated = models.PositiveIntegerField(_("updated"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    errors = models.JSONField(_("refused rows"), default=list, blank=True)
    impact = models.JSONField(_("impact"), default=dict, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    # What the history calls the writes of this import, and of its undo.
    deed = models.UUIDField(null=True, unique=True, editable=False)
    undo_deed = models.UUIDField(null=True, editable=False)
    undone = models.JSONField(_("what was taken back"), default=dict, blank=True)
    undone_at = models.DateTimeField(_("taken back"), null=True, blank=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+",
        verbose_name=_("taken back by"),
    )  # fmt: skip
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)

    attempts = models.PositiveSmallIntegerField(_("times begun by a worker"), default=0, editable=False)

    objects = ImportJobQuerySet.as_manager()

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]
        default_permissions = ("view", "export", "add", "change")

    def __str__(self) -> str:
        return f"{self.kind}: {self.file_name}"


class ImportProgress(models.Model):
    """How far a worker is with an import. Written beside the import's own transaction, and so without a foreign key."""

    job_id = models.BigIntegerField(_("import"), primary_key=True)
    stage = models.CharField(_("stage"), max_length=16, choices=Stage)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    cancelled = models.BooleanField(_("to be stopped"), default=False)
    updated_at = models.DateTimeField(_("last change"), db_default=Now())

    class Meta:
        verbose_name = _("progress of an import")
        verbose_name_plural = _("progress of imports")
        ordering = ["job_id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.job_id}: {self.get_stage_display()}"
