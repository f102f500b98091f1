"""The proof finds whatever does not add up, wherever it stands, and has it put right."""

from __future__ import annotations

import random
from typing import Any

import pytest

from apps.changes.drain import drain
from apps.changes.models import Kind
from apps.changes.proof import compare, prove
from apps.demand.coverage import FIGURES, UNIT_FIGURES
from apps.demand.models import PositionCoverage, UnitCoverage, WholeCoverage
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
    assert [(line.figure, line.stored, line.computed) for line in one.differences] == [("required", kept + 7, kept)]
    assert str(kept + 7) in response.content.decode().replace(",", "")


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
    assert [line.figure for line in told[second.pk]] == ["first_week"]


def test_a_proof_without_drift_says_so_to_administrators_alone(clinic: None, as_user: Any) -> None:
    address = f"/admin/changes/proof/{prove().pk}/change/"
    assert "Every figure was right" in as_user(UserFactory(role=Role.ADMIN)).get(address).content.decode()
    assert as_user(UserFactory(role=Role.MANAGER)).get(address).status_code == 403
    assert as_user(UserFactory(role=Role.ADMIN)).post(address).status_code == 403
