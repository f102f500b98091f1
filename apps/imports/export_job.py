"""Files too long to be written while somebody waits: what is wanted of which list, and the file until it is fetched."""

from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.models import Recorded

if TYPE_CHECKING:
    from apps.users.models import User


class ExportState(models.TextChoices):
    """The way of a file that is taken out."""

    WAITING = "WAITING", _("Waiting for a worker")
    MAKING = "MAKING", _("Being written")
    READY = "READY", _("Ready")
    GONE = "GONE", _("No longer kept")
    CANCELLED = "CANCELLED", _("Stopped")
    FAILED = "FAILED", _("Not made")


class ExportJobQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: "User") -> Self:
        """Return one's own alone: a file holds what its owner may see."""
        return self.filter(user_id=user.pk) if user.is_active else self.none()

    def editable_by(self, user: "User") -> Self:
        return self.visible_to(user)

    def unfinished(self) -> Self:
        return self.filter(state__in=[ExportState.WAITING, ExportState.MAKING])


class ExportJob(Recorded):
    """A list to be taken out by a worker: whose, of which list, through which filters, in which shape."""

    listed = models.CharField(_("list"), max_length=80)  # the label of the model whose list it is
    kind = models.CharField(_("what"), max_length=80)
    query = models.TextField(_("filters"), blank=True)
    shape = models.CharField(_("format"), max_length=16)
    language = models.CharField(_("language"), max_length=8)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    state = models.CharField(_("state"), max_length=16, choices=ExportState, default=ExportState.WAITING)
    total = models.PositiveIntegerField(_("rows to write"), null=True, editable=False)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    size = models.PositiveBigIntegerField(_("size"), default=0)
    # What the person could see when it was written; with less than that nobody fetches it.
    sight = models.JSONField(default=dict, blank=True, editable=False)
    failure = models.TextField(_("why not"), blank=True)
    attempts = models.PositiveSmallIntegerField(_("times begun by a worker"), default=0, editable=False)
    made_at = models.DateTimeField(_("ready since"), null=True, blank=True)

    objects = ExportJobQuerySet.as_manager()

    class Meta:
        verbose_name = _("file taken out")
        verbose_name_plural = _("files taken out")
        ordering = ["-id"]
        default_permissions = ("view", "export")
        indexes = [
            models.Index(fields=["user"], name="exportjob_user"),
            models.Index(
                fields=["state"], name="exportjob_kept", condition=models.Q(state__in=["WAITING", "MAKING", "READY"])
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state="READY") | models.Q(made_at__isnull=False, size__gt=0),
                name="exportjob_ready_is_made",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.kind}.{self.format}"

    @property
    def format(self) -> str:
        return self.shape.partition("-")[0]


class ExportPiece(models.Model):
    """Some MB of a file that waits to be fetched; all of a file's pieces come to be in one transaction.

    Written in one that reads everything as of one moment, where a foreign key would fail on a job that was noted on
    meanwhile.
    """

    job = models.ForeignKey(
        ExportJob, models.CASCADE, related_name="pieces", db_constraint=False, verbose_name=_("file taken out")
    )
    number = models.PositiveIntegerField(_("place"))
    content = models.BinaryField(_("content"), editable=False)

    class Meta:
        verbose_name = _("piece of a file taken out")
        verbose_name_plural = _("pieces of files taken out")
        ordering = ["job_id", "number"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="exportpiece_place")]

    def __str__(self) -> str:
        return f"{self.job_id}: {self.number}"
