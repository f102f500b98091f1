"""Who writes rings the relay, but not all of many who write at once: commits that notify wait for each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection

from apps.changes.models import Mark
from apps.changes.triggers import CHANNEL, RUNG_MILLISECONDS
from apps.org.models import Employee
from tests.factories import EmployeeFactory
from worker import relay as relaying
from worker.relay import Relay

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def listener() -> Iterator[psycopg.Connection[Any]]:
    values = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{name: values[name] for name in names if name in values}, autocommit=True) as session:
        session.execute(f"LISTEN {CHANNEL}")
        yield session


def heard(listener: psycopg.Connection[Any]) -> int:
    return len(list(listener.notifies(timeout=0.2)))


def change(employee: Employee, number: int) -> None:
    Employee.objects.filter(pk=employee.pk).update(employee_number=f"N{number}")


def age_all_marks() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE changes_mark SET created_at = created_at - interval '1 second'")


def test_a_change_rings(listener: psycopg.Connection[Any]) -> None:
    employee = EmployeeFactory()
    age_all_marks()
    heard(listener)
    change(employee, 1)
    assert heard(listener) == 1


def test_changes_close_together_ring_once_and_all_leave_their_mark(listener: psycopg.Connection[Any]) -> None:
    employee = EmployeeFactory()
    moment = timedelta(milliseconds=RUNG_MILLISECONDS)
    for number in range(50):  # until the machine lets two follow each other closely
        age_all_marks()
        Mark.objects.all().delete()
        heard(listener)
        change(employee, 2 * number)
        change(employee, 2 * number + 1)
        first, second = Mark.objects.order_by("id").values_list("created_at", flat=True)
        if second - first < moment / 2:
            assert heard(listener) == 1
            return
    raise AssertionError("no two changes came close to each other")


def test_changes_further_apart_ring_each(listener: psycopg.Connection[Any]) -> None:
    employee = EmployeeFactory()
    age_all_marks()
    heard(listener)
    for number in (1, 2):
        change(employee, number)
        age_all_marks()
    assert heard(listener) == 2


def test_a_change_that_is_none_rings_nobody(listener: psycopg.Connection[Any]) -> None:
    employee = EmployeeFactory()
    heard(listener)
    Employee.objects.filter(pk=employee.pk).update(employee_number=employee.employee_number)
    assert heard(listener) == 0


def test_the_relay_looks_again_after_a_bell(listener: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it a change that did not ring would wait for the next poll, here an hour away."""
    monkeypatch.setattr(relaying, "POLL_SECONDS", 3600.0)
    looks: list[float] = []

    class Looking(Relay):
        def turn(self) -> None:
            looks.append(time.monotonic())
            if len(looks) == 1:
                listener.execute(f"NOTIFY {CHANNEL}")
            if len(looks) == 6:
                self.stop()

    relay = Looking()
    thread = threading.Thread(target=relay.run, daemon=True)
    thread.start()
    thread.join(60)
    assert len(looks) == 6
