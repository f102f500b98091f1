"""The stored figures of units with everything below them: what the pages of coverage show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection

from apps.common.hours import to_hours, to_percent

from .coverage import STATES, UNIT_FIGURES, state_of
from .tables import WHOLES


@dataclass(frozen=True)
class Figures:
    """The figures of some positions in one week: sums in hour-days (apps.common.hours), positions counted by state."""

    required: int = 0
    assigned: int = 0
    reinforcement: int = 0
    proposed: int = 0
    unqualified: int = 0
    filled: int = 0
    deficit: int = 0
    surplus: int = 0
    vacant: int = 0
    partial: int = 0
    covered: int = 0
    over_covered: int = 0
    no_demand: int = 0
    headroom: int = 0
    headroom_filled: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(**{name: getattr(self, name) + getattr(other, name) for name in UNIT_FIGURES})

    @property
    def coverage_percent(self) -> Decimal | None:
        """Return filled ÷ required, “total over total”; None without demand."""
        return to_percent(self.filled, self.required)

    @property
    def raw_percent(self) -> Decimal | None:
        """Return assigned ÷ required, in which surplus hides deficit; None without demand."""
        return to_percent(self.assigned, self.required)

    @property
    def net_zero(self) -> bool:
        """Say whether a gap hides behind a surplus elsewhere."""
        return self.deficit > 0 and self.assigned >= self.required

    @property
    def is_green(self) -> bool:
        """Say whether every position with demand is covered or over, by people who are qualified."""
        return self.required > 0 and not (self.deficit or self.unqualified)

    @property
    def tone(self) -> str:
        if not self.required:
            return "grey"
        if self.is_green:
            return "green"
        return "red" if not self.filled else "yellow"

    @property
    def demanding(self) -> int:
        """Return how many positions have demand."""
        return self.vacant + self.partial + self.covered + self.over_covered

    @property
    def second_target(self) -> int:
        """Return required hours and headroom, in hour-days."""
        return self.required + self.headroom

    @property
    def second_deficit(self) -> int:
        """Return the hour-days missing to the second target: the deficit, and what is not there of the headroom."""
        return self.deficit + self.headroom - self.headroom_filled

    @property
    def second_percent(self) -> Decimal | None:
        """Return what is filled of both, headroom included; None without demand."""
        return to_percent(self.filled + self.headroom_filled, self.second_target)

    required_hours = property(lambda self: to_hours(self.required))
    assigned_hours = property(lambda self: to_hours(self.assigned))
    reinforcement_hours = property(lambda self: to_hours(self.reinforcement))
    proposed_hours = property(lambda self: to_hours(self.proposed))
    unqualified_hours = property(lambda self: to_hours(self.unqualified))
    filled_hours = property(lambda self: to_hours(self.filled))
    deficit_hours = property(lambda self: to_hours(self.deficit))
    surplus_hours = property(lambda self: to_hours(self.surplus))
    headroom_hours = property(lambda self: to_hours(self.headroom))
    second_target_hours = property(lambda self: to_hours(self.second_target))
    second_deficit_hours = property(lambda self: to_hours(self.second_deficit))


def of_position(required: int, assigned: int, reinforcement: int, proposed: int, unqualified: int) -> Figures:
    """Return one position's hour-days of a week as the figures of a unit that has no other."""
    state = state_of(required, assigned)
    return Figures(
        required=required,
        assigned=assigned,
        reinforcement=reinforcement,
        proposed=proposed,
        unqualified=unqualified,
        filled=min(required, assigned),
        deficit=max(required - assigned, 0),
        surplus=max(assigned - required, 0),
        **{name: int(state == counted) for name, counted in STATES.items()},
    )


@dataclass(frozen=True)
class UnitFigures:
    """A unit with the figures of its own positions in one week."""

    unit_id: int
    code: str
    name: str
    figures: Figures


def element(week: str) -> str:
    """Return SQL of a stored array's index for a week (SQL of a date); outside of the stored weeks it finds NULL."""
    return f"({week} - c.first_week) / 7 + 1"


def _figures(index: str) -> str:
    """Return SQL of the figures of one week of a stored row."""
    return ", ".join(f"COALESCE(c.{name}[{index}], 0)" for name in UNIT_FIGURES)


def _sums(index: str) -> str:
    return ", ".join(f"COALESCE(SUM(c.{name}[{index}]), 0)" for name in UNIT_FIGURES)


def totals_by_week(*, root: int | None, weeks: Sequence[date]) -> list[Figures]:
    """Return the figures of everything under a unit (None = the whole tree), one a week, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT w.week, {_sums(element("w.week"))}
            FROM org_orgunit u JOIN {WHOLES.name} c ON c.org_unit_id = u.id
            CROSS JOIN unnest(%(weeks)s::date[]) AS w (week)
            WHERE {"u.id = %(root)s" if root is not None else "u.parent_id IS NULL"}
            GROUP BY w.week
            """,
            {"weeks": list(weeks), "root": root},
        )
        found = {row[0]: Figures(*map(int, row[1:])) for row in cursor.fetchall()}
    return [found.get(week, Figures()) for week in weeks]


def rolled_up(*, unit_ids: Iterable[int], week: date) -> dict[int, Figures]:
    """Return the figures of each unit with everything below it; units without any are left out."""
    index = element("%(week)s::date")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT c.org_unit_id, {_figures(index)} FROM {WHOLES.name} c
            WHERE c.org_unit_id = ANY(%(ids)s::bigint[])
            """,
            {"week": week, "ids": list(unit_ids)},
        )
        return {row[0]: Figures(*row[1:]) for row in cursor.fetchall()}


def count_net_zero(*, root: int | None, week: date, most: int) -> int:
    """Return how many units under the root, it included, hide a gap behind a surplus in a week; at most `most` + 1."""
    index = element("%(week)s::date")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(*) FROM (
                SELECT FROM {WHOLES.name} c {_under(root)}
                WHERE c.deficit[{index}] > 0 AND c.assigned[{index}] >= c.required[{index}]
                LIMIT %(most)s + 1
            ) AS hiding
            """,
            {"week": week, "root": root, "most": most},
        )
        return int(cursor.fetchone()[0])


def _under(root: int | None) -> str:
    """Return SQL that leaves of the figures c those of units under the root; of the whole tree nothing is asked."""
    return "" if root is None else "JOIN org_orgunit r ON r.id = c.org_unit_id AND r.path @> ARRAY[%(root)s::bigint]"


def worst_units(*, root: int | None, week: date, limit: int) -> list[UnitFigures]:
    """Return the units whose own positions miss most hours in a week, the worst first."""
    index = element("%(week)s::date")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH worst AS (
                -- Of all of them one figure is read, of those shown the others too.
                SELECT c.org_unit_id, c.deficit[{index}] AS missing FROM demand_unitcoverage c {_under(root)}
                WHERE c.deficit[{index}] > 0
                ORDER BY c.deficit[{index}] DESC FETCH FIRST %(limit)s ROWS WITH TIES
            )
            SELECT u.id, u.code, u.name, {_figures(index)}
            FROM worst JOIN org_orgunit u ON u.id = worst.org_unit_id
            JOIN demand_unitcoverage c ON c.org_unit_id = u.id
            ORDER BY worst.missing DESC, u.code LIMIT %(limit)s
            """,
            {"week": week, "root": root, "limit": limit},
        )
        return [UnitFigures(row[0], row[1], row[2], Figures(*map(int, row[3:]))) for row in cursor.fetchall()]
