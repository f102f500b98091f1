"""Who could cover a position."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.common.clock import today
from apps.common.hours import to_hours
from apps.common.weeks import parse_week
from apps.demand.as_json import against, candidates_as_json
from apps.demand.candidates import Wanted, candidates
from apps.demand.gaps import gap
from apps.org.models import Position
from apps.users.models import User


class Command(BaseCommand):
    help = (
        "Print who could cover a position's gap, the most likely first, with what speaks against each. "
        "Exit 0: somebody could without a rule in the way; 1: nobody; 2: bad usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("position_code")
        parser.add_argument("--week", help="the ISO week of the gap, like 2026-W48 (the first with a gap)")
        parser.add_argument("--hours", help="hours a week (what is missing that week)")
        parser.add_argument("--limit", type=int, default=25, help="so many people at most (25)")
        parser.add_argument("--untrained", action="store_true", help="also who lacks a required tag")
        parser.add_argument("--as", dest="email", help="what this user may see (everybody)")
        parser.add_argument("--json", action="store_true", help="print JSON alone")

    def handle(self, *args: Any, position_code: str, **options: Any) -> None:
        position = Position.objects.select_related("org_unit", "coverage").filter(code=position_code).first()
        if position is None:
            raise CommandError(f"There is no position “{position_code}”.", returncode=2)
        user = None
        if (email := options["email"]) is not None and (
            user := User.objects.filter(email__iexact=email).first()
        ) is None:
            raise CommandError(f"There is no user “{email}”.", returncode=2)
        if user is not None and not Position.objects.visible_to(user).filter(pk=position.pk).exists():
            raise CommandError(f"There is no position “{position_code}”.", returncode=2)
        wanted, found = self._wanted(position, options["week"], options["hours"]), []
        if wanted is not None:
            found = candidates(wanted, user=user, limit=options["limit"], widely=True, untrained=options["untrained"])
        if options["json"]:
            self.stdout.write(json.dumps(candidates_as_json(position, wanted, found), ensure_ascii=False))
        elif wanted is None:
            self.stdout.write(f"{position}: nothing is missing. Say --hours to look for somebody all the same.")
        else:
            until = wanted.ends_on or "without end"
            self.stdout.write(f"{position}: {wanted.hours} h a week from {wanted.first}, {until}")
            for one in found:
                mark = ("✓", "!", "✗")[one.standing]
                self.stdout.write(
                    f"{mark} {one.employee!s:<40}{to_hours(one.least_free):>9} h free  {one.employee.home_unit.code}"
                    f"  {'; '.join(against(one))}"
                )
        if wanted is not None and not any(one.allowed for one in found):
            raise SystemExit(1)

    def _wanted(self, position: Position, week: str | None, hours: str | None) -> Wanted | None:
        try:
            found = gap(position, parse_week(week) if week else None)
        except ValueError as error:
            raise CommandError(f"{week}: an ISO week of the current one and the 12 to come.", returncode=2) from error
        amount = to_hours(found.missing)
        if hours is not None:
            try:
                amount = Decimal(hours)
            except InvalidOperation as error:
                raise CommandError(f"{hours}: hours like 36 or 7.5.", returncode=2) from error
            if not 0 < amount < 1_000_000:
                raise CommandError(f"{hours}: hours above 0, like 36 or 7.5.", returncode=2)
        return Wanted(position, amount, max(found.week, today()), found.until) if amount else None
