"""A worker that takes up waiting sweeps, in a process of its own, once it reads a line.

`python -m tests.chaos.sweeping [RULES_BEFORE_DEATH]`: with a number it forgets what an earlier attempt has done, which
the product does not, and dies after so many rules (0: it does not).
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import django


def main(argv: list[str]) -> None:
    django.setup()
    from django.db import connection

    from apps.business_rules.services import run_waiting_sweeps, sweeps

    if argv:
        _forget(sweeps, int(argv[0]))
    connection.ensure_connection()
    print("ready", flush=True)
    sys.stdin.readline()
    run_waiting_sweeps()


def _forget(sweeps: Any, deadly: int) -> None:
    judge_everyone, judge = sweeps._judge_everyone, sweeps._judge
    judged = 0

    def forgetful(run: Any) -> None:
        run.results = {}
        judge_everyone(run)

    def counted(*args: Any) -> None:
        nonlocal judged
        judge(*args)
        judged += 1
        if judged == deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    sweeps._judge_everyone, sweeps._judge = forgetful, counted


if __name__ == "__main__":
    main(sys.argv[1:])
