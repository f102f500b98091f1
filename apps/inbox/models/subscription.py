"""What one person wants to be told."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.common.history import history_triggers, records
from apps.common.models import Recorded

from ..enums import TOLD_BY_DEFAULT, AlertKind
from ..querysets import SubscriptionQuerySet

# Cliffs are looked for so far ahead, coverage is kept for thirteen weeks.
CLIFF_DAYS, COVERAGE_DAYS = 90, 91
# What holds for whoever said nothing.
CLIFF_LEAD, COVERAGE_LEAD = 30, 91


def told_by_default() -> list[str]:
    return [kind.value for kind in TOLD_BY_DEFAULT]


class Subscription(Recorded):
    """Whether a person gets the daily digest, of what, and how far ahead the inbox looks for them."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user"))
    by_mail = models.BooleanField(
        _("one mail a day"), default=False, help_text=_("Only what changed since the last one; none when nothing did.")
    )
    kinds = ArrayField(
        models.CharField(max_length=16, choices=AlertKind), verbose_name=_("about"), default=told_by_default, blank=True
    )
    only_mine = models.BooleanField(_("only what is assigned to me"), default=False)
    cliff_lead_days = models.PositiveSmallIntegerField(
        _("coverage running out: days ahead"), default=CLIFF_LEAD, validators=[MaxValueValidator(CLIFF_DAYS)]
    )
    coverage_lead_days = models.PositiveSmallIntegerField(
        _("units below target: days ahead"), default=COVERAGE_LEAD, validators=[MaxValueValidator(COVERAGE_DAYS)]
    )

    history = records()
    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ["user_id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(cliff_lead_days__lte=CLIFF_DAYS),
                name="inbox_subscription_cliffs_in_sight",
                violation_error_message=_("So far ahead nothing is looked for."),
            ),
            models.CheckConstraint(
                condition=models.Q(coverage_lead_days__lte=COVERAGE_DAYS),
                name="inbox_subscription_coverage_in_sight",
                violation_error_message=_("So far ahead coverage is not kept."),
            ),
            models.CheckConstraint(
                condition=models.Q(kinds__contained_by=AlertKind.values), name="inbox_subscription_kinds_known"
            ),
        ]
        triggers = history_triggers()

    def __str__(self) -> str:
        return str(self.user)
