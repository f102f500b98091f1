"""Bring a whole folder of numbered sheets in."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from apps.common.errors import Refusal
from apps.imports.commands import (
    actor_named,
    add_reading_arguments,
    options_of,
    print_json,
    print_report,
    refused_report,
)
from apps.imports.folders import numbered_sheets
from apps.imports.services import import_sheet


class Command(BaseCommand):
    help = (
        "Bring in the numbered sheets of a folder (NN_kind.csv or NN_kind_step.csv, XLSX too) in order, stopping at "
        "the first refused one. Exit 0: all done; 1: one was refused; 2: bad usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", metavar="DIR")
        parser.add_argument("--as", dest="email", metavar="EMAIL", help="act as this user; without it, as the system")
        parser.add_argument("--json", action="store_true", help="print JSON alone")
        add_reading_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        actor = actor_named(options["email"])
        try:
            sheets = numbered_sheets(Path(options["folder"]))
        except Refusal as refusal:
            raise CommandError(" ".join(refusal.explain()), returncode=2) from refusal
        answers: list[dict[str, Any]] = []
        stopped = None
        for sheet in sheets:
            try:
                report = import_sheet(
                    kind=sheet.kind,
                    content=sheet.path.read_bytes(),
                    file_name=sheet.path.name,
                    actor=actor,
                    options=options_of(options),
                    with_impact=False,
                )
            except Refusal as refusal:
                if not options["json"]:
                    raise CommandError(f"{sheet.path.name}: {' '.join(refusal.explain())}", returncode=1) from refusal
                report = refused_report(sheet.kind, refusal, dry_run=False)
            answers.append({"file": sheet.path.name, **report.as_json()})
            if not options["json"]:
                print_report(self, report, title=sheet.path.name)
            if not report.ok:
                stopped = sheet.path.name
                break
        if options["json"]:
            print_json(self.stdout, {"sheets": answers, "stopped_at": stopped})
        elif stopped is not None:
            self.stdout.write(_("Stopped at %(file)s; what came before it stays.") % {"file": stopped})
        if stopped is not None:
            raise SystemExit(1)
