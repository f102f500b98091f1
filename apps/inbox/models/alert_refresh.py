"""How fresh the stored alerts are."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class AlertRefresh(models.Model):
    """When the cliffs ahead were last looked for, and whether somebody asked to look again: one row (id 1)."""

    requested_at = models.DateTimeField(_("asked for"), null=True)
    finished_at = models.DateTimeField(_("last done"), null=True)
    found = models.PositiveIntegerField(_("found"), default=0)

    class Meta:
        verbose_name = _("refresh of the alerts")
        verbose_name_plural = _("refreshes of the alerts")
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="inbox_refresh_one_row")]

    def __str__(self) -> str:
        return f"{self.finished_at}: {self.found}"
