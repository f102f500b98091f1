"""The reference rules and a short way to ask them, for tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from apps.assignments.models import Assignment
from apps.business_rules.models import BusinessRule
from apps.business_rules.services import evaluate_rules
from apps.business_rules.verdicts import Finding
from tests.factories import BusinessRuleFactory

REFERENCE = (
    ("MAX_WEEKLY_HOURS", "employee", "BLOCKING", "60"),
    ("EMPLOYEE_NOT_AVAILABLE", "assignment", "BLOCKING", None),
    ("DUPLICATE_ASSIGNMENT", "assignment", "BLOCKING", None),
    ("MISSING_REQUIRED_TAG", "assignment", "BLOCKING", None),
    ("OUTSIDE_POSITION_DATES", "assignment", "BLOCKING", None),
    ("HOURS_OVER_POOL", "employee", "WARNING", "0"),
)


def install_rules() -> dict[str, BusinessRule]:
    """Put the six rules into the catalogue and return them by code."""
    return {
        code: BusinessRuleFactory(
            code=code, subject_kind=kind, severity=severity, threshold=threshold and Decimal(threshold)
        )
        for code, kind, severity, threshold in REFERENCE
    }


def found(code: str, **question: Any) -> list[Finding]:
    """Return what one rule finds; about everyone unless `subjects` are given."""
    return evaluate_rules(rules=[code], **question)


def at_the_gate(code: str, assignment: Assignment) -> list[Finding]:
    """Return what one rule says of a proposal as if it were accepted."""
    return evaluate_rules(
        rules=[code],
        subjects={"assignment": [assignment.pk], "employee": [assignment.employee_id]},
        as_accepted=[assignment.pk],
        at_gate=True,
    )
