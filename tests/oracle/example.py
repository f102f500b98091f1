"""The small clinic worked out by hand, built the way people would: through the door, on the days things happened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from apps.assignments.models import Assignment
from apps.fsm.services import apply_transition
from apps.org.models import Employee, Leave, OrgUnit, Position
from apps.tags.models import EmployeeTag, TagCatalog

# The roll-up as the page has it.
# unit: required, assigned, filled, deficit, surplus, coverage %, raw %, net-zero
UNITS = {
    "2026-W50": {
        "H1": ("49.71", "39.43", "39.43", "10.29", "0.00", "79.3", "79.3", False),
        "H2": ("19.01", "32.15", "19.01", "0.00", "13.14", "100.0", "169.1", False),
        "H": ("68.72", "71.58", "58.44", "10.29", "13.14", "85.0", "104.2", True),
    },
    "2026-W51": {
        "H1": ("60.00", "49.71", "49.71", "10.29", "0.00", "82.9", "82.9", False),
        "H2": ("12.15", "10.57", "7.15", "5.01", "3.43", "58.8", "87.0", False),
        "H": ("72.15", "60.29", "56.86", "15.29", "3.43", "78.8", "83.6", False),
    },
}

TODAY = date(2026, 12, 9)


def build(set_today: Callable[[date], None]) -> dict[str, Any]:
    """Build the clinic and leave the clock on TODAY; return its records by code."""
    h = OrgUnit.objects.create(code="H", name="Hospital", kind="CLINIC")
    h1 = OrgUnit.objects.create(code="H1", name="Urgencias", kind="SERVICE", parent=h)
    h2 = OrgUnit.objects.create(code="H2", name="Quirófano", kind="SERVICE", parent=h)
    made: dict[str, Any] = {"H": h, "H1": h1, "H2": h2}
    january = date(2026, 1, 1)
    for code, unit, hours, opens_on, closes_on in (
        ("P1", h1, "36", january, None),
        ("P2", h1, "24", date(2026, 12, 10), None),
        ("P3", h2, "12", january, date(2026, 12, 16)),
        ("P4", h2, "7.01", january, None),
    ):
        made[code] = Position.objects.create(
            code=code, title=code, org_unit=unit, required_weekly_hours=Decimal(hours), opens_on=opens_on,
            closes_on=closes_on,
        )  # fmt: skip
    for code, kind, delta in (
        ("C48", "CONTRACT", "48"),
        ("C24", "CONTRACT", "24"),
        ("C36", "CONTRACT", "36"),
        ("C12", "CONTRACT", "12.50"),
        ("RL", "EXCEPTION", "-4"),
    ):
        made[code] = TagCatalog.objects.create(code=code, name=code, type=kind, hours_delta=Decimal(delta))
    for number, hired_on, tags in (
        ("E1", date(2020, 1, 6), [("C48", date(2020, 1, 6), None)]),
        ("E2", date(2026, 12, 8), [("C24", date(2026, 12, 8), None), ("RL", date(2026, 12, 11), None)]),
        ("E3", date(2021, 3, 1), [("C36", date(2021, 3, 1), date(2026, 12, 13)), ("C48", date(2026, 12, 14), None)]),
        ("E4", date(2021, 3, 1), [("C12", date(2021, 3, 1), None)]),
        ("E5", date(2022, 5, 2), [("C24", date(2022, 5, 2), None)]),
    ):
        set_today(hired_on)
        employee = Employee.objects.create(
            employee_number=number, given_name=number, family_name="Ejemplo", home_unit=h, hired_on=hired_on
        )
        for tag, valid_from, valid_until in tags:
            EmployeeTag.objects.create(employee=employee, tag=made[tag], valid_from=valid_from, valid_until=valid_until)
        made[number] = apply_transition(employee, "activate", actor=None, confirmed=True)
    set_today(TODAY)
    Leave.objects.create(employee=made["E1"], kind="VACATION", starts_on=date(2026, 12, 12), ends_on=date(2026, 12, 15))
    for employee, position, hours, starts_on, ends_on, reinforcement, accepted in (
        ("E1", "P1", "36", january, None, False, True),
        ("E2", "P2", "24", date(2026, 12, 10), None, False, True),
        ("E3", "P3", "20", date(2026, 12, 1), date(2026, 12, 16), True, True),
        ("E3", "P1", "10", date(2026, 12, 14), None, False, False),
        ("E4", "P4", "7.01", january, None, False, True),
        ("E5", "P3", "12", january, None, False, True),
        ("E5", "P4", "5", date(2026, 12, 14), None, False, True),
    ):
        assignment = Assignment.objects.create(
            employee=made[employee], position=made[position], effective_hours=Decimal(hours), starts_on=starts_on,
            ends_on=ends_on, is_reinforcement=reinforcement,
        )  # fmt: skip
        if accepted:
            assignment = apply_transition(assignment, "accept", actor=None, confirmed=True)
        made[f"{employee}/{position}"] = assignment
    made["E4"] = apply_transition(made["E4"], "give_notice", actor=None, last_day=date(2026, 12, 15))
    made["E5"] = apply_transition(made["E5"], "terminate", actor=None, reason="fin", last_day=TODAY)
    return made
