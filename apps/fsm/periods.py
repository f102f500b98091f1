"""The status on any day, kept in step with every transition."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import Max

from .employee_fsm import EmployeeStatus
from .models import EmployeeStatusPeriod

if TYPE_CHECKING:
    from .services import Deed

# From the day a status takes effect nothing else holds: later periods go, the one under way is cut.
DROP = """
    DELETE FROM fsm_employeestatusperiod p USING unnest(%s::bigint[], %s::date[]) AS new (employee_id, day)
    WHERE p.employee_id = new.employee_id AND p.from_day >= new.day
"""
CUT = """
    UPDATE fsm_employeestatusperiod p SET until_day = new.day - 1
    FROM unnest(%s::bigint[], %s::date[]) AS new (employee_id, day)
    WHERE p.employee_id = new.employee_id AND p.from_day < new.day AND (p.until_day IS NULL OR p.until_day >= new.day)
"""


def write(deed: Deed, effective: dict[int, date]) -> None:
    """Open the new status from its day on. A rehire never removes the period that ended the earlier employment."""
    if deed.move.name == "rehire":
        last = (
            EmployeeStatusPeriod.objects.filter(employee__in=effective, status=EmployeeStatus.TERMINATED)
            .values("employee")
            .annotate(day=Max("from_day"))
        )
        for row in last:
            effective[row["employee"]] = max(effective[row["employee"]], row["day"] + timedelta(days=1))
    moved = [subject for subject in deed.subjects if subject.status != deed.before[subject.pk]]
    pks = [subject.pk for subject in moved]
    days = [effective[pk] for pk in pks]
    with connection.cursor() as cursor:
        cursor.execute(DROP, [pks, days])
        cursor.execute(CUT, [pks, days])
    EmployeeStatusPeriod.objects.bulk_create(
        [
            EmployeeStatusPeriod(employee_id=subject.pk, status=subject.status, from_day=effective[subject.pk])
            for subject in moved
        ],
        batch_size=2_000,
    )
