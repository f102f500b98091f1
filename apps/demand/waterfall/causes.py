"""Why the figures of two weeks differ."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Cause(models.TextChoices):
    """Why figures of two weeks differ, in the order of the drawing."""

    NEW = "NEW", _("New assignments")
    ENDED = "ENDED", _("Assignments ended")
    HOURS = "HOURS", _("Hours changed")
    BEGUN = "BEGUN", _("Reinforcements begun")
    OVER = "OVER", _("Reinforcements ended")
    JOINED = "JOINED", _("People who joined")
    LEFT = "LEFT", _("People who left")
    RETURN = "RETURN", _("Leaves ended")
    LEAVE = "LEAVE", _("Leaves begun")
    REINSTATED = "REINSTATED", _("Suspensions ended")
    SUSPENDED = "SUSPENDED", _("Suspensions begun")
    TAG_HELD = "TAG_HELD", _("Required tag or contract obtained")
    TAG_LOST = "TAG_LOST", _("Required tag or contract ran out")
    OPENED = "OPENED", _("Positions opened")
    CLOSED = "CLOSED", _("Positions closed")
    ADJUSTED = "ADJUSTED", _("Adjustments begun")
    UNADJUSTED = "UNADJUSTED", _("Adjustments ended")
    CORRECTION = "CORRECTION", _("Changed since the week was closed")
