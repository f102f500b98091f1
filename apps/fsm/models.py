"""What the door writes: the log of transitions and the status on any day."""

from typing import Any

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.changes.triggers import mark_triggers
from apps.common.acting import current_deed
from apps.common.history import history_triggers, records
from apps.common.models import DateRange
from apps.common.triggers import append_only

from .employee_fsm import EmployeeStatus
from .querysets import OfVisibleEmployees


class TransitionLog(models.Model):
    """One transition that happened: append-only, written in the transaction of the deed.

    Every concrete log has a `subject`, kept by its id alone: the undo of an import may take the row itself away, and
    `subject_code` then still tells which one it was. Nobody else can delete a row that has a log.
    """

    from_status = models.CharField(_("from"), max_length=16)
    to_status = models.CharField(_("to"), max_length=16)
    transition = models.CharField(_("transition"), max_length=32)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
        help_text=_("Empty: the system did it by itself."),
    )
    reason = models.TextField(_("reason"), blank=True)
    metadata = models.JSONField(_("details"), default=dict, blank=True)
    created_at = models.DateTimeField(_("when"), db_default=Now(), editable=False)
    subject_code = models.CharField(_("code"), max_length=120, blank=True, default="", editable=False)
    deed = models.UUIDField(null=True, editable=False, db_default=current_deed())

    class Meta:
        abstract = True

    @classmethod
    def subject_model(cls) -> Any:
        """Return the model whose transitions this log keeps; every concrete log has a `subject`."""
        return cls._meta.get_field("subject").related_model  # type: ignore[misc]

    def __str__(self) -> str:
        machine = self.subject_model().machine
        move = machine.told(self.transition)
        names = dict(machine.states.choices)
        label = move.label if move else self.transition
        return f"{label}: {names.get(self.from_status, '')} → {names.get(self.to_status, '')}"


class EmployeeTransitionLog(TransitionLog):
    """The transitions of an employee."""

    subject = models.ForeignKey(
        "org.Employee", models.PROTECT, null=True, db_constraint=False, related_name="transition_logs",
        verbose_name=_("employee"),
    )  # fmt: skip
    objects = OfVisibleEmployees.as_manager()
    employee_path = "subject"

    class Meta:
        verbose_name = _("employee transition")
        verbose_name_plural = _("employee transitions")
        ordering = ["-id"]
        default_permissions = ("view", "export")
        indexes = [
            models.Index(fields=["subject", "-id"]),
            models.Index(fields=["-created_at"]),
            models.Index(fields=["deed"], name="deed_employeelog", condition=models.Q(deed__isnull=False)),
        ]
        triggers = [append_only()]


class EmployeeStatusPeriod(models.Model):
    """The status of an employee from one day to another; written by the door alone.

    A day before the first period counts as ONBOARDING; a day to come counts with the status of today.
    """

    employee = models.ForeignKey(
        "org.Employee", models.PROTECT, related_name="status_periods", verbose_name=_("employee")
    )
    status = models.CharField(_("status"), max_length=16, choices=EmployeeStatus)
    from_day = models.DateField(_("from"))
    until_day = models.DateField(_("until"), null=True, blank=True)

    history = records()
    objects = OfVisibleEmployees.as_manager()
    employee_path = "employee"

    class Meta:
        verbose_name = _("status period")
        verbose_name_plural = _("status periods")
        ordering = ["employee", "from_day"]
        default_permissions = ("view", "export")
        constraints = [
            ExclusionConstraint(
                name="fsm_period_one_status_a_day",
                expressions=[
                    ("employee", RangeOperators.EQUAL),
                    (DateRange("from_day", "until_day"), RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(
                condition=models.Q(until_day__isnull=True) | models.Q(until_day__gte=models.F("from_day")),
                name="fsm_period_ends_after_it_starts",
            ),
        ]
        indexes = [
            models.Index(fields=["employee", "from_day"]),
            # Whose status changed between two days.
            models.Index(fields=["from_day", "employee"], name="fsm_period_begins"),
            models.Index(
                fields=["until_day", "employee"], condition=models.Q(until_day__isnull=False), name="fsm_period_ends"
            ),
        ]
        triggers = [*history_triggers(), *mark_triggers(employee="employee_id")]

    def __str__(self) -> str:
        return f"{self.get_status_display()} {self.from_day} – {self.until_day or ''}"
