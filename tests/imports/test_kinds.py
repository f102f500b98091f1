"""Every kind of sheet: create, update, unchanged, clear, absent, and back again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from apps.assignments.models import Assignment
from apps.common.resources import resources
from apps.demand.models import DemandAdjustment
from apps.org.models import Employee, Leave, OrgUnit, Position
from apps.tags.models import EmployeeTag, PositionTag, TagCatalog
from tests.factories import AssignmentFactory, EmployeeTagFactory, TagFactory

from .support import bring, codes, counts, history_rows, marks, sheet, take

# kind → (header, row that creates, column that changes, its new text, an optional column, its text)
STORIES: dict[str, tuple[str, str, str, str, str]] = {
    "org_units": ("code,name,kind,parent_code,max_weekly_hours", "N1,Neonatología,SERVICE,H,48", "name",
                  "Neo", "max_weekly_hours"),
    "tags": ("code,name,type,hours_delta,first_warning_days", "RCP,Reanimación,CERTIFICATION,0,60", "name",
             "RCP básica", "first_warning_days"),
    "positions": ("code,title,unit_code,required_weekly_hours,closes_on,required_tags",
                  "P9,Enfermería,H1,36.5,2027-03-01,Q1", "title", "Enfermería pediátrica", "closes_on"),
    "employees": ("employee_number,given_name,family_name,email,national_id,home_unit_code,hired_on",
                  "E9,Ana,Núñez,ana@example.org,30111222,H1,2026-02-02", "family_name", "Núñez Paz", "national_id"),
    "employee_tags": ("employee_number,tag_code,valid_from,valid_until,note", "E1,Q1,2026-01-05,2026-12-31,visto",
                      "note", "revisado", "valid_until"),
    "leaves": ("employee_number,starts_on,kind,ends_on,reason", "E1,2026-12-21,VACATION,2026-12-31,verano", "reason",
               "verano largo", "ends_on"),
    "demand_adjustments": ("position_code,from_day,until_day,hours,reason", "P1,2026-12-14,2026-12-20,-12,feriado",
                           "hours", "-6", "until_day"),
    "assignments": ("employee_number,position_code,starts_on,effective_hours,ends_on", "E1,P1,2026-12-14,24,2027-02-28",
                    "effective_hours", "20", "ends_on"),
}  # fmt: skip


@pytest.fixture
def house(clinic: Any) -> Any:
    TagFactory(code="Q1", name="Especialista")
    return clinic


def with_value(header: str, row: str, column: str, value: str) -> str:
    cells = row.split(",")
    cells[header.split(",").index(column)] = value
    return ",".join(cells)


def test_every_kind_has_a_story() -> None:
    assert set(STORIES) == set(resources())


@pytest.mark.parametrize("kind", STORIES)
def test_a_row_creates_then_changes_then_rests(kind: str, house: Any) -> None:
    header, row, column, text, optional = STORIES[kind]
    created = bring(kind, sheet(header, row))
    assert counts(created) == (1, 0, 0, 0), created.errors
    changed = bring(kind, sheet(header, with_value(header, row, column, text)))
    assert counts(changed) == (0, 1, 0, 0), changed.errors
    assert set(changed.changes[0]["cells"]) == {column}
    cleared = bring(kind, sheet(header, with_value(header, with_value(header, row, column, text), optional, "")))
    assert counts(cleared) == (0, 1, 0, 0), cleared.errors
    assert cleared.changes[0]["cells"][optional][1] in ("", "0.00")
    absent = header.replace(f",{optional}", "")
    cells = [cell for name, cell in zip(header.split(","), row.split(","), strict=True) if name != optional]
    rest = bring(kind, sheet(absent, with_value(absent, ",".join(cells), column, text)))
    assert counts(rest) == (0, 0, 1, 0), rest.errors


@pytest.mark.parametrize("kind", STORIES)
def test_the_same_sheet_again_changes_nothing_and_leaves_no_trace(kind: str, house: Any) -> None:
    header, row, *_rest = STORIES[kind]
    content = sheet(header, row)
    bring(kind, content)
    before = history_rows(), marks()
    for _again in range(2):
        assert counts(bring(kind, content)) == (0, 0, 1, 0)
    assert (history_rows(), marks()) == before


@pytest.mark.parametrize("format", ["csv", "xlsx"])
@pytest.mark.parametrize("kind", STORIES)
def test_an_export_comes_back_as_it_went(kind: str, format: str, house: Any) -> None:
    header, row, *_rest = STORIES[kind]
    bring(kind, sheet(header, row))
    before = history_rows()
    report = bring(kind, take(kind, format=format))
    assert report.ok, report.errors
    assert (report.created, report.updated) == (0, 0)
    assert report.unchanged > 0
    assert history_rows() == before


@pytest.mark.parametrize("kind", STORIES)
def test_spanish_headers_in_any_case_and_order_are_understood(kind: str, house: Any) -> None:
    header, row, *_rest = STORIES[kind]
    names = resources()[kind].columns()
    pairs = list(zip(header.split(","), row.split(","), strict=True))[::-1]
    spanish = [f" {names[name].spanish.upper()} " for name, _cell in pairs]
    report = bring(kind, sheet(spanish, [cell for _name, cell in pairs]))
    assert counts(report) == (1, 0, 0, 0), report.errors


def test_what_a_sheet_says_is_what_is_stored(house: Any) -> None:
    for kind in ("org_units", "tags", "positions", "employees", "employee_tags", "leaves", "assignments",
                 "demand_adjustments"):  # fmt: skip
        header, row, *_rest = STORIES[kind]
        assert bring(kind, sheet(header, row)).ok
    unit = OrgUnit.objects.get(code="N1")
    assert (unit.parent, unit.max_weekly_hours, unit.path) == (house.root, Decimal("48.00"), [house.root.pk, unit.pk])
    assert TagCatalog.objects.get(code="RCP").first_warning_days == 60
    position = Position.objects.get(code="P9")
    assert (position.required_weekly_hours, position.closes_on) == (Decimal("36.50"), date(2027, 3, 1))
    assert list(PositionTag.objects.filter(position=position).values_list("tag__code", "level")) == [("Q1", "REQUIRED")]
    person = Employee.objects.get(employee_number="E9")
    assert (person.home_unit, person.national_id, person.status) == (house.h1, "30111222", "ONBOARDING")
    assert EmployeeTag.objects.get(tag__code="Q1").valid_until == date(2026, 12, 31)
    assert Leave.objects.get().kind == "VACATION"
    assert DemandAdjustment.objects.get().hours == Decimal("-12.00")
    assignment = Assignment.objects.get()
    assert (assignment.status, assignment.is_reinforcement) == ("PROPOSED", False)


def test_one_list_of_tags_may_be_replaced_without_the_other(house: Any) -> None:
    TagFactory(code="Q2")
    bring("positions", sheet("code,required_tags,preferred_tags", "P1,Q1,Q2"))
    report = bring("positions", sheet("code,required_tags", "P1,Q1|Q2"))
    assert report.ok, report.errors
    assert set(PositionTag.objects.values_list("tag__code", "level")) == {("Q1", "REQUIRED"), ("Q2", "REQUIRED")}
    assert codes(bring("positions", sheet("code,required_tags,preferred_tags", "P1,Q1,Q1"))) == {"in_both_lists"}
    assert bring("positions", sheet("code,required_tags", ["P1", ""])).ok
    assert not PositionTag.objects.exists()


def test_rows_of_one_sheet_may_name_each_other_in_any_order(house: Any) -> None:
    report = bring("org_units", sheet("code,name,parent_code", "C,Sala,B", "B,Piso,A", "A,Edificio,", "H1,Urgencias,C"))
    assert report.ok, report.errors
    sala = OrgUnit.objects.get(code="C")
    assert [OrgUnit.objects.get(pk=pk).code for pk in sala.path] == ["A", "B", "C"]
    assert OrgUnit.objects.get(code="H1").path[:3] == sala.path


def test_a_tree_may_be_turned_round_in_one_sheet(house: Any) -> None:
    bring("org_units", sheet("code,name,parent_code", "A,Alto,H", "B,Bajo,A"))
    assert bring("org_units", sheet("code,parent_code", "A,B", "B,H")).ok
    path = OrgUnit.objects.get(code="A").path
    assert [OrgUnit.objects.get(pk=pk).code for pk in path] == ["H", "B", "A"]


def test_a_cycle_is_refused_by_name(house: Any) -> None:
    report = bring("org_units", sheet("code,name,parent_code", "A,Alto,B", "B,Bajo,A", "K,Bueno,H"))
    assert codes(report) == {"cycle"}
    assert {error["line"] for error in report.errors} == {2, 3}
    assert not OrgUnit.objects.filter(code__in=["A", "B", "K"]).exists()


def test_the_reinforcement_of_a_regular_assignment_is_another_record(house: Any) -> None:
    AssignmentFactory(employee=house.nurse, position=house.p1, effective_hours=Decimal("20"))
    report = bring("assignments", sheet("employee_number,position_code,starts_on,is_reinforcement,effective_hours",
                                        "E1,P1,2026-01-01,sí,6", "E1,P1,2026-01-01,,20"))  # fmt: skip
    assert counts(report) == (1, 0, 1, 0), report.errors


def test_a_tag_that_expires_needs_its_end(house: Any) -> None:
    TagFactory(code="CERT", certification=True)
    report = bring("employee_tags", sheet("employee_number,tag_code,valid_from,valid_until", "E1,CERT,2026-01-01,"))
    assert [(error["line"], error["column"], error["code"]) for error in report.errors] == [
        (2, "valid_until", "end_needed")
    ]


@pytest.mark.parametrize(
    ("kind", "header", "rows", "code"),
    [
        ("leaves", "employee_number,starts_on,ends_on", ["E1,2026-12-14,2026-12-20", "E1,2026-12-20,2026-12-22"],
         "org_leave_one_at_a_time"),
        ("employee_tags", "employee_number,tag_code,valid_from,valid_until",
         ["E1,Q1,2026-01-01,", "E1,Q1,2026-06-01,2026-07-01"], "tags_employeetag_never_overlaps_itself"),
        ("assignments", "employee_number,position_code,starts_on,effective_hours", ["E1,P1,2026-12-14,8",
                                                                                  "E1,P1,2027-01-04,8"],
         "assignments_one_live_regular"),
    ],
)  # fmt: skip
def test_overlaps_are_told_with_both_records(kind: str, header: str, rows: list[str], code: str, house: Any) -> None:
    report = bring(kind, sheet(header, *rows))
    assert codes(report) == {code}
    assert {error["line"] for error in report.errors} == {2, 3}
    assert "line 3" in report.errors[0]["message"] and "line 2" in report.errors[1]["message"]
    assert bring(kind, sheet(header, rows[0])).ok
    stored = bring(kind, sheet(header, rows[1]))
    assert codes(stored) == {code}
    assert rows[0].split(",")[2 if kind != "leaves" else 1] in stored.errors[0]["message"]


def test_what_is_shortened_makes_room_for_what_begins(house: Any) -> None:
    EmployeeTagFactory(employee=house.nurse, tag=TagCatalog.objects.get(code="Q1"), valid_from=date(2026, 1, 1))
    report = bring("employee_tags", sheet("employee_number,tag_code,valid_from,valid_until",
                                          "E1,Q1,2026-07-01,", "E1,Q1,2026-01-01,2026-06-30"))  # fmt: skip
    assert counts(report) == (1, 1, 0, 0), report.errors


def test_every_constraint_is_asked_before_the_database_would() -> None:
    for resource in resources().values():
        asked = {invariant.constraint for invariant in resource.invariants}
        asked |= {resource.disjoint.constraint} if resource.disjoint else set()
        # Choices are read as such; keys find their row; status columns are not written by sheets.
        left_to_others = {"kind_known", "type_known", "status_known", "once_a_day", "was_accepted", "voided_is_closed"}
        for constraint in resource.model()._meta.constraints:
            if not any(constraint.name.endswith(word) for word in left_to_others):
                assert constraint.name in asked, constraint.name
