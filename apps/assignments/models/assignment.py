"""Assignments: who gives how many hours where, from when to when."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_fsm import transition

from apps.changes.triggers import mark_triggers
from apps.common.history import history_triggers, records
from apps.common.models import DateRange, Recorded
from apps.common.triggers import stays_while_logged
from apps.fsm.fields import StatusField
from apps.fsm.mixins import Lifecycle

from ..assignment_fsm import LIVE, MACHINE
from ..assignment_fsm import AssignmentStatus as S
from ..querysets import AssignmentQuerySet


class Assignment(Lifecycle, Recorded):
    """An employee's weekly hours for a position; in force from acceptance on, on the days its employee gives hours.

    `accepted_at` tells an assignment that was once in force from a proposal that never was; a `voided` one keeps its
    dates and never counts.
    """

    machine = MACHINE

    employee = models.ForeignKey("org.Employee", models.PROTECT, related_name="assignments", verbose_name=_("employee"))
    position = models.ForeignKey("org.Position", models.PROTECT, related_name="assignments", verbose_name=_("position"))
    effective_hours = models.DecimalField(_("hours a week"), max_digits=8, decimal_places=2)
    is_reinforcement = models.BooleanField(_("reinforcement"), default=False)
    status = StatusField(_("status"), choices=S.choices, default=S.PROPOSED, protected=True)
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("until"), null=True, blank=True)
    expires_on = models.DateField(
        _("proposal expires after"), null=True, blank=True, help_text=_("Empty: the proposal stands until decided.")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+",
        verbose_name=_("proposed by"),
    )  # fmt: skip
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True, editable=False)
    voided = models.BooleanField(_("never in force"), default=False, editable=False)

    history = records()
    objects = AssignmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("assignment")
        verbose_name_plural = _("assignments")
        ordering = ["-starts_on", "-id"]
        default_permissions = ("add", "change", "delete", "view", "import", "export")
        constraints = [
            ExclusionConstraint(
                name="assignments_one_live_regular",
                expressions=[
                    ("employee", RangeOperators.EQUAL),
                    ("position", RangeOperators.EQUAL),
                    (DateRange("starts_on", "ends_on"), RangeOperators.OVERLAPS),
                ],
                condition=models.Q(status__in=LIVE, is_reinforcement=False),
                violation_error_message=_("The employee already has a live assignment to this position on those days."),
            ),
            models.CheckConstraint(
                condition=models.Q(effective_hours__gt=0),
                name="assignments_hours_positive",
                violation_error_message=_("The hours must be above 0."),
            ),
            models.CheckConstraint(
                condition=models.Q(ends_on__isnull=True) | models.Q(ends_on__gte=models.F("starts_on")),
                name="assignments_ends_after_it_starts",
                violation_error_message=_("An assignment cannot end before it starts."),
            ),
            models.CheckConstraint(condition=models.Q(status__in=S.values), name="assignments_status_known"),
            models.CheckConstraint(
                condition=models.Q(status=S.CLOSED)
                | models.Q(status=S.ACTIVE, accepted_at__isnull=False)
                | models.Q(status=S.PROPOSED, accepted_at__isnull=True),
                name="assignments_active_was_accepted",
            ),
            models.CheckConstraint(
                condition=models.Q(voided=False) | models.Q(status=S.CLOSED), name="assignments_voided_is_closed"
            ),
        ]
        indexes = [
            models.Index(fields=["-starts_on", "-id"]),
            models.Index(fields=["status", "expires_on"]),
            models.Index(
                fields=["employee"], include=["effective_hours", "starts_on", "ends_on", "position"],
                condition=models.Q(voided=False), name="assignments_by_employee_hot",
            ),
            models.Index(
                fields=["position"], include=["effective_hours", "starts_on", "ends_on", "employee"],
                condition=models.Q(voided=False), name="assignments_by_position_hot",
            ),
            # What the cap and duplicates are judged by, in the order they are added up in.
            models.Index(
                fields=["employee", "position"],
                include=["id", "status", "effective_hours", "is_reinforcement", "starts_on", "ends_on"],
                condition=models.Q(status__in=LIVE), name="assignments_live_by_employee",
            ),
            models.Index(fields=["ends_on"], condition=models.Q(status=S.ACTIVE), name="assignments_active_end"),
            # What ended in a week and is closed by now.
            models.Index(
                fields=["ends_on"], condition=models.Q(status=S.CLOSED, voided=False), name="assignments_closed_end"
            ),
        ]  # fmt: skip
        triggers = [
            *history_triggers(),
            stays_while_logged("assignments_assignmenttransitionlog.subject_id"),
            *mark_triggers(
                employee="employee_id", position="position_id",
                watch=("employee_id", "position_id", "effective_hours", "is_reinforcement", "status", "starts_on",
                       "ends_on", "accepted_at", "voided"),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.code

    @property
    def code(self) -> str:
        """Return EMPLOYEE/POSITION/START, by which people and sheets name an assignment."""
        return f"{self.employee.employee_number}/{self.position.code}/{self.starts_on}"

    @property
    def log_code(self) -> str:
        return self.code

    def is_about(self, user: Any) -> bool:
        return self.employee.is_about(user)

    def is_own_of(self, user: Any) -> bool:
        return self.created_by_id is not None and self.created_by_id == user.pk

    @transition("status", source=S.PROPOSED, target=S.ACTIVE)
    def accept(self, *, today: date, **inputs: Any) -> date:
        self.accepted_at = timezone.now()
        return today

    @transition("status", source=S.PROPOSED, target=S.CLOSED)
    def reject(self, *, today: date, **inputs: Any) -> date:
        return today

    @transition("status", source=S.PROPOSED, target=S.CLOSED)
    def expire(self, *, today: date, **inputs: Any) -> date:
        return today

    @transition("status", source=S.ACTIVE, target=S.CLOSED)
    def close(self, *, today: date, ends_on: date, **inputs: Any) -> date:
        self.ends_on = ends_on
        return today

    @transition("status", source=S.ACTIVE, target=S.CLOSED)
    def void(self, *, today: date, **inputs: Any) -> date:
        self.voided = True
        return today
