"""The comparison of two weeks, by the shortest road that gives the whole answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

from apps.changes.due import due_subjects
from apps.changes.figures import kept
from apps.changes.models import Kind
from apps.changes.span import Span
from apps.changes.storing import are_of

from ..corrected import stamps
from ..kept_answers import one_snapshot
from ..overview import Figures
from ..whole import whole_figures_sql
from .answer import BRIDGED, MOST_POSITIONS, Among, Behind, Moved, Part, Place, Side, Waterfall
from .attribution import attribution_sql
from .causes import Cause
from .movers import movers
from .telling import told
from .weeks import closed_at

# So many positions are looked at one and all while somebody waits.
FEW_POSITIONS = 4_000
# So many dates between the weeks, and changes that wait for a worker, are followed up while somebody waits.
FEW_DATES, FEW_WAITING = 6_000, 200
FIGURES = ("required", "assigned", "reinforcement", "unqualified", "filled", "deficit", "surplus")


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
    closed = closed_at(first, second, today)
    with one_snapshot():
        found = None
        if not place.has_more_than(FEW_POSITIONS):
            found = look(place, first, second, closed, behind=behind, today=today)
        elif not closed:
            found = _of_movers(place, first, second, behind, today)
        if found is None:
            if while_waited_for:
                raise TooMuch
            found = look(place, first, second, closed, behind=behind, today=today)
    return as_waterfall(place, first, second, closed, found, behind)


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


def _of_movers(place: Place, first: date, second: date, behind: Behind | None, today: date | None) -> Looked | None:
    """Return the answer from the positions that can differ, beside the kept figures of the whole part of the house.

    None if too much moves or waits; or if the two do not agree, as when what is kept is wrong until the next proof.
    """
    found = movers(place, first, second, most=FEW_DATES)
    if found is None or (sides := _kept_sides(place, first, second, today)) is None:
        return None
    looked = look(place, first, second, (), among=Among(ids=found), behind=behind, today=today)
    before, after = sides
    for figure in BRIDGED:
        if getattr(after, figure) - getattr(before, figure) != sum(
            getattr(part, figure) for part in looked.parts.values()
        ):
            return None
    return Looked(sides, looked.parts, looked.moved, looked.records)


def _kept_sides(place: Place, first: date, second: date, today: date | None) -> tuple[Figures, Figures] | None:
    """Return the kept figures of both weeks, with what waits for a worker; None where that is too much."""
    span = Span.current(today)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM (SELECT FROM changes_mark LIMIT %s) AS waiting", [FEW_WAITING + 1])
        if cursor.fetchone()[0] > FEW_WAITING or not are_of(span):
            return None
    due = due_subjects([figures for figures in kept() if figures.kind in (Kind.POSITION, Kind.UNIT)])
    sql, params = whole_figures_sql(span, due[Kind.UNIT.value])
    sums = ", ".join(
        f"COALESCE(sum(w.{name}[{span.mondays.index(week) + 1}]), 0)::bigint"
        for week in (first, second)
        for name in FIGURES
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {sums} FROM ({sql}) AS w WHERE w.org_unit_id = ANY (%(tops)s::bigint[])",
            {**params, "tops": place.tops()},
        )
        row = cursor.fetchone()
    size = len(FIGURES)
    before, after = (Figures(**dict(zip(FIGURES, row[at : at + size], strict=True))) for at in (0, size))
    return before, after


def look(
    place: Place,
    first: date,
    second: date,
    closed: Sequence[date] | Mapping[date, Any],
    *,
    among: Among | None = None,
    behind: Behind | None = None,
    today: date | None = None,
    keep: tuple[int, int] | None = None,
) -> Looked:
    """Look at positions of a part of the house, all or some, one by one; one query. `closed` are those of the weeks.

    The records found are written to a kept comparison (id) and its run where `keep` names one.
    """
    sql, params = attribution_sql(place, first, second, closed=list(closed), today=today, among=among)
    behind = behind or Behind(Cause.NEW, limit=0)
    with connection.cursor() as cursor:
        cursor.execute(
            f"{sql}, {KEEPING if keep else ''} {ANSWER}",
            {
                **params,
                "cause": behind.cause.value,
                "limit": behind.limit,
                "offset": behind.offset,
                **({"comparison": keep[0], "run": keep[1]} if keep else {}),
            },
        )
        rows = cursor.fetchall()
    sides = {int(row[1]): Figures(**dict(zip(FIGURES, row[3:], strict=True))) for row in rows if row[0] == "side"}
    parts = {Cause(row[1]): Part(Cause(row[1]), *row[3:7]) for row in rows if row[0] == "part"}
    moved = [
        Moved(row[3], row[1], row[2], (row[4], row[5]), (row[6], row[7]), (row[8], row[9]))
        for row in rows
        if row[0] == "moved"
    ]
    return Looked(
        (sides.get(0, Figures()), sides.get(1, Figures())),
        parts,
        moved,
        [row[3:] for row in rows if row[0] == "record"],
    )


def _pairs(*names: str) -> str:
    return ", ".join(
        f"COALESCE(sum({name}) FILTER (WHERE side = {side}), 0)::bigint AS {name}{side}"
        for name in names
        for side in (0, 1)
    )


KEEPING = """
    written AS (
        INSERT INTO demand_comparedrecord (comparison_id, run, cause, worth, short, record_id, position_id, employee_id,
            side, required, assigned, unqualified)
        SELECT %(comparison)s, %(run)s, cause, abs(required) + abs(assigned), abs(unqualified), record_id, position_id,
            employee_id, side, required, assigned, unqualified
        FROM parts
    ),"""
# In the order in which records behind a cause are shown, and positions that moved.
WORTH_MOST = "abs(required) + abs(assigned) DESC, abs(unqualified) DESC, record_id, position_id, side"
ANSWER = f"""
    whole AS (
        SELECT side, {", ".join(f"sum({name})::bigint AS {name}" for name in FIGURES[:4])},
               sum(LEAST(assigned, required))::bigint AS filled,
               sum(GREATEST(required - assigned, 0))::bigint AS deficit,
               sum(GREATEST(assigned - required, 0))::bigint AS surplus
        FROM shown GROUP BY side
    ),
    beside AS (
        SELECT p.id, p.code, p.title, b.*
        FROM (
            SELECT position_id, {_pairs("required", "assigned", "deficit")}
            FROM (SELECT *, GREATEST(required - assigned, 0) AS deficit FROM shown) AS s GROUP BY position_id
        ) AS b JOIN org_position p ON p.id = b.position_id
        WHERE (required0, assigned0) <> (required1, assigned1)
        ORDER BY abs(deficit1 - deficit0) DESC, abs(assigned1 - assigned0) DESC, p.code
        LIMIT {MOST_POSITIONS}
    )
    SELECT 'side', side::text, NULL, required, assigned, reinforcement, unqualified, filled, deficit, surplus
    FROM whole
    UNION ALL
    SELECT 'part', cause, NULL, count(*), sum(required)::bigint, sum(assigned)::bigint,
           sum(unqualified)::bigint, NULL, NULL, NULL
    FROM parts GROUP BY cause
    UNION ALL
    SELECT 'moved', code, title, id, required0, required1, assigned0, assigned1, deficit0, deficit1 FROM beside
    UNION ALL
    (
        SELECT 'record', cause, NULL, record_id, position_id, employee_id, side, required, assigned, unqualified
        FROM parts WHERE cause = %(cause)s ORDER BY {WORTH_MOST} LIMIT %(limit)s OFFSET %(offset)s
    )"""
