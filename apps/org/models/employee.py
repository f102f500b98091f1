"""Employees: who can give hours."""

from typing import Any

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from apps.changes.triggers import mark_triggers
from apps.common.history import history_triggers, records
from apps.common.models import Recorded
from apps.common.triggers import stays_while_logged
from apps.fsm.employee_fsm import GIVING, EmployeeStatus
from apps.fsm.mixins import EmployeeLifecycle

from ..querysets import EmployeeQuerySet


class Employee(EmployeeLifecycle, Recorded):
    """A person who works here, hired from a day, with a lifecycle (docs/states.md)."""

    keeps_status_periods = True
    sensitive_fields = ("national_id",)

    employee_number = models.CharField(_("employee number"), max_length=40, unique=True)
    given_name = models.CharField(_("given name"), max_length=100)
    family_name = models.CharField(_("family name"), max_length=100)
    email = models.EmailField(_("e-mail"), blank=True)
    national_id = models.CharField(_("national id"), max_length=20, blank=True)
    home_unit = models.ForeignKey("org.OrgUnit", models.PROTECT, related_name="employees", verbose_name=_("home unit"))
    hired_on = models.DateField(_("hired on"))
    last_day = models.DateField(_("last day"), null=True, blank=True, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="employee",
        verbose_name=_("login"),
    )  # fmt: skip

    history = records()
    objects = EmployeeQuerySet.as_manager()

    class Meta:
        verbose_name = _("employee")
        verbose_name_plural = _("employees")
        ordering = ["family_name", "given_name", "id"]
        default_permissions = ("add", "change", "delete", "view", "import", "export")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=EmployeeStatus.values), name="org_employee_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(last_day__isnull=True) | models.Q(last_day__gte=models.F("hired_on")),
                name="org_employee_leaves_after_hiring",
                violation_error_message=_("The last day cannot be before the day of hiring."),
            ),
        ]
        indexes = [
            models.Index(fields=["family_name", "given_name", "id"]),
            models.Index(fields=["status"]),
            models.Index(fields=["hired_on"]),
            # The few who give no hours, or will not for ever.
            models.Index(
                fields=["id"],
                include=["status", "last_day"],
                name="org_employee_leaving",
                condition=models.Q(status__in=[status for status in EmployeeStatus if status not in GIVING])
                | models.Q(last_day__isnull=False),
            ),
            GinIndex(OpClass(Upper("family_name"), name="gin_trgm_ops"), name="org_employee_family_trgm"),
            GinIndex(OpClass(Upper("given_name"), name="gin_trgm_ops"), name="org_employee_given_trgm"),
            GinIndex(OpClass(Upper("employee_number"), name="gin_trgm_ops"), name="org_employee_number_trgm"),
        ]
        triggers = [
            *history_triggers(),
            stays_while_logged("fsm_employeetransitionlog.subject_id", "tags_tagchangelog.employee_id"),
            *mark_triggers(employee="id", watch=("status", "last_day", "hired_on", "home_unit_id", "employee_number")),
            # Whoever moves changes what two units have.
            *mark_triggers(home="home_unit_id", watch=("home_unit_id",), name="home"),
        ]

    def __str__(self) -> str:
        return f"{self.family_name}, {self.given_name} ({self.employee_number})"

    @property
    def log_code(self) -> str:
        return self.employee_number

    def is_about(self, user: Any) -> bool:
        return self.user_id is not None and self.user_id == user.pk

    def is_own_of(self, user: Any) -> bool:
        return False
