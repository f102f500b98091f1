"""How severe a rule is, what it looks at, and where a violation stands."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Severity(models.TextChoices):
    """What a violation does: refuse, ask for confirmation, or only be told."""

    BLOCKING = "BLOCKING", _("Blocking")
    WARNING = "WARNING", _("Warning")
    INFO = "INFO", _("Informative")


class OverrideSeverity(models.TextChoices):
    """As Severity; OFF silences the rule in a unit and below."""

    BLOCKING = "BLOCKING", _("Blocking")
    WARNING = "WARNING", _("Warning")
    INFO = "INFO", _("Informative")
    OFF = "OFF", _("Off")


class SubjectKind(models.TextChoices):
    """What a rule judges."""

    EMPLOYEE = "employee", _("employee")
    ASSIGNMENT = "assignment", _("assignment")
    POSITION = "position", _("position")
    UNIT = "unit", _("unit")


class ViolationState(models.TextChoices):
    """Where a violation stands; RESOLVED ones are over."""

    OPEN = "OPEN", _("Open")
    ACKNOWLEDGED = "ACKNOWLEDGED", _("Acknowledged")
    WAIVED = "WAIVED", _("Waived")
    RESOLVED = "RESOLVED", _("Resolved")


UNRESOLVED = (ViolationState.OPEN, ViolationState.ACKNOWLEDGED, ViolationState.WAIVED)
SEVERITY_COLOURS = {Severity.BLOCKING: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}
STATE_COLOURS = {
    ViolationState.OPEN: "red",
    ViolationState.ACKNOWLEDGED: "yellow",
    ViolationState.WAIVED: "blue",
    ViolationState.RESOLVED: "grey",
}
