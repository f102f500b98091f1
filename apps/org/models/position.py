"""Positions: what is needed."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from apps.changes.triggers import mark_triggers
from apps.common.history import history_triggers, records
from apps.common.models import Recorded

from ..querysets import PositionQuerySet


class Position(Recorded):
    """A place to be filled: so many hours a week, in a unit of any level, from one day to another."""

    code = models.CharField(_("code"), max_length=40, unique=True)
    title = models.CharField(_("title"), max_length=200)
    org_unit = models.ForeignKey("org.OrgUnit", models.PROTECT, related_name="positions", verbose_name=_("unit"))
    required_weekly_hours = models.DecimalField(_("required hours a week"), max_digits=8, decimal_places=2)
    opens_on = models.DateField(_("opens on"), null=True, blank=True)
    closes_on = models.DateField(_("closes on"), null=True, blank=True, help_text=_("The last day it is needed."))

    history = records()
    objects = PositionQuerySet.as_manager()

    class Meta:
        verbose_name = _("position")
        verbose_name_plural = _("positions")
        ordering = ["code"]
        default_permissions = ("add", "change", "delete", "view", "import", "export")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(required_weekly_hours__gt=0),
                name="org_position_hours_positive",
                violation_error_message=_("The required hours must be above 0."),
            ),
            models.CheckConstraint(
                condition=models.Q(opens_on__isnull=True)
                | models.Q(closes_on__isnull=True)
                | models.Q(closes_on__gte=models.F("opens_on")),
                name="org_position_closes_after_it_opens",
                violation_error_message=_("A position cannot close before it opens."),
            ),
        ]
        indexes = [
            models.Index(fields=["title"]),
            models.Index(fields=["opens_on"]),
            models.Index(fields=["closes_on"]),
            GinIndex(OpClass(Upper("title"), name="gin_trgm_ops"), name="org_position_title_trgm"),
            GinIndex(OpClass(Upper("code"), name="gin_trgm_ops"), name="org_position_code_trgm"),
        ]
        triggers = [
            *history_triggers(),
            *mark_triggers(
                position="id", unit="org_unit_id",
                watch=("code", "org_unit_id", "required_weekly_hours", "opens_on", "closes_on"),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.title} ({self.code})"
