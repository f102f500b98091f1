"""Where an import stands and how it treats refused rows."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class JobState(models.TextChoices):
    """The way of an import."""

    UPLOADED = "UPLOADED", _("Uploaded")
    PREVIEWED = "PREVIEWED", _("Previewed")
    APPLIED = "APPLIED", _("Applied")
    UNDONE = "UNDONE", _("Taken back")
    REFUSED = "REFUSED", _("Refused")
    ABANDONED = "ABANDONED", _("Abandoned")


class Mode(models.TextChoices):
    """What happens to the good rows when some are refused."""

    ALL_OR_NOTHING = "all-or-nothing", _("All or nothing")
    GOOD_ROWS = "good-rows", _("Good rows only")
