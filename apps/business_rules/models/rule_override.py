"""What a unit changes about a rule."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.history import history_triggers, records
from apps.common.models import Recorded

from ..enums import OverrideSeverity
from ..querysets import OfVisibleUnits


class RuleOverride(Recorded):
    """Another severity (or OFF) or threshold of a rule, for a unit and everything below it; the nearest one wins."""

    rule = models.ForeignKey(
        "business_rules.BusinessRule", models.CASCADE, related_name="overrides", verbose_name=_("rule")
    )
    org_unit = models.ForeignKey("org.OrgUnit", models.CASCADE, related_name="rule_overrides", verbose_name=_("unit"))
    severity = models.CharField(
        _("severity"), max_length=16, choices=OverrideSeverity, blank=True, help_text=_("Empty: as above.")
    )
    threshold = models.DecimalField(
        _("threshold"), max_digits=10, decimal_places=2, null=True, blank=True, help_text=_("Empty: as above.")
    )

    history = records()
    objects = OfVisibleUnits.as_manager()

    class Meta:
        verbose_name = _("exception of a unit")
        verbose_name_plural = _("exceptions of units")
        ordering = ["rule", "org_unit"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "org_unit"],
                name="rules_override_once",
                violation_error_message=_("The unit already has its own setting of this rule."),
            )
        ]
        triggers = history_triggers()

    def __str__(self) -> str:
        return f"{self.rule} · {self.org_unit}"
