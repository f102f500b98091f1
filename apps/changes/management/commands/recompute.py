"""Bring the stored figures up to date from the command line."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.changes.drain import drain, waiting
from apps.changes.marks import mark_everything
from apps.changes.models import DeadLetter


class Command(BaseCommand):
    help = "Work off the marks that wait, or compute everything anew. Exit 1 if something could not be computed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="compute the figures of everybody and everything")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["all"]:
            self.stdout.write(f"{mark_everything()} subjects marked")
        done = drain(seconds=float("inf"))
        self.stdout.write(f"{done.marks} marks worked off, {done.rewritten} rows of figures changed")
        left, dead = waiting(), DeadLetter.objects.count()
        if left:
            self.stderr.write(f"still waiting: {', '.join(f'{kind} {count}' for kind, count in left.items())}")
        if dead:
            self.stderr.write(f"{dead} could not be computed and were set aside (dead letters)")
        if left or dead:
            raise SystemExit(1)
