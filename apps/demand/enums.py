"""How a position stands in a week."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class CoverageState(models.TextChoices):
    """Assigned hours against required ones."""

    VACANT = "VACANT", _("Vacant")
    PARTIAL = "PARTIAL", _("Partial")
    COVERED = "COVERED", _("Covered")
    OVER_COVERED = "OVER_COVERED", _("Over-covered")
    NO_DEMAND = "NO_DEMAND", _("No demand")


COVERAGE_COLOURS = {
    CoverageState.VACANT: "red",
    CoverageState.PARTIAL: "yellow",
    CoverageState.COVERED: "green",
    CoverageState.OVER_COVERED: "blue",
    CoverageState.NO_DEMAND: "grey",
}
