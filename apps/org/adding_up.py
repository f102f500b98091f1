"""Adding up what units have of their own to what they have with everything below them: one statement for any figures.

Nothing is patched: what went wrong once does not stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from apps.changes import storing
from apps.changes.span import Span
from apps.common import prepared
from apps.common.prepared import FEW

from .models import OrgUnit

Query = tuple[str, dict[str, Any]]


ABOVE = "SELECT DISTINCT unnest(path) FROM org_orgunit WHERE id = ANY (%(locked)s::bigint[])"
# The rows of these units and of all above them, as the tree is when they are asked for.
UPWARDS = f"ARRAY({ABOVE} UNION SELECT unnest({storing.THESE}))"


def units_above(units: Iterable[int]) -> set[int]:
    """Return the ids of these units, those that are gone left out, and of all above them."""
    return {row[0] for row in prepared.fetch(ABOVE, {"locked": sorted(units)})}


def refresh_units(
    own: storing.Table, formula: Query, wholes: storing.Table, units: Sequence[int], span: Span
) -> set[int]:
    """Write what these units have of their own, then what they and all above them have with everything below.

    Returns the ids rewritten. The way up is looked at again once its rows are locked: a unit moved meanwhile has
    another one. One moved later leaves marks whose pass waits for these locks.
    """
    *_begun, written, _lacking, locking, _gone, above = prepared.fetch_all(
        *storing.locking(own, units, span),
        storing.writing(own, *formula, span),
        *storing.locking(wholes, units, span, among=UPWARDS),
        (ABOVE, {"locked": list(units)}),
    )
    rewritten, locked, way_up = ({row[0] for row in rows} for rows in (written, locking, above))
    return rewritten | _write_wholes(wholes, set(units), way_up, locked, span, own=own.name)


def refresh_wholes(table: storing.Table, units: set[int], span: Span, *, own: str) -> set[int]:
    """Write what these units and all above them have with everything below, of `own` as it is kept."""
    return _write_wholes(table, units, units_above(units), set(), span, own=own)


def _write_wholes(
    table: storing.Table, units: set[int], way_up: set[int], locked: set[int], span: Span, *, own: str
) -> set[int]:
    """Lock the rows on the way up that are not locked yet, until none lacks; write them, return those rewritten."""
    while lacking := (way_up | units) - locked:
        storing.lock(table, sorted(lacking), span)
        locked |= lacking
        way_up = units_above(units)
    if len(locked) > FEW and 3 * len(locked) > OrgUnit.objects.count():
        # The walk over the whole tree is the shorter one.
        every, params = _all_added_up(span, own, table.columns)
        sql = f"SELECT * FROM ({every}) AS every WHERE org_unit_id = ANY (%(wholes_written)s::bigint[])"
        return storing.write(table, sql, {**params, "wholes_written": sorted(locked)}, span)
    return storing.write(table, *_some_added_up(span, own, table.name, table.columns, locked), span)


def added_up_sql(
    span: Span, *, own: str, wholes: str, figures: Sequence[str], units: Iterable[int] | None = None
) -> Query:
    """Return a query (org_unit_id, figures) with everything below each of these units, and its parameters.

    `own` is a relation in SQL with org_unit_id, first_week and the figures of units by themselves, `wholes` the table
    that keeps them with everything below. `units` (None means all) must hold whatever lies between two of them. What
    hangs right below one of them and is not among them is read as it is kept, with all that is below it: a change
    costs its way up and not the whole tree.
    """
    if units is None:
        return _all_added_up(span, own, figures)
    return _some_added_up(span, own, wholes, figures, units)


def _some_added_up(span: Span, own: str, wholes: str, figures: Sequence[str], units: Iterable[int]) -> Query:
    """Give each part to all that are above it and asked for."""
    return _some_text(span.weeks, own, wholes, tuple(figures)), {**span.params, "adding_up": sorted(units)}


@lru_cache(maxsize=16)
def _some_text(weeks: int, own: str, wholes: str, figures: tuple[str, ...]) -> str:
    own_names, kept_names = (", ".join(f"{of}.{name}" for name in figures) for of in ("own", "kept"))
    own_sums = ", ".join(f"sum(each.{name})::bigint AS {name}" for name in figures)
    sums = ", ".join(f"sum(part.{name})::bigint AS {name}" for name in figures)
    arrays = ", ".join(f"array_agg(COALESCE(summed.{name}, 0) ORDER BY weeks.week) AS {name}" for name in figures)
    unnested = ", ".join(f"kept.{name}" for name in figures)
    return f"""WITH part AS (
        -- What is a unit's own, and what is right below it, before it is given to those above: each once.
        SELECT kept.id, week, {own_sums}
        FROM (
            SELECT u.id, own.first_week, {own_names}
            FROM org_orgunit u JOIN {own} AS own ON own.org_unit_id = u.id
            WHERE u.id = ANY (%(adding_up)s::bigint[])
            UNION ALL
            SELECT u.id, kept.first_week, {kept_names}
            FROM org_orgunit u JOIN org_orgunit below ON below.parent_id = u.id
                JOIN {wholes} AS kept ON kept.org_unit_id = below.id
            WHERE u.id = ANY (%(adding_up)s::bigint[]) AND below.id <> ALL (%(adding_up)s::bigint[])
        ) AS kept
        CROSS JOIN LATERAL unnest({unnested}) WITH ORDINALITY AS each ({", ".join(figures)}, place)
        CROSS JOIN LATERAL (SELECT each.place - (%(span_first)s::date - kept.first_week) / 7 AS week) AS moved
        WHERE week BETWEEN 1 AND {weeks}
        GROUP BY kept.id, week
    ),
    summed AS (
        SELECT above.id, part.week, {sums}
        FROM part JOIN org_orgunit u ON u.id = part.id CROSS JOIN LATERAL unnest(u.path) AS above (id)
        WHERE above.id = ANY (%(adding_up)s::bigint[])
        GROUP BY above.id, part.week
    )
    SELECT u.id AS org_unit_id, {arrays}
    FROM org_orgunit u CROSS JOIN generate_series(1, {weeks}) AS weeks (week)
    LEFT JOIN summed ON summed.id = u.id AND summed.week = weeks.week
    WHERE u.id = ANY (%(adding_up)s::bigint[])
    GROUP BY u.id"""


def _all_added_up(span: Span, own: str, figures: Sequence[str]) -> Query:
    """Walk the tree once, in the order of its paths: whatever lies below a unit follows it without a gap.

    A unit with everything below it is then what has been added up at the last of them, less what had been before it.
    To give each part to all above it costs as many sums as the tree is deep: at 32,000 units ten times as much.
    """
    weeks = range(1, span.weeks + 1)
    up_to = ", ".join(
        f"ARRAY[{', '.join(f'sum(COALESCE(own.{name}[{week} + own.ahead], 0)) OVER so_far' for week in weeks)}]"
        f"::bigint[] AS {name}"
        for name in figures
    )
    whole = ", ".join(
        f"ARRAY[{', '.join(f'last.{name}[{week}] - COALESCE(before.{name}[{week}], 0)' for week in weeks)}]"
        f"::bigint[] AS {name}"
        for name in figures
    )
    return (
        f"""WITH walked AS MATERIALIZED (
        SELECT u.id, row_number() OVER so_far AS place, {up_to}
        FROM org_orgunit u
        LEFT JOIN (SELECT o.*, (%(span_first)s::date - o.first_week) / 7 AS ahead FROM {own} AS o) AS own
            ON own.org_unit_id = u.id
        WINDOW so_far AS (ORDER BY u.path ROWS UNBOUNDED PRECEDING)
    ),
    sized AS (
        SELECT above.id, count(*) AS units FROM org_orgunit u CROSS JOIN LATERAL unnest(u.path) AS above (id)
        GROUP BY above.id
    )
    SELECT walked.id AS org_unit_id, {whole}
    FROM walked JOIN sized ON sized.id = walked.id
    JOIN walked AS last ON last.place = walked.place + sized.units - 1
    LEFT JOIN walked AS before ON before.place = walked.place - 1""",
        dict(span.params),
    )
