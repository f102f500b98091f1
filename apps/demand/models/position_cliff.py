"""The days to come on which hours stop, as stored."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..cliff_causes import Cause
from ..querysets import OfVisiblePositions


class PositionCliff(models.Model):
    """One day on which one assignment stops covering (cliffs.Cliff), kept from the day it was computed on.

    `since` is the day from which something lacks: that of the cliff, or an earlier one on which a tag ran out during a
    leave. What a page tells beside it (names, who follows) is read when it is shown.
    """

    position = models.ForeignKey(
        "org.Position", models.DO_NOTHING, db_constraint=False, related_name="cliffs", verbose_name=_("position")
    )
    assignment = models.ForeignKey(
        "assignments.Assignment", models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+",
        verbose_name=_("assignment"),
    )  # fmt: skip
    employee = models.ForeignKey(
        "org.Employee", models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+",
        verbose_name=_("employee"),
    )  # fmt: skip
    cause = models.CharField(_("cause"), max_length=16, choices=Cause)
    day = models.DateField(_("day"))
    since = models.DateField(_("since"))
    hours = models.IntegerField(_("weekly hours, in hundredths"))
    needs = models.IntegerField(_("weekly hours needed, in hundredths"))
    record_id = models.BigIntegerField(null=True)
    back_on = models.DateField(null=True)
    tags = ArrayField(models.BigIntegerField(), default=list)

    objects = OfVisiblePositions.as_manager()

    class Meta:
        verbose_name = _("coverage running out")
        verbose_name_plural = _("coverage running out")
        default_permissions = ()
        indexes = [models.Index(fields=["day", "position", "assignment", "cause"], name="demand_cliff_by_day")]

    def __str__(self) -> str:
        return f"{self.position_id} {self.day} {self.cause}"
