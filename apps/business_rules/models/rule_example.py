"""Cases a rule must decide as somebody once decided them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.history import history_triggers, records
from apps.common.models import Recorded

from ..enums import Expectation, SubjectKind
from ..querysets import CatalogueRows


class RuleExample(Recorded):
    """A pinned case of a rule, or of the draft of a new one: run at each edit, and a broken one stops a publish.

    It is a subject as it stands (`subject_kind`, `subject_id`), or, with `proposal`, an assignment nobody has made:
    {employee, position, hours, starts_in_days, days} (ids, hours as text; days = None goes on without an end).
    """

    rule = models.ForeignKey(
        "business_rules.BusinessRule", models.CASCADE, null=True, blank=True, related_name="examples",
        verbose_name=_("rule"),
    )  # fmt: skip
    draft = models.ForeignKey(
        "business_rules.RuleDraft", models.CASCADE, null=True, blank=True, related_name="examples",
        verbose_name=_("draft"),
    )  # fmt: skip
    title = models.CharField(_("case"), max_length=200)
    expects = models.CharField(_("expected"), max_length=16, choices=Expectation)
    subject_kind = models.CharField(_("subject kind"), max_length=16, choices=SubjectKind, blank=True)
    subject_id = models.BigIntegerField(_("subject"), null=True, blank=True)
    proposal = models.JSONField(_("proposal"), null=True, blank=True)

    history = records()
    objects = CatalogueRows.as_manager()

    class Meta:
        verbose_name = _("pinned case")
        verbose_name_plural = _("pinned cases")
        ordering = ["id"]
        default_permissions = ("add", "change", "delete", "view")
        constraints = [
            models.CheckConstraint(condition=models.Q(expects__in=Expectation.values), name="rules_example_expects"),
            models.CheckConstraint(
                condition=models.Q(rule__isnull=True, draft__isnull=False)
                | models.Q(rule__isnull=False, draft__isnull=True),
                name="rules_example_of_one",
            ),
            models.CheckConstraint(
                condition=models.Q(subject_id__isnull=False, proposal__isnull=True) & ~models.Q(subject_kind="")
                | models.Q(subject_id__isnull=True, proposal__isnull=False, subject_kind=""),
                name="rules_example_is_one_case",
                violation_error_message=_("A pinned case is either a record as it stands or a proposal."),
            ),
        ]
        triggers = history_triggers()

    def __str__(self) -> str:
        return self.title
