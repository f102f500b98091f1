"""Imports as jobs: what came in, what it did, what was refused."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.common.models import Recorded

from .enums import JobState, Mode, Stage
from .export_job import ExportJob as ExportJob
from .export_job import ExportPiece as ExportPiece
from .querysets import ImportJobQuerySet, ReadingHabitQuerySet


class ImportJob(Recorded):
    """One import: the file, how it was read, its counts, its refused rows and what it wrote.

    Of several sheets at once the files and what is said of each sheet are beside it (ImportFile, ImportPart); the job
    keeps what is theirs together: counts, refused rows, warnings, impact, the deed.
    """

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


class ImportFile(models.Model):
    """One file of an import that has several sheets; its bytes stay here until the job is decided."""

    job = models.ForeignKey(ImportJob, models.CASCADE, related_name="files", verbose_name=_("import"))
    name = models.CharField(_("file"), max_length=255)
    size = models.PositiveBigIntegerField(_("size in bytes"))
    content = models.BinaryField(_("content"), null=True, editable=False)

    class Meta:
        verbose_name = _("file of an import")
        verbose_name_plural = _("files of imports")
        ordering = ["id"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class ImportPart(models.Model):
    """One sheet of an import that has several: what it is, how it is read, its turn, and what came of it.

    An import of a single sheet has no parts: what they hold stands on the job itself, under the same names.
    """

    job = models.ForeignKey(ImportJob, models.CASCADE, related_name="parts", verbose_name=_("import"))
    file = models.ForeignKey(ImportFile, models.CASCADE, related_name="parts", verbose_name=_("file"))
    sheet = models.CharField(_("sheet of the workbook"), max_length=255, blank=True)
    # Empty until somebody says what it is.
    kind = models.CharField(_("kind of sheet"), max_length=32, blank=True)
    place = models.PositiveSmallIntegerField(_("turn"))
    is_left_aside = models.BooleanField(_("left aside"), default=False)
    options = models.JSONField(_("how it is read"), default=dict, blank=True)
    created = models.PositiveIntegerField(_("created"), default=0)
    updated = models.PositiveIntegerField(_("updated"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)

    class Meta:
        verbose_name = _("sheet of an import")
        verbose_name_plural = _("sheets of imports")
        ordering = ["job_id", "place"]
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=("job", "place"), name="import_part_has_its_turn", deferrable=models.Deferrable.DEFERRED,
                violation_error_message=_("Two sheets of an import cannot have the same turn."),
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.place}: {self.file_name}"

    @property
    def file_name(self) -> str:
        """Return what a person knows the sheet by: its file, and its name in the workbook."""
        name = f"{self.file.name} · {self.sheet}" if self.sheet else self.file.name
        if self.options.get("without_moves"):
            return gettext("%(name)s, first without its transitions") % {"name": name}
        return name

    @property
    def content(self) -> Any:
        return ImportFile.objects.values_list("content", flat=True).get(pk=self.file_id)


class ReadingHabit(models.Model):
    """How somebody last had a sheet read whose columns are called like this; the next one begins with it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("whose"))
    kind = models.CharField(_("kind of sheet"), max_length=32)
    # Fingerprints of the set of headers: as they were read in the end, and as they stood at the first glance.
    headers = models.CharField(_("headers"), max_length=64)
    first_seen = models.CharField(_("headers at first"), max_length=64, db_index=True)
    options = models.JSONField(_("how it is read"), default=dict)
    mapping = models.JSONField(_("columns"), default=dict, blank=True)
    corrected_at = models.DateTimeField(_("corrected"))

    objects = ReadingHabitQuerySet.as_manager()

    class Meta:
        verbose_name = _("way of reading sheets")
        verbose_name_plural = _("ways of reading sheets")
        ordering = ["-corrected_at"]
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=("user", "kind", "headers"), name="reading_habit_is_one_each",
                violation_error_message=_("There is one way of reading each set of columns."),
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.kind}: {self.headers[:8]}"


class ImportProgress(models.Model):
    """How far a worker is with an import. Written beside the import's own transaction, and so without a foreign key."""

    job_id = models.BigIntegerField(_("import"), primary_key=True)
    stage = models.CharField(_("stage"), max_length=16, choices=Stage)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    # Which of how many sheets; nothing for a single one.
    part = models.PositiveSmallIntegerField(_("sheet"), default=0)
    parts = models.PositiveSmallIntegerField(_("sheets"), default=0)
    cancelled = models.BooleanField(_("to be stopped"), default=False)
    updated_at = models.DateTimeField(_("last change"), db_default=Now())

    class Meta:
        verbose_name = _("progress of an import")
        verbose_name_plural = _("progress of imports")
        ordering = ["job_id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.job_id}: {self.get_stage_display()}"
