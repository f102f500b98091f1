"""Accounts as programs read them: hours as texts of two decimals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.common.weeks import week_code
from apps.org.models import Employee

from .account import Week


def account_as_json(employee: Employee, weeks: Sequence[Week]) -> dict[str, Any]:
    """Return an employee's account, week by week with its lines."""
    return {"employee_number": employee.employee_number, "weeks": [_week(week) for week in weeks]}


def _week(week: Week) -> dict[str, Any]:
    return {
        "week": week_code(week.week),
        "pool_hours": str(week.pool_hours),
        "assigned_hours": str(week.assigned_hours),
        "balance_hours": str(week.balance_hours),
        "proposed_hours": str(week.proposed_hours),
        "closed": week.closed,
        "corrected_at": week.corrected and week.corrected.isoformat(),
        "lines": [
            {
                "kind": line.kind,
                "record": line.name,
                "hours": str(line.hours),
                "weekly_hours": str(line.weekly_hours),
                "from": line.from_day.isoformat(),
                "until": line.until_day.isoformat(),
            }
            for line in week.lines
        ],
    }
