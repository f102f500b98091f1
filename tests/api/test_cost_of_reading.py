"""What reading asks of the database grows neither with the rows of a page nor with those of the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.business_rules.models import BusinessRule, RuleViolation, Waiver
from apps.changes.drain import drain
from apps.imports.models import ImportJob
from apps.org import querysets
from apps.org.models import Employee
from apps.org.services.employees import save_employees
from apps.tags.services import save_employee_tags
from tests.factories import (
    AssignmentFactory,
    BusinessRuleFactory,
    EmployeeFactory,
    EmployeeTagFactory,
    LeaveFactory,
    OrgUnitFactory,
    PositionFactory,
    PositionTagFactory,
    TagFactory,
)
from tests.today import TODAY

from .readings import JUDGING, Reading, readings, ways

pytestmark = pytest.mark.django_db
MOST = 15
ME = "/api/v1/me/"


def grow(house: Any, number: int) -> None:
    """Add so many of everything, all of it in the manager's sight, and some that are the employee's own."""
    rule = BusinessRule.objects.filter(code="COST").first() or BusinessRuleFactory(code="COST")
    for _each in range(number):
        ward = OrgUnitFactory(parent=house.h1, kind="UNIT")
        position = PositionFactory(org_unit=ward)
        person = EmployeeFactory(home_unit=ward, active=True)
        tag = TagFactory()
        save_employee_tags(
            employee_tags=[EmployeeTagFactory.build(employee=one, tag=tag) for one in (person, house.nurse)],
            actor=house.admin,
        )
        PositionTagFactory(position=position, tag=tag)
        LeaveFactory(employee=person, starts_on=TODAY + timedelta(days=20))
        for one in (person, house.nurse):
            AssignmentFactory(employee=one, position=position, effective_hours=Decimal(1), accepted=True)
        person.given_name = "Otro"
        save_employees(employees=[person], actor=house.admin)
        RuleViolation.objects.create(
            rule=rule, subject_kind="position", subject_id=position.pk, subject_code=position.code,
            severity="WARNING", first_seen="2026-12-01T00:00Z", last_seen="2026-12-01T00:00Z", state="OPEN",
        )  # fmt: skip
        Waiver.objects.create(
            rule=rule, subject_kind="position", subject_id=position.pk, subject_code=position.code, reason="r",
            granted_by=house.admin, expires_on="2027-01-01",
        )  # fmt: skip
        ImportJob.objects.create(
            kind="employees", file_name="e.csv", user=house.manager,
            errors=[{"line": 2, "column": "c", "value": "v", "code": "invalid", "message": "m"}] * number,
        )  # fmt: skip
    drain()


@pytest.fixture
def road(request: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take the scope of the manager for a small one, whose lists are composed, or for a large one: walked."""
    monkeypatch.setattr(querysets, "MANY_UNITS", 0 if request.param == "walked" else 1_000_000)
    # Else a busy machine asks again in the middle of what is compared.
    monkeypatch.setattr(querysets, "REMEMBERED_SECONDS", 3_600.0)
    querysets._sizes.clear()
    yield
    querysets._sizes.clear()


def addresses(person: Any, found: list[Reading], known: dict[str, str]) -> dict[tuple[str, str], str]:
    """Return every way to ask for everything (path, way → address); fails where there is nothing to be read."""
    asked = {}
    for reading in found:
        path, rows = reading.path, []
        if reading.is_list or "{id}" in path:
            rows = person.get(f"{reading.list_path.removeprefix('/api/v1/')}?page_size=200").json()["results"]
            assert rows or not reading.is_list, f"{path} has no row to be read"
        if "{id}" in path:
            if not rows:
                continue
            path = path.replace("{id}", str(rows[0]["id"]))
        for name, query in ways(reading, known, rows):
            asked[reading.path, name] = f"{path}?{query}" if query else path
        if reading.is_list:
            asked[reading.path, "a long page"] = f"{path}?page_size=200"
    return asked


def queries(person: Any, address: str) -> int:
    with CaptureQueriesContext(connection) as taken:
        answer = person.get(address)
    assert answer.status_code == 200, (address, answer.content[:300])
    return len(taken)


@pytest.mark.parametrize(
    ("name", "road"),
    [("admin", "composed"), ("manager", "composed"), ("manager", "walked"), ("employee", "composed")],
    indirect=["road"],
)
def test_every_way_of_reading_takes_as_many_queries_at_two_sizes(
    who: Callable[[str], Any], house: Any, road: None, name: str
) -> None:
    person = who(name)
    known = {"position": "P1", "unit": "H1"}
    found = [one for one in readings() if one.path.startswith(ME) is (name == "employee")]
    grow(house, 3)
    assert Employee.objects.filter(user=house.employee).exists()
    asked = addresses(person, found, known)
    for address in {path: address for (path, _way), address in asked.items()}.values():
        person.get(address)  # what a connection or a process learns once
    few = {way: queries(person, address) for way, address in asked.items()}
    grow(house, 5)
    many = {way: queries(person, address) for way, address in asked.items()}
    assert {
        way: (few[way], many[way])
        for way in asked
        if many[way] > few[way] or (many[way] > MOST and way[0] not in JUDGING)
    } == {}
