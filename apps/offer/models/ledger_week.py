"""The stored account of an employee for the weeks of the horizon."""

from django.conf import settings
from django.db import models
from django.db.models import F
from django.db.models.functions import Least
from django.utils.translation import gettext_lazy as _

from apps.common.models import week_figures
from apps.fsm.querysets import OfVisibleEmployees


class LedgerWeek(models.Model):
    """An employee's pool, assigned and proposed hours, one array element a week from `first_week` (a Monday) on."""

    employee_path = "employee"

    employee = models.OneToOneField(
        "org.Employee", models.DO_NOTHING, db_constraint=False, primary_key=True, related_name="ledger",
        verbose_name=_("employee"),
    )  # fmt: skip
    first_week = models.DateField(_("first week"))
    pool = week_figures()
    assigned = week_figures()
    proposed = week_figures()
    # What the rules look for among a million accounts; the database keeps it in step with the arrays.
    lowest = models.GeneratedField(
        expression=Least(
            *(F(f"pool__{week}") - F(f"assigned__{week}") for week in range(settings.COVERIS_HORIZON_WEEKS))
        ),
        output_field=models.BigIntegerField(_("lowest balance"), null=True),
        db_persist=True,
    )
    # All active assignments together, whenever they run: who stays below a cap with all of them needs no second look.
    engaged = models.BigIntegerField(_("hours of all active assignments"), db_default=0)
    computed_at = models.DateTimeField(_("computed"))

    objects = OfVisibleEmployees.as_manager()

    class Meta:
        verbose_name = _("hours of an employee")
        verbose_name_plural = _("hours of employees")
        default_permissions = ("view", "export")
        # Whoever looks among all of them finds the employee without opening the account.
        indexes = [
            models.Index(fields=["lowest", "employee"], name="offer_ledgerweek_lowest"),
            models.Index(fields=["engaged", "employee"], name="offer_ledgerweek_engaged"),
            # The list begins with whoever is furthest over the pool in the first week.
            models.Index(F("pool__0") - F("assigned__0"), F("employee"), name="offer_ledgerweek_balance"),
        ]

    def __str__(self) -> str:
        return f"{self.employee_id} {self.first_week}"
