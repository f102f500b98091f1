"""The kept figures of two open weeks, with the changes that wait for a worker computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from django.db import connection

from apps.changes.due import due_subjects
from apps.changes.figures import kept
from apps.changes.models import Kind
from apps.changes.span import Span
from apps.changes.storing import are_of, stored_or_anew

from ..coverage import coverage_sql
from ..overview import Figures
from ..tables import POSITIONS
from ..whole import whole_figures_sql
from .answer import MOST_POSITIONS, Moved, Place

FIGURES = ("required", "assigned", "reinforcement", "unqualified", "filled", "deficit", "surplus")
# So many changes that wait for a worker are computed while somebody waits.
FEW_WAITING = 200


@dataclass(frozen=True)
class KeptFigures:
    """What is kept of the weeks to come; `due` are those, by kind, that a waiting change is about to reach."""

    span: Span
    due: Mapping[str, set[int]]

    @classmethod
    def now(cls, today: date | None = None) -> KeptFigures | None:
        """Return the figures as they are kept now; None where too much waits, or a week that is over, for a worker."""
        span = Span.current(today)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM (SELECT FROM changes_mark LIMIT %s) AS waiting", [FEW_WAITING + 1])
            if cursor.fetchone()[0] > FEW_WAITING or not are_of(span):
                return None
        return cls(span, due_subjects([of for of in kept() if of.kind in (Kind.POSITION, Kind.UNIT)]))

    def of(self, place: Place, first: date, second: date) -> tuple[Figures, Figures]:
        """Return the figures of a part of the house in two of the weeks."""
        sql, params = whole_figures_sql(self.span, self.due[Kind.UNIT.value])
        sums = ", ".join(
            f"COALESCE(sum(w.{name}[{self._place(week)}]), 0)::bigint" for week in (first, second) for name in FIGURES
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

    def moved(self, positions: Sequence[int], first: date, second: date) -> list[Moved]:
        """Return those of the positions whose figures differ most between two of the weeks."""
        sql, params = stored_or_anew(
            POSITIONS, self.span, lambda some: coverage_sql(self.span, positions=some), self.due[Kind.POSITION.value]
        )
        sides = [
            f"c.{name}[{self._place(week)}] AS {name}{side}"
            for side, week in enumerate((first, second))
            for name in ("required", "assigned")
        ]
        gaps = [f"GREATEST(required{side} - assigned{side}, 0) AS deficit{side}" for side in (0, 1)]
        source = f"""(
            SELECT *, {", ".join(gaps)} FROM (
                SELECT c.position_id, {", ".join(sides)} FROM ({sql}) AS c
                WHERE c.position_id = ANY (%(moving)s::bigint[])
            ) AS of_both
        )"""
        with connection.cursor() as cursor:
            cursor.execute(most_moved(source), {**params, "moving": list(positions)})
            return [
                Moved(pk, code, title, (need0, need1), (given0, given1), (gap0, gap1))
                for pk, code, title, need0, need1, given0, given1, gap0, gap1 in cursor.fetchall()
            ]

    def _place(self, week: date) -> int:
        return self.span.mondays.index(week) + 1


def pairs(*names: str) -> str:
    """Return SQL of both sides' sums of these columns, over rows of one side each."""
    return ", ".join(
        f"COALESCE(sum({name}) FILTER (WHERE side = {side}), 0)::bigint AS {name}{side}"
        for name in names
        for side in (0, 1)
    )


def most_moved(source: str) -> str:
    """Return a query for the positions that differ most, over a relation with the figures of both sides of each."""
    return f"""
        SELECT p.id, p.code, p.title, required0, required1, assigned0, assigned1, deficit0, deficit1
        FROM {source} AS b JOIN org_position p ON p.id = b.position_id
        WHERE (required0, assigned0) <> (required1, assigned1)
        ORDER BY abs(deficit1 - deficit0) DESC, abs(assigned1 - assigned0) DESC, p.code
        LIMIT {MOST_POSITIONS}"""
