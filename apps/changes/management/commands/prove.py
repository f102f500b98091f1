"""Recompute everything beside what is stored."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.changes.proof import compare

SHOWN = 50


class Command(BaseCommand):
    help = "Compare every stored figure with one computed anew. Changes nothing. Exit 1 if any differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON alone: {checked, drift}")

    def handle(self, *args: Any, **options: Any) -> None:
        found = compare()
        if options["json"]:
            answer = {"checked": found.checked, "waiting": found.waiting, "drift": found.drift}
            self.stdout.write(json.dumps(answer, ensure_ascii=False))
        else:
            self.stdout.write(f"{found.checked} subjects checked, {len(found.drift)} differ")
            if found.waiting:
                self.stdout.write(f"{found.waiting} wait for a worker and were left out")
            for line in found.drift[:SHOWN]:
                self.stdout.write(f"  {line['kind']} {line['subject']}")
                self.stdout.write(f"    stored   {json.dumps(line['stored'])}")
                self.stdout.write(f"    computed {json.dumps(line['computed'])}")
            if len(found.drift) > SHOWN:
                self.stdout.write(f"  … and {len(found.drift) - SHOWN} more (--json has all)")
        if found.drift:
            raise SystemExit(1)
