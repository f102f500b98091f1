"""A drain that is killed by one subject, in a process of its own: `python -m tests.chaos.deadly POSITION_ID`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable

import django


def main(deadly: int) -> None:
    django.setup()
    from apps.changes import drain
    from apps.changes.figures import keep
    from apps.changes.span import Span
    from apps.demand.recompute import PositionFigures

    class Deadly(PositionFigures):
        def refresh(self, ids: Iterable[int], span: Span) -> set[int]:
            positions = set(ids)
            if deadly in positions:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().refresh(positions, span)

    keep(Deadly())
    drain.CRASHED_AFTER_SECONDS = 0
    drain.drain()


if __name__ == "__main__":
    main(int(sys.argv[1]))
