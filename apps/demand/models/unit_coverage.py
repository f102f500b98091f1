"""The stored figures of units: of their own positions, and with everything below them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.models import week_figures
from apps.org.querysets import OfVisibleUnitFigures


class UnitSums(models.Model):
    """Sums over positions, an array element a week from `first_week` (a Monday) on, written by difference."""

    first_week = models.DateField(_("first week"))
    required = week_figures()
    assigned = week_figures()
    reinforcement = week_figures()
    proposed = week_figures()
    unqualified = week_figures()
    filled = week_figures()
    deficit = week_figures()
    surplus = week_figures()
    vacant = week_figures()
    partial = week_figures()
    covered = week_figures()
    over_covered = week_figures()
    no_demand = week_figures()
    headroom = week_figures()
    headroom_filled = week_figures()
    computed_at = models.DateTimeField(_("computed"))

    objects = OfVisibleUnitFigures.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.pk} {self.first_week}"


class UnitCoverage(UnitSums):
    """A unit's own positions: what wholes are made of, and what a closed week keeps."""

    org_unit = models.OneToOneField(
        "org.OrgUnit", models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="coverage",
        verbose_name=_("unit"),
    )  # fmt: skip

    class Meta(UnitSums.Meta):
        verbose_name = _("coverage of a unit")
        verbose_name_plural = _("coverage of units")
        default_permissions = ("view", "export")


class WholeCoverage(UnitSums):
    """A unit and everything below it: what pages, rules and commands show."""

    org_unit = models.OneToOneField(
        "org.OrgUnit", models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="whole_coverage",
        verbose_name=_("unit"),
    )  # fmt: skip

    class Meta(UnitSums.Meta):
        verbose_name = _("coverage of a unit and all below")
        verbose_name_plural = _("coverage of units and all below")
        default_permissions = ()
