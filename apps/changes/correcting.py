"""Corrections of closed weeks: new figures beside the old ones, and which of them are in force.

A closed row is never written again. A correction keeps a row of its own for whatever today's records would make
different; the row of the latest correction is in force, else the closed one. Everybody who reads closed weeks reads
`in_force`, so that there is one answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

from apps.common.clock import today

from .figures import kept
from .models import Correction
from .span import Span

# The class of the advisory locks that let one correction of a week through at a time.
LOCK = 0x434F5252


@dataclass(frozen=True)
class ClosedTable:
    """The closed figures of one kind and those that correct them: a row a subject (`key`) and week in each."""

    closed: str
    corrected: str
    key: str
    figures: tuple[str, ...]
    has_path: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        return ("path", *self.figures) if self.has_path else self.figures

    @property
    def in_force(self) -> str:
        """Return SQL of a relation (key, week, columns, correction_id): the corrected row, else the closed one."""
        columns = ", ".join(self.columns)
        same = f"k.{self.key} = c.{self.key} AND k.week = c.week"
        return f"""(
            SELECT {self.key}, week, {columns}, NULL::bigint AS correction_id FROM {self.closed} c
            WHERE NOT EXISTS (SELECT FROM {self.corrected} k WHERE {same})
            UNION ALL
            SELECT {self.key}, week, {columns}, correction_id FROM {self.corrected} c
            WHERE NOT EXISTS (SELECT FROM {self.corrected} k WHERE {same} AND k.correction_id > c.correction_id)
        )"""

    def before(self, row: str) -> str:
        """Return SQL of what was in force before a corrected row (its alias): a row of the figures, or none."""
        figures = ", ".join(self.figures)
        same = f"{self.key} = {row}.{self.key} AND week = {row}.week"
        return f"""(
            SELECT * FROM (
                SELECT {figures}, correction_id FROM {self.corrected}
                WHERE {same} AND correction_id < {row}.correction_id
                UNION ALL SELECT {figures}, 0 FROM {self.closed} WHERE {same}
            ) AS earlier ORDER BY correction_id DESC LIMIT 1
        )"""


def insert_correction(*, week: date, unit: int | None, actor_id: Any, reason: str) -> tuple[Correction, int]:
    """Write what today's records make of a closed week, where it differs from what is in force; return how many rows.

    Call it inside a transaction. A second correction of the week waits for the first to end; its statements then see
    what the first one wrote.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, week.toordinal()])
    correction = Correction.objects.create(week=week, unit_id=unit, actor_id=actor_id, reason=reason)
    span = Span(week, 1, today())
    return correction, sum(figures.correct_week(span, correction.pk, unit) for figures in kept())
