"""The stored figures of a position for the weeks of the horizon."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.models import week_figures

from ..querysets import OfVisiblePositions


class PositionCoverage(models.Model):
    """A position's hours, one array element a week from `first_week` (a Monday) on; written by workers by difference.

    The position is no database-level reference: derived rows never stand in the way of a change; a drain removes them.
    """

    position = models.OneToOneField(
        "org.Position", models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="coverage",
        verbose_name=_("position"),
    )  # fmt: skip
    first_week = models.DateField(_("first week"))
    required = week_figures()
    assigned = week_figures()
    reinforcement = week_figures()
    proposed = week_figures()
    unqualified = week_figures()
    computed_at = models.DateTimeField(_("computed"))

    objects = OfVisiblePositions.as_manager()

    class Meta:
        verbose_name = _("coverage of a position")
        verbose_name_plural = _("coverage of positions")
        default_permissions = ("view", "export")
        indexes = [
            # Where somebody in force lacks a required tag these days.
            models.Index(
                fields=["position"], condition=models.Q(unqualified__0__gt=0), name="demand_positioncoverage_short"
            )
        ]

    def __str__(self) -> str:
        return f"{self.position_id} {self.first_week}"
