"""History is written by the database: whatever writes, one right row a changed row, signed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.db import connection, transaction

from apps.common.acting import acting
from apps.common.checks import history_is_written_once
from apps.org.models import OrgUnit, Position
from apps.tags.models import EmployeeTag, TagCatalog, TagChangeLog
from tests.factories import Clinic, EmployeeTagFactory, OrgUnitFactory, PositionFactory, TagFactory

pytestmark = pytest.mark.django_db


def rows_of(position: Position) -> list[tuple[str, Decimal]]:
    return list(
        Position.history.filter(id=position.pk)
        .order_by("history_id")
        .values_list("history_type", "required_weekly_hours")
    )


def by_save(position: Position) -> None:
    position.required_weekly_hours = Decimal("40")
    position.save()


def by_update(position: Position) -> None:
    Position.objects.filter(pk=position.pk).update(required_weekly_hours=40)


def by_bulk_update(position: Position) -> None:
    position.required_weekly_hours = Decimal("40")
    Position.objects.bulk_update([position], ["required_weekly_hours"])


def by_upsert(position: Position) -> None:
    position.required_weekly_hours = Decimal("40")
    Position.objects.bulk_create(
        [position], update_conflicts=True, unique_fields=["id"], update_fields=["required_weekly_hours"]
    )


def by_sql(position: Position) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE org_position SET required_weekly_hours = 40 WHERE id = %s", [position.pk])


def by_copy_and_merge(position: Position) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE staging (code text, hours numeric) ON COMMIT DROP")
        with cursor.copy("COPY staging FROM STDIN") as copy:
            copy.write_row((position.code, 40))
        cursor.execute("UPDATE org_position p SET required_weekly_hours = s.hours FROM staging s WHERE s.code = p.code")


WAYS = [by_save, by_update, by_bulk_update, by_upsert, by_sql, by_copy_and_merge]


@pytest.mark.parametrize("write", WAYS, ids=lambda way: way.__name__)
def test_a_change_leaves_one_signed_row(clinic: Clinic, write: Callable[[Position], None]) -> None:
    with acting(clinic.admin, "more beds", "import"):
        write(clinic.p1)
    assert rows_of(clinic.p1) == [("+", Decimal("36")), ("~", Decimal("40"))]
    row = Position.history.filter(id=clinic.p1.pk).latest("history_id")
    assert (row.history_user_id, row.history_change_reason, row.origin) == (clinic.admin.pk, "more beds", "import")


@pytest.mark.parametrize("write", WAYS, ids=lambda way: way.__name__)
def test_writing_the_same_again_leaves_none(clinic: Clinic, write: Callable[[Position], None]) -> None:
    write(clinic.p1)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS staging")
    write(clinic.p1)
    assert len(rows_of(clinic.p1)) == 2


def test_a_write_nobody_signed_says_sql_and_no_name(clinic: Clinic) -> None:
    by_sql(clinic.p1)
    row = Position.history.filter(id=clinic.p1.pk).latest("history_id")
    assert (row.history_user_id, row.origin) == (None, "sql")


def test_an_inner_actor_signs_only_the_inner_writes(clinic: Clinic) -> None:
    with acting(clinic.admin, "outer"):
        with acting(clinic.manager, "inner"):
            by_update(clinic.p1)
        Position.objects.filter(pk=clinic.p1.pk).update(title="Another")
    signed = Position.history.filter(id=clinic.p1.pk, history_type="~").order_by("history_id")
    assert [(row.history_user_id, row.history_change_reason) for row in signed] == [
        (clinic.manager.pk, "inner"),
        (clinic.admin.pk, "outer"),
    ]


def test_a_failed_inner_deed_gives_the_signature_back(clinic: Clinic) -> None:
    with acting(clinic.admin, "outer"):
        with pytest.raises(ZeroDivisionError), acting(clinic.manager, "inner"):
            by_update(clinic.p1)
            raise ZeroDivisionError
        by_update(clinic.p1)
    row = Position.history.filter(id=clinic.p1.pk).latest("history_id")
    assert (row.history_user_id, row.history_change_reason) == (clinic.admin.pk, "outer")
    assert len(rows_of(clinic.p1)) == 2


def test_every_history_is_filled_by_triggers_and_only_by_them() -> None:
    recorded = [
        model
        for model in apps.get_models()
        if model.__module__.startswith("apps.") and hasattr(model, "history") and not model._meta.proxy
    ]
    assert len(recorded) >= 12
    for model in recorded:
        names = {trigger.name for trigger in model._meta.triggers}
        assert {"history_insert", "history_update", "history_delete"} <= names, model


def test_the_canary_without_its_trigger_nothing_is_kept(clinic: Clinic) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE org_position DISABLE TRIGGER USER")
        by_update(clinic.p1)
        cursor.execute("ALTER TABLE org_position ENABLE TRIGGER USER")
    assert len(rows_of(clinic.p1)) == 1


def test_library_signals_beside_the_triggers_are_refused_at_the_start(settings: Any) -> None:
    assert history_is_written_once(None) == []
    settings.SIMPLE_HISTORY_ENABLED = True
    assert [error.id for error in history_is_written_once(None)] == ["coveris.E002"]
    assert django_settings.SIMPLE_HISTORY_ENABLED is True


class TestTagChanges:
    def test_granting_changing_and_removing_are_logged_whoever_writes(self, clinic: Clinic) -> None:
        tag = TagFactory()
        with acting(clinic.manager, "course done"):
            held = EmployeeTagFactory(employee=clinic.nurse, tag=tag)
            EmployeeTag.objects.filter(pk=held.pk).update(note="seen the paper")
            EmployeeTag.objects.filter(pk=held.pk).update(note="seen the paper")
            EmployeeTag.objects.filter(pk=held.pk).delete()
        logs = TagChangeLog.objects.filter(tag=tag).order_by("id")
        assert [(log.change, log.actor, log.reason) for log in logs] == [
            ("ADDED", clinic.manager, "course done"),
            ("CHANGED", clinic.manager, "course done"),
            ("REMOVED", clinic.manager, "course done"),
        ]
        assert (logs[1].before["note"], logs[1].after["note"]) == ("", "seen the paper")


class TestTheTree:
    def test_paths_follow_whatever_moves_units(self, clinic: Clinic) -> None:
        ward = OrgUnitFactory(parent=clinic.h1)
        room = OrgUnitFactory(parent=ward)
        OrgUnit.objects.filter(pk=ward.pk).update(parent=clinic.h2)
        room.refresh_from_db()
        assert room.path == [clinic.root.pk, clinic.h2.pk, ward.pk, room.pk]

    def test_a_path_alone_is_no_history(self, clinic: Clinic) -> None:
        ward = OrgUnitFactory(parent=clinic.h1)
        room = OrgUnitFactory(parent=ward)
        OrgUnit.objects.filter(pk=ward.pk).update(parent=clinic.h2)
        assert OrgUnit.history.filter(id=room.pk).count() == 1

    def test_a_cycle_is_refused_by_the_database(self, clinic: Clinic) -> None:
        ward = OrgUnitFactory(parent=clinic.h1)
        with pytest.raises(Exception, match="org_unit_no_cycle"), transaction.atomic():
            OrgUnit.objects.filter(pk=clinic.root.pk).update(parent=ward)


def test_a_changed_tag_marks_itself_and_a_position_its_unit(clinic: Clinic) -> None:
    from apps.changes.models import Mark

    position = PositionFactory(org_unit=clinic.h1)
    tag = TagFactory(contract=True)
    Mark.objects.all().delete()
    TagCatalog.objects.filter(pk=tag.pk).update(hours_delta=40)
    Position.objects.filter(pk=position.pk).update(org_unit=clinic.h2)
    Position.objects.filter(pk=position.pk).update(title="no matter to the figures")
    assert set(Mark.objects.values_list("kind", "subject_id")) == {
        ("tag", tag.pk),
        ("position", position.pk),
        ("unit", clinic.h1.pk),
        ("unit", clinic.h2.pk),
    }
