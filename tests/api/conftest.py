"""People who talk to the interface, and what they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from apps.business_rules.models import RuleViolation
from apps.users.groups import sync_groups
from tests.factories import (
    AssignmentFactory,
    BusinessRuleFactory,
    EmployeeTagFactory,
    LeaveFactory,
    PositionTagFactory,
    TagFactory,
    UserFactory,
    WaiverFactory,
)

PASSWORD = "a-password-of-tests"


@pytest.fixture(autouse=True)
def in_english() -> Any:
    with translation.override("en"):
        yield


class Person:
    """Somebody signed in: JSON in, JSON out, the CSRF token sent along unless it is said not to be."""

    def __init__(self, user: Any = None):
        self.user = user
        self.client = Client(enforce_csrf_checks=True, raise_request_exception=False)
        if user is not None:
            answer = self.client.post(
                "/api/v1/auth/login/", {"email": user.email, "password": PASSWORD}, content_type="application/json"
            )
            assert answer.status_code == 200, answer.content

    def ask(self, method: str, path: str, body: Any = None, *, csrf: bool = True, **headers: str) -> Any:
        if csrf and "csrftoken" in self.client.cookies:
            headers["X-CSRFToken"] = self.client.cookies["csrftoken"].value
        return self.client.generic(
            method, path if path.startswith("/api/") else f"/api/v1/{path}",
            "" if body is None else json.dumps(body), content_type="application/json",
            headers={"Accept-Language": "en", **headers},
        )  # fmt: skip

    def get(self, path: str, **headers: str) -> Any:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.ask("POST", path, {} if body is None else body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self.ask("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.ask("DELETE", path, **headers)


@pytest.fixture
def house(clinic: Any) -> Any:
    """Return the clinic with a password and English for everybody, and a login of the nurse's."""
    sync_groups()
    clinic.employee = UserFactory(email="nurse@example.org", role="EMPLOYEE")
    clinic.nurse.user = clinic.employee
    clinic.nurse.save()
    for user in (clinic.admin, clinic.manager, clinic.supervisor, clinic.viewer, clinic.employee):
        user.set_password(PASSWORD)
        user.language = "en"
        user.save()
    return clinic


@pytest.fixture
def who(house: Any) -> Callable[[str], Person]:
    """Return somebody of the cast, signed in; "nobody" for somebody who is not."""
    known: dict[str, Person] = {}

    def person(name: str) -> Person:
        if name not in known:
            known[name] = Person(None if name == "nobody" else getattr(house, name))
        return known[name]

    return person


@pytest.fixture
def records(house: Any) -> dict[str, int]:
    """Return the id of a record of the manager's own unit for each prefix of the interface."""
    tag = TagFactory(code="CERT", name="Certificado")
    held = EmployeeTagFactory(employee=house.nurse, tag=tag, valid_from=date(2026, 1, 1))
    wanted = PositionTagFactory(position=house.p1, tag=tag)
    assignment = AssignmentFactory(employee=house.nurse, position=house.p1, effective_hours=Decimal(10))
    rule = BusinessRuleFactory(code="OWN_RULE")
    violation = RuleViolation.objects.create(
        rule=rule, subject_kind="position", subject_id=house.p1.pk, subject_code="P1", severity="WARNING",
        first_seen="2026-12-01T00:00Z", last_seen="2026-12-01T00:00Z", state="OPEN",
    )  # fmt: skip
    leave = LeaveFactory(employee=house.nurse, starts_on=date(2027, 1, 11), ends_on=date(2027, 1, 15))
    waiver = WaiverFactory(rule=rule, org_unit=house.h1, granted_by=house.manager, expires_on=date(2027, 1, 1))
    return {
        "assignments": assignment.pk, "business-rules": rule.pk, "employee-tags": held.pk, "employees": house.nurse.pk,
        "offer/hours-ledger": house.nurse.pk, "org-units": house.h1.pk, "position-tags": wanted.pk,
        "positions": house.p1.pk, "tags": tag.pk, "violations": violation.pk, "me/assignments": assignment.pk,
        "leaves": leave.pk, "waivers": waiver.pk,
    }  # fmt: skip
