"""Coverage: what positions need a week, and what they have. The formula, once.

Required is the baseline plus the adjustments in force, never below 0, on the days the position is open; assigned the
hours of assignments in force; reinforcement and unqualified are parts of assigned; proposed stands apart.
All in hour-days (apps.common.hours).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from apps.changes.span import Span
from apps.offer.giving import giving_ctes, weekly, weekly_joins

from .enums import CoverageState
from .headroom import SHARES, percents_sql, rounded

FIGURES = ("required", "assigned", "reinforcement", "proposed", "unqualified")
ROLLED_UP = ("filled", "deficit", "surplus")
STATES = {
    "vacant": CoverageState.VACANT,
    "partial": CoverageState.PARTIAL,
    "covered": CoverageState.COVERED,
    "over_covered": CoverageState.OVER_COVERED,
    "no_demand": CoverageState.NO_DEMAND,
}
# The second target, apart from the first: what is kept above required, and how much of that is there.
HEADROOM = ("headroom", "headroom_filled")
UNIT_FIGURES = (*FIGURES, *ROLLED_UP, *STATES, *HEADROOM)


def state_of(required: int, assigned: int) -> CoverageState:
    """Return how a position stands, from hour-days."""
    if required == 0:
        return CoverageState.NO_DEMAND
    if assigned == 0:
        return CoverageState.VACANT
    if assigned == required:
        return CoverageState.COVERED
    return CoverageState.PARTIAL if assigned < required else CoverageState.OVER_COVERED


def states_sql(required: str, assigned: str) -> str:
    """Return the branches of a CASE that says what `state_of` does, of hour-days in SQL."""
    return f"""WHEN {required} = 0 THEN 'NO_DEMAND' WHEN {assigned} = 0 THEN 'VACANT'
    WHEN {assigned} = {required} THEN 'COVERED' WHEN {assigned} < {required} THEN 'PARTIAL'
    ELSE 'OVER_COVERED'"""


def entries_ctes(span: Span, *, only: Callable[[str], str], counted: str = "a.accepted_at IS NOT NULL") -> str:
    """Return the common table expressions that end in `entries`: assignments on the days they give hours.

    One row an assignment and unbroken run of days [lo, hi), as offsets from the first Monday. `only` adds a condition
    on a column of positions' ids ("" = all), `counted` says of the assignment `a` whether it has been accepted.
    """
    giving = giving_ctes(span, employees="{id} IN (SELECT employee_id FROM booked)" if only("a.position_id") else "")
    return f"""booked AS MATERIALIZED (
        SELECT a.id AS assignment_id, a.position_id, a.employee_id, (a.effective_hours * 100)::int AS hours,
               a.is_reinforcement, {counted} AS counted,
               GREATEST(a.starts_on - %(span_first)s::date, 0) AS lo,
               LEAST(COALESCE(a.ends_on, %(span_last)s::date), %(span_last)s::date) - %(span_first)s::date + 1 AS hi
        FROM assignments_assignment a
        WHERE NOT a.voided AND (a.accepted_at IS NOT NULL OR a.status = 'PROPOSED') {only("a.position_id")}
          AND a.starts_on <= %(span_last)s::date AND (a.ends_on IS NULL OR a.ends_on >= %(span_first)s::date)
    ),
    {giving},
    entries AS MATERIALIZED (
        SELECT b.assignment_id, b.position_id, b.employee_id, b.hours, b.is_reinforcement, b.counted,
               GREATEST(b.lo, g.lo) AS lo, LEAST(b.hi, g.hi) AS hi
        FROM booked b JOIN giving g ON g.employee_id = b.employee_id AND g.lo < b.hi AND g.hi > b.lo
    )"""


# Of the counted entries whose position requires tags that are not held throughout: `qualified`, the days on which all
# of them are held, and `lacking`, the runs of days given without.
QUALIFIED_CTES = """asked AS (
        SELECT DISTINCT n.assignment_id, n.employee_id, w.tag_id
        FROM entries n JOIN tags_positiontag w ON w.position_id = n.position_id AND w.level = 'REQUIRED'
        -- Most tags are held on all these days: they take nothing from anybody.
        WHERE n.counted AND NOT EXISTS (
            SELECT 1 FROM tags_employeetag t WHERE t.employee_id = n.employee_id AND t.tag_id = w.tag_id
            AND t.valid_from <= %(span_first)s::date AND (t.valid_until IS NULL OR t.valid_until >= %(span_last)s::date)
        )
    ),
    held AS (
        SELECT q.assignment_id, q.tag_id, COALESCE(range_agg(int4range(
                   GREATEST(t.valid_from - %(span_first)s::date, 0),
                   LEAST(COALESCE(t.valid_until, %(span_last)s::date), %(span_last)s::date) - %(span_first)s::date + 1
               )) FILTER (WHERE t.id IS NOT NULL), '{}') AS days
        FROM asked q LEFT JOIN tags_employeetag t ON t.employee_id = q.employee_id AND t.tag_id = q.tag_id
             AND t.valid_from <= %(span_last)s::date
             AND (t.valid_until IS NULL OR t.valid_until >= %(span_first)s::date)
        GROUP BY q.assignment_id, q.tag_id
    ),
    qualified AS (SELECT assignment_id, range_intersect_agg(days) AS days FROM held GROUP BY assignment_id),
    lacking AS (
        SELECT n.assignment_id, n.position_id, n.hours, lower(run) AS lo, upper(run) AS hi
        FROM entries n JOIN qualified q ON q.assignment_id = n.assignment_id
        CROSS JOIN LATERAL unnest(int4multirange(int4range(n.lo, n.hi)) - q.days) AS run
    )"""


def wanted_ctes(*, only: Callable[[str], str], among: str = "TRUE") -> str:
    """Return the common table expressions that end in `wanted`: hours positions need on runs of days [lo, hi).

    Adjusted positions have a row a day, on those days that meet `among` (of the offset `day`).
    """
    return f"""open AS MATERIALIZED (
        SELECT p.id AS position_id, (p.required_weekly_hours * 100)::int AS hours,
               GREATEST(COALESCE(p.opens_on - %(span_first)s::date, 0), 0) AS lo,
               LEAST(COALESCE(p.closes_on, %(span_last)s::date), %(span_last)s::date) - %(span_first)s::date + 1 AS hi,
               EXISTS (
                   SELECT 1 FROM demand_demandadjustment d WHERE d.position_id = p.id
                   AND d.from_day <= %(span_last)s::date
                   AND (d.until_day IS NULL OR d.until_day >= %(span_first)s::date)
               ) AS adjusted
        FROM org_position p WHERE TRUE {only("p.id")}
    ),
    wanted AS (
        SELECT position_id, hours, lo, hi FROM open WHERE NOT adjusted AND lo < hi
        UNION ALL
        -- Day by day, because each day by itself is never below 0.
        SELECT o.position_id, GREATEST(0, o.hours + COALESCE((
                   SELECT sum((d.hours * 100)::int) FROM demand_demandadjustment d WHERE d.position_id = o.position_id
                   AND d.from_day <= %(span_first)s::date + day
                   AND (d.until_day IS NULL OR d.until_day >= %(span_first)s::date + day)
               ), 0))::int, day, day + 1
        FROM open o CROSS JOIN LATERAL generate_series(o.lo, o.hi - 1) AS day WHERE o.adjusted AND {among}
    )"""


def coverage_sql(
    span: Span,
    *,
    positions: Sequence[int] | None = None,
    accepted: Sequence[int] = (),
    figures: Sequence[str] = FIGURES,
) -> tuple[str, dict[str, Any]]:
    """Return a query (position_id and these of the FIGURES) and its parameters.

    The figures are bigint[] with one element of hour-days a week of the span. `positions=None` means all;
    the assignments in `accepted` count as if they were accepted already. Wrap it in parentheses to select from it.
    """
    params: dict[str, Any] = {**span.params}
    if positions is not None:
        params["coverage_positions"] = list(positions)
    if accepted:
        params["coverage_accepted"] = list(accepted)
    return _coverage_text(span, positions is not None, bool(accepted), tuple(figures)), params


@lru_cache(maxsize=32)
def _coverage_text(span: Span, some: bool, as_accepted: bool, figures: tuple[str, ...]) -> str:
    def only(column: str) -> str:
        return f"AND {column} = ANY (%(coverage_positions)s::bigint[])" if some else ""

    counted = "a.accepted_at IS NOT NULL"
    if as_accepted:
        counted = f"({counted} OR a.id = ANY (%(coverage_accepted)s::bigint[]))"
    given, given_sums = weekly(
        "given", "entries", "position_id",
        {"assigned": "counted", "reinforcement": "counted AND is_reinforcement", "proposed": "NOT counted"}, span,
    )  # fmt: skip
    short, short_sums = weekly("short", "lacking", "position_id", {"unqualified": ""}, span)
    need, need_sums = weekly("need", "wanted", "position_id", {"required": ""}, span)
    sums = given_sums | short_sums | need_sums
    columns = ", ".join(f"{sums[name]} AS {name}" for name in FIGURES if name in figures)
    unqualified = f"{QUALIFIED_CTES},\n    {short}," if "unqualified" in figures else ""
    return f"""WITH {entries_ctes(span, only=only, counted=counted)},
    {given},
    {unqualified}
    {wanted_ctes(only=only)},
    {need}
    SELECT p.id AS position_id, {columns}
    FROM org_position p
    {weekly_joins("need", "position_id", "p.id")}
    {weekly_joins("given", "position_id", "p.id")}
    {weekly_joins("short", "position_id", "p.id") if unqualified else ""}
    WHERE TRUE {only("p.id")}"""


def unit_sql(span: Span, *, source: str, units: Sequence[int] | None = None) -> tuple[str, dict[str, Any]]:
    """Return a query (org_unit_id and UNIT_FIGURES) over the own positions of units, and its parameters.

    `source` is a relation in SQL with position_id, first_week and the FIGURES of positions. Gap and surplus are summed
    position by position and never netted, and so is what is there of the headroom; that is rounded once, for the sum.
    """
    params: dict[str, Any] = {**span.params}
    if units is not None:
        params["coverage_units"] = list(units)
    return _unit_text(span, source, units is not None), params


@lru_cache(maxsize=16)
def _unit_text(span: Span, source: str, some: bool) -> str:
    only, among = "", ""
    if some:
        only = "WHERE u.id = ANY (%(coverage_units)s::bigint[])"
        among = """WHERE kept.position_id IN (
            SELECT mine.id FROM org_position mine WHERE mine.org_unit_id = ANY (%(coverage_units)s::bigint[])
        )"""
    per_week: dict[str, list[str]] = {name: [] for name in UNIT_FIGURES}
    read: list[str] = []
    share = "COALESCE(kept_above.share, 0)"
    for week in range(1, span.weeks + 1):
        of = {name: f"c.{name}{week}" for name in FIGURES}
        read += [f"kept.{name}[{week} + kept.ahead] AS {name}{week}" for name in FIGURES]
        required, assigned = of["required"], of["assigned"]
        known = f"WHERE {required} IS NOT NULL AND"
        sums = {
            **{name: f"sum({column})" for name, column in of.items()},
            "filled": f"sum(LEAST({assigned}, {required}))",
            "deficit": f"sum(GREATEST({required} - {assigned}, 0))",
            "surplus": f"sum(GREATEST({assigned} - {required}, 0))",
            "vacant": f"count(*) FILTER ({known} {required} > 0 AND {assigned} = 0)",
            "partial": f"count(*) FILTER ({known} {assigned} > 0 AND {assigned} < {required})",
            "covered": f"count(*) FILTER ({known} {required} > 0 AND {assigned} = {required})",
            "over_covered": f"count(*) FILTER ({known} {required} > 0 AND {assigned} > {required})",
            "no_demand": f"count(*) FILTER ({known} {required} = 0)",
            "headroom": rounded(f"sum({required}) * max({share})"),
            "headroom_filled": rounded(
                f"sum(LEAST(GREATEST({assigned} - {required}, 0) * {SHARES}, {required} * {share}))"
            ),
        }
        for name, expression in sums.items():
            per_week[name].append(f"COALESCE({expression}, 0)")
    columns = ", ".join(f"ARRAY[{', '.join(parts)}]::bigint[] AS {name}" for name, parts in per_week.items())
    return f"""SELECT u.id AS org_unit_id, {columns}
    FROM org_orgunit u
    LEFT JOIN ({percents_sql("coverage_units" if some else None)}) AS kept_above ON kept_above.unit = u.id
    LEFT JOIN org_position p ON p.org_unit_id = u.id
    LEFT JOIN (
        SELECT kept.position_id, {", ".join(read)}
        FROM (SELECT s.*, (%(span_first)s::date - s.first_week) / 7 AS ahead FROM {source} AS s) AS kept
        {among} OFFSET 0 -- each element is read once, and not once a sum
    ) AS c ON c.position_id = p.id
    {only} GROUP BY u.id"""
