"""Recompute everything beside what is stored."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.changes.drain import drain
from apps.changes.proof import Comparison, compare, prove

SHOWN = 50


class Command(BaseCommand):
    help = (
        "Compare every stored figure with one computed anew; what differs is computed again, on record."
        " Exit 1 if any differed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON alone: {checked, waiting, drift, proof}")
        parser.add_argument("--look", action="store_true", help="change nothing, and keep no record")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["look"]:
            found, proof = compare(), None
        else:
            kept = prove(origin="command")
            found, proof = Comparison(kept.checked, kept.waiting, kept.drift), kept.pk
            if kept.drift:
                drain()
        if options["json"]:
            answer = {"checked": found.checked, "waiting": found.waiting, "drift": found.drift, "proof": proof}
            self.stdout.write(json.dumps(answer, ensure_ascii=False))
        else:
            self._print(found)
            if found.drift and proof is not None:
                self.stdout.write(f"computed again, on record as proof {proof}")
        if found.drift:
            raise SystemExit(1)

    def _print(self, found: Comparison) -> None:
        self.stdout.write(f"{found.checked} subjects checked, {len(found.drift)} differ")
        if found.waiting:
            self.stdout.write(f"{found.waiting} wait for a worker and were left out")
        for line in found.drift[:SHOWN]:
            self.stdout.write(f"  {line['kind']} {line['subject']}")
            self.stdout.write(f"    stored   {json.dumps(line['stored'])}")
            self.stdout.write(f"    computed {json.dumps(line['computed'])}")
        if len(found.drift) > SHOWN:
            self.stdout.write(f"  … and {len(found.drift) - SHOWN} more (--json has all)")
