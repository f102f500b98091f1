"""The proof finds whatever does not add up, wherever it stands, and has it put right."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import override

from apps.changes import tasks
from apps.changes.drain import drain
from apps.changes.figures import kept
from apps.changes.models import Kind, Proof, Repair
from apps.changes.proof import RUNNING, compare, prove, run_waiting_proofs
from apps.changes.services import request_proof
from apps.demand.coverage import FIGURES, UNIT_FIGURES
from apps.demand.models import PositionCoverage, UnitCoverage, WholeCoverage
from apps.demand.recompute import UnitFigures
from apps.offer.models import LedgerWeek
from apps.users.enums import Role
from tests.factories import AssignmentFactory, EmployeeFactory, OrgUnitFactory, PositionFactory, UserFactory

pytestmark = pytest.mark.django_db

TABLES: list[tuple[Any, tuple[str, ...], Kind]] = [
    (LedgerWeek, ("pool", "assigned", "proposed"), Kind.EMPLOYEE),
    (PositionCoverage, FIGURES, Kind.POSITION),
    (UnitCoverage, UNIT_FIGURES, Kind.UNIT),
    (WholeCoverage, UNIT_FIGURES, Kind.UNIT),
]
SEEDED = 50


@pytest.fixture
def clinic() -> None:
    """Two levels of units, with twenty positions and as many people on them."""
    top = OrgUnitFactory()
    for unit in [OrgUnitFactory(parent=top) for _number in range(10)]:
        for _number in range(2):
            position = PositionFactory(org_unit=unit)
            AssignmentFactory(
                position=position, employee=EmployeeFactory(home_unit=unit, active=True), accepted=True,
                effective_hours=20,
            )  # fmt: skip
    drain()
    assert compare().drift == []


def test_fifty_of_fifty_seeded_corruptions_are_found_and_repaired(clinic: None) -> None:
    chance = random.Random(50)
    places = [(table, kind, pk) for table, _names, kind in TABLES for pk in table.objects.values_list("pk", flat=True)]
    seeded = chance.sample(places, SEEDED)
    for table, _kind, pk in seeded:
        row = table.objects.get(pk=pk)
        match chance.randrange(4):
            case 0:
                row.delete()
            case 1:
                row.first_week = row.first_week.replace(year=2025)
                row.save()
            case _:
                names = next(names for model, names, _kind in TABLES if model is table)
                getattr(row, name := chance.choice(names))[chance.randrange(13)] += chance.choice([-7, 1, 700])
                row.save(update_fields=[name])
    found = prove()
    # A unit has two rows: one that drifted twice is told twice.
    told = [(line["kind"], line["subject"]) for line in found.drift]
    assert sorted(told) == sorted((kind.value, pk) for _table, kind, pk in seeded)
    drain()
    assert compare().drift == []


def test_a_figure_that_a_waiting_mark_is_about_to_change_is_no_drift(clinic: None) -> None:
    unit = UnitCoverage.objects.order_by("pk").last()
    assert unit is not None
    PositionFactory(org_unit_id=unit.pk)
    proof = compare()
    assert proof.drift == []
    assert proof.waiting > 0


# The page


def test_a_proof_tells_which_figure_of_which_week_differed(clinic: None, as_user: Any) -> None:
    row = UnitCoverage.objects.order_by("pk").last()
    assert row is not None
    kept = row.required[2]
    row.required[2] += 7
    row.save()
    proof = prove()
    client = as_user(UserFactory(role=Role.ADMIN))
    listed = client.get("/admin/changes/proof/").content.decode()
    assert f"/admin/changes/proof/{proof.pk}/change/" in listed
    response = client.get(f"/admin/changes/proof/{proof.pk}/change/")
    [one] = response.context["subjects"]
    assert one.subject == row.pk
    assert [(line.figure, line.stored, line.computed) for line in one.differences] == [
        ("Required hours", kept + 7, kept)
    ]
    assert str(kept + 7) in response.content.decode().replace(",", "")


def test_figures_have_names_and_numbers_are_written_as_the_reader_does(clinic: None, as_user: Any) -> None:
    for figures in kept():
        for name in figures.columns:
            assert name in figures.labels, (figures.kind, name)
    row = UnitCoverage.objects.order_by("pk").last()
    assert row is not None
    row.required[2] += 1_234_567_000
    row.save()
    proof = prove()
    proof.finished_at = proof.started_at + timedelta(seconds=2.5)
    proof.save()
    client = as_user(UserFactory(role=Role.ADMIN))
    client.cookies["django_language"] = "es"
    page = client.get(f"/admin/changes/proof/{proof.pk}/change/").content.decode()
    assert "Horas requeridas" in page and "2,5 s" in page
    with override("es"):
        grouped = number_format(row.required[2], force_grouping=True)
    assert grouped in page and grouped != str(row.required[2])
    assert "2,5 s" in client.get("/admin/changes/proof/").content.decode()


def test_a_row_that_lacked_or_lagged_is_told_too(clinic: None, as_user: Any) -> None:
    first, second = PositionCoverage.objects.order_by("pk")[:2]
    lost = first.pk
    first.delete()
    second.first_week = second.first_week.replace(year=2025)
    second.save()
    client = as_user(UserFactory(role=Role.ADMIN))
    response = client.get(f"/admin/changes/proof/{prove().pk}/change/")
    told = {one.subject: one.differences for one in response.context["subjects"]}
    assert [line.stored for line in told[lost]] == [None]
    assert [line.figure for line in told[second.pk]] == ["First week"]


def test_a_proof_without_drift_says_so_to_administrators_alone(clinic: None, as_user: Any) -> None:
    address = f"/admin/changes/proof/{prove().pk}/change/"
    assert "Every figure was right" in as_user(UserFactory(role=Role.ADMIN)).get(address).content.decode()
    assert as_user(UserFactory(role=Role.MANAGER)).get(address).status_code == 403
    assert as_user(UserFactory(role=Role.ADMIN)).post(address).status_code == 403


# On record


def spoil() -> int:
    row = PositionCoverage.objects.order_by("pk").first()
    assert row is not None
    row.required[2] += 7
    row.save()
    return int(row.pk)


def test_what_was_repaired_is_on_the_timeline_and_a_second_proof_finds_nothing(clinic: None, as_user: Any) -> None:
    pk = spoil()
    admin = UserFactory(role=Role.ADMIN)
    asked = request_proof(actor=admin)
    [proof] = run_waiting_proofs()
    assert (proof.pk, len(proof.drift)) == (asked.pk, 1)
    repair = Repair.objects.get()
    assert (repair.proof_id, repair.actor_id, repair.subjects) == (proof.pk, admin.pk, {"position": [pk]})
    drain()
    assert prove().drift == []
    assert Repair.objects.count() == 1
    page = as_user(admin).get("/admin/audit_log/auditentry/?kind=REPAIR").content.decode()
    assert f"/admin/changes/proof/{proof.pk}/change/" in page
    assert f"1: #{pk}" in page
    assert str(admin) in page


def test_the_nightly_proof_signs_as_the_system(clinic: None) -> None:
    spoil()
    prove()
    repair = Repair.objects.get()
    assert (repair.actor_id, repair.origin) == (None, "task")
    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        Repair.objects.update(origin="admin")


# Asked for


def test_an_administrator_asks_for_a_proof_and_a_worker_carries_it_out(clinic: None, as_user: Any) -> None:
    client = as_user(UserFactory(role=Role.ADMIN))
    assert "changes/proof/prove/" in client.get("/admin/changes/proof/").content.decode()
    response = client.post("/admin/changes/proof/prove/")
    proof = Proof.objects.get()
    assert response["Location"] == f"/admin/changes/proof/{proof.pk}/change/"
    assert proof.started_at is None, "not in the request"
    page = client.get(response["Location"])
    assert page.context["is_running"] and len(page.context["to_do"]) == len(list(kept()))
    assert 'http-equiv="refresh"' in page.content.decode()
    tasks.run_waiting_proofs()
    page = client.get(response["Location"])
    assert not page.context["is_running"]
    assert page.context["done"] == [str(figures.kind.label) for figures in kept()]


def test_a_second_click_leads_to_the_proof_under_way_and_says_so(clinic: None, as_user: Any) -> None:
    client = as_user(UserFactory(role=Role.ADMIN))
    client.post("/admin/changes/proof/prove/")
    response = client.post("/admin/changes/proof/prove/", follow=True)
    proof = Proof.objects.get()
    assert response.redirect_chain == [(f"/admin/changes/proof/{proof.pk}/change/", 302)]
    assert "under way already" in response.content.decode()
    assert "A proof is under way" in client.get("/admin/changes/proof/").content.decode()
    assert len(run_waiting_proofs()) == 1
    assert run_waiting_proofs() == []


def test_only_a_post_of_whoever_may_asks_for_a_proof(clinic: None, as_user: Any) -> None:
    assert as_user(UserFactory(role=Role.ADMIN)).get("/admin/changes/proof/prove/").status_code == 403
    for role in (Role.MANAGER, Role.VIEWER):
        assert as_user(UserFactory(role=role)).post("/admin/changes/proof/prove/").status_code == 403
    assert not Proof.objects.exists()


def test_one_whose_worker_died_is_taken_up_again(clinic: None) -> None:
    lost = Proof.objects.create(started_at=timezone.now(), done=["employee"], checked=7, attempts=1)
    [proof] = run_waiting_proofs()
    assert (proof.pk, proof.attempts, proof.drift) == (lost.pk, 2, [])
    assert proof.checked > 7


def test_one_that_fails_again_and_again_is_given_up_and_says_why(clinic: None, monkeypatch: Any) -> None:
    def fails(tell: Any) -> Any:
        raise DatabaseError("out of disk")

    monkeypatch.setattr("apps.changes.proof.compare", fails)
    asked = request_proof(actor=UserFactory(role=Role.ADMIN))
    for _time in range(2):
        with pytest.raises(DatabaseError), transaction.atomic():
            run_waiting_proofs()
        Proof.objects.filter(pk=asked.pk).update(attempts=F("attempts") + 1)  # the rollback of the test took it along
    [proof] = run_waiting_proofs()
    assert proof.failure == "out of disk"
    assert request_proof(actor=UserFactory(role=Role.ADMIN)).pk != asked.pk


@pytest.mark.django_db(transaction=True)
def test_how_far_a_proof_has_come_is_seen_while_it_goes_on(clinic: None, monkeypatch: Any) -> None:
    """The comparison is one transaction: what it notes is read here by another connection, in the middle of it."""
    asked = request_proof(actor=UserFactory(role=Role.ADMIN))
    seen: list[tuple[list[str], bool]] = []
    inner = UnitFigures.drift

    def drift(self: Any, span: Any) -> Any:
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute("SELECT array(SELECT jsonb_array_elements_text(done)), checked FROM changes_proof")
            done, checked = cursor.fetchone()
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [RUNNING, asked.pk])
            seen.append((done, cursor.fetchone()[0]))
        other.close()
        assert checked > 0
        return inner(self, span)

    monkeypatch.setattr(UnitFigures, "drift", drift)
    run_waiting_proofs()
    assert seen == [(["employee", "position"], False)]
