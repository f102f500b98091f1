"""What workers do for the comparisons asked for: look at everybody, so many positions at a time, in one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from apps.common.clock import today as clock_today
from apps.org.querysets import inside

from ..kept_answers import Tell, carry_out, one_snapshot
from ..models import ComparedRecord, Comparison
from ..overview import Figures
from .answer import MOST_POSITIONS, Moved, Part, Place, Range
from .causes import Cause
from .circumstances import circumstances
from .comparing import look_at_everybody
from .kept import place_of
from .kept_figures import FIGURES

# So many positions are one statement, of seconds. Fewer a time are no quicker: each reads the tables of everybody.
BATCH = 60_000
# Nobody has looked for so long: it is forgotten.
UNSEEN = timedelta(days=2)


def compare_waiting() -> int:
    """Carry out the comparisons asked for, and take up what a killed worker left; return how many came to an end."""
    Comparison.objects.filter(looked_at__lt=timezone.now() - UNSEEN, requested_at__isnull=True).delete()
    waiting = Comparison.objects.filter(requested_at__isnull=False).order_by("requested_at")
    return sum(carry_out(kept, _find) for kept in waiting)


def _find(kept: Comparison, tell: Tell) -> dict[str, object]:
    place, run, today = place_of(kept), kept.run + 1, clock_today()
    before, after = Figures(), Figures()
    parts: dict[Cause, Part] = {}
    moved: list[Moved] = []
    # The records of the last run stay for whoever turns its pages.
    ComparedRecord.objects.filter(comparison=kept).exclude(run=kept.run).delete()
    with one_snapshot():
        closed = circumstances(place, kept.first, kept.second, positions=0, waiting=0, today=today).closed
        ranges, number = _ranges(place)
        tell(0, number)
        for count, within in enumerate(ranges, 1):
            looked = look_at_everybody(
                place, kept.first, kept.second, closed, within=within, today=today, keep=(kept.pk, run)
            )
            before, after = before + looked.sides[0], after + looked.sides[1]
            for cause, part in looked.parts.items():
                parts[cause] = parts[cause] + part if cause in parts else part
            moved = _most_moved([*moved, *looked.moved])
            tell(min(count * BATCH, number), number)
    answer = {
        "sides": [{name: getattr(side, name) for name in FIGURES} for side in (before, after)],
        "parts": [asdict(part) for part in parts.values()],
        "moved": [asdict(row) for row in moved],
        "closed": [closed[week].isoformat() if week in closed else None for week in (kept.first, kept.second)],
    }
    return {"answer": answer, "run": run}


def _ranges(place: Place) -> tuple[list[Range], int]:
    """Return the positions of a place in ranges of their ids, which end in none, and how many there are."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT id, number FROM (
                SELECT p.id, row_number() OVER (ORDER BY p.id) AS number, count(*) OVER () AS all_of_them
                FROM org_position p JOIN org_orgunit u ON u.id = p.org_unit_id WHERE {inside("u.path")}
            ) AS numbered WHERE number %% {BATCH} = 0 OR number = all_of_them ORDER BY id""",
            place.params,
        )
        rows = cursor.fetchall()
    # Positions that are gone, or elsewhere by now, are in closed weeks still: beyond the last one too.
    ends = [row[0] for row in rows[:-1]]
    ranges = [Range(after=after, upto=upto) for after, upto in zip([None, *ends], [*ends, None], strict=True)]
    return ranges, rows[-1][1] if rows else 0


def _most_moved(found: Sequence[Moved]) -> list[Moved]:
    def worth(row: Moved) -> tuple[int, int, str]:
        return -abs(row.deficit[1] - row.deficit[0]), -abs(row.assigned[1] - row.assigned[0]), row.code

    return sorted(found, key=worth)[:MOST_POSITIONS]
