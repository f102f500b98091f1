"""Exceptions somebody answered for."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.history import history_triggers, records
from apps.common.models import Recorded

from ..enums import Severity, SubjectKind
from ..querysets import WaiverQuerySet


class Waiver(Recorded):
    """A rule does not count for a subject, or for all subjects of a unit and below, until a day, included.

    It covers violations no more severe than `severity`, which is what whoever granted it answered for. An expired one
    reopens its violations by itself.
    """

    rule = models.ForeignKey(
        "business_rules.BusinessRule", models.PROTECT, related_name="waivers", verbose_name=_("rule")
    )
    subject_kind = models.CharField(_("subject kind"), max_length=16, choices=SubjectKind, blank=True)
    subject_id = models.BigIntegerField(_("subject"), null=True, blank=True)
    subject_code = models.CharField(_("subject"), max_length=140, blank=True)
    org_unit = models.ForeignKey(
        "org.OrgUnit", models.PROTECT, null=True, blank=True, related_name="waivers", verbose_name=_("unit")
    )
    severity = models.CharField(_("severity"), max_length=16, choices=Severity, default=Severity.BLOCKING)
    reason = models.TextField(_("reason"))
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("granted by")
    )
    expires_on = models.DateField(_("in force until"))

    history = records()
    objects = WaiverQuerySet.as_manager()

    class Meta:
        verbose_name = _("waiver")
        verbose_name_plural = _("waivers")
        ordering = ["expires_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(reason=""),
                name="rules_waiver_says_why",
                violation_error_message=_("A waiver needs a reason."),
            ),
            models.CheckConstraint(
                condition=models.Q(severity__in=Severity.values), name="rules_waiver_severity_known"
            ),
            models.CheckConstraint(
                condition=models.Q(subject_id__isnull=False, org_unit__isnull=True) & ~models.Q(subject_kind="")
                | models.Q(subject_id__isnull=True, org_unit__isnull=False, subject_kind=""),
                name="rules_waiver_of_subject_or_unit",
                violation_error_message=_("A waiver is of one record or of one unit."),
            ),
        ]
        indexes = [
            models.Index(fields=["subject_kind", "subject_id", "expires_on"]),
            models.Index(fields=["expires_on"]),
        ]
        triggers = history_triggers()

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject_code or self.org_unit} – {self.expires_on}"
