"""What if this employee gave these hours to that position?"""

import json
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.common.clock import today
from apps.common.errors import Refusal
from apps.common.hours import to_hours
from apps.common.weeks import week_code
from apps.demand.preview import Preview, preview_proposal, verdicts_as_json
from apps.org.models import Employee, Position

MOST = Decimal("999999.99")


class Command(BaseCommand):
    help = (
        "Say whether an employee may give hours to a position, and what that does to the ledger and the coverage; "
        "nothing is kept. Exit 0: allowed (warnings count as confirmed); 1: not allowed; 2: bad usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("employee_number")
        parser.add_argument("position_code")
        parser.add_argument("hours", type=_hours, help="hours a week, like 12.5")
        parser.add_argument("--from", dest="starts_on", type=_day, help="first day, like 2026-12-31 (today)")
        parser.add_argument("--until", dest="ends_on", type=_day, help="last day (no end)")
        parser.add_argument("--reinforcement", action="store_true", help="hours beside the regular ones")
        parser.add_argument("--json", action="store_true", help="print JSON alone")

    def handle(self, *args: Any, **options: Any) -> None:
        employee = Employee.objects.filter(employee_number=options["employee_number"]).first()
        if employee is None:
            raise CommandError(f"There is no employee “{options['employee_number']}”.", returncode=2)
        position = Position.objects.filter(code=options["position_code"]).first()
        if position is None:
            raise CommandError(f"There is no position “{options['position_code']}”.", returncode=2)
        starts_on, ends_on = options["starts_on"] or today(), options["ends_on"]
        if ends_on is not None and ends_on < starts_on:
            raise CommandError(f"It would end ({ends_on}) before it starts ({starts_on}).", returncode=2)
        try:
            preview = preview_proposal(
                employee=employee,
                position=position,
                hours=options["hours"],
                starts_on=starts_on,
                ends_on=ends_on,
                is_reinforcement=options["reinforcement"],
                actor=None,
            )
        except Refusal as no_answer:
            raise CommandError(str(no_answer), returncode=1) from no_answer
        if options["json"]:
            self.stdout.write(json.dumps(preview.as_json(), ensure_ascii=False))
        else:
            self._print(preview, employee, position)
        if not preview.allowed:
            raise SystemExit(1)

    def _print(self, preview: Preview, employee: Employee, position: Position) -> None:
        self.stdout.write(f"{employee} → {position}: {'allowed' if preview.allowed else 'not allowed'}")
        for verdict in verdicts_as_json(preview.answer):
            waived = " (waived)" if verdict["waived"] else ""
            self.stdout.write(f"  {verdict['severity']} {verdict['rule']}{waived}: {verdict['message']}")
            if verdict["remedy"]:
                self.stdout.write(f"    {verdict['remedy']}")
        self.stdout.write(f"{'':<10}{'balance':>20}{'assigned / required':>32}")
        for own, there in zip(preview.ledger, preview.coverage, strict=True):
            self.stdout.write(
                f"{week_code(own.week):<10}{to_hours(own.before):>9} → {to_hours(own.after):>8}"
                f"{to_hours(there.before):>10} → {to_hours(there.after):>8} / {to_hours(there.required):>8}"
            )


def _hours(text: str) -> Decimal:
    """Return hours of at most two decimals above 0; argparse tells a ValueError as bad usage."""
    try:
        hours = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error
    if not hours.is_finite() or not 0 < hours <= MOST or hours != round(hours, 2):
        raise ValueError(text)
    return hours


def _day(text: str) -> date:
    return date.fromisoformat(text)
