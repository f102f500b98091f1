"""When the rules were asked, and what they found."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class EvaluationRun(models.Model):
    """One sweep: why it ran, how long it took, what each rule found, what failed."""

    trigger = models.CharField(_("why it ran"), max_length=32)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    unit_code = models.CharField(_("unit"), max_length=40, blank=True)
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    subjects = models.PositiveIntegerField(_("subjects"), default=0)
    opened = models.PositiveIntegerField(_("opened"), default=0)
    resolved = models.PositiveIntegerField(_("resolved"), default=0)
    results = models.JSONField(_("by rule"), default=dict, blank=True)
    failure = models.TextField(_("failed"), blank=True)

    class Meta:
        verbose_name = _("evaluation")
        verbose_name_plural = _("evaluations")
        ordering = ["-started_at", "-id"]
        default_permissions = ("view", "export")
        indexes = [models.Index(fields=["-started_at", "-id"])]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}"
