"""An import in a process of its own, to be killed: `python -m tests.imports.importing KIND FILE [halves]`.

It says which session of the database is its own, begins once it reads a line, and says how long it took. With `halves`
the rows come in by two imports, which the product does not do, and it dies between them.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import django


def main(kind: str, path: str, *how: str) -> None:
    django.setup()
    from django.db import connection

    from apps.imports.services import import_sheet

    content = Path(path).read_bytes()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        print(cursor.fetchone()[0], flush=True)
    sys.stdin.readline()
    if how:
        header, *rows = content.splitlines(keepends=True)
        half = len(rows) // 2
        import_sheet(kind=kind, content=header + b"".join(rows[:half]), file_name=Path(path).name, actor=None)
        os.kill(os.getpid(), signal.SIGKILL)
    begun = time.monotonic()
    import_sheet(kind=kind, content=content, file_name=Path(path).name, actor=None)
    print(time.monotonic() - begun, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
