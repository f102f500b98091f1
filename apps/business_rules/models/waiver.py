"""Exceptions somebody answered for."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.history import history_triggers, records
from apps.common.models import Recorded

from ..enums import SubjectKind
from ..querysets import WaiverQuerySet


class Waiver(Recorded):
    """A rule does not count for a subject until a day; an expired one reopens its violation by itself."""

    rule = models.ForeignKey(
        "business_rules.BusinessRule", models.PROTECT, related_name="waivers", verbose_name=_("rule")
    )
    subject_kind = models.CharField(_("subject kind"), max_length=16, choices=SubjectKind)
    subject_id = models.BigIntegerField(_("subject"))
    subject_code = models.CharField(_("subject"), max_length=140)
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
            )
        ]
        indexes = [models.Index(fields=["subject_kind", "subject_id", "expires_on"])]
        triggers = history_triggers()

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject_code} – {self.expires_on}"
