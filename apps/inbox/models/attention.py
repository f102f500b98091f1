"""What people decided about an item of the inbox."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.history import history_triggers, records
from apps.common.models import Recorded

from ..enums import RULE_KINDS, AlertKind, SubjectKind
from ..querysets import AttentionQuerySet


class Attention(Recorded):
    """Who looks after one item, until when it sleeps, who took note of it. One row an item; none = nobody did anything.

    `seen_rank` and `seen_value` are how grave the item was when it was put to sleep: one that got worse since wakes
    before its day. A violation is acknowledged on itself (business_rules), never here.
    """

    kind = models.CharField(_("kind"), max_length=16, choices=AlertKind)
    rule = models.ForeignKey(
        "business_rules.BusinessRule", models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("rule")
    )
    cause = models.CharField(_("cause"), max_length=16, blank=True, default="")
    subject_kind = models.CharField(_("subject kind"), max_length=16, choices=SubjectKind)
    subject_id = models.BigIntegerField(_("subject"))
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+",
        verbose_name=_("assigned to"),
    )  # fmt: skip
    snoozed_until = models.DateField(_("sleeps until"), null=True, blank=True)
    seen_rank = models.PositiveSmallIntegerField(_("severity when put to sleep"), null=True, blank=True)
    seen_value = models.DecimalField(
        _("value when put to sleep"), max_digits=14, decimal_places=2, null=True, blank=True
    )
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+",
        verbose_name=_("acknowledged by"),
    )  # fmt: skip
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True, blank=True)
    note = models.TextField(_("note"), blank=True, default="")

    history = records()
    objects = AttentionQuerySet.as_manager()

    class Meta:
        verbose_name = _("item of the inbox")
        verbose_name_plural = _("items of the inbox")
        ordering = ["-id"]
        default_permissions = ("view", "change", "export")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "rule", "cause", "subject_kind", "subject_id"],
                nulls_distinct=False,
                name="inbox_attention_one_an_item",
            ),
            models.CheckConstraint(condition=models.Q(kind__in=AlertKind.values), name="inbox_attention_kind_known"),
            models.CheckConstraint(
                condition=models.Q(subject_kind__in=SubjectKind.values), name="inbox_attention_subject_known"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=RULE_KINDS, rule__isnull=False)
                | models.Q(~models.Q(kind__in=RULE_KINDS), rule__isnull=True),
                name="inbox_attention_rule_of_violations",
            ),
            models.CheckConstraint(
                condition=models.Q(snoozed_until__isnull=True, seen_rank__isnull=True, seen_value__isnull=True)
                | models.Q(snoozed_until__isnull=False, seen_rank__isnull=False, seen_value__isnull=False),
                name="inbox_attention_sleeps_with_what_was_seen",
            ),
            models.CheckConstraint(
                condition=models.Q(rule__isnull=True) | models.Q(acknowledged_at__isnull=True),
                name="inbox_attention_violation_noted_on_itself",
            ),
            models.CheckConstraint(
                condition=models.Q(acknowledged_by__isnull=True) | models.Q(acknowledged_at__isnull=False),
                name="inbox_attention_noted_when",
            ),
        ]
        indexes = [
            models.Index(fields=["subject_kind", "subject_id"], name="inbox_attention_subject"),
            models.Index(
                fields=["snoozed_until"], condition=models.Q(snoozed_until__isnull=False), name="inbox_attention_asleep"
            ),
        ]
        triggers = history_triggers()

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.get_subject_kind_display()} {self.subject_id}"
