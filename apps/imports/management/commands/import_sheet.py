"""Bring one sheet in."""

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
from apps.imports.enums import Mode
from apps.imports.rights import in_order
from apps.imports.services import import_sheet


class Command(BaseCommand):
    help = (
        "Bring a CSV or XLSX sheet in, as on the screen. Warnings of the rules count as confirmed and are listed. "
        "Exit 0: done; 1: rows were refused; 2: bad usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=list(in_order()), metavar="KIND", help=", ".join(in_order()))
        parser.add_argument("file", metavar="FILE", help="a CSV or XLSX file")
        parser.add_argument("--dry-run", action="store_true", help="tell what it would do, write nothing")
        parser.add_argument("--mode", choices=Mode.values, default=Mode.ALL_OR_NOTHING.value)
        parser.add_argument("--as", dest="email", metavar="EMAIL", help="act as this user; without it, as the system")
        parser.add_argument("--json", action="store_true", help="print JSON alone")
        add_reading_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(options["file"])
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CommandError(
                _("%(file)s cannot be read: %(reason)s.") % {"file": path, "reason": error.strerror}, returncode=2
            ) from error
        try:
            report = import_sheet(
                kind=options["kind"],
                content=content,
                file_name=path.name,
                actor=actor_named(options["email"]),
                options=options_of(options),
                mode=options["mode"],
                dry_run=options["dry_run"],
            )
        except Refusal as refusal:
            if not options["json"]:
                raise CommandError(" ".join(refusal.explain()), returncode=1) from refusal
            report = refused_report(options["kind"], refusal, dry_run=options["dry_run"])
        if options["json"]:
            print_json(self.stdout, report.as_json())
        else:
            print_report(self, report)
        if not report.ok:
            raise SystemExit(1)
