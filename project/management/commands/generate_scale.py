"""Write a made-up clinic as numbered sheets."""

import argparse
import json
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from apps.common.clock import today
from fixtures.scale import SIZES, write_sheets


class Command(BaseCommand):
    help = (
        "Write the sheets of a made-up clinic for import_folder: s 200, m 100,000, l 1,000,000 employees. The same "
        "size, seed and day give the same files."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--size", choices=list(SIZES), required=True)
        parser.add_argument("--out", metavar="DIR", required=True, help="a folder; its numbered sheets are overwritten")
        parser.add_argument("--seed", type=int, default=1, metavar="N")
        parser.add_argument("--today", type=_day, metavar="DAY", help="the day the clinic lives on (2026-12-31); today")
        parser.add_argument("--json", action="store_true", help="print JSON alone")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Path(options["out"])
        try:
            paths = write_sheets(folder, size=options["size"], seed=options["seed"], today=options["today"] or today())
        except OSError as error:
            raise CommandError(
                _("%(folder)s cannot be written: %(reason)s.") % {"folder": folder, "reason": error.strerror},
                returncode=2,
            ) from error
        if options["json"]:
            self.stdout.write(json.dumps({"folder": str(folder), "sheets": [path.name for path in paths]}))
            return
        for path in paths:
            self.stdout.write(str(path))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(_("write the day like 2026-12-31")) from None
