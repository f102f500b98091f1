"""Coverage and ledger from the rows of the sheets, day by day, in fractions: slow, plain, and written a second time.

It shares no line with the product and asks no database. Feed it rows (texts, as in a CSV file) in the order they are
imported; `on` in a row says on which day its transition was made (without it: the day of the question).

    clinic = Clinic(today=date(2026, 12, 9))
    clinic.read("positions", [{"code": "P1", "unit_code": "H1", "required_weekly_hours": "36", ...}])
    clinic.coverage(week)   # what `coverage --json` prints
    clinic.ledger("E1")     # what `ledger --json` prints
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

DAY = timedelta(days=1)
GIVES = {"ACTIVE", "NOTICE", "ON_LEAVE"}
TARGETS = {
    "activate": "ACTIVE",
    "withdraw": "TERMINATED",
    "start_leave": "ON_LEAVE",
    "extend_leave": "ON_LEAVE",
    "return_from_leave": "ACTIVE",
    "suspend": "SUSPENDED",
    "reinstate": "ACTIVE",
    "give_notice": "NOTICE",
    "retract_notice": "ACTIVE",
    "complete_notice": "TERMINATED",
    "terminate": "TERMINATED",
    "rehire": "ONBOARDING",
}


@dataclass
class Unit:
    code: str
    parent: str = ""
    headroom: Fraction | None = None


@dataclass
class Position:
    code: str
    unit: str = ""
    required: Fraction = Fraction(0)
    opens_on: date | None = None
    closes_on: date | None = None
    required_tags: tuple[str, ...] = ()
    adjustments: dict[date, tuple[date | None, Fraction]] = field(default_factory=dict)


@dataclass
class Leave:
    starts_on: date
    ends_on: date | None


@dataclass
class Employee:
    number: str
    hired_on: date = date.min
    last_day: date | None = None
    status: str = "ONBOARDING"
    # (from this day on, status); what was said later holds.
    said: list[tuple[date, str]] = field(default_factory=list)
    tags: dict[tuple[str, date], date | None] = field(default_factory=dict)
    leaves: list[Leave] = field(default_factory=list)


@dataclass
class Assignment:
    employee: str
    position: str
    starts_on: date
    reinforcement: bool
    hours: Fraction = Fraction(0)
    ends_on: date | None = None
    status: str = "PROPOSED"
    accepted: bool = False
    voided: bool = False

    def code(self) -> str:
        return f"{self.employee}/{self.position}/{self.starts_on}"


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _within(day: date, first: date | None, last: date | None) -> bool:
    return (first is None or first <= day) and (last is None or day <= last)


def hundredths(value: Fraction) -> str:
    """Return hours as they are shown: two decimals, half away from zero."""
    return str((Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def percent(part: Fraction, whole: Fraction) -> str | None:
    """Return a percent as it is shown; what is not exactly 100 never shows as 100.0."""
    if not whole:
        return None
    ratio = part * 100 / whole
    shown = (Decimal(ratio.numerator) / Decimal(ratio.denominator)).quantize(Decimal("0.1"), ROUND_HALF_UP)
    if shown == 100 and ratio != 100:
        return "99.9" if ratio < 100 else "100.1"
    return str(shown)


def week_name(monday: date) -> str:
    year, week, _weekday = monday.isocalendar()
    return f"{year}-W{week:02d}"


class Clinic:
    """Everything the sheets said, and the day on which it is asked."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.units: dict[str, Unit] = {}
        self.positions: dict[str, Position] = {}
        self.tags: dict[str, Fraction] = {}
        self.employees: dict[str, Employee] = {}
        self.assignments: list[Assignment] = []
        self.gives = cache(self._gives)

    # Reading.

    @classmethod
    def from_folder(cls, folder: Path, today: date) -> Clinic:
        """Read the numbered sheets of a folder (NN_kind.csv, NN_kind_step.csv) in order."""
        clinic = cls(today)
        for path in sorted(folder.glob("[0-9][0-9]_*.csv")):
            name = path.stem[3:]
            kind = next(kind for kind in sorted(READERS, key=len, reverse=True) if name.startswith(kind))
            with path.open(encoding="utf-8-sig", newline="") as file:
                clinic.read(kind, csv.DictReader(file))
        return clinic

    def read(self, kind: str, rows: Iterable[Mapping[str, str]]) -> None:
        """Take in rows of a sheet: a column that is absent leaves the value, an empty cell clears it."""
        for row in rows:
            READERS[kind](self, row)
        self.gives.cache_clear()

    def _org_unit(self, row: Mapping[str, str]) -> None:
        unit = self.units.setdefault(row["code"], Unit(row["code"]))
        if "parent_code" in row:
            unit.parent = row["parent_code"]
        if "headroom" in row:
            unit.headroom = Fraction(row["headroom"]) if row["headroom"] else None

    def _position(self, row: Mapping[str, str]) -> None:
        position = self.positions.setdefault(row["code"], Position(row["code"]))
        if "unit_code" in row:
            position.unit = row["unit_code"]
        if "required_weekly_hours" in row:
            position.required = Fraction(row["required_weekly_hours"])
        if "opens_on" in row:
            position.opens_on = _day(row["opens_on"])
        if "closes_on" in row:
            position.closes_on = _day(row["closes_on"])
        if "required_tags" in row:
            position.required_tags = tuple(tag.strip() for tag in row["required_tags"].split("|") if tag.strip())

    def _tag(self, row: Mapping[str, str]) -> None:
        self.tags.setdefault(row["code"], Fraction(0))
        if "hours_delta" in row:
            self.tags[row["code"]] = Fraction(row["hours_delta"] or 0)

    def _employee(self, row: Mapping[str, str]) -> None:
        employee = self.employees.setdefault(row["employee_number"], Employee(row["employee_number"]))
        move = row.get("transition", "")
        if row.get("hired_on") and move != "rehire":
            employee.hired_on = date.fromisoformat(row["hired_on"])
        # A move whose target is already the state changes nothing.
        if move and (employee.status != TARGETS[move] or move == "extend_leave"):
            self._move(employee, move, row)

    def _move(self, employee: Employee, move: str, row: Mapping[str, str]) -> None:
        on = _day(row.get("on")) or self.today
        last_day = _day(row.get("last_day"))
        target = TARGETS[move]
        since = on
        if move == "activate":
            since = employee.hired_on
        elif move == "give_notice":
            employee.last_day = last_day
        elif move == "retract_notice":
            employee.last_day = None
        elif move == "terminate":
            employee.last_day = last_day
        elif move == "rehire":
            employee.hired_on = date.fromisoformat(row["hired_on"])
            employee.last_day = None
            # What was before stays as it was: the end of the earlier employment too.
            since = max([on, *(day for day, status in employee.said if status == "TERMINATED")])
        if move in {"terminate", "complete_notice"}:
            since = employee.last_day + DAY
        if target == "TERMINATED":
            self._end_assignments(employee, employee.last_day or on - DAY)
        if move in {"start_leave", "extend_leave", "return_from_leave"}:
            self._leave_moves(employee, move, on, _day(row.get("ends_on")))
        employee.status = target
        employee.said.append((since, target))

    def _leave_moves(self, employee: Employee, move: str, on: date, ends_on: date | None) -> None:
        running = next((leave for leave in employee.leaves if _within(on, leave.starts_on, leave.ends_on)), None)
        if move == "start_leave":
            if running is None:
                employee.leaves.append(Leave(on, ends_on))
            elif ends_on:
                running.ends_on = ends_on
        elif running is not None and move == "extend_leave":
            running.ends_on = ends_on
        elif running is not None and running.starts_on == on:
            employee.leaves.remove(running)
        elif running is not None:
            running.ends_on = on - DAY

    def _end_assignments(self, employee: Employee, last: date) -> None:
        for assignment in self.assignments:
            if assignment.employee != employee.number or assignment.status == "CLOSED":
                continue
            if assignment.status == "ACTIVE":
                if assignment.starts_on > last:
                    assignment.voided = True
                else:
                    assignment.ends_on = min(assignment.ends_on or last, last)
            assignment.status = "CLOSED"

    def _employee_tag(self, row: Mapping[str, str]) -> None:
        tags = self.employees[row["employee_number"]].tags
        tags[row["tag_code"], date.fromisoformat(row["valid_from"])] = _day(row.get("valid_until"))

    def _leave(self, row: Mapping[str, str]) -> None:
        leaves = self.employees[row["employee_number"]].leaves
        starts_on = date.fromisoformat(row["starts_on"])
        leave = next((leave for leave in leaves if leave.starts_on == starts_on), None)
        if leave is None:
            leaves.append(leave := Leave(starts_on, None))
        if "ends_on" in row:
            leave.ends_on = _day(row["ends_on"])

    def _demand_adjustment(self, row: Mapping[str, str]) -> None:
        adjustments = self.positions[row["position_code"]].adjustments
        adjustments[date.fromisoformat(row["from_day"])] = (_day(row.get("until_day")), Fraction(row["hours"]))

    def _assignment(self, row: Mapping[str, str]) -> None:
        key = (
            row["employee_number"],
            row["position_code"],
            date.fromisoformat(row["starts_on"]),
            row.get("is_reinforcement", "").strip().lower() in {"1", "true", "yes", "sí", "si"},
        )
        # Among rows not rejected, expired or voided.
        standing = (a for a in self.assignments if (a.status != "CLOSED" or a.accepted) and not a.voided)
        found = next((a for a in standing if (a.employee, a.position, a.starts_on, a.reinforcement) == key), None)
        if found is None:
            self.assignments.append(found := Assignment(*key))
        move = row.get("transition", "")
        if row.get("effective_hours"):
            found.hours = Fraction(row["effective_hours"])
        if "ends_on" in row and move != "close":
            found.ends_on = _day(row["ends_on"])
        if move == "accept":
            found.status, found.accepted = "ACTIVE", True
        elif move == "close":
            found.status, found.ends_on = "CLOSED", _day(row["ends_on"])
        elif move in {"reject", "expire"}:
            found.status = "CLOSED"

    # Counting.

    def _status_on(self, employee: Employee, day: date) -> str:
        if day > self.today:
            return employee.status
        return next((status for since, status in reversed(employee.said) if since <= day), "ONBOARDING")

    def _gives(self, number: str, day: date) -> bool:
        employee = self.employees[number]
        if self._status_on(employee, day) not in GIVES:
            return False
        if employee.last_day is not None and day > employee.last_day:
            return False
        return not any(_within(day, leave.starts_on, leave.ends_on) for leave in employee.leaves)

    def _works(self, assignment: Assignment, day: date) -> bool:
        return _within(day, assignment.starts_on, assignment.ends_on) and self.gives(assignment.employee, day)

    def _needs(self, position: Position, day: date) -> Fraction:
        if not _within(day, position.opens_on, position.closes_on):
            return Fraction(0)
        need = position.required
        for from_day, (until_day, hours) in position.adjustments.items():
            if _within(day, from_day, until_day):
                need += hours
        return max(need, Fraction(0))

    def _holds(self, number: str, tag: str, day: date) -> bool:
        tags = self.employees[number].tags
        return any(code == tag and _within(day, first, last) for (code, first), last in tags.items())

    def position_week(self, code: str, monday: date) -> dict[str, Fraction]:
        """Return the weekly figures of a position, exact."""
        position = self.positions[code]
        sums = dict.fromkeys(("required", "assigned", "reinforcement", "proposed", "unqualified"), Fraction(0))
        mine = [a for a in self.assignments if a.position == code and not a.voided]
        for day in (monday + DAY * number for number in range(7)):
            sums["required"] += self._needs(position, day) / 7
            for assignment in mine:
                if not self._works(assignment, day):
                    continue
                if assignment.accepted:
                    sums["assigned"] += assignment.hours / 7
                    if assignment.reinforcement:
                        sums["reinforcement"] += assignment.hours / 7
                    if not all(self._holds(assignment.employee, tag, day) for tag in position.required_tags):
                        sums["unqualified"] += assignment.hours / 7
                elif assignment.status == "PROPOSED":
                    sums["proposed"] += assignment.hours / 7
        return sums

    def employee_week(self, number: str, monday: date) -> dict[str, Fraction]:
        """Return the weekly account of an employee, exact."""
        employee = self.employees[number]
        sums = dict.fromkeys(("pool", "assigned", "proposed"), Fraction(0))
        mine = [a for a in self.assignments if a.employee == number and not a.voided]
        for day in (monday + DAY * n for n in range(7)):
            if not self.gives(number, day):
                continue
            for (code, first), last in employee.tags.items():
                if _within(day, first, last):
                    sums["pool"] += self.tags[code] / 7
            for assignment in mine:
                if self._works(assignment, day):
                    if assignment.accepted:
                        sums["assigned"] += assignment.hours / 7
                    elif assignment.status == "PROPOSED":
                        sums["proposed"] += assignment.hours / 7
        return sums

    def state(self, required: Fraction, assigned: Fraction) -> str:
        if required == 0:
            return "NO_DEMAND"
        if assigned == 0:
            return "VACANT"
        if assigned == required:
            return "COVERED"
        return "PARTIAL" if assigned < required else "OVER_COVERED"

    def headroom_week(self, unit: str, monday: date) -> dict[str, Fraction]:
        """Return the headroom of a unit's own positions and what of it is there, in hours a week, exact."""
        code = unit
        while self.units[code].headroom is None and self.units[code].parent:
            code = self.units[code].parent
        part = (self.units[code].headroom or Fraction(0)) / 100
        weeks = [self.position_week(code, monday) for code, row in self.positions.items() if row.unit == unit]
        return {
            "headroom": sum((week["required"] * part for week in weeks), Fraction(0)),
            "headroom_filled": sum(
                (min(max(week["assigned"] - week["required"], Fraction(0)), week["required"] * part) for week in weeks),
                Fraction(0),
            ),
        }

    def _under(self, unit: str) -> set[str]:
        found = {unit}
        for other in self.units.values():
            code = other.code
            while code:
                if code == unit:
                    found.add(other.code)
                    break
                code = self.units[code].parent
        return found

    # Answering.

    def coverage(self, monday: date) -> dict[str, Any]:
        """Return what `coverage --week W --json` prints of figures: {week, units, positions}, both by code."""
        weeks = {code: self.position_week(code, monday) for code in self.positions}
        states = {code: self.state(week["required"], week["assigned"]) for code, week in weeks.items()}
        units = {}
        for unit in self.units.values():
            below = self._under(unit.code)
            inside = [code for code, position in self.positions.items() if position.unit in below]
            units[unit.code] = self._unit([weeks[code] for code in inside], [states[code] for code in inside])
            units[unit.code]["parent_code"] = unit.parent or None
        return {
            "week": week_name(monday),
            "units": units,
            "positions": {
                code: {
                    "unit_code": self.positions[code].unit,
                    **{f"{name}_hours": hundredths(value) for name, value in week.items()},
                    "coverage_percent": percent(week["assigned"], week["required"]),
                    "state": states[code],
                }
                for code, week in weeks.items()
            },
        }

    def _unit(self, weeks: list[dict[str, Fraction]], states: list[str]) -> dict[str, Any]:
        def total(of: Callable[[dict[str, Fraction]], Fraction]) -> Fraction:
            return sum((of(week) for week in weeks), Fraction(0))

        required, assigned = total(lambda w: w["required"]), total(lambda w: w["assigned"])
        filled = total(lambda w: min(w["assigned"], w["required"]))
        deficit = total(lambda w: max(w["required"] - w["assigned"], Fraction(0)))
        surplus = total(lambda w: max(w["assigned"] - w["required"], Fraction(0)))
        return {
            "required_hours": hundredths(required),
            "assigned_hours": hundredths(assigned),
            "reinforcement_hours": hundredths(total(lambda w: w["reinforcement"])),
            "proposed_hours": hundredths(total(lambda w: w["proposed"])),
            "unqualified_hours": hundredths(total(lambda w: w["unqualified"])),
            "filled_hours": hundredths(filled),
            "deficit_hours": hundredths(deficit),
            "surplus_hours": hundredths(surplus),
            "coverage_percent": percent(filled, required),
            "raw_percent": percent(assigned, required),
            "net_zero": deficit > 0 and assigned >= required,
            "positions": {
                state: states.count(state) for state in ("VACANT", "PARTIAL", "COVERED", "OVER_COVERED", "NO_DEMAND")
            },
        }

    def ledger(self, number: str, weeks: int = 13) -> list[dict[str, str]]:
        """Return what `ledger NUMBER --json` prints of sums, from the current week on."""
        monday = self.today - DAY * self.today.weekday()
        answer = []
        for first in (monday + 7 * DAY * week for week in range(weeks)):
            sums = self.employee_week(number, first)
            answer.append(
                {
                    "week": week_name(first),
                    "pool_hours": hundredths(sums["pool"]),
                    "assigned_hours": hundredths(sums["assigned"]),
                    "balance_hours": hundredths(sums["pool"] - sums["assigned"]),
                    "proposed_hours": hundredths(sums["proposed"]),
                }
            )
        return answer


READERS: dict[str, Callable[[Clinic, Mapping[str, str]], None]] = {
    "org_units": Clinic._org_unit,
    "positions": Clinic._position,
    "tags": Clinic._tag,
    "employees": Clinic._employee,
    "employee_tags": Clinic._employee_tag,
    "leaves": Clinic._leave,
    "demand_adjustments": Clinic._demand_adjustment,
    "assignments": Clinic._assignment,
}
