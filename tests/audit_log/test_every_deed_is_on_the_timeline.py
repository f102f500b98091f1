"""Whatever writes, the timeline tells it: once, signed, with what changed from what to what."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from apps.audit_log.models import AuditEntry
from apps.audit_log.sources import SOURCES, index_sql, view_sql
from apps.audit_log.timeline import Shown, folded, shown
from apps.common.acting import acting
from apps.fsm.services import apply_transition
from apps.org.models import Employee, Position
from apps.tags.models import EmployeeTag
from tests import factories

pytestmark = pytest.mark.django_db


def newest(reader: Any, source: str, number: int = 1) -> list[Shown]:
    rows = AuditEntry.objects.visible_to(reader).filter(source=source).newest_first()
    return shown(list(rows[:number]), reader)


def by_save(position: Position) -> None:
    position.required_weekly_hours = Decimal("40")
    position.save()


def by_update(position: Position) -> None:
    Position.objects.filter(pk=position.pk).update(required_weekly_hours=40)


def by_bulk_update(position: Position) -> None:
    position.required_weekly_hours = Decimal("40")
    Position.objects.bulk_update([position], ["required_weekly_hours"])


def by_sql(position: Position) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE org_position SET required_weekly_hours = 40 WHERE id = %s", [position.pk])


@pytest.mark.parametrize("write", [by_save, by_update, by_bulk_update, by_sql])
def test_a_change_is_told_with_who_why_and_before_and_after(clinic: Any, write: Any) -> None:
    with acting(clinic.manager, "more beds", "admin"):
        write(clinic.p1)
    (item,) = newest(clinic.admin, "org.position")
    assert (item.deed, item.subject) == ("Changed", "Enfermería de guardia (P1)")
    assert [(change.label, change.before, change.after) for change in item.changes] == [
        ("Required hours a week", "36.00", "40.00")
    ]
    assert (item.who, item.entry.reason, item.entry.origin) == (str(clinic.manager), "more beds", "admin")


@pytest.fixture(autouse=True)
def in_english(settings: Any) -> Any:
    from django.utils import translation

    with translation.override("en"):
        yield


def test_raw_sql_by_nobody_is_told_as_the_systems(clinic: Any) -> None:
    by_sql(clinic.p1)
    (item,) = newest(clinic.admin, "org.position")
    assert (item.who, item.entry.origin) == ("the system", "sql")


def test_a_transition_is_told_with_its_states_reason_and_inputs(clinic: Any) -> None:
    apply_transition(
        clinic.nurse, "give_notice", actor=clinic.manager, reason="moves away", last_day=date(2026, 12, 31)
    )
    (item,) = newest(clinic.admin, "org.employee:transition")
    assert (item.from_status, item.to_status, item.deed) == ("ACTIVE", "NOTICE", "Give notice")
    assert (item.who, item.entry.reason) == (str(clinic.manager), "moves away")
    assert item.facts[0][0] == "Last day"


def test_a_transition_tells_the_field_changes_it_made_and_a_creation_stays_apart(clinic: Any) -> None:
    someone = factories.EmployeeFactory(home_unit=clinic.h1, active=True)
    apply_transition(someone, "give_notice", actor=clinic.manager, last_day=date(2026, 12, 31))
    rows = AuditEntry.objects.visible_to(clinic.admin).filter(
        employee_id=someone.pk, source__in=["org.employee", "org.employee:transition"]
    )
    items = folded(shown(list(rows.newest_first()), clinic.admin))
    told = sorted((item.entry.source, item.deed) for item in items)
    assert told == [
        ("org.employee", "Created"), ("org.employee:transition", "Activate"), ("org.employee:transition", "Give notice")
    ]  # fmt: skip
    notice = next(item for item in items if item.deed == "Give notice")
    assert [change.label for change in notice.changes] == ["Last day"], "the status is in the badges"


def test_an_assignments_transition_is_told_too(clinic: Any) -> None:
    proposal = factories.AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=12)
    apply_transition(proposal, "accept", actor=clinic.manager, confirmed=True)
    (item,) = newest(clinic.admin, "assignments.assignment:transition")
    assert (item.from_status, item.to_status, item.subject) == ("PROPOSED", "ACTIVE", "E1/P1/2026-01-01")


def test_tags_are_told_once_with_whose_and_which(clinic: Any) -> None:
    tag = factories.TagFactory(code="RCP", name="Reanimation")
    before = AuditEntry.objects.count()
    held = factories.EmployeeTagFactory(employee=clinic.nurse, tag=tag, valid_from=date(2026, 1, 1))
    assert AuditEntry.objects.count() == before + 1
    EmployeeTag.objects.filter(pk=held.pk).update(valid_until=date(2027, 1, 1))
    EmployeeTag.objects.filter(pk=held.pk).delete()
    removed, changed, added = newest(clinic.admin, "tags.employeetag:tag", 3)
    assert [item.entry.deed for item in (added, changed, removed)] == ["ADDED", "CHANGED", "REMOVED"]
    assert "Gómez" in added.subject and "Reanimation" in added.detail
    assert [(change.label, change.before) for change in changed.changes] == [("Valid until", "–")]


def test_every_kind_of_record_with_a_history_is_on_the_timeline() -> None:
    kept = {
        model._meta.label_lower
        for model in apps.get_models()
        if hasattr(model._meta, "simple_history_manager_attribute") and model._meta.app_label != "simple_history"
    }
    told = {source.label for source in SOURCES}
    # The status of every day follows from transitions, which are told.
    kept.remove("fsm.employeestatusperiod")
    assert kept <= told


def test_the_view_in_the_database_is_the_one_the_code_describes(db: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_viewdef('audit_log_auditentry'::regclass)")
        stored = cursor.fetchone()[0]
        cursor.execute(f"CREATE TEMP VIEW as_described AS {view_sql()}")
        cursor.execute("SELECT pg_get_viewdef('as_described'::regclass)")
        assert stored == cursor.fetchone()[0]
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE indexname LIKE 'audit_%' AND indexname NOT LIKE '%_pkey'"
        )
        assert {row[0] for row in cursor.fetchall()} == {name for name, _sql in index_sql()}


def test_a_sensitive_value_is_masked_below_manager(clinic: Any) -> None:
    Employee.objects.filter(pk=clinic.nurse.pk).update(national_id="30111222")
    for reader, expected in ((clinic.viewer, ("•••", "•••")), (clinic.manager, ("–", "30111222"))):
        from apps.users.groups import sync_groups

        sync_groups()
        (item,) = newest(type(reader).objects.get(pk=reader.pk), "org.employee")
        assert [(change.before, change.after) for change in item.changes] == [expected]
