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


class DraftState(models.TextChoices):
    """Where a draft of a rule stands: PUBLISHED ones act, in the version they became."""

    DRAFT = "DRAFT", _("Draft")
    PUBLISHED = "PUBLISHED", _("Published")
    DISCARDED = "DISCARDED", _("Discarded")


class Expectation(models.TextChoices):
    """What a pinned case demands of a rule."""

    ALLOWED = "ALLOWED", _("must be allowed")
    BLOCKED = "BLOCKED", _("must be blocked")


# A waiver covers what is no more severe than what it was granted for.
RANKS = {Severity.INFO: 1, Severity.WARNING: 2, Severity.BLOCKING: 3}
UNRESOLVED = (ViolationState.OPEN, ViolationState.ACKNOWLEDGED, ViolationState.WAIVED)
SEVERITY_COLOURS = {Severity.BLOCKING: "red", Severity.WARNING: "yellow", Severity.INFO: "blue"}
STATE_COLOURS = {
    ViolationState.OPEN: "red",
    ViolationState.ACKNOWLEDGED: "yellow",
    ViolationState.WAIVED: "blue",
    ViolationState.RESOLVED: "grey",
}
