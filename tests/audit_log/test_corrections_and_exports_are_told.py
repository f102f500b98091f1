"""The timeline tells who corrected a closed week and who took rows out, to those who may know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.test import Client

from apps.audit_log.models import AuditEntry, ExportRecord
from tests.demand.test_corrections import closed, correct, late
from tests.factories import AssignmentFactory, Clinic

__all__ = ["closed"]
pytestmark = pytest.mark.django_db
PAGE = "/admin/audit_log/auditentry/"
Browse = Callable[[Any], Client]


def text(response: Any) -> str:
    assert response.status_code == 200, response.status_code
    return str(response.content.decode())


def test_a_correction_is_told_with_who_which_week_where_and_why(closed: Any, as_user: Browse) -> None:
    late(closed)
    correction = correct(closed, unit=closed.h1)
    page = text(as_user(closed.admin).get(f"{PAGE}?kind=CORRECTION"))
    for said in (
        "2026-W49",
        "Urgencias",
        "Parte entregado tarde",
        f"/admin/changes/correction/{correction.pk}/change/",
    ):
        assert said in page, said
    entry = AuditEntry.objects.get(kind="CORRECTION")
    assert text(as_user(closed.admin).get(f"{PAGE}{entry.pk}/change/"))


def test_a_correction_is_told_to_whose_part_it_touched(closed: Any, as_user: Browse) -> None:
    AssignmentFactory(
        employee=closed.surgeon, position=closed.p2, effective_hours=12, starts_on=closed.row.starts_on, accepted=True
    )
    late(closed)
    client = as_user(closed.viewer)

    def told() -> int:
        return len(
            AuditEntry.objects.visible_to(type(closed.viewer).objects.get(pk=closed.viewer.pk)).filter(
                kind="CORRECTION"
            )
        )

    correct(closed, unit=closed.h2)
    assert told() == 0
    correct(closed, unit=closed.h1)
    assert told() == 1
    late(closed, 12)
    correct(closed)
    assert told() == 2
    assert "2026-W49" in text(client.get(f"{PAGE}?kind=CORRECTION"))


def test_a_list_taken_out_is_on_record(clinic: Clinic, as_user: Browse) -> None:
    client = as_user(clinic.manager)
    response = client.post("/admin/org/position/export/?q=P1", {"shape": "csv"})
    assert response.status_code == 200
    record = ExportRecord.objects.get()
    assert (record.actor_id, record.format, record.rows) == (clinic.manager.pk, "csv", 1)
    assert (record.page, record.filters) == ("/admin/org/position/export/", "q=P1")


def test_looking_at_what_would_be_taken_out_is_no_export(clinic: Clinic, as_user: Browse) -> None:
    text(as_user(clinic.manager).get("/admin/org/position/export/"))
    assert not ExportRecord.objects.exists()


@pytest.mark.parametrize(
    "address", ["export/?format=csv", "export/?format=xlsx", "print/", "cliffs/export/", "waterfall/export/"]
)
def test_the_files_and_the_pack_of_coverage_are_on_record(closed: Any, as_user: Browse, address: str) -> None:
    as_user(closed.viewer).get(f"/admin/demand/unitcoverage/{address}")
    record = ExportRecord.objects.get()
    assert record.actor_id == closed.viewer.pk
    assert record.page == f"/admin/demand/unitcoverage/{address.partition('?')[0]}"


def test_a_sheet_written_by_the_command_is_on_record(clinic: Clinic, tmp_path: Any) -> None:
    call_command("export_sheet", "positions", str(tmp_path / "out.xlsx"), email=clinic.manager.email)
    record = ExportRecord.objects.get()
    assert (record.actor_id, record.what, record.rows, record.origin) == (clinic.manager.pk, "positions", 1, "command")


def test_exports_are_told_to_administrators_alone(clinic: Clinic, as_user: Browse) -> None:
    as_user(clinic.manager).post("/admin/org/position/export/", {"shape": "csv"})
    page = text(as_user(clinic.admin).get(f"{PAGE}?kind=EXPORT"))
    assert "/admin/org/position/export/" in page
    for who in (clinic.manager, clinic.viewer):
        assert "/admin/org/position/export/" not in text(as_user(who).get(f"{PAGE}?kind=EXPORT"))


def test_the_record_of_an_export_is_never_changed(clinic: Clinic, as_user: Browse) -> None:
    as_user(clinic.manager).post("/admin/org/position/export/", {"shape": "csv"})
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        ExportRecord.objects.update(rows=0)
