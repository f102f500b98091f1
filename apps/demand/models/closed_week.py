"""Weeks gone by: they keep their figures and their tree."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..querysets import ClosedWeekQuerySet


class ClosedWeek(models.Model):
    """The figures of one week as they stood when it closed, in hour-days."""

    week = models.DateField(_("week"))
    path = ArrayField(models.BigIntegerField(), default=list)
    required = models.BigIntegerField()
    assigned = models.BigIntegerField()
    reinforcement = models.BigIntegerField()
    proposed = models.BigIntegerField()
    unqualified = models.BigIntegerField()
    closed_at = models.DateTimeField(_("closed"))

    objects = ClosedWeekQuerySet.as_manager()

    class Meta:
        abstract = True
        default_permissions = ("view", "export")


class ClosedPositionWeek(ClosedWeek):
    """A position in a closed week; `path` is that of its unit then."""

    position = models.ForeignKey(
        "org.Position", models.DO_NOTHING, db_constraint=False, related_name="closed_weeks", verbose_name=_("position")
    )

    class Meta(ClosedWeek.Meta):
        verbose_name = _("closed week of a position")
        verbose_name_plural = _("closed weeks of positions")
        constraints = [models.UniqueConstraint(fields=["position", "week"], name="demand_closed_position_once")]
        indexes = [models.Index(fields=["week"])]

    def __str__(self) -> str:
        return f"{self.position_id} {self.week}"


class ClosedUnitWeek(ClosedWeek):
    """A unit's own positions in a closed week; `path` is its own then."""

    org_unit = models.ForeignKey(
        "org.OrgUnit", models.DO_NOTHING, db_constraint=False, related_name="closed_weeks", verbose_name=_("unit")
    )
    filled = models.BigIntegerField()
    deficit = models.BigIntegerField()
    surplus = models.BigIntegerField()
    vacant = models.BigIntegerField()
    partial = models.BigIntegerField()
    covered = models.BigIntegerField()
    over_covered = models.BigIntegerField()
    no_demand = models.BigIntegerField()
    # Weeks closed before there was any headroom have none.
    headroom = models.BigIntegerField(default=0)
    headroom_filled = models.BigIntegerField(default=0)

    class Meta(ClosedWeek.Meta):
        verbose_name = _("closed week of a unit")
        verbose_name_plural = _("closed weeks of units")
        constraints = [models.UniqueConstraint(fields=["org_unit", "week"], name="demand_closed_unit_once")]
        indexes = [models.Index(fields=["week"])]

    def __str__(self) -> str:
        return f"{self.org_unit_id} {self.week}"
