"""What a page asks of the database does not grow with what it shows, nor for somebody who sees a part of the house."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.changes.drain import drain
from apps.org import querysets
from apps.users.enums import Role
from tests.factories import (
    AssignmentFactory,
    Clinic,
    EmployeeFactory,
    LeaveFactory,
    OrgUnitFactory,
    PositionFactory,
)
from tests.today import TODAY

pytestmark = pytest.mark.django_db
MOST = 15
PAGES = (
    "",  # the overview
    "inbox/attention/inbox/",
    "demand/unitcoverage/",
    "demand/unitcoverage/?view=weeks",
    "demand/unitcoverage/?kind=UNIT",
    "demand/unitcoverage/cliffs/?days=90",
    "demand/unitcoverage/dependence/",
    "demand/unitcoverage/waterfall/",
    "demand/unitcoverage/trend/",
    "offer/ledgerweek/",
    "offer/ledgerweek/usage/",
    "org/employee/",
    "org/position/",
    "org/orgunit/",
    "org/leave/",
    "tags/employeetag/",
    "tags/tagcatalog/",
    "assignments/assignment/",
    "demand/demandadjustment/",
    "business_rules/ruleviolation/",
    "business_rules/businessrule/",
    "business_rules/businessrule/health/",
    "business_rules/waiver/",
    "audit_log/auditentry/",
)


def grow(clinic: Clinic, number: int) -> None:
    """Add so many wards below H1, each with a position, two people, an assignment that ends and a leave."""
    for _each in range(number):
        ward = OrgUnitFactory(parent=clinic.h1, kind="UNIT")
        worker, other = (EmployeeFactory(home_unit=ward, active=True) for _which in range(2))
        AssignmentFactory(
            employee=worker, position=PositionFactory(org_unit=ward), effective_hours=40, accepted=True,
            ends_on=TODAY + timedelta(days=9),
        )  # fmt: skip
        LeaveFactory(employee=other, starts_on=TODAY + timedelta(days=20))
    drain()


def queries(client: Client, page: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert client.get(f"/admin/{page}").status_code == 200, page
    return len(asked)


@pytest.fixture(params=["composed", "walked"])
def road(request: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Take the scope of the manager for a small one, and for a large one."""
    monkeypatch.setattr(querysets, "MANY_UNITS", 0 if request.param == "walked" else 1_000_000)
    querysets._sizes.clear()
    yield request.param
    querysets._sizes.clear()


@pytest.mark.parametrize("role", [Role.ADMIN, Role.MANAGER], ids=lambda role: role.value)
def test_lists_and_boards_cost_the_same_at_two_sizes_and_no_more_than_fifteen_queries(
    clinic: Clinic, as_user: Callable[[Any], Client], road: str, role: Role
) -> None:
    client = as_user(clinic.admin if role == Role.ADMIN else clinic.manager)
    grow(clinic, 2)
    for page in PAGES:  # what a connection or a process learns once
        client.get(f"/admin/{page}")
    few = {page: queries(client, page) for page in PAGES}
    grow(clinic, 10)
    many = {page: queries(client, page) for page in PAGES}
    assert {page: (few[page], many[page]) for page in PAGES if many[page] > min(few[page], MOST)} == {}
