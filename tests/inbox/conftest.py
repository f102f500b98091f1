"""A clinic in which something of every kind waits for somebody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.assignments.models import Assignment
from apps.business_rules.models import RuleViolation
from apps.business_rules.services import sweep
from apps.changes.drain import drain
from apps.inbox.enums import AlertKind
from apps.inbox.items import Found, Item, find
from apps.inbox.reading import asked_by, subscription_of
from apps.inbox.services import refresh_alerts
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeFactory,
    EmployeeTagFactory,
    PositionFactory,
    PositionTagFactory,
    TagFactory,
)
from tests.rules.catalogue import install_rules
from tests.today import TODAY

DAY = timedelta(days=1)


def waiting_clinic(clinic: Any) -> Any:
    """Fill a clinic: in H1 one item of each kind about the clinic, in H2 the surgeon's hours over the pool."""
    clinic.full = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=61, accepted=True)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=40, accepted=True)
    clinic.empty = PositionFactory(code="EMPTY", title="Triage", org_unit=clinic.h1)
    clinic.leaver = EmployeeFactory(
        employee_number="L1", given_name="Marta", family_name="Echeverría", home_unit=clinic.h1, active=True
    )
    clinic.p3 = PositionFactory(code="P3", title="Terapia intensiva", org_unit=clinic.h1)
    tag = TagFactory(code="RCP", name="Reanimación")
    PositionTagFactory(position=clinic.p3, tag=tag)
    EmployeeTagFactory(employee=clinic.leaver, tag=tag, valid_until=TODAY + DAY * 12)
    clinic.ending = AssignmentFactory(
        employee=clinic.leaver, position=clinic.p3, effective_hours=36, ends_on=TODAY + DAY * 20, accepted=True
    )
    clinic.proposal = AssignmentFactory(employee=clinic.leaver, position=clinic.empty, effective_hours=6)
    Assignment.objects.filter(pk=clinic.proposal.pk).update(created_at=timezone.now() - DAY * 30)
    install_rules()
    drain()
    sweep(actor=None)
    refresh_alerts(actor=None)
    return clinic


@pytest.fixture
def waiting(clinic: Clinic) -> Any:
    return waiting_clinic(clinic)


def inbox_of(user: Any, **more: Any) -> Found:
    return find(asked_by(user, subscription_of(user), **more), limit=100)


def items_of(user: Any, **more: Any) -> list[Item]:
    return list(inbox_of(user, **more).items)


def one(user: Any, kind: AlertKind, **more: Any) -> Item:
    """Return the one item of a kind that waits for a user."""
    [item] = items_of(user, kinds=[kind], **more)
    return item


def violation(clinic: Any, code: str) -> RuleViolation:
    return RuleViolation.objects.get(rule__code=code)
