"""The tables events are taken from: proxies, so that the triggers are ours and the apps below know of no webhook.

A trigger stands on the table itself, whoever writes it.
"""

import pgtrigger
from django.utils.translation import gettext_lazy as _

from apps.assignments.models import AssignmentTransitionLog
from apps.business_rules.models import RuleViolation
from apps.demand.models import PositionCoverage
from apps.fsm.models import EmployeeTransitionLog

from ..enums import Topic
from ..facts import ASSIGNMENTS, COVERAGE, EMPLOYEES, VIOLATIONS_CHANGED, VIOLATIONS_OPENED
from ..triggers import OutboxTrigger


class ListenedEmployeeLog(EmployeeTransitionLog):
    """The log of employees' transitions, with the trigger that writes them into the outbox."""

    class Meta:
        proxy = True
        verbose_name = _("employee transition")
        verbose_name_plural = _("employee transitions")
        default_permissions = ()
        triggers = [
            OutboxTrigger(
                name="webhook_insert", operation=pgtrigger.Insert, topic=Topic.EMPLOYEE_STATUS, kind="employee",
                facts=EMPLOYEES,
            )
        ]  # fmt: skip


class ListenedAssignmentLog(AssignmentTransitionLog):
    """The log of assignments' transitions, with the trigger that writes them into the outbox."""

    class Meta:
        proxy = True
        verbose_name = _("assignment transition")
        verbose_name_plural = _("assignment transitions")
        default_permissions = ()
        triggers = [
            OutboxTrigger(
                name="webhook_insert", operation=pgtrigger.Insert, topic=Topic.ASSIGNMENT_STATUS, kind="assignment",
                facts=ASSIGNMENTS,
            )
        ]  # fmt: skip


class ListenedCoverage(PositionCoverage):
    """The stored coverage of positions, with the trigger that writes its changes of state into the outbox.

    A row is begun empty and filled by an update, so that an insert tells nothing.
    """

    class Meta:
        proxy = True
        verbose_name = _("coverage of a position")
        verbose_name_plural = _("coverage of positions")
        default_permissions = ()
        triggers = [
            OutboxTrigger(
                name="webhook_update", operation=pgtrigger.Update, topic=Topic.POSITION_COVERAGE, kind="position",
                facts=COVERAGE,
            )
        ]  # fmt: skip


class ListenedViolation(RuleViolation):
    """The violations, with the triggers that write what opens or changes its state into the outbox."""

    class Meta:
        proxy = True
        verbose_name = _("violation")
        verbose_name_plural = _("violations")
        default_permissions = ()
        triggers = [
            OutboxTrigger(
                name="webhook_insert", operation=pgtrigger.Insert, topic=Topic.VIOLATION_STATE, kind="violation",
                facts=VIOLATIONS_OPENED,
            ),
            OutboxTrigger(
                name="webhook_update", operation=pgtrigger.Update, topic=Topic.VIOLATION_STATE, kind="violation",
                facts=VIOLATIONS_CHANGED,
            ),
        ]  # fmt: skip
