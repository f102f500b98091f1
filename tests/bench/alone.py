"""One sheet brought in, or one list taken out, by a process of its own, as the command does it.

What a process that measured other things before has kept is in no figure of it. Prints seconds and megabytes as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import django
from django.db import connection, transaction

CHECKOUT = Path(__file__).resolve().parents[2]


def run(*what: str) -> tuple[float, float | None]:
    """Have a new process do it on the database of this one; return its seconds, and the most MB of its own memory."""
    name = connection.settings_dict["NAME"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.alone", name, *what], cwd=CHECKOUT, stdout=subprocess.PIPE, check=True
    )
    seconds, megabytes = json.loads(done.stdout.splitlines()[-1])
    return seconds, megabytes


def brought_in(kind: str, content: bytes, **options: Any) -> None:
    """Bring a sheet in with history, marks and rules on, and take it back."""
    from apps.imports.services import import_sheet

    with transaction.atomic():
        asked = {"with_impact": False, **options}
        report = import_sheet(kind=kind, content=content, file_name=kind, actor=None, **asked)
        if not report.ok:
            raise AssertionError(report.errors[:3])
        transaction.set_rollback(True)


def file_brought_in(kind: str, file: str) -> None:
    """Read and bring in a file, as the command does."""
    brought_in(kind, Path(file).read_bytes())


def taken_out(kind: str, shape: str, count: str) -> None:
    """Write so many rows in pieces that nobody keeps, as a page or a worker does."""
    from apps.imports.lists import SheetOut
    from apps.imports.services import resource_of
    from apps.imports.writing import rows_for

    resource = resource_of(kind)
    for _piece in SheetOut(resource, rows_for(resource, None)[: int(count)], None).pieces(shape):
        pass


def main(name: str, deed: str, *more: str) -> None:
    django.setup()
    connection.settings_dict["NAME"] = name
    from .memory import most_memory
    from .stage import as_measured

    as_measured()
    begun = time.perf_counter()
    memory = most_memory(lambda: {"in": file_brought_in, "out": taken_out}[deed](*more))
    print(json.dumps([time.perf_counter() - begun, memory and memory[0]]))


if __name__ == "__main__":
    main(*sys.argv[1:])
