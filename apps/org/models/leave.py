"""Leaves: when somebody is away."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.changes.triggers import mark_triggers
from apps.common.history import history_triggers, records
from apps.common.models import DateRange, Recorded
from apps.fsm.querysets import OfVisibleEmployees

from ..enums import LeaveKind


class Leave(Recorded):
    """Days on which an employee gives no hours; an empty end means it is not known yet."""

    employee_path = "employee"

    employee = models.ForeignKey("org.Employee", models.PROTECT, related_name="leaves", verbose_name=_("employee"))
    kind = models.CharField(_("kind"), max_length=16, choices=LeaveKind, default=LeaveKind.OTHER)
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("until"), null=True, blank=True, help_text=_("Empty: not known yet."))
    reason = models.CharField(_("reason"), max_length=500, blank=True)

    history = records()
    objects = OfVisibleEmployees.as_manager()

    class Meta:
        verbose_name = _("leave")
        verbose_name_plural = _("leaves")
        ordering = ["-starts_on", "id"]
        default_permissions = ("add", "change", "delete", "view", "import", "export")
        constraints = [
            ExclusionConstraint(
                name="org_leave_one_at_a_time",
                expressions=[
                    ("employee", RangeOperators.EQUAL),
                    (DateRange("starts_on", "ends_on"), RangeOperators.OVERLAPS),
                ],
                violation_error_message=_("The employee already has a leave on some of these days."),
            ),
            models.CheckConstraint(
                condition=models.Q(ends_on__isnull=True) | models.Q(ends_on__gte=models.F("starts_on")),
                name="org_leave_ends_after_it_starts",
                violation_error_message=_("A leave cannot end before it starts."),
            ),
            models.CheckConstraint(condition=models.Q(kind__in=LeaveKind.values), name="org_leave_kind_known"),
        ]
        indexes = [models.Index(fields=["starts_on"]), models.Index(fields=["ends_on"])]
        triggers = [
            *history_triggers(),
            *mark_triggers(employee="employee_id", watch=("employee_id", "starts_on", "ends_on")),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.starts_on} – {self.ends_on or '…'}"
