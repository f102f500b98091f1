"""Weeks gone by: they keep their figures, and corrections lie beside them."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.changes.models import Correction
from apps.common.triggers import append_only
from apps.fsm.querysets import OfVisibleEmployees


class ClosedLedgerWeek(models.Model):
    """The account of an employee as it stood when the week closed, in hour-days."""

    employee_path = "employee"

    employee = models.ForeignKey(
        "org.Employee", models.DO_NOTHING, db_constraint=False, related_name="closed_weeks", verbose_name=_("employee")
    )
    week = models.DateField(_("week"))
    pool = models.BigIntegerField()
    assigned = models.BigIntegerField()
    proposed = models.BigIntegerField()
    closed_at = models.DateTimeField(_("closed"))

    objects = OfVisibleEmployees.as_manager()

    class Meta:
        verbose_name = _("closed week of an employee")
        verbose_name_plural = _("closed weeks of employees")
        default_permissions = ("view", "export")
        constraints = [models.UniqueConstraint(fields=["employee", "week"], name="offer_closed_week_once")]
        triggers = [append_only()]

    def __str__(self) -> str:
        return f"{self.employee_id} {self.week}"


class CorrectedLedgerWeek(models.Model):
    """The account of an employee in a closed week as a correction made it, in hour-days; append-only."""

    employee_path = "employee"

    correction = models.ForeignKey(
        Correction, models.PROTECT, related_name="ledger_weeks", verbose_name=_("correction")
    )
    employee = models.ForeignKey(
        "org.Employee", models.DO_NOTHING, db_constraint=False, related_name="corrected_weeks",
        verbose_name=_("employee"),
    )  # fmt: skip
    week = models.DateField(_("week"))
    pool = models.BigIntegerField()
    assigned = models.BigIntegerField()
    proposed = models.BigIntegerField()

    objects = OfVisibleEmployees.as_manager()

    class Meta:
        verbose_name = _("corrected week of an employee")
        verbose_name_plural = _("corrected weeks of employees")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["employee", "week", "correction"], name="offer_corrected_week_once")
        ]
        triggers = [append_only()]

    def __str__(self) -> str:
        return f"{self.employee_id} {self.week}"
