"""Why coverage runs out."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Cause(models.TextChoices):
    """Why hours stop, or go on without what was asked."""

    ASSIGNMENT = "ASSIGNMENT", _("Assignment ends")
    LAST_DAY = "LAST_DAY", _("Last day of work")
    LEAVE = "LEAVE", _("Leave begins")
    TAG = "TAG", _("Required tag runs out")
    CONTRACT = "CONTRACT", _("Contract ends")

    @property
    def goes_on(self) -> bool:
        """Say whether the hours go on all the same, unqualified or without a contract."""
        return self in (Cause.TAG, Cause.CONTRACT)
