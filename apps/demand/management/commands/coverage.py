"""Coverage of a part of the tree in a week."""

import json
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.changes.freshness import Freshness, freshness
from apps.common.clock import monday_of, today
from apps.common.weeks import parse_week, week_code
from apps.demand.as_json import board_as_json
from apps.demand.board import Board, NoFigures, UnitLine, board
from apps.org.models import OrgUnit
from apps.users.models import User


class Command(BaseCommand):
    help = "Print required and assigned hours, coverage and states of a unit, its sub-units and positions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("unit", nargs="?", help="code of a unit (the whole tree)")
        parser.add_argument("--week", help="ISO week, like 2026-W48 (the current one)")
        parser.add_argument("--as", dest="email", help="only what this person may see")
        parser.add_argument("--json", action="store_true", help="print JSON alone")

    def handle(self, *args: Any, unit: str | None, week: str | None, email: str | None, **options: Any) -> None:
        try:
            monday = parse_week(week) if week else monday_of(today())
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error
        user = None
        if email is not None and (user := User.objects.filter(email__iexact=email).first()) is None:
            raise CommandError(f"There is no user “{email}”.", returncode=2)
        root = None
        if unit is not None:
            units = OrgUnit.objects.all() if user is None else OrgUnit.objects.visible_to(user)
            if (root := units.filter(code=unit).first()) is None:
                raise CommandError(f"There is no unit “{unit}”.", returncode=2)
        try:
            found = board(week=monday, user=user, unit=root)
        except NoFigures as error:
            raise CommandError(f"No figures are kept for {week_code(monday)}.", returncode=1) from error
        fresh = freshness()
        if options["json"]:
            self.stdout.write(json.dumps(board_as_json(found, fresh), ensure_ascii=False))
        else:
            self._print(found, fresh)

    def _print(self, found: Board, fresh: Freshness) -> None:
        # As on the board: told only where some unit keeps any.
        second = any(unit.headroom for unit in found.units)
        head = f"{'':<40}{'required':>10}{'assigned':>10}{'deficit':>10}{'surplus':>10}{'coverage':>10}"
        head += f"{'headroom':>10}{'there':>10}" if second else ""
        self.stdout.write(f"{week_code(found.week)}{head[8:]}")
        for unit in found.units:
            name = f"{'  ' * (unit.depth - found.units[0].depth)}{unit.code} {unit.name}"
            self.stdout.write(
                f"{name[:39]:<40}{unit.hours('required'):>10}{unit.hours('assigned'):>10}{unit.hours('deficit'):>10}"
                f"{unit.hours('surplus'):>10}{_percent(unit.coverage_percent) or '–':>9}{'%' * bool(unit.required)}"
                f"{_second(unit) if second else ''}{'  net-zero' * unit.net_zero}"
            )
        self.stdout.write("")
        for position in found.positions:
            name = f"{position.code} {position.title}"
            self.stdout.write(
                f"{name[:39]:<40}{position.hours('required'):>10}{position.hours('assigned'):>10}"
                f"{'':>20}{_percent(position.coverage_percent) or '–':>9}{'%' * bool(position.required)}"
                f"  {position.state.value}{'  unqualified' * bool(position.unqualified)}"
            )
        self.stdout.write("")
        if found.closed_at:
            self.stdout.write(f"closed {found.closed_at:%Y-%m-%d %H:%M %Z}")
            if stamp := found.stamp:
                self.stdout.write(f"corrected {stamp.at:%Y-%m-%d %H:%M %Z} by {stamp.by}: {stamp.reason}")
        elif fresh.waiting:
            self.stdout.write(f"{fresh.waiting} changes wait, the oldest for {fresh.age.total_seconds():.0f} s")
        elif fresh.drained_at:
            self.stdout.write(f"fresh, last looked at {fresh.drained_at:%Y-%m-%d %H:%M:%S %Z}")


def _second(unit: UnitLine) -> str:
    """Return what a unit keeps above its required hours, and what is there of it."""
    pad = "" if unit.required else " "  # where the percent sign stands
    return f"{pad}{unit.hours('headroom'):>10}{unit.hours('headroom_filled'):>10}"


def _percent(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
