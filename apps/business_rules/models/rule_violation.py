"""What is wrong now, and what was."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.history import history_triggers, records
from apps.common.models import Recorded

from ..definitions import definition_of
from ..enums import UNRESOLVED, Severity, SubjectKind, ViolationState
from ..querysets import ViolationQuerySet
from ..verdicts import Verdict


class RuleViolation(Recorded):
    """One rule broken by one subject, from the day it was first seen until it is resolved.

    `last_seen` is when a sweep last wrote it: one that finds it unchanged leaves the row alone. `rule_version` is the
    version of the rule by which it was last written.
    """

    rule = models.ForeignKey(
        "business_rules.BusinessRule", models.PROTECT, related_name="violations", verbose_name=_("rule")
    )
    subject_kind = models.CharField(_("subject kind"), max_length=16, choices=SubjectKind)
    subject_id = models.BigIntegerField(_("subject"))
    subject_code = models.CharField(_("subject"), max_length=140)
    severity = models.CharField(_("severity"), max_length=16, choices=Severity)
    observed = models.DecimalField(_("observed"), max_digits=12, decimal_places=2, null=True, blank=True)
    limit = models.DecimalField(_("limit"), max_digits=12, decimal_places=2, null=True, blank=True)
    facts = models.JSONField(_("records and numbers"), default=dict, blank=True)
    rule_version = models.PositiveIntegerField(_("version of the rule"), default=1, db_default=1)
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"))
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=16, choices=ViolationState, default=ViolationState.OPEN)

    history = records(excluded_fields=("last_seen",))
    objects = ViolationQuerySet.as_manager()

    class Meta:
        verbose_name = _("violation")
        verbose_name_plural = _("violations")
        ordering = ["-first_seen", "-id"]
        default_permissions = ("view", "change", "export")
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject_kind", "subject_id"],
                condition=models.Q(state__in=UNRESOLVED),
                name="rules_one_unresolved_violation",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=ViolationState.values), name="rules_violation_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state=ViolationState.RESOLVED, resolved_at__isnull=False)
                | models.Q(~models.Q(state=ViolationState.RESOLVED), resolved_at__isnull=True),
                name="rules_violation_resolved_when",
            ),
        ]
        indexes = [
            models.Index(fields=["subject_kind", "subject_id"]),
            models.Index(fields=["-first_seen", "-id"]),
            models.Index(fields=["state", "severity"]),
        ]
        triggers = history_triggers()

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject_code}"

    @property
    def verdict(self) -> Verdict:
        """Return what was found, ready to say it in the active language (`message`, `remedy`, `records`)."""
        return Verdict(
            self.rule.code, self.subject_code, self.observed, self.limit, self.facts, definition_of(self.rule)
        )
