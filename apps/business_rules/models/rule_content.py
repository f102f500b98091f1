"""What can be decided about a rule: the same columns for what acts and for what is being drafted."""

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.common.models import Recorded

from ..enums import Severity, SubjectKind

LANGUAGE = 1
# What makes another version of a rule when it changes.
CONTENT = (
    "name",
    "description",
    "severity",
    "threshold",
    "enabled",
    "effective_from",
    "effective_until",
    "condition",
    "language",
    "message",
    "measure",
)


class RuleContent(Recorded):
    """What is checked, how severe it is, with which threshold and when.

    A rule staff wrote has a `condition` in the rule language (of the version `language`), a `message` with {words}
    of it, and maybe a `measure`: the word whose value a violation shows as observed. Rules that come with the product
    have none of the three.
    """

    code = models.CharField(_("code"), max_length=60)
    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    subject_kind = models.CharField(_("judges"), max_length=16, choices=SubjectKind)
    severity = models.CharField(_("severity"), max_length=16, choices=Severity)
    threshold = models.DecimalField(_("threshold"), max_digits=10, decimal_places=2, null=True, blank=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    effective_from = models.DateField(_("effective from"), null=True, blank=True)
    effective_until = models.DateField(_("effective until"), null=True, blank=True)
    condition = models.TextField(_("condition"), blank=True)
    language = models.PositiveSmallIntegerField(_("language version"), default=LANGUAGE, editable=False)
    message = models.TextField(_("message"), blank=True)
    measure = models.CharField(_("measure"), max_length=80, blank=True)

    class Meta:
        abstract = True

    @property
    def label(self) -> str:
        """Return the name in the active language; a name staff gave is shown as they wrote it."""
        return gettext(self.name) if self.name else self.code

    @property
    def explanation(self) -> str:
        """Return the description in the active language."""
        return gettext(self.description) if self.description else ""

    @property
    def is_own(self) -> bool:
        """Say whether staff wrote the rule, in the rule language."""
        return bool(self.condition)


def content_constraints(prefix: str) -> list[models.BaseConstraint]:
    """Return the constraints of the shared columns under names of their own."""
    return [
        models.CheckConstraint(condition=models.Q(severity__in=Severity.values), name=f"{prefix}_severity_known"),
        models.CheckConstraint(
            condition=models.Q(subject_kind__in=SubjectKind.values), name=f"{prefix}_subject_kind_known"
        ),
        models.CheckConstraint(
            condition=models.Q(effective_from__isnull=True)
            | models.Q(effective_until__isnull=True)
            | models.Q(effective_until__gte=models.F("effective_from")),
            name=f"{prefix}_effective_in_order",
            violation_error_message=_("A rule cannot end before it starts."),
        ),
        models.CheckConstraint(
            condition=models.Q(condition="") | ~models.Q(message=""),
            name=f"{prefix}_own_rule_speaks",
            violation_error_message=_("A rule with a condition needs a message that says what is wrong."),
        ),
    ]
