"""Weeks gone by: they keep their figures and their tree, and corrections lie beside them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.changes.models import Correction
from apps.common.triggers import append_only

from ..querysets import ClosedWeekQuerySet


class GoneWeek(models.Model):
    """The figures of one week that is over, in hour-days; nothing of it is ever changed."""

    week = models.DateField(_("week"))
    path = ArrayField(models.BigIntegerField(), default=list)
    required = models.BigIntegerField()
    assigned = models.BigIntegerField()
    reinforcement = models.BigIntegerField()
    proposed = models.BigIntegerField()
    unqualified = models.BigIntegerField()

    objects = ClosedWeekQuerySet.as_manager()

    class Meta:
        abstract = True
        triggers = [append_only()]


class UnitSumsOfWeek(GoneWeek):
    """What a unit has beside the sums of its positions' figures."""

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

    class Meta(GoneWeek.Meta):
        abstract = True


class Closed(models.Model):
    """A week as it stood when it closed."""

    closed_at = models.DateTimeField(_("closed"))

    class Meta:
        abstract = True


class Corrected(models.Model):
    """A week as a correction made it; the path is that of the closed week."""

    correction = models.ForeignKey(Correction, models.PROTECT, related_name="+", verbose_name=_("correction"))

    class Meta:
        abstract = True


class ClosedPositionWeek(Closed, GoneWeek):
    """A position in a closed week; `path` is that of its unit then."""

    position = models.ForeignKey(
        "org.Position", models.DO_NOTHING, db_constraint=False, related_name="closed_weeks", verbose_name=_("position")
    )

    class Meta(GoneWeek.Meta):
        default_permissions = ("view", "export")
        verbose_name = _("closed week of a position")
        verbose_name_plural = _("closed weeks of positions")
        constraints = [models.UniqueConstraint(fields=["position", "week"], name="demand_closed_position_once")]
        indexes = [models.Index(fields=["week"])]

    def __str__(self) -> str:
        return f"{self.position_id} {self.week}"


class ClosedUnitWeek(Closed, UnitSumsOfWeek):
    """A unit's own positions in a closed week; `path` is its own then."""

    org_unit = models.ForeignKey(
        "org.OrgUnit", models.DO_NOTHING, db_constraint=False, related_name="closed_weeks", verbose_name=_("unit")
    )

    class Meta(GoneWeek.Meta):
        default_permissions = ("view", "export")
        verbose_name = _("closed week of a unit")
        verbose_name_plural = _("closed weeks of units")
        constraints = [models.UniqueConstraint(fields=["org_unit", "week"], name="demand_closed_unit_once")]
        indexes = [models.Index(fields=["week"])]

    def __str__(self) -> str:
        return f"{self.org_unit_id} {self.week}"


class CorrectedPositionWeek(Corrected, GoneWeek):
    """A position in a closed week as a correction made it."""

    position = models.ForeignKey(
        "org.Position", models.DO_NOTHING, db_constraint=False, related_name="corrected_weeks",
        verbose_name=_("position"),
    )  # fmt: skip

    class Meta(GoneWeek.Meta):
        verbose_name = _("corrected week of a position")
        verbose_name_plural = _("corrected weeks of positions")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["position", "week", "correction"], name="demand_corrected_position_once")
        ]
        indexes = [models.Index(fields=["week"])]

    def __str__(self) -> str:
        return f"{self.position_id} {self.week}"


class CorrectedUnitWeek(Corrected, UnitSumsOfWeek):
    """A unit's own positions in a closed week as a correction made them."""

    org_unit = models.ForeignKey(
        "org.OrgUnit", models.DO_NOTHING, db_constraint=False, related_name="corrected_weeks", verbose_name=_("unit")
    )

    class Meta(GoneWeek.Meta):
        verbose_name = _("corrected week of a unit")
        verbose_name_plural = _("corrected weeks of units")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["org_unit", "week", "correction"], name="demand_corrected_unit_once")
        ]
        indexes = [models.Index(fields=["week"])]

    def __str__(self) -> str:
        return f"{self.org_unit_id} {self.week}"
