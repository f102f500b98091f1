"""The five roles."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """What somebody may do; each role includes those below it, EMPLOYEE aside."""

    ADMIN = "ADMIN", _("Administrator")
    MANAGER = "MANAGER", _("Manager")
    SUPERVISOR = "SUPERVISOR", _("Supervisor")
    VIEWER = "VIEWER", _("Viewer")
    EMPLOYEE = "EMPLOYEE", _("Employee")
