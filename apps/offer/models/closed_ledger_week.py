"""Weeks gone by: they keep their figures."""

from django.db import models
from django.utils.translation import gettext_lazy as _

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

    def __str__(self) -> str:
        return f"{self.employee_id} {self.week}"
