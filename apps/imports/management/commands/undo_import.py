"""Take one import back."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from apps.common.errors import Refusal
from apps.imports.commands import SHOWN, actor_named, print_json
from apps.imports.models import ImportJob
from apps.imports.undoing import Undone, UndoRefused, undo_import


class Command(BaseCommand):
    help = (
        "Take one import back, all of it or nothing, refusing rows changed since and naming them. "
        "Exit 0: done; 1: refused; 2: bad usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", type=int, metavar="JOB", help="the import's number, as import_sheet --json tells it")
        parser.add_argument("--reason", default="", help="why, for the record")
        parser.add_argument("--as", dest="email", metavar="EMAIL", help="act as this user; without it, as the system")
        parser.add_argument("--json", action="store_true", help="print JSON alone")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = actor_named(options["email"])
        jobs = ImportJob.objects.all() if actor is None else ImportJob.objects.visible_to(actor)
        job = jobs.filter(pk=options["job"]).first()
        if job is None:
            raise CommandError(_("There is no import %(job)s.") % {"job": options["job"]}, returncode=2)
        try:
            done = undo_import(job=job, actor=actor, reason=options["reason"])
        except Refusal as refusal:
            self._refused(job, refusal, options["json"])
            raise SystemExit(1) from refusal
        if options["json"]:
            print_json(self.stdout, done.as_json())
            return
        self.stdout.write(
            _(
                "taken back: deleted %(deleted)s, restored %(restored)s, created again %(created_again)s, "
                "moved back %(moved_back)s"
            )
            % done.counts()
        )

    def _refused(self, job: ImportJob, refusal: Refusal, as_json: bool) -> None:
        obstacles = refusal.obstacles if isinstance(refusal, UndoRefused) else []
        rows = [item.as_json() for item in obstacles]
        # What stands against the import as a whole names no row.
        whole = [
            {"kind": job.kind, "key": "", "message": str(reason.message)}
            for reason in refusal.reasons
            if reason.code != "changed_since"
        ]
        if as_json:
            print_json(self.stdout, {"job": job.pk, "undone": Undone(job.pk).counts(), "refused": [*rows, *whole]})
            return
        for row in [*whole, *rows][:SHOWN]:
            self.stderr.write(f"{row['kind']} {row['key']}: {row['message']}" if row["key"] else row["message"])
        if len(rows) > SHOWN:
            self.stderr.write(_("… and %(count)s more") % {"count": len(rows) - SHOWN})
