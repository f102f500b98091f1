"""The comparison of two weeks, by the shortest road that gives the whole answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

from apps.common.weeks import horizon

from ..corrected import stamps
from ..kept_answers import one_snapshot
from ..overview import Figures
from .answer import BRIDGED, Behind, Moved, Part, Place, Range, Side, Waterfall
from .attribution import everybody_sql, movers_sql
from .causes import Cause
from .circumstances import Circumstances, circumstances
from .kept_figures import FIGURES, kept_sides, most_moved, pairs
from .movers import movers
from .telling import told

# So many positions are looked at one and all while somebody waits.
FEW_POSITIONS = 4_000
# So many dates between the weeks, and changes that have not reached the figures, are followed up meanwhile.
FEW_DATES, FEW_WAITING = 3_000, 200


class TooMuch(Exception):
    """More would have to be looked at than anybody waits for: workers do it (kept.py)."""


@dataclass(frozen=True)
class Looked:
    """What one look at some positions found; what is of no side has no figures."""

    sides: tuple[Figures, Figures]
    parts: Mapping[Cause, Part]
    moved: Sequence[Moved]
    records: Sequence[Sequence[Any]] = ()


def waterfall(
    place: Place,
    first: date,
    second: date,
    *,
    behind: Behind | None = None,
    today: date | None = None,
    while_waited_for: bool = False,
) -> Waterfall:
    """Return what makes the figures of two weeks (Mondays, the earlier first) differ.

    Weeks to come are told by the records as they are now. Raise NoFigures for a week that is neither kept nor among
    the current one and the 12 to come, and TooMuch where that takes long and is `while_waited_for`.
    """
    with one_snapshot():
        now = circumstances(place, first, second, positions=FEW_POSITIONS, waiting=FEW_WAITING, today=today)
        found = None
        if now.positions > FEW_POSITIONS:
            found = look_at_movers(place, first, second, now, behind=behind, today=today)
            if found is None and while_waited_for:
                raise TooMuch
        if found is None:
            found = look_at_everybody(place, first, second, now.closed, behind=behind, today=today)
    return as_waterfall(place, first, second, now.closed, found, behind)


def as_waterfall(
    place: Place, first: date, second: date, closed: Mapping[date, datetime], found: Looked, behind: Behind | None
) -> Waterfall:
    """Return what was found with what people read beside it."""
    stamped = stamps(closed, **place.params) if closed else {}
    before, after = found.sides
    return Waterfall(
        before=Side(first, closed.get(first), before, stamped.get(first)),
        after=Side(second, closed.get(second), after, stamped.get(second)),
        parts=[found.parts[cause] for cause in Cause if cause in found.parts],
        moved=found.moved,
        records=told(behind.cause, found.records, (first, second)) if behind else [],
    )


def look_at_everybody(
    place: Place,
    first: date,
    second: date,
    closed: Sequence[date] | Mapping[date, Any],
    *,
    within: Range | None = None,
    behind: Behind | None = None,
    today: date | None = None,
    keep: tuple[int, int] | None = None,
) -> Looked:
    """Look at all positions of a part of the house, or those `within` a range; one query. `closed` are of the weeks.

    The records found are written to a kept comparison (id) and its run where `keep` names one.
    """
    sql, params = everybody_sql(place, first, second, closed=list(closed), today=today, within=within)
    if keep is not None:
        sql, params = f"{sql}, {KEEPING}", {**params, "comparison": keep[0], "run": keep[1]}
    rows = _fetch(f"{sql}, {WHOLE} {SIDES} UNION ALL {ANSWER}", params, behind)
    sides = {int(row[1]): Figures(**dict(zip(FIGURES, row[3:], strict=True))) for row in rows if row[0] == "side"}
    moved = [
        Moved(row[3], row[1], row[2], (row[4], row[5]), (row[6], row[7]), (row[8], row[9]))
        for row in rows
        if row[0] == "moved"
    ]
    return Looked((sides.get(0, Figures()), sides.get(1, Figures())), _parts(rows), moved, _records(rows))


def look_at_movers(
    place: Place,
    first: date,
    second: date,
    now: Circumstances,
    *,
    behind: Behind | None = None,
    today: date | None = None,
) -> Looked | None:
    """Look at what can differ between two open weeks, beside the kept figures of the whole part of the house.

    None if too much moves or waits, or a week is closed; or if the two do not agree, as when what is kept is wrong
    until the next proof.
    """
    if now.closed or now.waiting > FEW_WAITING or now.first_week != horizon(today)[0]:
        return None
    if (found := movers(place, first, second, most=FEW_DATES)) is None:
        return None
    before, after, moved = kept_sides(now.tops, found.positions, first, second, waiting=now.waiting, today=today)
    sql, params = movers_sql(found, first, second, today=today)
    rows = _fetch(f"{sql} {ANSWER}", params, behind)
    parts = _parts(rows)
    for figure in BRIDGED:
        moves = sum(getattr(part, figure) for part in parts.values())
        if getattr(after, figure) - getattr(before, figure) != moves:
            return None
    return Looked((before, after), parts, moved, _records(rows))


def _fetch(sql: str, params: Mapping[str, Any], behind: Behind | None) -> list[Any]:
    behind = behind or Behind(Cause.NEW, limit=0)
    with connection.cursor() as cursor:
        cursor.execute(sql, {**params, "cause": behind.cause.value, "limit": behind.limit, "offset": behind.offset})
        return cursor.fetchall()


def _parts(rows: Sequence[Any]) -> dict[Cause, Part]:
    return {Cause(row[1]): Part(Cause(row[1]), *row[3:7]) for row in rows if row[0] == "part"}


def _records(rows: Sequence[Any]) -> list[Sequence[Any]]:
    return [row[3:] for row in rows if row[0] == "record"]


KEEPING = """
    written AS (
        INSERT INTO demand_comparedrecord (comparison_id, run, cause, worth, short, record_id, position_id, employee_id,
            side, required, assigned, unqualified)
        SELECT %(comparison)s, %(run)s, cause, abs(required) + abs(assigned), abs(unqualified), record_id, position_id,
            employee_id, side, required, assigned, unqualified
        FROM parts
    )"""
# In the order in which records behind a cause are shown, and positions that moved.
WORTH_MOST = "abs(required) + abs(assigned) DESC, abs(unqualified) DESC, record_id, position_id, side"
WHOLE = f"""
    whole AS (
        SELECT side, {", ".join(f"sum({name})::bigint AS {name}" for name in FIGURES[:4])},
               sum(LEAST(assigned, required))::bigint AS filled,
               sum(GREATEST(required - assigned, 0))::bigint AS deficit,
               sum(GREATEST(assigned - required, 0))::bigint AS surplus
        FROM shown GROUP BY side
    ),
    beside AS ({
    most_moved(
        f'''(
            SELECT position_id, {pairs("required", "assigned", "deficit")}
            FROM (SELECT *, GREATEST(required - assigned, 0) AS deficit FROM shown) AS s GROUP BY position_id
        )'''
    )
})"""
SIDES = """
    SELECT 'side', side::text, NULL, required, assigned, reinforcement, unqualified, filled, deficit, surplus
    FROM whole
    UNION ALL
    SELECT 'moved', code, title, id, required0, required1, assigned0, assigned1, deficit0, deficit1 FROM beside"""
ANSWER = f"""
    SELECT 'part', cause, NULL, count(*), sum(required)::bigint, sum(assigned)::bigint,
           sum(unqualified)::bigint, NULL::bigint, NULL::bigint, NULL::bigint
    FROM parts GROUP BY cause
    UNION ALL
    (
        SELECT 'record', cause, NULL, record_id, position_id, employee_id, side, required, assigned, unqualified
        FROM parts WHERE cause = %(cause)s ORDER BY {WORTH_MOST} LIMIT %(limit)s OFFSET %(offset)s
    )"""
