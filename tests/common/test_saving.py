"""Writing many rows at once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from apps.common.errors import Refusal
from apps.common.saving import save_rows, update_rows
from apps.org.models import Employee, OrgUnit, Position
from tests.factories import Clinic, OrgUnitFactory

pytestmark = pytest.mark.django_db


def test_every_kind_of_value_arrives_as_it_was(clinic: Clinic) -> None:
    clinic.p1.title = "Ñandú “doce” \\ {a,b} 'x'"
    clinic.p1.required_weekly_hours = Decimal("7.01")
    clinic.p1.closes_on = date(2027, 1, 31)
    clinic.p2.opens_on = None
    update_rows(Position, [clinic.p1, clinic.p2], ["title", "required_weekly_hours", "opens_on", "closes_on"])
    first, second = Position.objects.get(pk=clinic.p1.pk), Position.objects.get(pk=clinic.p2.pk)
    assert (first.title, first.required_weekly_hours, first.closes_on) == (
        "Ñandú “doce” \\ {a,b} 'x'", Decimal("7.01"), date(2027, 1, 31),
    )  # fmt: skip
    assert (second.title, second.opens_on, second.closes_on) == ("Instrumentación", None, None)


def test_a_parent_saved_after_it_was_assigned_is_kept(clinic: Clinic) -> None:
    parent = OrgUnit(code="NEW", name="New")
    clinic.h1.parent = parent
    parent.save()
    update_rows(OrgUnit, [clinic.h1], ["parent"])
    assert OrgUnit.objects.get(pk=clinic.h1.pk).parent_id == parent.pk


def test_a_value_out_of_bounds_names_its_field(clinic: Clinic) -> None:
    clinic.nurse.email = "no mail"
    with pytest.raises(Refusal) as refused:
        save_rows(Employee, [clinic.nurse])
    assert refused.value.reasons[0].field == "email"


def test_a_broken_constraint_comes_back_in_its_own_words(clinic: Clinic) -> None:
    clinic.p1.closes_on = date(2020, 1, 1)
    with pytest.raises(Refusal) as refused:
        save_rows(Position, [clinic.p1])
    assert refused.value.reasons[0].code == "org_position_closes_after_it_opens"


def test_a_taken_code_is_said_of_its_field(clinic: Clinic) -> None:
    with pytest.raises(Refusal) as refused:
        save_rows(OrgUnit, [OrgUnit(code="H1", name="Twice")])
    assert (refused.value.reasons[0].code, refused.value.reasons[0].field) == ("unique", "code")


def test_a_cycle_is_said_of_the_parent(clinic: Clinic) -> None:
    clinic.root.parent = clinic.h1
    with pytest.raises(Refusal) as refused:
        save_rows(OrgUnit, [clinic.root])
    assert (refused.value.reasons[0].code, refused.value.reasons[0].field) == ("org_unit_no_cycle", "parent")


def test_thousands_take_a_handful_of_statements(clinic: Clinic, django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    unit = OrgUnitFactory()
    rows = [Position(code=f"X{number}", title="x", org_unit=unit, required_weekly_hours=1) for number in range(4_100)]
    with django_assert_max_num_queries(12):
        save_rows(Position, rows)
    for row in rows:
        row.title = "y"
    with django_assert_max_num_queries(12):
        save_rows(Position, rows)
    assert Position.objects.filter(title="y").count() == 4_100
