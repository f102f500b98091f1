"""The gate: what a change adds decides whether it may happen."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.assignments.models import Assignment
from apps.business_rules.models import BusinessRule
from apps.business_rules.services import RulesRefused, WarningsToConfirm, judged
from apps.common.errors import ConfirmationNeeded, Refusal
from apps.fsm.services import Order, TransitionsRefused, apply_transition, apply_transitions
from tests.conftest import TODAY
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeFactory,
    PositionFactory,
    PositionTagFactory,
    TagFactory,
    UserFactory,
    WaiverFactory,
)

pytestmark = pytest.mark.django_db
Rules = dict[str, BusinessRule]


def test_accepting_above_the_cap_is_refused_with_rule_numbers_records_and_a_way_out(
    clinic: Clinic, rules: Rules
) -> None:
    rules["HOURS_OVER_POOL"].delete()
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
    more = AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=24, starts_on=TODAY)
    with pytest.raises(TransitionsRefused) as refused:
        apply_transition(more, "accept", actor=clinic.admin)
    [reason] = refused.value.reasons
    assert reason.code == "MAX_WEEKLY_HOURS"
    assert "64.00" in reason.message or "64,00" in reason.message
    assert {"E1/P1/2026-01-01", "E1/P2/2026-12-09"} <= set(reason.records)
    assert "4.00" in reason.message or "4,00" in reason.message
    assert Assignment.objects.get(pk=more.pk).status == "PROPOSED"


def test_exactly_the_cap_is_allowed(clinic: Clinic, rules: Rules) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=40, accepted=True)
    more = AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=20, starts_on=TODAY)
    assert apply_transition(more, "accept", actor=clinic.admin, confirmed=True).status == "ACTIVE"
