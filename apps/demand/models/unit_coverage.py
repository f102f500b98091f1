"""The stored figures of a unit's own positions."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.models import week_figures

from ..querysets import OfVisibleUnitFigures


class UnitCoverage(models.Model):
    """Sums over a unit's own positions, one array element a week."""

    org_unit = models.OneToOneField(
        "org.OrgUnit", models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="coverage",
        verbose_name=_("unit"),
    )  # fmt: skip
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
    computed_at = models.DateTimeField(_("computed"))

    objects = OfVisibleUnitFigures.as_manager()

    class Meta:
        verbose_name = _("coverage of a unit")
        verbose_name_plural = _("coverage of units")
        default_permissions = ("view", "export")

    def __str__(self) -> str:
        return f"{self.org_unit_id} {self.first_week}"
