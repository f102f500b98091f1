"""For each rule of the catalogue a situation that breaks it, built before there are rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection

from apps.fsm.services import apply_transition
from apps.org.models import Position
from apps.tags.models import EmployeeTag
from tests.conftest import TODAY
from tests.factories import AssignmentFactory, Clinic, EmployeeTagFactory, PositionTagFactory, TagFactory

SOON = TODAY + timedelta(days=10)


@dataclass(frozen=True)
class Situation:
    """Who breaks a rule, and a threshold at which it would just be no breach; None where the rule has none."""

    kind: str
    subject: Any
    fits: str | None = None

    @property
    def asked(self) -> dict[str, list[int]]:
        return {self.kind: [self.subject.pk]}


def _given(clinic: Clinic, hours: str, **fields: Any) -> Any:
    return AssignmentFactory(
        employee=clinic.nurse, position=clinic.p1, effective_hours=hours, **{"accepted": True} | fields
    )


def _above_the_cap(clinic: Clinic) -> Situation:
    _given(clinic, "61")
    return Situation("employee", clinic.nurse, "61")


def _suspended(clinic: Clinic) -> Situation:
    assignment = _given(clinic, "10")
    apply_transition(clinic.nurse, "suspend", actor=None, reason="inquiry")
    return Situation("assignment", assignment)


def _twice(clinic: Clinic) -> Situation:
    # The database holds this for stored rows; the test's transaction brings the constraint back.
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE assignments_assignment DROP CONSTRAINT assignments_one_live_regular")
    _given(clinic, "10", accepted=False)
    return Situation("assignment", _given(clinic, "5", starts_on=date(2026, 2, 1), accepted=False))


def _without_the_licence(clinic: Clinic) -> Situation:
    PositionTagFactory(position=clinic.p1, tag=TagFactory(code="ICU"))
    return Situation("assignment", _given(clinic, "10"))


def _after_closing(clinic: Clinic) -> Situation:
    Position.objects.filter(pk=clinic.p1.pk).update(closes_on=date(2026, 12, 31))
    return Situation("assignment", _given(clinic, "10", ends_on=date(2027, 1, 10)))


def _over_the_pool(clinic: Clinic) -> Situation:
    _given(clinic, "40")
    return Situation("employee", clinic.nurse, "4")


def _without_contract(clinic: Clinic) -> Situation:
    EmployeeTag.objects.filter(employee=clinic.nurse).update(valid_until=TODAY - timedelta(days=1))
    return Situation("employee", clinic.nurse)


def _licence_running_out(clinic: Clinic) -> Situation:
    tag = TagFactory(code="ICU")
    PositionTagFactory(position=clinic.p1, tag=tag)
    EmployeeTagFactory(employee=clinic.nurse, tag=tag, valid_until=SOON)
    return Situation("assignment", _given(clinic, "10"), "9")


def _contract_running_out(clinic: Clinic) -> Situation:
    EmployeeTag.objects.filter(employee=clinic.nurse).update(valid_until=SOON)
    return Situation("employee", clinic.nurse, "9")


def _other_hours(clinic: Clinic) -> Situation:
    return Situation("assignment", _given(clinic, "30"))


def _half_covered(clinic: Clinic) -> Situation:
    _given(clinic, "18")
    return Situation("unit", clinic.h1, "50")


def _vacant(clinic: Clinic) -> Situation:
    return Situation("position", clinic.p1, str((TODAY - date(2026, 1, 1)).days + 1))


def _more_than_needed(clinic: Clinic) -> Situation:
    _given(clinic, "45")
    return Situation("position", clinic.p1, "125")


def _idle(clinic: Clinic) -> Situation:
    return Situation("employee", clinic.nurse, "36")


BROKEN: dict[str, Callable[[Clinic], Situation]] = {
    "MAX_WEEKLY_HOURS": _above_the_cap,
    "EMPLOYEE_NOT_AVAILABLE": _suspended,
    "DUPLICATE_ASSIGNMENT": _twice,
    "MISSING_REQUIRED_TAG": _without_the_licence,
    "OUTSIDE_POSITION_DATES": _after_closing,
    "HOURS_OVER_POOL": _over_the_pool,
    "NO_CONTRACT": _without_contract,
    "REQUIRED_TAG_EXPIRING": _licence_running_out,
    "CONTRACT_ENDING": _contract_running_out,
    "CONTRACT_HOURS_MISMATCH": _other_hours,
    "UNIT_UNDER_COVERED": _half_covered,
    "POSITION_VACANT": _vacant,
    "POSITION_OVER_COVERED": _more_than_needed,
    "UNUSED_CAPACITY": _idle,
}
