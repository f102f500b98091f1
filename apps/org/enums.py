"""Kinds of unit and of leave."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.fsm.employee_fsm import EmployeeStatus, LeaveKind

__all__ = ["EmployeeStatus", "LeaveKind", "UnitKind"]


class UnitKind(models.TextChoices):
    """A label people give a unit; the depth of the tree is free."""

    CLINIC = "CLINIC", _("Clinic")
    DEPARTMENT = "DEPARTMENT", _("Department")
    SERVICE = "SERVICE", _("Service")
    UNIT = "UNIT", _("Unit")
