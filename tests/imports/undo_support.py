"""What the tests of undo share: a dump of the current state, the logs, and random sheets of every kind."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

from django.apps import apps

from apps.assignments.models import Assignment, AssignmentTransitionLog
from apps.fsm.models import EmployeeTransitionLog
from apps.imports.models import ImportJob
from apps.imports.rewinding import recorded
from apps.imports.services import undo_import
from apps.imports.undoing import Undone
from apps.org.models import Employee, Leave, OrgUnit, Position
from apps.tags.models import EmployeeTag, TagCatalog, TagChangeLog
from tests.factories import (
    AssignmentFactory,
    Clinic,
    DemandAdjustmentFactory,
    EmployeeFactory,
    EmployeeTagFactory,
    LeaveFactory,
    PositionFactory,
    PositionTagFactory,
    TagFactory,
)
from tests.today import TODAY

from .support import bring, sheet

STAMPS = {"created_at", "updated_at"}
DAY = timedelta(days=1)


def rows_of(model: Any) -> list[tuple[Any, ...]]:
    names = [field.attname for field in model._meta.concrete_fields if field.name not in STAMPS]
    return [tuple(map(repr, row)) for row in model._base_manager.order_by("pk").values_list(*names)]


def current_state() -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table with a history, but for when it was made and last touched."""
    return {model._meta.label_lower: rows_of(model) for model in recorded()}


def on_record() -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of the logs and of the history tables."""
    logs: list[Any] = [EmployeeTransitionLog, AssignmentTransitionLog, TagChangeLog]
    logs += [model for model in apps.get_models() if model.__name__.startswith("Historical")]
    return {model._meta.label_lower: rows_of(model) for model in logs}


def only_grew(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> bool:
    return all(set(rows) <= set(after[label]) for label, rows in before.items())


def undo(job: int | None, actor: Any = None, reason: str = "wrong sheet") -> Undone:
    return undo_import(job=ImportJob.objects.get(pk=job), actor=actor, reason=reason)


def brought(kind: str, *lines: Any, **options: Any) -> int:
    """Bring a sheet in that must be accepted; return its job."""
    report = bring(kind, sheet(*lines), **options)
    assert report.ok and report.job, report.errors
    return report.job


def furnish(clinic: Clinic) -> Clinic:
    """Give the clinic something of every kind, people in every state among it."""
    contract = TagFactory(code="C", name="Contract", contract=True)
    for code in ("Q1", "Q2", "Q3"):
        TagFactory(code=code, name=f"Qualification {code}")
    tags = {tag.code: tag for tag in TagCatalog.objects.all()}
    PositionTagFactory(position=clinic.p1, tag=tags["Q1"])
    PositionTagFactory(position=clinic.p1, tag=tags["Q2"], level="PREFERRED")
    p3 = PositionFactory(code="P3", title="Third", org_unit=clinic.h1)
    DemandAdjustmentFactory(position=clinic.p1)
    EmployeeTagFactory(employee=clinic.newcomer, tag=contract, valid_from=date(2026, 1, 1))
    EmployeeTagFactory(employee=clinic.nurse, tag=tags["Q1"], valid_until=date(2027, 1, 31))
    for number in range(4, 8):
        EmployeeFactory(employee_number=f"E{number}", home_unit=clinic.h1, active=True)
    people = {person.employee_number: person for person in Employee.objects.all()}
    LeaveFactory(employee=people["E4"], starts_on=TODAY, ends_on=TODAY + DAY * 9)
    LeaveFactory(employee=people["E5"], starts_on=TODAY + DAY * 30, ends_on=TODAY + DAY * 40)
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=20, accepted=True)
    AssignmentFactory(employee=people["E4"], position=p3, effective_hours=12, accepted=True)
    AssignmentFactory(employee=people["E5"], position=p3, effective_hours=8, starts_on=date(2026, 12, 20))
    AssignmentFactory(
        employee=people["E6"], position=clinic.p2, effective_hours=8, starts_on=date(2027, 2, 1), accepted=True
    )
    return clinic


class Sheets:
    """Makes up sheets of what is there and of what is not, with transitions among the changes."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.number = 0

    def new(self, letter: str) -> str:
        self.number += 1
        return f"{letter}N{self.random.randrange(1000)}{self.number}"

    def day(self, first: int, last: int) -> str:
        return (TODAY + DAY * self.random.randint(first, last)).isoformat()

    def some(self, rows: Any) -> list[Any]:
        rows = list(rows)
        return self.random.sample(rows, min(len(rows), self.random.randint(1, 3)))

    def pick(self, *values: Any) -> Any:
        return self.random.choice(values)

    def one(self, model: Any, name: str) -> str:
        return str(self.random.choice(list(model.objects.order_by("pk").values_list(name, flat=True))))

    def org_units(self) -> tuple[str, list[list[Any]]]:
        made = [self.new("U") for _number in range(self.random.randint(0, 2))]
        codes = [unit.code for unit in OrgUnit.objects.order_by("pk")]
        rows = [[code, code, self.pick(*codes, *made[:place]), ""] for place, code in enumerate(made)]
        rows += [
            [unit.code, f"{unit.name} {self.new('')}", unit.parent.code if unit.parent else "", self.pick("", "12.5")]
            for unit in self.some(OrgUnit.objects.select_related("parent").exclude(parent=None))
        ]
        if made and self.random.random() < 0.5:
            rows[-1][2] = made[0]
        return "code,name,parent_code,headroom", rows

    def tags(self) -> tuple[str, list[list[Any]]]:
        rows = [[code, f"Tag {code}", "QUALIFICATION", "0"] for code in [self.new("T")]]
        rows += [
            [tag.code, f"{tag.name} {self.new('')}", tag.type, self.pick("0", "4")]
            for tag in self.some(TagCatalog.objects.all())
        ]
        return "code,name,type,hours_delta", rows

    def positions(self) -> tuple[str, list[list[Any]]]:
        def lists() -> tuple[str, str]:
            codes = ["Q1", "Q2", "Q3"]
            self.random.shuffle(codes)
            cut = self.random.randint(0, 2)
            return "|".join(codes[:cut]), "|".join(codes[cut : self.random.randint(cut, 3)])

        rows = [[code, f"Position {code}", self.one(OrgUnit, "code"), "36", *lists()] for code in [self.new("P")]]
        rows += [
            [position.code, position.title, self.one(OrgUnit, "code"), self.pick("12", "40.5"), *lists()]
            for position in self.some(Position.objects.all())
        ]
        return "code,title,unit_code,required_weekly_hours,required_tags,preferred_tags", rows

    def employees(self) -> tuple[str, list[list[Any]]]:
        rows: list[list[Any]] = [
            [number, "Nova", number, self.one(OrgUnit, "code"), "2026-01-05", "", "", ""] for number in [self.new("E")]
        ]
        for person in self.some(Employee.objects.select_related("home_unit")):
            move = self.pick("", *(move.name for move in person.machine.moves_from(person.status) if not move.system))
            last = self.day(0, 20) if move == "give_notice" else self.day(-3, 0) if move == "terminate" else ""
            hired = self.day(-1, 0) if move == "rehire" else person.hired_on.isoformat()
            unit = self.pick(person.home_unit.code, self.one(OrgUnit, "code"))
            rows.append([person.employee_number, self.new("Ana"), person.family_name, unit, hired, last, move, "why"])
        return "employee_number,given_name,family_name,home_unit_code,hired_on,last_day,transition,reason", rows

    def employee_tags(self) -> tuple[str, list[list[Any]]]:
        rows = [
            [self.one(Employee, "employee_number"), self.one(TagCatalog, "code"), self.day(-20, 20), "", "new"]
            for _number in range(2)
        ]
        rows += [
            [
                held.employee.employee_number,
                held.tag.code,
                held.valid_from,
                self.pick("", self.day(10, 90)),
                self.new(""),
            ]
            for held in self.some(EmployeeTag.objects.select_related("employee", "tag"))
        ]
        return "employee_number,tag_code,valid_from,valid_until,note", rows

    def leaves(self) -> tuple[str, list[list[Any]]]:
        rows = [
            [self.one(Employee, "employee_number"), self.day(-5, 60), self.pick("SICK", "OTHER"), self.day(60, 70)]
            for _number in range(2)
        ]
        rows += [
            [leave.employee.employee_number, leave.starts_on, "TRAINING", self.pick("", self.day(41, 60))]
            for leave in self.some(Leave.objects.select_related("employee"))
        ]
        return "employee_number,starts_on,kind,ends_on", rows

    def demand_adjustments(self) -> tuple[str, list[list[Any]]]:
        rows = [[self.one(Position, "code"), self.day(0, 20), self.day(20, 40), "-6"], ["P1", "2026-12-01", "", "9"]]
        return "position_code,from_day,until_day,hours", rows

    def assignments(self) -> tuple[str, list[list[Any]]]:
        rows: list[list[Any]] = [
            [
                self.one(Employee, "employee_number"), self.one(Position, "code"), self.day(-3, 30),
                self.pick("yes", "no"), self.pick("4", "10"), "", self.pick("", "accept"), "why",
            ]
            for _number in range(2)
        ]  # fmt: skip
        for row in self.some(Assignment.objects.select_related("employee", "position").exclude(voided=True)):
            move = self.pick("", *(move.name for move in row.machine.moves_from(row.status) if not move.system))
            ends = self.day(-2, 0) if move == "close" else row.ends_on or self.pick("", self.day(90, 99))
            hours = self.pick(str(row.effective_hours), "5")
            rows.append(
                [
                    row.employee.employee_number, row.position.code, row.starts_on,
                    "yes" if row.is_reinforcement else "no", hours, ends, move, "why",
                ]
            )  # fmt: skip
        return (
            "employee_number,position_code,starts_on,is_reinforcement,effective_hours,ends_on,transition,reason",
            rows,
        )

    KINDS = (
        "org_units", "tags", "positions", "employees", "employee_tags", "leaves", "demand_adjustments", "assignments",
    )  # fmt: skip

    def bring(self, kind: str | None = None, mode: str | None = None) -> ImportJob:
        """Bring one in; return its job, which may be refused."""
        kind = kind or self.pick(*self.KINDS, "employees", "assignments")
        header, rows = getattr(self, kind)()
        report = bring(kind, sheet(header, *rows), mode=mode or self.pick("good-rows", "good-rows", "all-or-nothing"))
        return ImportJob.objects.get(pk=report.job)
