"""The tree with its figures, level by level: what the board and the heatmap of coverage show.

One statement reads the units that are asked for, a second one reads the positions of the open ones: neither brings
the whole tree into memory, and how many there are does not depend on its size. Weeks gone by have the tree they had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from django.db import connection

from apps.common.tree import walk

from .board import closing_of
from .corrected import Stamp, stamps
from .coverage import FIGURES, STATES, UNIT_FIGURES, state_of
from .enums import CoverageState
from .overview import Figures, of_position
from .tables import CLOSED_POSITIONS, CLOSED_UNITS, WHOLES

# What a cell of many weeks needs of a unit; the rest follows from these.
FEW_FIGURES = ("required", "assigned", "unqualified", "filled", "vacant", "partial")
# A flag of a unit that has a gap and a surplus; it says nothing about one position, nor about what lies above or below.
NET_ZERO, UNQUALIFIED = "NET_ZERO", "UNQUALIFIED"


HAS_UNITS = "EXISTS (SELECT FROM org_orgunit below WHERE below.parent_id = {})"


class Order(StrEnum):
    CODE = "code"
    WORST = "worst"


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked. `weeks` follow each other; more than one are asked of the stored weeks alone.

    `root` limits the answer to a unit with everything below it, `scope` to what a person may see, `opened` (ids) names
    the units whose content is asked for; None opens the first one if it stands alone. With a `kind`, or asked for
    net-zero, units come as a flat list. A `tag` (id) narrows every figure to the positions that require it today.
    """

    weeks: Sequence[date]
    root: int | None = None
    scope: int | None = None
    opened: frozenset[int] | None = None
    kind: str = ""
    state: str = ""
    tag: int | None = None
    order: Order = Order.CODE
    page: int = 1
    per_level: int = 50
    with_positions: bool = True

    @property
    def is_flat(self) -> bool:
        return bool(self.kind) or self.state == NET_ZERO

    @property
    def top(self) -> int | None:
        """Return the unit that stands at the top by itself; None where the roots of the tree do."""
        return self.root if self.root is not None else self.scope


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row of the tree with its figures, one a week; `sisters` counts it and those beside it, shown or not."""

    id: int
    code: str
    name: str
    weeks: Sequence[Figures]
    sisters: int

    @property
    def figures(self) -> Figures:
        """Return the figures of the first, or only, week."""
        return self.weeks[0]

    @cached_property
    def deficit(self) -> int:
        """Return the hour-days missing in all the weeks."""
        return sum(figures.deficit for figures in self.weeks)


@dataclass(frozen=True, kw_only=True)
class UnitAt(Line):
    """A unit with everything below it. `path` has the ids above it and its own."""

    path: Sequence[int]
    kind: str
    is_active: bool
    has_content: bool

    @property
    def parent(self) -> int | None:
        return self.path[-2] if len(self.path) > 1 else None


@dataclass(frozen=True, kw_only=True)
class PositionAt(Line):
    """A position."""

    unit: int

    @property
    def state(self) -> CoverageState:
        """Return how it stands in the first week."""
        return state_of(self.figures.required, self.figures.assigned)


@dataclass(frozen=True)
class Place:
    """Where a line stands on the page."""

    line: UnitAt | PositionAt
    level: int
    is_open: bool = False


@dataclass
class Answer:
    """The lines in reading order. `closed_at` is set for a week that is kept for good, `stamp` if it was corrected.

    `pages` counts the pages of the level that is paged: the content of a unit that stands at the top alone, or else the
    top itself. `longer` says of open units how many of their units and positions are not shown.
    """

    places: list[Place]
    opened: set[int]
    closed_at: datetime | None = None
    pages: int = 1
    longer: dict[int, int] = field(default_factory=dict)
    stamp: Stamp | None = None

    @property
    def top(self) -> UnitAt | None:
        """Return the unit at the top, if it stands there alone."""
        tops = [place.line for place in self.places if place.level == 0]
        return tops[0] if len(tops) == 1 and isinstance(tops[0], UnitAt) else None

    @property
    def has_headroom(self) -> bool:
        """Say whether any of the units shown has a second target; it is told of one week at a time."""
        return any(place.line.figures.headroom for place in self.places)


def levels(question: Question) -> Answer:
    """Return what is open of the tree with its figures. Raise NoFigures for a week without any (board.py)."""
    closed_at = closing_of(question.weeks[0]) if len(question.weeks) == 1 else None
    answer = _answer(question, closed_at)
    if closed_at is not None:
        answer.stamp = stamps(question.weeks, root=question.root, scope=question.scope).get(question.weeks[0])
    return answer


def _answer(question: Question, closed_at: datetime | None) -> Answer:
    source = _Source(question, is_closed=closed_at is not None)
    if question.is_flat:
        found = source.units(())
        return Answer([Place(unit, 0) for unit in found], set(), closed_at, _pages(found, question))
    alone = source.alone
    opened = set(question.opened or ())
    if question.opened is None and alone is not None:
        opened = {alone}
    below: dict[int | None, list[Any]] = {}
    tops: list[Any] = []
    for unit in source.units(sorted(opened)):
        is_top = unit.parent is None if alone is None else unit.id == alone
        (tops if is_top else below.setdefault(unit.parent, [])).append(unit)
    # What was opened below something closed, or stands on another page of its level, is not on this one.
    reached = {unit.id for _level, unit in walk(tops, below, opened, _key)} & opened
    content = {unit: list(below.get(unit, ())) for unit in reached}
    for position in source.positions(sorted(reached)):
        content[position.unit].append(position)
    places = [Place(line, level, _key(line) in reached) for level, line in walk(tops, content, reached, _key)]
    pages = _pages(tops if alone is None else content.get(alone, []), question)
    return Answer(places, reached, closed_at, pages, _longer(content, alone))


def contents(
    question: Question, units: Sequence[int], *, is_closed: bool
) -> tuple[dict[int, list[UnitAt | PositionAt]], dict[int, int]]:
    """Return what lies right below each of these units, and how many more there are of it than `per_level`.

    For units that an answer has shown already: whether they are in scope is not asked again.
    """
    state = "" if question.state == NET_ZERO else question.state
    source = _Source(
        replace(question, kind="", state=state, page=1),
        is_closed=len(question.weeks) == 1 and closing_of(question.weeks[0]) is not None,
    )
    found: dict[int, list[UnitAt | PositionAt]] = {unit: [] for unit in units}
    for line in source.units(sorted(units)):
        if line.parent in found:
            found[line.parent].append(line)
    for position in source.positions(sorted(units)):
        found[position.unit].append(position)
    return found, _longer(found, None)


def _key(line: Line) -> int:
    # Positions have ids of their own, and nothing below them.
    return line.id if isinstance(line, UnitAt) else 0


def _pages(level: Sequence[Line], question: Question) -> int:
    """Return how many pages a level has: its units and its positions are turned over together."""
    return max(1, -(-max((line.sisters for line in level), default=0) // question.per_level))


def _longer(content: dict[int, list[Any]], paged: int | None) -> dict[int, int]:
    longer = {}
    for unit, lines in content.items():
        of_a_kind = {type(line): line.sisters for line in lines}
        if unit != paged and (hidden := sum(of_a_kind.values()) - len(lines)):
            longer[unit] = hidden
    return longer


class _Source:
    """The two statements of one question."""

    def __init__(self, question: Question, *, is_closed: bool):
        self.asked, self.is_closed = question, is_closed
        self.numbers = range(len(question.weeks))
        self.figures = UNIT_FIGURES if len(question.weeks) == 1 else self._few()
        self.columns = [f"{name}_{number}" for number in self.numbers for name in self.figures]
        self.params: dict[str, Any] = {
            "week": question.weeks[0],
            "root": question.root,
            "scope": question.scope,
            "kind": question.kind,
            "tag": question.tag,
            "skipped": (question.page - 1) * question.per_level,
            "per_level": question.per_level,
        }

    def _few(self) -> tuple[str, ...]:
        also = [name for name, state in STATES.items() if state == self.asked.state and name not in FEW_FIGURES]
        return (*FEW_FIGURES, *also)

    @cached_property
    def alone(self) -> int | None:
        """Return the unit that stands at the top by itself; None where there are several roots, or none."""
        if self.asked.top is not None:
            return self.asked.top
        rows = _fetch(f"SELECT t.id FROM ({self.tree}) AS t WHERE t.parent IS NULL LIMIT 2", self.params)
        return rows[0][0] if len(rows) == 1 else None

    @property
    def tree(self) -> str:
        """Return SQL of the tree (id, parent, path) as it is, or was in that week."""
        if self.is_closed:
            return f"""SELECT org_unit_id AS id, path[array_upper(path, 1) - 1] AS parent, path
                FROM {CLOSED_UNITS.in_force} AS f WHERE week = %(week)s"""
        return "SELECT id, parent_id AS parent, path FROM org_orgunit"

    def within(self, path: str) -> str:
        """Return the condition that a path lies in the part asked for and in the person's scope."""
        conditions = ["TRUE"]
        if self.asked.root is not None:
            conditions.append(f"{path} @> ARRAY[%(root)s::bigint]")
        if self.asked.scope is not None:
            conditions.append(f"{path} @> ARRAY[%(scope)s::bigint]")
        return " AND ".join(conditions)

    def sums(self, prefix: str) -> str:
        return ", ".join(f"SUM({prefix}.{column})::bigint AS {column}" for column in self.columns)

    # Units

    def units(self, opened: Sequence[int]) -> list[UnitAt]:
        """Return the units of the levels that are open, in the order asked for within each."""
        params = self.params | {"opened": list(opened), "alone": None if self.asked.is_flat else self.alone}
        return [self._unit(row) for row in _fetch(self._units_sql(), params)]

    def _units_sql(self) -> str:
        if self.asked.is_flat:
            wanted, level, paged = "(%(kind)s = '' OR u.kind = %(kind)s)", "NULL::bigint", "TRUE"
        elif self.alone is None:
            wanted, level = "(t.parent IS NULL OR t.parent = ANY(%(opened)s::bigint[]))", "w.parent"
            paged = "parent IS NULL"
        else:
            wanted, level = "(t.id = %(alone)s OR t.parent = ANY(%(opened)s::bigint[]))", "w.parent"
            paged = "parent = %(alone)s"
        shown = ", ".join(f"COALESCE({column}, 0)" for column in self.columns)
        skipped = f"CASE WHEN {paged} THEN %(skipped)s ELSE 0 END"
        is_kept = not self.is_closed and self.asked.tag is None
        if is_kept and self._unit_meets() == "TRUE" and self.asked.order == Order.CODE:
            # Neither which units are shown nor their order hangs on figures: those of the shown ones are read alone.
            return f"""
            WITH wanted AS MATERIALIZED (
                SELECT t.*, u.code, u.name, u.kind, u.is_active
                FROM ({self.tree}) AS t JOIN org_orgunit u ON u.id = t.id WHERE {self.within("t.path")} AND {wanted}
            ),
            placed AS (
                SELECT w.*, row_number() OVER (PARTITION BY {level} ORDER BY w.code) AS place,
                       count(*) OVER (PARTITION BY {level}) AS sisters
                FROM wanted w
            ),
            shown AS MATERIALIZED (
                SELECT * FROM placed WHERE place > {skipped} AND place <= {skipped} + %(per_level)s
            ),
            total AS ({self._kept_figures("shown")})
            SELECT w.id, w.code, w.name, w.kind, w.is_active, w.path, {HAS_UNITS.format("w.id")} AS has_units,
                   w.sisters, {shown}
            FROM shown w LEFT JOIN total t ON t.id = w.id ORDER BY w.place"""
        return f"""
            WITH {self._kept(wanted) if is_kept else self._added_up(wanted)},
            placed AS (
                SELECT w.*, t.*,
                       row_number() OVER (PARTITION BY {level} ORDER BY {self._order()} w.code) AS place,
                       count(*) OVER (PARTITION BY {level}) AS sisters
                FROM wanted w LEFT JOIN (SELECT id AS unit, {", ".join(self.columns)} FROM total) AS t ON t.unit = w.id
                WHERE {self._unit_meets()}
            )
            SELECT id, code, name, kind, is_active, path, has_units, sisters, {shown} FROM placed
            WHERE place > {skipped} AND place <= {skipped} + %(per_level)s ORDER BY place"""

    def _kept(self, wanted: str) -> str:
        """Return CTEs `wanted` (units) and `total` (their figures): what is kept of units with everything below."""
        return f"""
            wanted AS MATERIALIZED (
                SELECT t.*, u.code, u.name, u.kind, u.is_active, {HAS_UNITS.format("t.id")} AS has_units
                FROM ({self.tree}) AS t JOIN org_orgunit u ON u.id = t.id WHERE {self.within("t.path")} AND {wanted}
            ),
            total AS ({self._kept_figures("wanted")})"""

    def _kept_figures(self, of: str) -> str:
        """Return SQL of the kept figures (id, columns) of the units in a CTE."""
        return f"""
                SELECT c.org_unit_id AS id, {self._elements()} FROM {_ahead(WHOLES.name)}
                WHERE c.org_unit_id IN (SELECT id FROM {of})
            """

    def _added_up(self, wanted: str) -> str:
        """Return the same for what nothing is kept of: a closed week, the positions with a tag."""
        return f"""
            tree AS MATERIALIZED (
                SELECT t.*, u.code, u.name, u.kind, u.is_active, {wanted} AS is_wanted
                FROM ({self.tree}) AS t JOIN org_orgunit u ON u.id = t.id WHERE {self.within("t.path")}
            ),
            wanted AS MATERIALIZED (
                SELECT w.*, w.id IN (SELECT parent FROM tree WHERE parent IS NOT NULL) AS has_units
                FROM tree w WHERE is_wanted
            ),
            -- Each unit adds to the nearest one asked for at or above it; those are then added up among themselves.
            nearest AS (
                SELECT DISTINCT ON (t.id) t.id AS unit, w.id AS wanted
                FROM tree t CROSS JOIN LATERAL unnest(t.path) WITH ORDINALITY AS above (id, depth)
                JOIN wanted w ON w.id = above.id ORDER BY t.id, above.depth DESC
            ),
            part AS MATERIALIZED (
                SELECT n.wanted, {self.sums("s")} FROM ({self._own_figures()}) AS s JOIN nearest n ON n.unit = s.unit
                GROUP BY n.wanted
            ),
            total AS (
                SELECT above.id, {self.sums("p")}
                FROM part p JOIN wanted w ON w.id = p.wanted CROSS JOIN LATERAL unnest(w.path) AS above (id)
                WHERE above.id IN (SELECT id FROM wanted) GROUP BY above.id
            )"""

    def _own_figures(self) -> str:
        """Return SQL of the figures (unit, columns) added up: of units in a closed week, of tagged positions."""
        if self.asked.tag is not None:
            columns = [
                f"{sql} AS {name}_{number}"
                for number in self.numbers
                for name, sql in position_sql(*(self._element(figure, number) for figure in FIGURES)).items()
                if name in self.figures
            ]
            unit = "c.path[array_upper(c.path, 1)]" if self.is_closed else "p.org_unit_id"
            return f"SELECT {unit} AS unit, {', '.join(columns)} FROM {self._positions_stored()}"
        return (
            f"SELECT c.org_unit_id AS unit, {self._elements()} FROM {CLOSED_UNITS.in_force} AS c"
            " WHERE c.week = %(week)s"
        )

    def _elements(self) -> str:
        """Return SQL of the columns, read from a row of kept figures."""
        return ", ".join(
            f"COALESCE({self._element(name, number)}, 0) AS {name}_{number}"
            for number in self.numbers
            for name in self.figures
        )

    def _element(self, name: str, number: int) -> str:
        return f"c.{name}" if self.is_closed else f"c.{name}[c.ahead + {number + 1}]"

    def _unit_meets(self) -> str:
        """Return the condition for units to be shown: with a tag, those that have such positions; those in a state."""
        state = self.asked.state
        if state == NET_ZERO:
            hidden = (f"required_{n} > filled_{n} AND assigned_{n} >= required_{n}" for n in self.numbers)
            return f"({' OR '.join(hidden)})"
        if state == UNQUALIFIED:
            return self._any("unqualified")
        for name, known in STATES.items():
            if state == known:
                return self._any(name)
        return "TRUE" if self.asked.tag is None else "t.unit IS NOT NULL"

    def _any(self, name: str) -> str:
        return f"({' OR '.join(f'{name}_{number} > 0' for number in self.numbers)})"

    def _order(self) -> str:
        if self.asked.order != Order.WORST:
            return ""
        return f"COALESCE({' + '.join(f'required_{n} - filled_{n}' for n in self.numbers)}, 0) DESC,"

    def _unit(self, row: Sequence[Any]) -> UnitAt:
        pk, code, name, kind, is_active, path, has_units, sisters, *values = row
        size = len(self.figures)
        weeks = [
            _with_deficit(dict(zip(self.figures, values[n * size : (n + 1) * size], strict=True))) for n in self.numbers
        ]
        has_positions = any(week.required or week.assigned or week.proposed for week in weeks)
        is_narrowed = self.asked.tag is not None or self.asked.state
        return UnitAt(
            id=pk, code=code, name=name, kind=kind, is_active=is_active, path=path, sisters=sisters, weeks=weeks,
            has_content=has_positions or bool(has_units and not is_narrowed) or any(week.no_demand for week in weeks),
        )  # fmt: skip

    # Positions

    def positions(self, units: Sequence[int]) -> list[PositionAt]:
        """Return the own positions of these units, those that need and have nothing left out unless asked for."""
        if not units or not self.asked.with_positions:
            return []
        # The statement gives more than is asked for here alone: which units are in scope was settled by theirs.
        rows = _fetch(self._positions_sql(), self.params | {"units": list(units), "alone": self.alone})
        size = len(FIGURES)
        return [
            PositionAt(
                id=pk, unit=unit, code=code, name=title, sisters=sisters,
                weeks=[of_position(*values[n * size : (n + 1) * size]) for n in self.numbers],
            )
            for pk, unit, code, title, sisters, *values in rows
        ]  # fmt: skip

    def _positions_sql(self) -> str:
        columns = [(f"{name}_{n}", self._element(name, n)) for n in self.numbers for name in FIGURES]
        read = ", ".join(f"COALESCE({sql}, 0) AS {name}" for name, sql in columns)
        unit = "c.path[array_upper(c.path, 1)]" if self.is_closed else "p.org_unit_id"
        gap = " + ".join(f"GREATEST(required_{n} - assigned_{n}, 0)" for n in self.numbers)
        order = f"{gap} DESC," if self.asked.order == Order.WORST else ""
        paged = "FALSE" if self.alone is None else "unit = %(alone)s"
        skipped = f"CASE WHEN {paged} THEN %(skipped)s ELSE 0 END"
        return f"""
            WITH lines AS (
                SELECT p.id, {unit} AS unit, p.code, p.title, {read}
                FROM {self._positions_stored(f"AND {unit} = ANY(%(units)s::bigint[])")}
            ),
            placed AS (
                SELECT l.*, row_number() OVER (PARTITION BY unit ORDER BY {order} code) AS place,
                       count(*) OVER (PARTITION BY unit) AS sisters
                FROM lines l WHERE {self._position_meets()}
            )
            SELECT id, unit, code, title, sisters, {", ".join(name for name, _sql in columns)} FROM placed
            WHERE place > {skipped} AND place <= {skipped} + %(per_level)s ORDER BY unit, place"""

    def _positions_stored(self, only: str = "") -> str:
        """Return SQL of the stored figures of positions (c) with the positions (p), of those with the tag."""
        tagged = ""
        if self.asked.tag is not None:
            tagged = """JOIN tags_positiontag r ON r.position_id = c.position_id
                AND r.tag_id = %(tag)s AND r.level = 'REQUIRED'"""
        stored = f"{CLOSED_POSITIONS.in_force} AS c" if self.is_closed else _ahead("demand_positioncoverage")
        week = "c.week = %(week)s" if self.is_closed else "TRUE"
        within = f"AND {self.within('c.path')}" if self.is_closed else ""
        return f"{stored} JOIN org_position p ON p.id = c.position_id {tagged} WHERE {week} {within} {only}"

    def _position_meets(self) -> str:
        state = self.asked.state
        if not state:
            return " OR ".join(f"required_{n} + assigned_{n} + proposed_{n} > 0" for n in self.numbers)
        if state == UNQUALIFIED:
            return self._any("unqualified")
        name = next(name for name, known in STATES.items() if state == known)
        return " OR ".join(
            "{} > 0".format(position_sql(*(f"{figure}_{n}" for figure in FIGURES))[name]) for n in self.numbers
        )


def position_sql(required: str, assigned: str, reinforcement: str, proposed: str, unqualified: str) -> dict[str, str]:
    """Return SQL of the UNIT_FIGURES of one position, from SQL of its FIGURES: coverage.unit_sql, row by row."""
    needed, given = f"COALESCE({required}, 0)", f"COALESCE({assigned}, 0)"
    return {
        "required": needed,
        "assigned": given,
        "reinforcement": f"COALESCE({reinforcement}, 0)",
        "proposed": f"COALESCE({proposed}, 0)",
        "unqualified": f"COALESCE({unqualified}, 0)",
        "filled": f"LEAST({needed}, {given})",
        "deficit": f"GREATEST({needed} - {given}, 0)",
        "surplus": f"GREATEST({given} - {needed}, 0)",
        "vacant": f"({needed} > 0 AND {given} = 0)::int",
        "partial": f"({given} > 0 AND {given} < {needed})::int",
        "covered": f"({needed} > 0 AND {given} = {needed})::int",
        "over_covered": f"({needed} > 0 AND {given} > {needed})::int",
        "no_demand": f"({required} = 0)::int",
        # A unit keeps it above all its positions: of some of them there is none.
        "headroom": "0",
        "headroom_filled": "0",
    }


def _ahead(table: str) -> str:
    """Return SQL of a stored table as c, `ahead` being how many weeks the first one asked for lies after its first."""
    return f"(SELECT k.*, (%(week)s::date - k.first_week) / 7 AS ahead FROM {table} AS k) AS c"


def _with_deficit(values: dict[str, int]) -> Figures:
    return Figures(**({"deficit": values["required"] - values["filled"]} | values))


def _fetch(sql: str, params: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
