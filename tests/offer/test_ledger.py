"""The formula for a few or for everybody, on live data, and the account it makes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from apps.changes.span import Span
from apps.offer.account import account
from apps.offer.ledger import ledger_sql
from apps.org.models import Leave
from tests.factories import AssignmentFactory, EmployeeFactory, EmployeeTagFactory, TagFactory

pytestmark = pytest.mark.django_db


def figures(**options: Any) -> dict[int, tuple[list[int], list[int], list[int]]]:
    sql, params = ledger_sql(Span.current(), **options)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT employee_id, pool, assigned, proposed FROM ({sql}) AS ledger", params)
        return {row[0]: row[1:] for row in cursor.fetchall()}


def test_a_proposal_counts_as_accepted_where_it_is_asked_to() -> None:
    employee = EmployeeFactory(active=True)
    proposal = AssignmentFactory(employee=employee, effective_hours=Decimal("10.5"))
    _pool, assigned, proposed = figures(employees=[employee.pk])[employee.pk]
    assert (assigned[0], proposed[0]) == (0, 7350)
    _pool, assigned, proposed = figures(employees=[employee.pk], accepted=[proposal.pk])[employee.pk]
    assert (assigned[0], proposed[0]) == (7350, 0)


def test_a_few_are_computed_as_everybody_is() -> None:
    assignments = [AssignmentFactory(accepted=True) for _number in range(4)]
    Leave.objects.create(employee=assignments[0].employee, kind="SICK", starts_on=date(2026, 12, 10))
    everybody = figures()
    few = [assignment.employee_id for assignment in assignments[:2]]
    assert figures(employees=few) == {pk: everybody[pk] for pk in few}
    assert figures(employees=[]) == {}


def test_overlapping_tags_add_up_day_by_day() -> None:
    employee = EmployeeFactory(active=True, active__hours="36")
    less = TagFactory(type="EXCEPTION", hours_delta=Decimal(-4))
    EmployeeTagFactory(employee=employee, tag=less, valid_from=date(2026, 12, 12), valid_until=date(2026, 12, 14))
    pool, _assigned, _proposed = figures(employees=[employee.pk])[employee.pk]
    assert pool[:3] == [3600 * 7 - 400 * 2, 3600 * 7 - 400, 3600 * 7]


def test_a_leave_without_an_end_takes_every_week_to_come() -> None:
    employee = EmployeeFactory(active=True, active__hours="36")
    Leave.objects.create(employee=employee, kind="SICK", starts_on=date(2026, 12, 17))
    pool, _assigned, _proposed = figures(employees=[employee.pk])[employee.pk]
    assert pool == [3600 * 7, 3600 * 3, *[0] * 11]


def test_nobody_gives_hours_before_being_activated() -> None:
    employee = EmployeeFactory(hired_on=date(2026, 12, 1))
    EmployeeTagFactory(employee=employee, tag=TagFactory(contract=True))
    assert figures(employees=[employee.pk])[employee.pk] == ([0] * 13, [0] * 13, [0] * 13)


def test_the_lines_of_an_account_add_up_to_its_sums() -> None:
    employee = EmployeeFactory(active=True, active__hours="36")
    AssignmentFactory(employee=employee, accepted=True, effective_hours=Decimal("12.25"), starts_on=date(2026, 12, 3))
    Leave.objects.create(employee=employee, kind="SICK", starts_on=date(2026, 12, 9), ends_on=date(2026, 12, 10))
    pool, assigned, proposed = figures(employees=[employee.pk])[employee.pk]
    weeks = account(employee)
    assert [week.pool for week in weeks] == pool
    assert [week.assigned for week in weeks] == assigned
    assert [week.proposed for week in weeks] == proposed
    first = [(line.kind, line.from_day.day, line.until_day.day) for line in weeks[0].lines]
    assert first == [("POOL", 7, 8), ("POOL", 11, 13), ("ASSIGNED", 7, 8), ("ASSIGNED", 11, 13)]
    assert weeks[0].lines[-1].record.position.code in weeks[0].lines[-1].name
    assert str(weeks[0].lines[-1].hours) == "5.25"


def test_an_account_takes_as_many_queries_for_many_lines_as_for_few(django_assert_num_queries: Any) -> None:
    employee = EmployeeFactory(active=True)
    for _number in range(6):
        AssignmentFactory(employee=employee, accepted=True, effective_hours=1)
    with django_assert_num_queries(3):
        account(employee)
