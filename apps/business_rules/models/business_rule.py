"""The catalogue of rules."""

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.common.history import history_triggers, records
from apps.common.models import Recorded

from ..enums import Severity, SubjectKind
from ..querysets import CatalogueQuerySet


class BusinessRule(Recorded):
    """What is checked, how severe it is and with which threshold; an edit acts at the next evaluation."""

    code = models.CharField(_("code"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    subject_kind = models.CharField(_("judges"), max_length=16, choices=SubjectKind)
    severity = models.CharField(_("severity"), max_length=16, choices=Severity)
    threshold = models.DecimalField(_("threshold"), max_digits=10, decimal_places=2, null=True, blank=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    effective_from = models.DateField(_("effective from"), null=True, blank=True)
    effective_until = models.DateField(_("effective until"), null=True, blank=True)

    history = records()
    objects = CatalogueQuerySet.as_manager()

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ["code"]
        default_permissions = ("add", "change", "delete", "view", "export")
        constraints = [
            models.CheckConstraint(condition=models.Q(severity__in=Severity.values), name="rules_severity_known"),
            models.CheckConstraint(
                condition=models.Q(subject_kind__in=SubjectKind.values), name="rules_subject_kind_known"
            ),
            models.CheckConstraint(
                condition=models.Q(effective_from__isnull=True)
                | models.Q(effective_until__isnull=True)
                | models.Q(effective_until__gte=models.F("effective_from")),
                name="rules_effective_in_order",
                violation_error_message=_("A rule cannot end before it starts."),
            ),
        ]
        triggers = history_triggers()

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """Return the name in the active language; a name staff gave is shown as they wrote it."""
        return gettext(self.name) if self.name else self.code

    @property
    def explanation(self) -> str:
        """Return the description in the active language."""
        return gettext(self.description) if self.description else ""
