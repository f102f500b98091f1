"""An employee's hours as an account."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.changes.span import Span
from apps.common.clock import today
from apps.common.weeks import parse_week, week_code
from apps.offer.account import account
from apps.offer.as_json import account_as_json
from apps.org.models import Employee


class Command(BaseCommand):
    help = "Print the account of an employee's hours: pool, assigned, balance, and the lines they are made of."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("employee_number")
        parser.add_argument("--week", help="one ISO week, like 2026-W48 (the current one and the 12 to come)")
        parser.add_argument("--json", action="store_true", help="print JSON alone")

    def handle(self, *args: Any, employee_number: str, week: str | None, **options: Any) -> None:
        span = None
        if week:
            try:
                span = Span(parse_week(week), 1, today())
            except ValueError as error:
                raise CommandError(str(error), returncode=2) from error
        employee = Employee.objects.filter(employee_number=employee_number).first()
        if employee is None:
            raise CommandError(f"There is no employee “{employee_number}”.", returncode=2)
        weeks = account(employee, span)
        if options["json"]:
            self.stdout.write(json.dumps(account_as_json(employee, weeks), ensure_ascii=False))
            return
        self.stdout.write(str(employee))
        for line in weeks:
            self.stdout.write(
                f"{week_code(line.week)}  pool {line.pool_hours:>8}  assigned {line.assigned_hours:>8}"
                f"  balance {line.balance_hours:>8}  proposed {line.proposed_hours:>8}{'  closed' * line.closed}"
                f"{'  corrected' * bool(line.corrected)}"
            )
            for entry in line.lines:
                self.stdout.write(
                    f"    {entry.kind.lower():<9}{entry.hours:>9}  {entry.from_day} – {entry.until_day}  {entry.name}"
                )
