"""When the rules were asked, and what they found."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class EvaluationRun(models.Model):
    """One sweep: why it ran, how long it took, what each rule found, what failed.

    It waits until `started_at` is set and is under way until `finished_at` is; `results` holds the counts and the
    time (ms) of each rule done so far, so that an interrupted run is taken up where it stopped.
    """

    trigger = models.CharField(_("why it ran"), max_length=32)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    unit_code = models.CharField(_("unit"), max_length=40, blank=True)
    rules = models.JSONField(_("rules"), default=list, blank=True, help_text=_("Empty: all of them."))
    requested_at = models.DateTimeField(_("asked for"), db_default=Now(), editable=False)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    subjects = models.PositiveIntegerField(_("subjects"), default=0)
    opened = models.PositiveIntegerField(_("opened"), default=0)
    resolved = models.PositiveIntegerField(_("resolved"), default=0)
    results = models.JSONField(_("by rule"), default=dict, blank=True)
    failure = models.TextField(_("failed"), blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)

    class Meta:
        verbose_name = _("evaluation")
        verbose_name_plural = _("evaluations")
        ordering = ["-id"]
        default_permissions = ("add", "view", "export")
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(finished_at__isnull=True), name="rules_evaluation_unfinished"
            )
        ]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.started_at or self.requested_at):%Y-%m-%d %H:%M}"
