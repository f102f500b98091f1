"""The next day on which hours stop that a position will then miss."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.demand.cliffs import Cause


class CliffAlert(models.Model):
    """One assignment and cause, with the first day on which its hours will be missing; kept by `refresh_alerts`.

    `missing` are weekly hours in hundredths: those that stop, as far as the position is short without them. Of what
    follows later, `accepted` and `proposed` are in hundredths too, from `follows_on` on.
    """

    assignment = models.ForeignKey(
        "assignments.Assignment", models.CASCADE, related_name="+", verbose_name=_("assignment")
    )
    cause = models.CharField(_("cause"), max_length=16, choices=Cause)
    day = models.DateField(_("day"))
    missing = models.IntegerField(_("missing hundredths of hours"))
    accepted = models.IntegerField(_("accepted to follow, in hundredths"))
    proposed = models.IntegerField(_("proposed to follow, in hundredths"))
    follows_on = models.DateField(_("follows on"), null=True)
    first_seen = models.DateTimeField(_("first seen"))

    class Meta:
        verbose_name = _("cliff ahead")
        verbose_name_plural = _("cliffs ahead")
        ordering = ["day", "id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["assignment", "cause"], name="inbox_cliff_one_a_cause"),
            models.CheckConstraint(condition=models.Q(missing__gt=0), name="inbox_cliff_misses_hours"),
        ]
        indexes = [models.Index(fields=["day", "first_seen", "id"], name="inbox_cliff_by_day")]

    def __str__(self) -> str:
        return f"{self.cause} {self.day} {self.assignment_id}"
