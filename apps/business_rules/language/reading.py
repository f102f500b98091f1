"""From which rows a compiled condition reads: the subject's, those it leads to, and those beside them, joined once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet
from django.db import connection

from ..questions import Question
from ..subjects import kind_named
from .vocabulary import Path, relation_named

if TYPE_CHECKING:
    from apps.users.models import User

PLACE = re.compile(r"%\((\w+)\)s|%%|%s")


class Reading:
    """The joins and bound values of one condition. `user` = None reads everything; else what that person may see.

    `prefix` keeps its parameters apart from those of other rules in the same statement; `row` is the subject's alias
    where the statement around it has one.
    """

    def __init__(
        self, kind: str, question: Question, *, user: User | None = None, prefix: str = "w", row: str | None = None
    ):
        self.question, self.user, self.prefix = question, user, prefix
        self.params: dict[str, Any] = {}
        self.joins: list[str] = []
        self._visible: dict[str, str | None] = {}
        self._bound: dict[Any, str] = {}
        self._aliases = 0
        self.subject = At(self, kind, row or self.alias())

    @property
    def joined(self) -> str:
        return "\n".join(self.joins)

    def alias(self) -> str:
        self._aliases += 1
        return f"{self.prefix}{self._aliases}"

    def bind(self, value: Any) -> str:
        """Return a placeholder for a value; the only way in which one gets into the SQL."""
        name = f"{self.prefix}_{len(self.params)}"
        self.params[name] = value
        return f"%({name})s"

    def bind_once(self, value: Any) -> str:
        """Return the same placeholder for the same value, so that what reads it can be told to be the same."""
        if value not in self._bound:
            self._bound[value] = self.bind(value)
        return self._bound[value]

    def taken_in(self, sql: str, params: Mapping[str, Any]) -> str:
        """Return SQL of another with its parameters under names of our own."""
        names: dict[str, str] = {}

        def rename(match: re.Match[str]) -> str:
            name = match[1]
            if name is None:
                return match[0]
            if name not in names:
                names[name] = self.bind(params[name])
            return names[name]

        return PLACE.sub(rename, sql)

    def sees(self, kind: str, column: str) -> str:
        """Return the SQL condition that the record of a kind, its id in a column, is visible to the person."""
        if kind not in self._visible:
            self._visible[kind] = self._visible_ids(kind_named(kind).model)
        ids = self._visible[kind]
        return "TRUE" if ids is None else f"{column} IN ({ids})"

    def _visible_ids(self, model: Any) -> str | None:
        if self.user is None:
            return None
        rows = model.objects.visible_to(self.user).order_by().values("pk")
        if not rows.query.where and not rows.query.is_empty():
            return None
        try:
            sql, values = rows.query.sql_with_params()
        except EmptyResultSet:
            return "SELECT NULL::bigint WHERE FALSE"
        places = iter(values)
        return PLACE.sub(lambda match: self.bind(next(places)) if match[0] == "%s" else match[0], sql)


class At:
    """A row of some kind, under its alias in the SQL."""

    def __init__(self, reading: Reading, kind: str, row: str, behind: tuple[At, Path] | None = None):
        self.reading, self.kind, self.row = reading, kind, row
        self._behind = behind
        self._reached: dict[str, At] = {}
        self._beside: dict[tuple[str, tuple[str, ...]], str] = {}

    @property
    def today(self) -> str:
        """Return the day of the question, as SQL."""
        return f"{self.reading.bind_once(self.reading.question.on)}::date"

    def reach(self, path: Path) -> At:
        """Return the one row a path leads to; out of the person's sight it is empty."""
        if path.name not in self._reached:
            alias = self.reading.alias()
            sees = self.reading.sees(path.to, f"{alias}.id")
            self.reading.joins.append(
                f"LEFT JOIN {kind_named(path.to).table} {alias} ON {alias}.id = {self.row}.{path.key} AND {sees}"
            )
            self._reached[path.name] = At(self.reading, path.to, alias, (self, path))
        return self._reached[path.name]

    def beside(self, name: str, *places: str) -> str:
        """Return the alias of a relation of this row, joined at the first call; `places` are bound arguments."""
        if (name, places) not in self._beside:
            sql = relation_named(self.kind, name).sql(self, *places)
            alias = self.reading.alias()
            self.reading.joins.append(f"LEFT JOIN ({sql}) {alias} ON {alias}.id = {self.row}.id")
            self._beside[name, places] = alias
        return self._beside[name, places]

    def sees(self, kind: str, column: str) -> str:
        return self.reading.sees(kind, column)

    def ids(self) -> list[int] | None:
        """Return the ids these rows may have, where the question is about a few; None = any."""
        if self._behind is None:
            return self.reading.question.ids_of(self.kind)
        before, path = self._behind
        ids = before.ids()
        if ids is None:
            return None
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT DISTINCT {path.key} FROM {kind_named(before.kind).table} WHERE id = ANY (%s)", [ids]
            )
            return [row[0] for row in cursor.fetchall() if row[0] is not None]

    def only(self, column: str) -> str:
        """Return the SQL condition that a column holds one of the ids asked about."""
        ids = self.ids()
        return "TRUE" if ids is None else f"{column} = ANY ({self.reading.bind(ids)}::bigint[])"

    def figures(self, asked: Callable[[Question], tuple[str, dict[str, Any]]]) -> str:
        """Return the SQL of figures kept or computed for these rows, as the question wants it."""
        ids = self.ids()
        question = replace(self.reading.question, ids=None if ids is None else {self.kind: ids})
        return self.reading.taken_in(*asked(question))


def positional(sql: str, params: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
    """Return SQL with named parameters as Django's RawSQL takes it."""
    values: list[Any] = []

    def place(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        values.append(params[match[1]])
        return "%s"

    return PLACE.sub(place, sql), values
