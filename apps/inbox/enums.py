"""What an inbox holds."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.business_rules.enums import Severity


class AlertKind(models.TextChoices):
    """What sort of thing waits for somebody. Those of one rule or more come from its violations."""

    UNDER_COVERED = "UNDER_COVERED", _("Unit below target")
    VACANT = "VACANT", _("Vacancy")
    CLIFF = "CLIFF", _("Coverage running out")
    EXPIRY = "EXPIRY", _("Tag or contract ending")
    PROPOSAL = "PROPOSAL", _("Proposal waiting")
    RULE = "RULE", _("Rule broken")
    FIGURES = "FIGURES", _("Figures not fresh")
    FAILURE = "FAILURE", _("Something failed")


OF_RULE: dict[str, AlertKind] = {
    "UNIT_UNDER_COVERED": AlertKind.UNDER_COVERED,
    "POSITION_VACANT": AlertKind.VACANT,
    "REQUIRED_TAG_EXPIRING": AlertKind.EXPIRY,
    "CONTRACT_ENDING": AlertKind.EXPIRY,
}
RULE_KINDS = (AlertKind.UNDER_COVERED, AlertKind.VACANT, AlertKind.EXPIRY, AlertKind.RULE)
# They belong to no unit: whoever runs the installation looks after them.
HOUSEKEEPING = (AlertKind.FIGURES, AlertKind.FAILURE)
TOLD_BY_DEFAULT = tuple(kind for kind in AlertKind if kind not in HOUSEKEEPING)

# Severities from the gravest down: a rank is a place here.
RANKS = (Severity.BLOCKING, Severity.WARNING, Severity.INFO)


class SubjectKind(models.TextChoices):
    """What an alert is about: a subject of the rules, or a part of the installation."""

    EMPLOYEE = "employee", _("employee")
    ASSIGNMENT = "assignment", _("assignment")
    POSITION = "position", _("position")
    UNIT = "unit", _("unit")
    FIGURES = "figures", _("figures")
    LETTER = "letter", _("dead letter")
    RUN = "run", _("evaluation")
    DIGEST = "digest", _("digest")


class DigestOutcome(models.TextChoices):
    """What became of a person's digest of a day; CLAIMED alone is one whose sender died on the way."""

    CLAIMED = "CLAIMED", _("Under way")
    SENT = "SENT", _("Sent")
    NOTHING = "NOTHING", _("Nothing changed")
    FAILED = "FAILED", _("Failed")
