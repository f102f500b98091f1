"""What a correction makes of the coverage of a closed week: positions from today's records, units from the positions.

The tree stays that of the closed week. A position that was moved since keeps its place of then; one entered since comes
below the nearest unit that was there, so that nothing hangs in the air.
"""

from __future__ import annotations

from django.db import connection

from apps.changes.span import Span

from .coverage import FIGURES, UNIT_FIGURES, coverage_sql
from .levels import position_sql
from .tables import CLOSED_POSITIONS, CLOSED_UNITS

# What was proposed then stays as it was kept: records do not say what stood in that week.
RECOMPUTED = tuple(name for name in FIGURES if name != "proposed")


def correct_positions(span: Span, correction: int, unit: int | None) -> int:
    """Write each position whose figures differ from those in force, one statement; return how many."""
    sql, params = coverage_sql(span)
    now = {name: f"COALESCE(n.{name}[1], 0)" for name in RECOMPUTED} | {"proposed": "COALESCE(c.proposed, 0)"}
    was = ", ".join(f"COALESCE(c.{name}, 0)" for name in RECOMPUTED)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH differing AS MATERIALIZED (
                SELECT position_id, c.path, {", ".join(f"{now[name]} AS {name}" for name in FIGURES)}
                FROM ({sql}) AS n
                FULL JOIN (SELECT * FROM {CLOSED_POSITIONS.in_force} AS f WHERE f.week = %(span_first)s) AS c
                    USING (position_id)
                WHERE ({", ".join(now[name] for name in RECOMPUTED)}) <> ({was})
            ),
            placed AS (
                SELECT d.position_id, COALESCE(d.path, place.path, u.path) AS path, {", ".join(FIGURES)}
                FROM differing d
                LEFT JOIN org_position p ON p.id = d.position_id AND d.path IS NULL
                LEFT JOIN org_orgunit u ON u.id = p.org_unit_id
                LEFT JOIN LATERAL (
                    SELECT f.path || u.path[above.depth + 1:] AS path
                    FROM unnest(u.path) WITH ORDINALITY AS above (id, depth)
                    JOIN {CLOSED_UNITS.in_force} AS f ON f.org_unit_id = above.id AND f.week = %(span_first)s
                    ORDER BY above.depth DESC LIMIT 1
                ) AS place ON TRUE
            )
            INSERT INTO {CLOSED_POSITIONS.corrected} (correction_id, position_id, week, path, {", ".join(FIGURES)})
            SELECT %(correction)s, position_id, %(span_first)s, path, {", ".join(FIGURES)} FROM placed
            WHERE %(unit)s::bigint IS NULL OR path @> ARRAY[%(unit)s::bigint]""",
            {**params, "correction": correction, "unit": unit},
        )
        return cursor.rowcount


def correct_units(span: Span, correction: int) -> int:
    """Write the units of the positions a correction has just written, and units on their way up that lacked.

    One statement; return how many. What is not made of positions stays as it was kept.
    """
    sums = {
        name: f"COALESCE(sum({sql}), 0)"
        for name, sql in position_sql(*(f"c.{figure}" for figure in FIGURES)).items()
        if name in UNIT_FIGURES
    }
    kept = {name: f"COALESCE(k.{name}, 0)" for name in UNIT_FIGURES if name not in sums}
    values = ", ".join(f"COALESCE(s.{name}, 0)" if name in sums else kept[name] for name in UNIT_FIGURES)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH touched AS (
                SELECT DISTINCT path FROM {CLOSED_POSITIONS.corrected} WHERE correction_id = %(correction)s
            ),
            unit AS MATERIALIZED (
                SELECT path[cardinality(path)] AS org_unit_id, path FROM touched
                UNION
                SELECT path[depth], path[:depth] FROM touched CROSS JOIN generate_series(1, cardinality(path)) AS depth
                WHERE NOT EXISTS (
                    SELECT FROM {CLOSED_UNITS.in_force} AS f WHERE f.week = %(week)s AND f.org_unit_id = path[depth]
                )
            ),
            summed AS (
                SELECT c.path[cardinality(c.path)] AS org_unit_id,
                       {", ".join(f"{sql} AS {name}" for name, sql in sums.items())}
                FROM {CLOSED_POSITIONS.in_force} AS c
                WHERE c.week = %(week)s AND c.path[cardinality(c.path)] IN (SELECT org_unit_id FROM unit) GROUP BY 1
            )
            INSERT INTO {CLOSED_UNITS.corrected} (correction_id, org_unit_id, week, path, {", ".join(UNIT_FIGURES)})
            SELECT %(correction)s, org_unit_id, %(week)s, unit.path, {values}
            FROM unit LEFT JOIN summed s USING (org_unit_id)
            LEFT JOIN (SELECT * FROM {CLOSED_UNITS.in_force} AS f WHERE f.week = %(week)s) AS k USING (org_unit_id)""",
            {"correction": correction, "week": span.first_week},
        )
        return cursor.rowcount
