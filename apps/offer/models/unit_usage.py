"""How people are used, by their home unit: as stored, over those at home there and with everybody below."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.models import week_figures
from apps.org.querysets import OfVisibleUnitFigures


class Usage(models.Model):
    """Sums over people, an array element a week from `first_week` (a Monday) on, written by difference.

    `people` have a pool or something assigned; `over` are over the pool, `under` have more than SPARE_HOURS left
    (ledger.py); `over_hours` and `under_hours` are what these are over and have left, in hour-days.
    """

    first_week = models.DateField(_("first week"))
    people = week_figures()
    over = week_figures()
    under = week_figures()
    over_hours = week_figures()
    under_hours = week_figures()
    computed_at = models.DateTimeField(_("computed"))

    objects = OfVisibleUnitFigures.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.pk} {self.first_week}"


class UnitUsage(Usage):
    """The people at home in the unit itself; `most_over` and `most_under` are the hours of the one who has most."""

    org_unit = models.OneToOneField(
        "org.OrgUnit", models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="usage",
        verbose_name=_("unit"),
    )  # fmt: skip
    most_over = week_figures()
    most_under = week_figures()

    class Meta(Usage.Meta):
        verbose_name = _("use of the people of a unit")
        verbose_name_plural = _("use of the people of units")
        default_permissions = ()


class WholeUsage(Usage):
    """The people at home in the unit and everything below it."""

    org_unit = models.OneToOneField(
        "org.OrgUnit", models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="whole_usage",
        verbose_name=_("unit"),
    )  # fmt: skip

    class Meta(Usage.Meta):
        verbose_name = _("use of the people of a unit and all below")
        verbose_name_plural = _("use of the people of units and all below")
        default_permissions = ()
