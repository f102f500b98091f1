"""Keeps the stored coverage of positions and units fresh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from apps.changes import storing
from apps.changes.figures import Figures, Touched
from apps.changes.marks import mark_by_query
from apps.changes.models import Kind
from apps.changes.span import Span
from apps.common import prepared
from apps.org.adding_up import refresh_units, units_above

from .correcting import correct_positions, correct_units
from .coverage import FIGURES, STATES, UNIT_FIGURES, coverage_sql, unit_sql
from .headroom import TAKES_FROM
from .kept_cliffs import drifted_cliffs, refreshing_cliffs
from .tables import POSITIONS, UNITS, WHOLES
from .whole import own_figures_sql, whole_anew_sql, whole_figures_sql


def _ids(sql: str, ids: Iterable[int]) -> set[int]:
    return {row[0] for row in prepared.fetch(sql, {"ids": sorted(ids)})}


# What people call the figures.
LABELS = {
    "required": _("Required hours"),
    "assigned": _("Assigned hours"),
    "reinforcement": _("Reinforcement hours"),
    "proposed": _("Proposed hours"),
    "unqualified": _("Unqualified hours"),
    "filled": _("Filled hours"),
    "deficit": _("Missing hours"),
    "surplus": _("Surplus hours"),
    **{name: state.label for name, state in STATES.items()},
    "headroom": _("Headroom hours"),
    "headroom_filled": _("Headroom hours filled"),
    "cliffs": _("Coverage running out"),
}


class PositionFigures(Figures):
    """One row of demand.PositionCoverage a position, and its rows of demand.PositionCliff."""

    kind = Kind.POSITION
    rank = 20
    subjects = POSITIONS.subjects
    columns = POSITIONS.columns
    labels = LABELS

    def reached_by(self, touched: Touched) -> set[int]:
        reached = set(touched.marked[Kind.POSITION.value])
        if employees := touched.spreading[Kind.EMPLOYEE.value]:
            reached |= _ids(
                "SELECT DISTINCT position_id FROM assignments_assignment"
                " WHERE NOT voided AND employee_id = ANY (%(ids)s::bigint[])",
                employees,
            )
        return reached

    def refresh(self, ids: Iterable[int], span: Span) -> set[int]:
        positions = sorted(ids)
        formula = coverage_sql(span, positions=positions)
        return storing.refresh(POSITIONS, positions, formula, span, first=[refreshing_cliffs(positions, span)])

    def formula(
        self, ids: Sequence[int], span: Span, due: Mapping[str, set[int]] | None = None
    ) -> tuple[str, dict[str, Any]]:
        return coverage_sql(span, positions=ids)

    def close_weeks(self, span: Span) -> int:
        sql, params = coverage_sql(span)
        figures = ", ".join(f"n.{name}[number]" for name in FIGURES)
        with connection.cursor() as cursor:
            cursor.execute(
                f"""INSERT INTO demand_closedpositionweek (position_id, week, path, {", ".join(FIGURES)}, closed_at)
                SELECT n.position_id, %(span_first)s::date + 7 * (number - 1)::int, u.path, {figures}, clock_timestamp()
                FROM ({sql}) AS n JOIN org_position p ON p.id = n.position_id JOIN org_orgunit u ON u.id = p.org_unit_id
                CROSS JOIN generate_series(1, {span.weeks}) AS number
                ON CONFLICT (position_id, week) DO NOTHING""",
                params,
            )
            return cursor.rowcount

    def correct_week(self, span: Span, correction: int, unit: int | None) -> int:
        return correct_positions(span, correction, unit)

    def drift(self, span: Span) -> list[dict[str, Any]]:
        return [*storing.differences(POSITIONS, *coverage_sql(span), span), *drifted_cliffs(span)]


class UnitFigures(Figures):
    """Two rows a unit: demand.UnitCoverage over its own positions, demand.WholeCoverage with everything below it.

    Rules, pages and commands speak of the whole; the unit's own are what wholes are made of, and what a closed week
    keeps.
    """

    kind = Kind.UNIT
    rank = 30
    subjects = f"{UNITS.subjects} UNION SELECT {WHOLES.key} FROM {WHOLES.name}"
    columns = UNITS.columns
    labels = LABELS
    adds_up = False  # a unit's figures are in those of the units above it

    def hand_on(self, touched: Touched) -> None:
        """A unit's headroom changed, or its place: whoever takes it from there is marked, for units' figures alone."""
        if units := touched.marked.pop(Kind.HEADROOM.value, None):
            touched.spreading.pop(Kind.HEADROOM.value, None)
            mark_by_query(Kind.UNIT, TAKES_FROM, {"headrooms": sorted(units)}, alone=True)

    def reached_by(self, touched: Touched) -> set[int]:
        reached = set(touched.marked[Kind.UNIT.value])
        if units := touched.marked[Kind.HEADROOM.value]:
            with connection.cursor() as cursor:
                cursor.execute(TAKES_FROM, {"headrooms": sorted(units)})
                reached.update(row[0] for row in cursor.fetchall())
        if positions := touched.rewritten[Kind.POSITION.value]:
            reached |= _ids(
                "SELECT DISTINCT org_unit_id FROM org_position WHERE id = ANY (%(ids)s::bigint[])", positions
            )
        return reached

    def refresh(self, ids: Iterable[int], span: Span) -> set[int]:
        units = sorted(ids)
        return refresh_units(UNITS, unit_sql(span, source=POSITIONS.name, units=units), WHOLES, units, span)

    def formula(
        self, ids: Sequence[int], span: Span, due: Mapping[str, set[int]] | None = None
    ) -> tuple[str, dict[str, Any]]:
        sql, params = whole_figures_sql(span, (due or {}).get(Kind.UNIT.value, ()))
        return (
            f"SELECT * FROM ({sql}) AS whole WHERE org_unit_id = ANY (%(whole_units)s::bigint[])",
            {**params, "whole_units": list(ids)},
        )

    def seen_in(self, ids: Iterable[int]) -> set[int]:
        return units_above(ids)

    def close_weeks(self, span: Span) -> int:
        sql, params = own_figures_sql(span)
        figures = ", ".join(f"n.{name}[number]" for name in UNIT_FIGURES)
        with connection.cursor() as cursor:
            cursor.execute(
                f"""INSERT INTO demand_closedunitweek (org_unit_id, week, path, {", ".join(UNIT_FIGURES)}, closed_at)
                SELECT n.org_unit_id, %(span_first)s::date + 7 * (number - 1)::int, u.path, {figures}, clock_timestamp()
                FROM ({sql}) AS n JOIN org_orgunit u ON u.id = n.org_unit_id
                CROSS JOIN generate_series(1, {span.weeks}) AS number
                ON CONFLICT (org_unit_id, week) DO NOTHING""",
                params,
            )
            return cursor.rowcount

    def correct_week(self, span: Span, correction: int, unit: int | None) -> int:
        return correct_units(span, correction)

    def drift(self, span: Span) -> list[dict[str, Any]]:
        return [
            *storing.differences(UNITS, *own_figures_sql(span), span),
            *storing.differences(WHOLES, *whole_anew_sql(span), span),
        ]
