"""What a rule might become."""

from __future__ import annotations

import hashlib
import json

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.history import history_triggers, records

from ..enums import DraftState
from ..querysets import CatalogueRows
from .rule_content import CONTENT, RuleContent, content_constraints


class RuleDraft(RuleContent):
    """A rule as somebody would have it: judges nobody until it is published, and its history has each step.

    Without a `rule` it is a new one. `based_on` is the version it was taken from. `simulated` is the content (its
    digest) that `outcome` tells about: only what was simulated as it stands is published.
    """

    rule = models.ForeignKey(
        "business_rules.BusinessRule", models.CASCADE, null=True, blank=True, related_name="drafts",
        verbose_name=_("rule"),
    )  # fmt: skip
    based_on = models.PositiveIntegerField(_("based on version"), null=True, blank=True, editable=False)
    state = models.CharField(_("state"), max_length=16, choices=DraftState, default=DraftState.DRAFT, editable=False)
    note = models.TextField(_("why"), blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+",
        verbose_name=_("drafted by"),
    )  # fmt: skip
    simulated = models.CharField(_("simulated content"), max_length=64, blank=True, editable=False)
    simulated_at = models.DateTimeField(_("simulated"), null=True, blank=True, editable=False)
    outcome = models.JSONField(_("what it would do"), default=dict, blank=True, editable=False)
    published_at = models.DateTimeField(_("published"), null=True, blank=True, editable=False)
    published_version = models.PositiveIntegerField(_("became version"), null=True, blank=True, editable=False)

    history = records(excluded_fields=("outcome", "simulated", "simulated_at"))
    objects = CatalogueRows.as_manager()

    class Meta:
        verbose_name = _("draft of a rule")
        verbose_name_plural = _("drafts of rules")
        ordering = ["-id"]
        default_permissions = ("add", "change", "delete", "view")
        constraints = [
            *content_constraints("rules_draft"),
            models.CheckConstraint(condition=models.Q(state__in=DraftState.values), name="rules_draft_state_known"),
            models.CheckConstraint(
                condition=models.Q(rule__isnull=False) | ~models.Q(condition=""),
                name="rules_draft_new_rule_has_condition",
                violation_error_message=_("A new rule needs a condition."),
            ),
        ]
        triggers = history_triggers()

    def __str__(self) -> str:
        return f"{self.label} · {self.pk}"

    @property
    def digest(self) -> str:
        """Return what tells this content from any other."""
        content = {name: str(getattr(self, name)) for name in ("code", "subject_kind", *CONTENT)}
        if self.threshold is not None:
            content["threshold"] = f"{self.threshold:.2f}"  # as it is stored, however it was typed
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def is_open(self) -> bool:
        """Say whether it can still be changed, published or discarded."""
        return self.state == DraftState.DRAFT

    @property
    def is_simulated(self) -> bool:
        """Say whether the outcome tells about the content as it stands."""
        return self.simulated == self.digest
