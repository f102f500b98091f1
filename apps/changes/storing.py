"""Writing derived rows by difference, under locks taken first: one shape for every table of figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from django.db import connection

from apps.common import prepared
from apps.common.prepared import Statement

from .models import Calendar
from .span import Span


@dataclass(frozen=True, eq=False)
class Table:
    """A derived table: `key` names the subject (a row of `subject_table`), `columns` are its arrays of week figures.

    `numbers` are kept beside them, one bigint each (0 before it is computed), for whoever looks among all subjects;
    `generated` are those that the database itself makes of the figures, each with its SQL.
    """

    name: str
    key: str
    subject_table: str
    columns: tuple[str, ...]
    numbers: tuple[str, ...] = ()
    generated: Mapping[str, str] = field(default_factory=dict)

    @property
    def figures(self) -> tuple[str, ...]:
        """Return the names of all that is computed."""
        return self.columns + self.numbers

    @property
    def subjects(self) -> str:
        """Return SQL for the ids that have, or should have, a row."""
        return f"SELECT id FROM {self.subject_table} UNION SELECT {self.key} FROM {self.name}"


THESE = "%(locked)s::bigint[]"


def locking(table: Table, ids: Sequence[int], span: Span, among: str = THESE) -> list[Statement]:
    """Return the statements that lock the rows of these subjects in the order of their ids.

    Rows that lack are begun, those of the gone go; the second one gives the ids of the rows locked. `among` is SQL of
    the array of ids, where these are found from the ids in %(locked)s.
    """
    begun, locked, gone = _locking(table, among)
    params = {"locked": list(ids)}
    return [(begun, {**params, "first": span.first_week}), (locked, params), (gone, params)]


@cache
def _locking(table: Table, among: str) -> tuple[str, str, str]:
    empty = ", ".join("'{}'" for _ in table.columns)
    return (
        f"""INSERT INTO {table.name} ({table.key}, first_week, {", ".join(table.columns)}, computed_at)
        SELECT s.id, %(first)s, {empty}, clock_timestamp() FROM {table.subject_table} s
        WHERE s.id = ANY ({among}) AND NOT EXISTS (SELECT 1 FROM {table.name} t WHERE t.{table.key} = s.id)
        ORDER BY s.id ON CONFLICT DO NOTHING""",
        f"SELECT {table.key} FROM {table.name} WHERE {table.key} = ANY ({among})"
        f" ORDER BY {table.key} FOR NO KEY UPDATE",
        f"""DELETE FROM {table.name} t WHERE t.{table.key} = ANY ({among})
        AND NOT EXISTS (SELECT 1 FROM {table.subject_table} s WHERE s.id = t.{table.key})""",
    )


def lock(table: Table, ids: Sequence[int], span: Span) -> None:
    """Lock the rows of these subjects in the order of their ids; rows that lack are begun, those of the gone go."""
    prepared.fetch_all(*locking(table, ids, span))


def writing(table: Table, sql: str, params: Mapping[str, Any], span: Span) -> Statement:
    """Return the statement that writes the rows a query computes where they differ, and gives the ids of those.

    `computed_at` is when a row's figures last changed, not when they were last found right: that is
    apps.changes.freshness. It comes after those of `locking`.
    """
    return _writing(table, sql), {**span.params, **params}


@lru_cache(maxsize=64)
def _writing(table: Table, sql: str) -> str:
    stored = ", ".join(f"t.{column}" for column in table.figures)
    computed = ", ".join(f"n.{column}" for column in table.figures)
    setting = ", ".join(f"{column} = n.{column}" for column in table.figures)
    return f"""UPDATE {table.name} t SET first_week = %(span_first)s, computed_at = clock_timestamp(), {setting}
        FROM ({sql}) AS n
        WHERE n.{table.key} = t.{table.key}
          AND (t.first_week, {stored}) IS DISTINCT FROM (%(span_first)s, {computed})
        RETURNING t.{table.key}"""


def write(table: Table, sql: str, params: Mapping[str, Any], span: Span) -> set[int]:
    """Write the rows a query computes where they differ; return the ids of those that did. Call it after `lock`."""
    return {row[0] for row in prepared.fetch(*writing(table, sql, params, span))}


def refresh(
    table: Table,
    ids: Sequence[int],
    formula: tuple[str, dict[str, Any]],
    span: Span,
    *,
    first: Sequence[Statement] = (),
) -> set[int]:
    """Lock the rows of these subjects, then carry out what comes `first`, then write; return the ids rewritten."""
    *_before, rewritten = prepared.fetch_all(*locking(table, ids, span), *first, writing(table, *formula, span))
    return {row[0] for row in rewritten}


def fenced(query: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Return a formula that is planned by itself: else each use of a figure around it is a copy of its long sum."""
    sql, params = query
    return f"{sql} OFFSET 0", params


def are_of(span: Span) -> bool:
    """Say whether the stored figures are those of these weeks: not so while a week that is over waits to be closed."""
    return not Calendar.objects.exclude(first_week=span.first_week).exists()


def stored_or_anew(
    table: Table,
    span: Span,
    anew: Callable[[list[int] | None], tuple[str, dict[str, Any]]],
    due: Iterable[int],
    where: str = "",
) -> tuple[str, dict[str, Any]]:
    """Return a query (key and figures) and its parameters that reads the stored rows, except of whom they are behind.

    Behind is who is `due` (a mark waits: a week just closed marks everybody); `anew` gives the formula for some ids, or
    for all there are (None), which is what a week that is over and not yet closed asks for. `where` is a condition on
    the stored rows that leaves out some nobody will ask for.
    """
    made = ", ".join((*table.figures, *(f"{text} AS {name}" for name, text in table.generated.items())))
    if not are_of(span):
        formula, params = anew(None)
        return f"SELECT {table.key}, {made} FROM ({formula}) AS computed", params
    behind = sorted(due)
    columns = ", ".join((*table.figures, *table.generated))
    sql = f"SELECT {table.key}, {columns} FROM {table.name}"
    if not behind:
        return sql + (f" WHERE {where}" if where else ""), dict(span.params)
    formula, params = anew(behind)
    name = f"behind_{table.name}"
    return (
        f"{sql} WHERE {f'{where} AND ' if where else ''}{table.key} <> ALL (%({name})s::bigint[])"
        f" UNION ALL SELECT {table.key}, {made} FROM ({formula}) AS computed",
        {**span.params, **params, name: behind},
    )


def differences(table: Table, sql: str, params: Mapping[str, Any], span: Span) -> list[dict[str, Any]]:
    """Return {subject, stored, computed} for each row that is not as computed; None for a row that lacks."""
    columns = ", ".join(f"'{column}', {{0}}.{column}" for column in table.figures)
    stored = ", ".join(f"t.{column}" for column in table.figures)
    computed = ", ".join(f"n.{column}" for column in table.figures)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT COALESCE(t.{table.key}, n.{table.key}),
                CASE WHEN t.{table.key} IS NOT NULL THEN
                    jsonb_build_object('first_week', t.first_week, {columns.format("t")}) END,
                CASE WHEN n.{table.key} IS NOT NULL THEN
                    jsonb_build_object('first_week', %(span_first)s::date, {columns.format("n")}) END
            FROM {table.name} t FULL JOIN ({sql}) AS n ON n.{table.key} = t.{table.key}
            WHERE t.{table.key} IS NULL OR n.{table.key} IS NULL
               OR (t.first_week, {stored}) IS DISTINCT FROM (%(span_first)s, {computed})
            ORDER BY 1""",
            {**span.params, **params},
        )
        rows = cursor.fetchall()
    return [
        {"subject": subject, "stored": old and json.loads(old), "computed": new and json.loads(new)}
        for subject, old, new in rows
    ]
