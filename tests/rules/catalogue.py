"""The reference rules and a short way to ask them, for tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from apps.assignments.models import Assignment
from apps.business_rules.models import BusinessRule
from apps.business_rules.services import evaluate_rules
from apps.business_rules.verdicts import Finding
from tests.factories import BusinessRuleFactory

# (code, kind of subject, severity, threshold, enabled)
REFERENCE = (
    ("MAX_WEEKLY_HOURS", "employee", "BLOCKING", "60", True),
    ("EMPLOYEE_NOT_AVAILABLE", "assignment", "BLOCKING", None, True),
    ("DUPLICATE_ASSIGNMENT", "assignment", "BLOCKING", None, True),
    ("MISSING_REQUIRED_TAG", "assignment", "BLOCKING", None, True),
    ("OUTSIDE_POSITION_DATES", "assignment", "BLOCKING", None, True),
    ("HOURS_OVER_POOL", "employee", "WARNING", "0", True),
    ("NO_CONTRACT", "employee", "WARNING", None, True),
    ("REQUIRED_TAG_EXPIRING", "assignment", "WARNING", "30", True),
    ("CONTRACT_ENDING", "employee", "INFO", "60", True),
    ("CONTRACT_HOURS_MISMATCH", "assignment", "INFO", None, False),
    ("UNIT_UNDER_COVERED", "unit", "WARNING", "80", True),
    ("POSITION_VACANT", "position", "WARNING", "14", True),
    ("POSITION_OVER_COVERED", "position", "INFO", "100", True),
    ("UNUSED_CAPACITY", "employee", "INFO", "8", True),
)

# What the tests of the engine are told with: rules about one employee's hours and one assignment.
OF_ASSIGNING = tuple(code for code, *_ in REFERENCE[:6])


def install_rules(*codes: str) -> dict[str, BusinessRule]:
    """Put the reference rules, or these of them, into the catalogue and return them by code."""
    return {
        code: BusinessRuleFactory(
            code=code,
            subject_kind=kind,
            severity=severity,
            threshold=threshold and Decimal(threshold),
            enabled=enabled,
        )
        for code, kind, severity, threshold, enabled in REFERENCE
        if not codes or code in codes
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
