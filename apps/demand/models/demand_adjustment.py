"""Dated changes of what a position needs."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.changes.triggers import mark_triggers
from apps.common.history import history_triggers, records
from apps.common.models import Recorded

from ..querysets import OfVisiblePositions


class DemandAdjustment(Recorded):
    """More or fewer required hours of a position, from one day to another, beside its baseline."""

    position = models.ForeignKey("org.Position", models.CASCADE, related_name="adjustments", verbose_name=_("position"))
    from_day = models.DateField(_("from"))
    until_day = models.DateField(_("until"), null=True, blank=True)
    hours = models.DecimalField(_("hours a week, more or fewer"), max_digits=8, decimal_places=2)
    reason = models.CharField(_("reason"), max_length=500, blank=True)

    history = records()
    objects = OfVisiblePositions.as_manager()

    class Meta:
        verbose_name = _("demand adjustment")
        verbose_name_plural = _("demand adjustments")
        ordering = ["position", "from_day"]
        default_permissions = ("add", "change", "delete", "view", "import", "export")
        constraints = [
            models.UniqueConstraint(
                fields=["position", "from_day"],
                name="demand_adjustment_once_a_day",
                violation_error_message=_("The position already has an adjustment that starts on this day."),
            ),
            models.CheckConstraint(
                condition=models.Q(until_day__isnull=True) | models.Q(until_day__gte=models.F("from_day")),
                name="demand_adjustment_ends_after_it_starts",
                violation_error_message=_("An adjustment cannot end before it starts."),
            ),
        ]
        indexes = [models.Index(fields=["from_day"]), models.Index(fields=["until_day"])]
        triggers = [
            *history_triggers(),
            *mark_triggers(position="position_id", watch=("position_id", "from_day", "until_day", "hours")),
        ]

    def __str__(self) -> str:
        return f"{self.hours:+} h {self.from_day} – {self.until_day or '…'}"
