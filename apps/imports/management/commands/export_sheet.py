"""Take one sheet out."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from apps.audit_log.services import record_export
from apps.common.errors import Refusal
from apps.imports.commands import actor_named
from apps.imports.rights import in_order
from apps.imports.services import resource_of
from apps.imports.writing import rows_for, write_csv, xlsx_pieces


class Command(BaseCommand):
    help = "Write what a user may see of one kind to FILE (.csv or .xlsx; - = CSV on standard output)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=list(in_order()), metavar="KIND", help=", ".join(in_order()))
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--as", dest="email", metavar="EMAIL", help="as this user; without it, as the system")

    def handle(self, *args: Any, **options: Any) -> None:
        user = actor_named(options["email"])
        resource = resource_of(options["kind"])
        name = options["file"]
        if name != "-" and Path(name).suffix.lower() not in (".csv", ".xlsx"):
            raise CommandError(_("FILE must end in .csv or .xlsx."), returncode=2)
        try:
            rows = rows_for(resource, user)
        except Refusal as refusal:
            raise CommandError(" ".join(refusal.explain()), returncode=1) from refusal
        try:
            if name == "-":
                for piece in write_csv(resource, rows, user=user):
                    sys.stdout.buffer.write(piece)
            elif name.lower().endswith(".xlsx"):
                with Path(name).open("wb") as file:
                    file.writelines(xlsx_pieces(resource, rows, user=user))
            else:
                with Path(name).open("wb") as file:
                    file.writelines(write_csv(resource, rows, user=user))
        except OSError as error:
            raise CommandError(
                _("%(file)s cannot be written: %(reason)s.") % {"file": name, "reason": error.strerror}, returncode=2
            ) from error
        record_export(
            actor=user, what=options["kind"], format=Path(name).suffix.lower().lstrip(".") or "csv",
            rows=rows.order_by().count(), origin="command",
        )  # fmt: skip
