"""The rules said a second time: day by day, in fractions, from the rows, one subject at a time.

It shares no line with the product. It tells which subjects break the rules about contracts, coverage and capacity.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from apps.assignments.models import Assignment
from apps.demand.models import DemandAdjustment
from apps.fsm.models import EmployeeStatusPeriod
from apps.org.models import Employee, Leave, OrgUnit, Position
from apps.tags.models import EmployeeTag, PositionTag

DAY = timedelta(days=1)
GIVES = {"ACTIVE", "NOTICE", "ON_LEAVE"}
LONG_AGO = 500


def within(day: date, first: date | None, last: date | None) -> bool:
    return (first is None or first <= day) and (last is None or day <= last)


def exact(value: Decimal) -> Fraction:
    return Fraction(str(value))


def _by(rows: Any, name: str) -> dict[int, list[Any]]:
    grouped = defaultdict(list)
    for row in rows:
        grouped[getattr(row, name)].append(row)
    return grouped


class Plain:
    """Everything that is stored, read once."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.monday = today - timedelta(days=today.weekday())
        self.units = {unit.pk: unit for unit in OrgUnit.objects.all()}
        self.employees = {row.pk: row for row in Employee.objects.all()}
        self.positions = {row.pk: row for row in Position.objects.all()}
        self.assignments = {row.pk: row for row in Assignment.objects.all()}
        self.periods = _by(EmployeeStatusPeriod.objects.all(), "employee_id")
        self.leaves = _by(Leave.objects.all(), "employee_id")
        self.tags = _by(EmployeeTag.objects.select_related("tag"), "employee_id")
        self.wanted = _by(PositionTag.objects.filter(level="REQUIRED"), "position_id")
        self.adjustments = _by(DemandAdjustment.objects.all(), "position_id")
        self.by_employee = _by(self.assignments.values(), "employee_id")
        self.by_position = _by(self.assignments.values(), "position_id")
        self._gives: dict[tuple[int, date], bool] = {}

    # The words of the domain

    def gives(self, pk: int, day: date) -> bool:
        if (pk, day) not in self._gives:
            self._gives[pk, day] = self._asks(pk, day)
        return self._gives[pk, day]

    def _asks(self, pk: int, day: date) -> bool:
        employee = self.employees[pk]
        status = employee.status
        if day <= self.today:
            status = "ONBOARDING"
            for period in self.periods[pk]:
                if within(day, period.from_day, period.until_day):
                    status = period.status
        away = any(within(day, leave.starts_on, leave.ends_on) for leave in self.leaves[pk])
        return status in GIVES and not away and within(day, None, employee.last_day)

    def in_force(self, row: Any, day: date) -> bool:
        counts = row.accepted_at is not None and not row.voided
        return counts and within(day, row.starts_on, row.ends_on) and self.gives(row.employee_id, day)

    def needs(self, position: Any, day: date) -> Fraction:
        if not within(day, position.opens_on, position.closes_on):
            return Fraction(0)
        more = sum(
            exact(row.hours) for row in self.adjustments[position.pk] if within(day, row.from_day, row.until_day)
        )
        return max(Fraction(0), exact(position.required_weekly_hours) + more)

    def weeks(self) -> list[list[date]]:
        return [[self.monday + timedelta(days=7 * week + day) for day in range(7)] for week in range(13)]

    def required(self, position: Any, week: list[date]) -> Fraction:
        return sum((self.needs(position, day) for day in week), Fraction(0)) / 7

    def assigned(self, position: Any, week: list[date], regular: bool = False) -> Fraction:
        rows = [row for row in self.by_position[position.pk] if not (regular and row.is_reinforcement)]
        hours = [exact(row.effective_hours) for row in rows for day in week if self.in_force(row, day)]
        return sum(hours, Fraction(0)) / 7

    def holds_contract(self, pk: int, day: date) -> bool:
        return any(row.tag.type == "CONTRACT" and within(day, row.valid_from, row.valid_until) for row in self.tags[pk])

    def live(self, row: Any) -> bool:
        return row.status != "CLOSED" and within(self.today, None, row.ends_on)

    # The rules: who breaks them, given everybody's threshold

    def NO_CONTRACT(self, pk: int, _threshold: Any) -> bool:
        return self.employees[pk].status in ("ACTIVE", "NOTICE") and not self.holds_contract(pk, self.today)

    def CONTRACT_ENDING(self, pk: int, threshold: Decimal) -> bool:
        employee = self.employees[pk]
        return any(
            row.tag.type == "CONTRACT"
            and row.valid_until is not None
            and 0 <= (row.valid_until - self.today).days <= threshold
            and not self.holds_contract(pk, row.valid_until + DAY)
            and employee.status != "TERMINATED"
            and not (employee.last_day and employee.last_day <= row.valid_until)
            for row in self.tags[pk]
        )

    def REQUIRED_TAG_EXPIRING(self, pk: int, threshold: Decimal) -> bool:
        row = self.assignments[pk]
        held = self.tags[row.employee_id]
        return self.live(row) and any(
            tag.tag_id == want.tag_id
            and tag.valid_until is not None
            and 0 <= (tag.valid_until - self.today).days <= threshold
            and (row.ends_on is None or row.ends_on > tag.valid_until)
            and not any(
                other.tag_id == tag.tag_id
                and within(max(tag.valid_until + DAY, row.starts_on), other.valid_from, other.valid_until)
                for other in held
            )
            for want in self.wanted[row.position_id]
            for tag in held
        )

    def CONTRACT_HOURS_MISMATCH(self, pk: int, _threshold: Any) -> bool:
        row = self.assignments[pk]
        day = max(self.today, row.starts_on)
        contracts = [
            tag.tag.hours_delta
            for tag in self.tags[row.employee_id]
            if tag.tag.type == "CONTRACT" and within(day, tag.valid_from, tag.valid_until)
        ]
        return self.live(row) and not row.is_reinforcement and row.effective_hours != sum(contracts, Decimal(0))

    def MISSING_REQUIRED_TAG(self, pk: int, _threshold: Any) -> bool:
        row = self.assignments[pk]
        asked = (self.today, max(self.today, row.starts_on))
        return self.live(row) and any(
            not any(
                tag.tag_id == want.tag_id and within(day, tag.valid_from, tag.valid_until)
                for tag in self.tags[row.employee_id]
                for day in asked
            )
            for want in self.wanted[row.position_id]
        )

    def UNIT_UNDER_COVERED(self, pk: int, threshold: Decimal) -> bool:
        path = [self.units[one] for one in self.units[pk].path]
        targets = [unit.coverage_target for unit in path if unit.coverage_target is not None]
        target = exact(targets[-1] if targets else threshold)
        below = [row for row in self.positions.values() if pk in self.units[row.org_unit_id].path]
        for week in self.weeks():
            required = [self.required(row, week) for row in below]
            filled = [min(need, self.assigned(row, week)) for need, row in zip(required, below, strict=True)]
            if sum(required) > 0 and sum(filled) * 100 < target * sum(required):
                return True
        return False

    def POSITION_VACANT(self, pk: int, threshold: Decimal) -> bool:
        position = self.positions[pk]
        running = 0
        while running < LONG_AGO:
            day = self.today - timedelta(days=running)
            if not self.needs(position, day) or any(self.in_force(row, day) for row in self.by_position[pk]):
                break
            running += 1
        return running > threshold

    def POSITION_OVER_COVERED(self, pk: int, threshold: Decimal) -> bool:
        position = self.positions[pk]
        return any(
            (required := self.required(position, week)) > 0
            and self.assigned(position, week, regular=True) * 100 > exact(threshold) * required
            for week in self.weeks()
        )

    def balance(self, pk: int, week: list[date]) -> Fraction:
        pool = [
            exact(row.tag.hours_delta)
            for row in self.tags[pk]
            for day in week
            if within(day, row.valid_from, row.valid_until) and self.gives(pk, day)
        ]
        assigned = [
            exact(row.effective_hours) for row in self.by_employee[pk] for day in week if self.in_force(row, day)
        ]
        return (sum(pool, Fraction(0)) - sum(assigned, Fraction(0))) / 7

    def UNUSED_CAPACITY(self, pk: int, threshold: Decimal) -> bool:
        return self.balance(pk, self.weeks()[0]) > exact(threshold)

    def HOURS_OVER_POOL(self, pk: int, threshold: Decimal) -> bool:
        return any(self.balance(pk, week) < -exact(threshold) for week in self.weeks())


SAID_PLAINLY = [name for name in vars(Plain) if name.isupper()]
