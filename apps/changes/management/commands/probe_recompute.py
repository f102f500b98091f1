"""Send one mark the whole way: database, relay, broker, worker."""

import secrets
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.changes.marks import mark
from apps.changes.models import Kind, Mark

LOOK_SECONDS = 0.05


class Command(BaseCommand):
    help = "Leave a probe mark and wait until a worker has worked it off. Exit 1 if none does in time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--timeout", type=float, default=60.0, help="seconds to wait (60)")

    def handle(self, *args: Any, timeout: float, **options: Any) -> None:
        probe = secrets.randbelow(2**62)
        begun = time.monotonic()
        mark(Kind.PROBE, [probe])
        while Mark.objects.filter(kind=Kind.PROBE, subject_id=probe).exists():
            if time.monotonic() - begun > timeout:
                Mark.objects.filter(kind=Kind.PROBE, subject_id=probe).delete()
                self.stderr.write(f"no worker worked the probe off in {timeout:g} s")
                raise SystemExit(1)
            time.sleep(LOOK_SECONDS)
        self.stdout.write(f"worked off in {time.monotonic() - begun:.2f} s")
