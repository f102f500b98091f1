"""Where an import stands and how it treats refused rows."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class JobState(models.TextChoices):
    """The way of an import."""

    UPLOADED = "UPLOADED", _("Uploaded")
    READING = "READING", _("Being looked at")
    PREVIEWED = "PREVIEWED", _("Previewed")
    APPLYING = "APPLYING", _("Being brought in")
    APPLIED = "APPLIED", _("Applied")
    UNDONE = "UNDONE", _("Taken back")
    REFUSED = "REFUSED", _("Refused")
    ABANDONED = "ABANDONED", _("Abandoned")


class Mode(models.TextChoices):
    """What happens to the good rows when some are refused."""

    ALL_OR_NOTHING = "all-or-nothing", _("All or nothing")
    GOOD_ROWS = "good-rows", _("Good rows only")


class Stage(models.TextChoices):
    """How far a worker is with an import."""

    LOOKING = "LOOKING", _("Finding out how it is written")
    READING = "READING", _("Reading the rows")
    CHECKING = "CHECKING", _("Comparing and checking")
    WRITING = "WRITING", _("Writing")
    IMPACT = "IMPACT", _("Asking what it does to coverage and rules")
