"""Twenty thousand at once, on a connection whose triggers were planned for one row: seconds, not minutes."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.db import connection

from apps.webhooks.enums import Topic
from apps.webhooks.models import WebhookDelivery
from tests.factories import Clinic

from .conftest import Make

pytestmark = pytest.mark.django_db
MANY = 20_000
NOWHERE = "http://127.0.0.1:9/"
PEOPLE = """
    INSERT INTO org_employee (employee_number, given_name, family_name, email, national_id, home_unit_id, hired_on,
                              status, created_at, updated_at)
    SELECT 'M' || n, 'M', 'M', '', '', %s, '2026-01-01', 'ACTIVE', now(), now() FROM generate_series(1, %s) n
"""
TRANSITIONS = """
    INSERT INTO fsm_employeetransitionlog (subject_id, subject_code, from_status, to_status, transition, reason,
                                           metadata)
    SELECT id, employee_number, 'ACTIVE', 'SUSPENDED', 'suspend', '', '{}' FROM org_employee
    WHERE employee_number LIKE 'M%%' ORDER BY id LIMIT %s
"""
POSITIONS = """
    INSERT INTO org_position (code, title, org_unit_id, required_weekly_hours, created_at, updated_at)
    SELECT 'M' || n, 'M', %s, 36, now(), now() FROM generate_series(1, %s) n
"""
COVERAGE = """
    INSERT INTO demand_positioncoverage (position_id, first_week, required, assigned, reinforcement, proposed,
                                         unqualified, computed_at)
    SELECT id, '2026-12-07', '{36}', '{0}', '{0}', '{0}', '{0}', now() FROM org_position WHERE code LIKE 'M%%'
"""
FILLED = """
    UPDATE demand_positioncoverage SET assigned = %s
    WHERE position_id IN (SELECT id FROM org_position WHERE code LIKE 'M%%' ORDER BY id LIMIT %s)
"""


def run(sql: str, params: list[Any]) -> float:
    begun = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
    return time.monotonic() - begun


def test_many_transitions_are_written_in_seconds(clinic: Clinic, endpoint_at: Make) -> None:
    run(PEOPLE, [clinic.h1.pk, MANY])
    alone = run(TRANSITIONS, [MANY])
    endpoint_at(NOWHERE, topics=[Topic.EMPLOYEE_STATUS], org_unit=clinic.h1)
    for _number in range(7):  # more than five: then a statement keeps its plan
        run(TRANSITIONS, [1])
    told = run(TRANSITIONS, [MANY])
    print(f"{MANY} transitions: {alone:.2f} s with nobody told, {told:.2f} s with one")
    assert WebhookDelivery.objects.count() == MANY + 7
    assert told < 20


def test_many_changes_of_coverage_are_written_in_seconds(clinic: Clinic, endpoint_at: Make) -> None:
    run(POSITIONS, [clinic.h1.pk, MANY])
    run(COVERAGE, [])
    alone = run(FILLED, [[10], MANY])
    endpoint_at(NOWHERE, topics=[Topic.POSITION_COVERAGE], org_unit=clinic.h1)
    for number in range(7):
        run(FILLED, [[36 + number % 2], 1])
    told = run(FILLED, [[40], MANY])
    print(f"{MANY} changes of coverage: {alone:.2f} s with nobody told, {told:.2f} s with one")
    # The first one was over-covered before already, or became it again.
    assert WebhookDelivery.objects.count() >= MANY
    assert told < 20
