"""Random lives of small clinics: steps with the day they happened on, in the columns of the sheets.

A script is played twice: into the database through the door, with the clock moved, and into the oracle.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from apps.assignments.models import Assignment
from apps.demand.models import DemandAdjustment
from apps.fsm.services import apply_transition
from apps.org.models import Employee, Leave, OrgUnit, Position
from apps.tags.models import EmployeeTag, PositionTag, TagCatalog

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Step:
    """A row of a sheet, taken in on a day."""

    on: date
    kind: str
    row: dict[str, str]


@dataclass
class Writer:
    """Makes up a clinic that ends `today`, and keeps track of what may happen next."""

    seed: int
    today: date
    units: int = 4
    positions: int = 7
    employees: int = 9
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.monday = self.today - DAY * self.today.weekday()

    def day(self, first: int, last: int) -> date:
        """Return a day so many days from today."""
        return self.today + DAY * self.random.randint(first, last)

    def maybe(self, chance: float, value: Any, other: Any = None) -> Any:
        return value if self.random.random() < chance else other

    def hours(self, most: int) -> str:
        return self.random.choice(
            [str(self.random.randint(1, most)), f"{self.random.randint(0, most)}.{self.random.randint(1, 99):02d}"]
        )

    def add(self, on: date, kind: str, /, **row: Any) -> None:
        self.steps.append(Step(on, kind, {k: "" if v is None else str(v) for k, v in row.items()}))

    def write(self) -> list[Step]:
        start = self.today - DAY * 120
        for number in range(self.units):
            parent = f"U{self.random.randrange(number)}" if number else ""
            self.add(start, "org_units", code=f"U{number}", name=f"Unit {number}", parent_code=parent)
        # Said once all units are there, and drawn from a seed of their own: the lives of the others stay the same.
        chance = random.Random(f"headroom {self.seed}")
        for number in range(self.units):
            percent = chance.choice(["", "", "18", "7.35", "0"])
            self.add(self.today - DAY, "org_units", code=f"U{number}", headroom=percent)
        for code, delta in (("C1", "36"), ("C2", "24.5"), ("X1", "-4"), ("X2", "0"), ("Q1", "0"), ("Q2", "3")):
            self.add(start, "tags", code=code, name=code, hours_delta=delta)
        for number in range(self.positions):
            self._position(start, f"P{number}")
        for number in range(self.employees):
            self._employee(start, f"E{number}")
        self.steps.sort(key=lambda step: step.on)
        return self.steps

    def _position(self, start: date, code: str) -> None:
        opens_on = self.maybe(0.5, self.day(-60, 40))
        closes_on = self.maybe(0.4, (opens_on or self.today - DAY * 60) + DAY * self.random.randint(0, 120))
        tags = "|".join(tag for tag in ("Q1", "Q2") if self.random.random() < 0.35)
        self.add(
            start, "positions", code=code, title=code, unit_code=f"U{self.random.randrange(self.units)}",
            required_weekly_hours=self.hours(48) if self.random.random() < 0.7 else "36", opens_on=opens_on,
            closes_on=closes_on, required_tags=tags,
        )  # fmt: skip
        days = set()
        for _number in range(self.random.choice([0, 0, 1, 3])):
            from_day = self.day(-30, 80)
            if from_day in days:
                continue
            days.add(from_day)
            self.add(
                self.today, "demand_adjustments", position_code=code, from_day=from_day,
                until_day=self.maybe(0.8, from_day + DAY * self.random.randint(0, 30)),
                hours=self.random.choice(["12", "-10.5", "-100", "3.33"]),
            )  # fmt: skip

    def _employee(self, start: date, number: str) -> None:
        hired_on = self.day(-100, 0)
        self.add(start, "employees", employee_number=number, home_unit_code="U0", hired_on=hired_on)
        self._tags(number, hired_on)
        self._leaves(number)
        story = self.random.choice(
            [
                "works", "works", "works", "waits", "away", "away_and_back", "suspended", "reinstated", "notice",
                "notice_taken_back", "terminated", "terminated_today", "rehired", "rehired_today", "withdrawn",
            ]
        )  # fmt: skip
        begins = max(hired_on, self.today - DAY * 90)
        moves: list[tuple[date, dict[str, Any]]] = [] if story == "waits" else [(begins, {"transition": "activate"})]
        turn = max(begins, self.day(-20, 0))
        if story in {"away", "away_and_back"}:
            moves.append(
                (turn, {"transition": "start_leave", "kind": "SICK", "ends_on": self.maybe(0.5, self.day(0, 30))})
            )
        if story == "away_and_back":
            moves.append((max(turn, self.day(-10, 0)), {"transition": "return_from_leave"}))
        if story in {"suspended", "reinstated"}:
            moves.append((turn, {"transition": "suspend", "reason": "x"}))
        if story == "reinstated":
            moves.append((max(turn, self.day(-5, 0)), {"transition": "reinstate"}))
        if story in {"notice", "notice_taken_back"}:
            moves.append(
                (turn, {"transition": "give_notice", "last_day": self.today + DAY * self.random.randint(0, 40)})
            )
        if story == "notice_taken_back":
            moves.append((max(turn, self.day(-5, 0)), {"transition": "retract_notice"}))
        if story in {"terminated", "rehired"}:
            turn = max(begins, self.day(-15, -2))
            last_day = max(hired_on, turn - DAY * self.random.randint(0, 4))
            moves.append((turn, {"transition": "terminate", "reason": "x", "last_day": last_day}))
        if story in {"terminated_today", "rehired_today"}:
            last_day = max(hired_on, self.day(-3, 0))
            moves.append((self.today, {"transition": "terminate", "reason": "x", "last_day": last_day}))
        if story == "rehired" and turn <= self.today - DAY * 2:
            again = self.today - DAY * self.random.randint(0, (self.today - turn).days - 2)
            if again > last_day + DAY:
                moves.append((turn, {"transition": "rehire", "reason": "x", "hired_on": again}))
                moves.append((max(again, turn), {"transition": "activate"}))
        if story == "rehired_today":
            moves.append((self.today, {"transition": "rehire", "reason": "x", "hired_on": self.day(2, 9)}))
        if story == "withdrawn":
            moves = [(self.day(-3, 0), {"transition": "withdraw", "reason": "x"})]
        if self.random.random() < 0.15:
            moves.append((self.today, {"transition": "suspend", "reason": "x"}))
        for on, row in moves:
            self.add(on, "employees", employee_number=number, **row)
        self._assignments(number, begins)

    def _tags(self, number: str, hired_on: date) -> None:
        for code in ("C1", "C2", "X1", "X2", "Q1", "Q1", "Q2"):
            if code not in {"C1", "Q1"} and self.random.random() < 0.5:
                continue
            valid_from = hired_on if code == "C1" else self.day(-60, 50)
            self.add(
                self.today - DAY * 110, "employee_tags", employee_number=number, tag_code=code, valid_from=valid_from,
                valid_until=self.maybe(0.6, valid_from + DAY * self.random.randint(0, 90)) if code != "C1" else None,
            )  # fmt: skip

    def _leaves(self, number: str) -> None:
        for _number in range(self.random.choice([0, 0, 1, 2])):
            starts_on = self.day(-20, 70)
            self.add(
                self.today - DAY * 30, "leaves", employee_number=number, starts_on=starts_on, kind="VACATION",
                ends_on=self.maybe(0.8, starts_on + DAY * self.random.randint(0, 20)),
            )  # fmt: skip

    def _assignments(self, number: str, begins: date) -> None:
        for _number in range(self.random.choice([0, 1, 2, 3])):
            starts_on = self.day(-70, 60)
            key = {
                "employee_number": number,
                "position_code": f"P{self.random.randrange(self.positions)}",
                "starts_on": starts_on,
                "is_reinforcement": self.random.random() < 0.3,
            }
            made = self.day(-60, 0)
            self.add(
                made, "assignments", **key, effective_hours=self.hours(30),
                ends_on=self.maybe(0.5, starts_on + DAY * self.random.randint(0, 80)),
            )  # fmt: skip
            decided = max(made, self.day(-40, 0))
            fate = self.random.choice(["accept", "accept", "accept", "reject", "", "close"])
            if fate in {"accept", "close"}:
                self.add(decided, "assignments", **key, transition="accept")
            if fate == "reject":
                self.add(decided, "assignments", **key, transition="reject", reason="x")
            if fate == "close" and starts_on <= self.today:
                ends_on = max(starts_on, self.day(-9, 0))
                self.add(self.today, "assignments", **key, transition="close", reason="x", ends_on=ends_on)


def play(steps: list[Step], set_today: Callable[[date], None]) -> list[Step]:
    """Take the steps through the product, each on its day; return those it accepted.

    A step that the product refuses (a transition from the wrong state, an overlap) is left out of the oracle too.
    """
    from django.core.exceptions import ObjectDoesNotExist
    from django.db import Error, transaction

    from apps.common.errors import Refusal

    taken = []
    for step in steps:
        set_today(step.on)
        try:
            with transaction.atomic():
                PLAYERS[step.kind](step)
        except (Refusal, Error, ObjectDoesNotExist):
            continue
        taken.append(Step(step.on, step.kind, {**step.row, "on": step.on.isoformat()}))
    return taken


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _play_unit(step: Step) -> None:
    row = step.row
    if "headroom" in row:
        OrgUnit.objects.filter(code=row["code"]).update(headroom=row["headroom"] or None)
        return
    parent = OrgUnit.objects.get(code=row["parent_code"]) if row["parent_code"] else None
    OrgUnit.objects.create(code=row["code"], name=row["name"], parent=parent)


def _play_tag(step: Step) -> None:
    row = step.row
    kind = "CONTRACT" if row["code"].startswith("C") else "QUALIFICATION"
    TagCatalog.objects.create(code=row["code"], name=row["name"], type=kind, hours_delta=Decimal(row["hours_delta"]))


def _play_position(step: Step) -> None:
    row = step.row
    position = Position.objects.create(
        code=row["code"], title=row["title"], org_unit=OrgUnit.objects.get(code=row["unit_code"]),
        required_weekly_hours=Decimal(row["required_weekly_hours"]), opens_on=_date(row["opens_on"]),
        closes_on=_date(row["closes_on"]),
    )  # fmt: skip
    for code in filter(None, row["required_tags"].split("|")):
        PositionTag.objects.create(position=position, tag=TagCatalog.objects.get(code=code), level="REQUIRED")
    PositionTag.objects.create(position=position, tag=TagCatalog.objects.get(code="X1"), level="PREFERRED")


def _play_adjustment(step: Step) -> None:
    row = step.row
    DemandAdjustment.objects.create(
        position=Position.objects.get(code=row["position_code"]), from_day=_date(row["from_day"]),
        until_day=_date(row["until_day"]), hours=Decimal(row["hours"]),
    )  # fmt: skip


def _play_employee(step: Step) -> None:
    row = step.row
    number = row["employee_number"]
    if "transition" not in row:
        Employee.objects.create(
            employee_number=number, given_name=number, family_name=number, hired_on=_date(row["hired_on"]),
            home_unit=OrgUnit.objects.get(code=row["home_unit_code"]),
        )  # fmt: skip
        return
    inputs: dict[str, Any] = {
        name: _date(row[name]) for name in ("last_day", "hired_on", "ends_on") if row.get(name)
    } | ({"kind": row["kind"]} if row.get("kind") else {})
    employee = Employee.objects.get(employee_number=number)
    apply_transition(employee, row["transition"], actor=None, reason=row.get("reason", ""), confirmed=True, **inputs)


def _play_employee_tag(step: Step) -> None:
    row = step.row
    EmployeeTag.objects.create(
        employee=Employee.objects.get(employee_number=row["employee_number"]),
        tag=TagCatalog.objects.get(code=row["tag_code"]), valid_from=_date(row["valid_from"]),
        valid_until=_date(row["valid_until"]),
    )  # fmt: skip


def _play_leave(step: Step) -> None:
    row = step.row
    Leave.objects.create(
        employee=Employee.objects.get(employee_number=row["employee_number"]), kind=row["kind"],
        starts_on=_date(row["starts_on"]), ends_on=_date(row["ends_on"]),
    )  # fmt: skip


def _play_assignment(step: Step) -> None:
    row = step.row
    key = {
        "employee": Employee.objects.get(employee_number=row["employee_number"]),
        "position": Position.objects.get(code=row["position_code"]),
        "starts_on": _date(row["starts_on"]),
        "is_reinforcement": row["is_reinforcement"] == "True",
    }
    if "transition" not in row:
        Assignment.objects.create(**key, effective_hours=Decimal(row["effective_hours"]), ends_on=_date(row["ends_on"]))
        return
    inputs = {"ends_on": _date(row["ends_on"])} if row.get("ends_on") else {}
    found = Assignment.objects.exclude(status="CLOSED").filter(**key).latest("id")
    apply_transition(found, row["transition"], actor=None, reason=row.get("reason", ""), confirmed=True, **inputs)


PLAYERS: dict[str, Callable[[Step], None]] = {
    "org_units": _play_unit,
    "tags": _play_tag,
    "positions": _play_position,
    "demand_adjustments": _play_adjustment,
    "employees": _play_employee,
    "employee_tags": _play_employee_tag,
    "leaves": _play_leave,
    "assignments": _play_assignment,
}
