"""Corrections of closed weeks as people read them: which weeks have one, what it changed, what was there before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

from apps.changes.models import Correction
from apps.common.hours import to_hours
from apps.offer.recompute import CLOSED as CLOSED_ACCOUNTS
from apps.org.querysets import inside

from .coverage import FIGURES
from .overview import Figures
from .tables import CLOSED_POSITIONS, CLOSED_UNITS

SUMMED = ("required", "assigned", "unqualified", "filled", "deficit", "surplus")


@dataclass(frozen=True)
class Stamp:
    """Who corrected a week, when and why; of several the latest."""

    correction: int
    week: date
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True)
class Changed:
    """A position, unit or account of a week before and after a correction, in hour-days.

    Of a position or unit the figures are those of coverage; of an account `required` stands for the pool.
    """

    id: int
    code: str
    name: str
    unit: str
    was: Figures
    now: Figures

    def difference(self, figure: str) -> int:
        return int(getattr(self.now, figure) - getattr(self.was, figure))


@dataclass(frozen=True)
class Account:
    """An employee's account of a week before and after, in hour-days."""

    id: int
    code: str
    name: str
    pool_was: int
    pool: int
    assigned_was: int
    assigned: int

    pool_was_hours = property(lambda self: to_hours(self.pool_was))
    pool_hours = property(lambda self: to_hours(self.pool))
    assigned_was_hours = property(lambda self: to_hours(self.assigned_was))
    assigned_hours = property(lambda self: to_hours(self.assigned))


@dataclass(frozen=True)
class Outcome:
    """What a correction changed: all of the place together, and the positions, units and accounts that changed most.

    `positions`, `units` and `accounts` count all of them; the lists are a page.
    """

    whole_was: Figures
    whole: Figures
    positions: int
    units: int
    accounts: int
    position_lines: Sequence[Changed]
    unit_lines: Sequence[Changed]
    account_lines: Sequence[Account]


def stamps(
    weeks: Iterable[date], *, root: int | None, scope: int | None, position: int | None = None
) -> dict[date, Stamp]:
    """Return the latest correction of each of these weeks that changed figures under a unit (None = all). One query."""
    if position is None:
        table, mine = CLOSED_UNITS.corrected, "TRUE"
    else:
        table, mine = CLOSED_POSITIONS.corrected, "k.position_id = %(position)s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT DISTINCT ON (c.week) c.id, c.week, c.created_at,
                COALESCE(NULLIF(trim(a.given_name || ' ' || a.family_name), ''), a.email, ''), c.reason
            FROM changes_correction c LEFT JOIN users_user a ON a.id = c.actor_id
            WHERE c.week = ANY (%(weeks)s::date[]) AND EXISTS (
                SELECT FROM {table} k WHERE k.correction_id = c.id AND k.week = c.week AND {mine}
                  AND {inside("k.path")}
            ) ORDER BY c.week, c.id DESC""",
            {"weeks": list(weeks), "root": root, "scope": scope, "position": position},
        )
        return {row[1]: Stamp(*row) for row in cursor.fetchall()}


def as_closed(week: date, *, units: Sequence[int], positions: Sequence[int]) -> dict[tuple[str, int], Figures]:
    """Return the figures a week was closed with, of those units (with all below) and positions that were corrected.

    By ("unit" or "position", id); one query.
    """
    names = [*FIGURES, "filled", "deficit", "surplus"]
    need, given = "COALESCE(c.required, 0)", "COALESCE(c.assigned, 0)"
    of_position = [
        *(f"COALESCE(c.{name}, 0)" for name in FIGURES),
        f"LEAST({given}, {need})", f"GREATEST({need} - {given}, 0)", f"GREATEST({given} - {need}, 0)",
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT 'unit', asked.id, {", ".join(f"COALESCE(sum(c.{name}), 0)::bigint" for name in names)}
            FROM unnest(%(units)s::bigint[]) AS asked (id)
            LEFT JOIN {CLOSED_UNITS.closed} c ON c.week = %(week)s AND c.path @> ARRAY[asked.id]
            WHERE EXISTS (
                SELECT FROM {CLOSED_UNITS.corrected} k WHERE k.week = %(week)s AND k.path @> ARRAY[asked.id]
            ) GROUP BY asked.id
            UNION ALL
            SELECT 'position', k.position_id, {", ".join(of_position)}
            FROM (
                SELECT DISTINCT position_id FROM {CLOSED_POSITIONS.corrected}
                WHERE week = %(week)s AND position_id = ANY (%(positions)s::bigint[])
            ) AS k LEFT JOIN {CLOSED_POSITIONS.closed} c ON c.position_id = k.position_id AND c.week = %(week)s""",
            {"week": week, "units": list(units), "positions": list(positions)},
        )
        return {(row[0], row[1]): Figures(**dict(zip(names, row[2:], strict=True))) for row in cursor.fetchall()}


def outcome_of(correction: Correction, *, scope: int | None, limit: int | None = 50, offset: int = 0) -> Outcome:
    """Return what a correction changed in a scope (None = all), those worth most first; four queries."""
    params: dict[str, Any] = {
        "correction": correction.pk, "week": correction.week, "scope": scope, "root": correction.unit_id,
        "limit": limit, "offset": offset,
    }  # fmt: skip
    names = [f"{side}_{name}" for side in ("was", "now") for name in SUMMED]
    units = f"""
        SELECT k.org_unit_id AS id, k.path,
               {", ".join(f"COALESCE(b.{name}, 0) AS was_{name}, k.{name} AS now_{name}" for name in SUMMED)}
        FROM {CLOSED_UNITS.corrected} k LEFT JOIN LATERAL {CLOSED_UNITS.before("k")} AS b ON TRUE
        WHERE k.correction_id = %(correction)s AND {inside("k.path")}"""

    def derived(row: str) -> dict[str, str]:
        need, given = f"COALESCE({row}.required, 0)", f"COALESCE({row}.assigned, 0)"
        return {
            "required": need, "assigned": given, "unqualified": f"COALESCE({row}.unqualified, 0)",
            "filled": f"LEAST({need}, {given})", "deficit": f"GREATEST({need} - {given}, 0)",
            "surplus": f"GREATEST({given} - {need}, 0)",
        }  # fmt: skip

    was, now = derived("b"), derived("k")
    positions = f"""
        SELECT k.position_id AS id, k.path,
               {", ".join(f"{was[name]} AS was_{name}, {now[name]} AS now_{name}" for name in SUMMED)}
        FROM {CLOSED_POSITIONS.corrected} k LEFT JOIN LATERAL {CLOSED_POSITIONS.before("k")} AS b ON TRUE
        WHERE k.correction_id = %(correction)s AND {inside("k.path")}"""
    worst = (
        "abs(now_deficit - was_deficit) DESC, abs(now_assigned - was_assigned) + abs(now_required - was_required) DESC"
    )

    with connection.cursor() as cursor:

        def rows(sql: str) -> list[Any]:
            cursor.execute(sql, params)
            return cursor.fetchall()

        [whole] = rows(
            f"""SELECT {", ".join(f"COALESCE(sum(f.{name}), 0)::bigint" for name in SUMMED)}
            FROM {CLOSED_UNITS.in_force} AS f WHERE f.week = %(week)s AND {inside("f.path")}"""
        )
        unit_rows = rows(
            f"""SELECT l.id, COALESCE(u.code, ''), COALESCE(u.name, ''), '', {", ".join(names)}, count(*) OVER (),
                {", ".join(f"sum(now_{name} - was_{name}) OVER ()::bigint" for name in SUMMED)}
            FROM ({units}) AS l LEFT JOIN org_orgunit u ON u.id = l.id ORDER BY {worst}, u.code LIMIT %(limit)s"""
        )
        position_rows = rows(
            f"""SELECT l.id, COALESCE(p.code, ''), COALESCE(p.title, ''), COALESCE(u.name, ''), {", ".join(names)},
                count(*) OVER ()
            FROM ({positions}) AS l LEFT JOIN org_position p ON p.id = l.id
            LEFT JOIN org_orgunit u ON u.id = l.path[cardinality(l.path)]
            ORDER BY {worst}, p.code, l.id LIMIT %(limit)s OFFSET %(offset)s"""
        )
        account_rows = rows(
            f"""SELECT k.employee_id, COALESCE(e.employee_number, ''),
                COALESCE(e.family_name || ', ' || e.given_name, ''),
                COALESCE(b.pool, 0), k.pool, COALESCE(b.assigned, 0), k.assigned, count(*) OVER ()
            FROM {CLOSED_ACCOUNTS.corrected} k LEFT JOIN LATERAL {CLOSED_ACCOUNTS.before("k")} AS b ON TRUE
            LEFT JOIN org_employee e ON e.id = k.employee_id LEFT JOIN org_orgunit h ON h.id = e.home_unit_id
            WHERE k.correction_id = %(correction)s AND (%(scope)s::bigint IS NULL OR h.path @> ARRAY[%(scope)s::bigint])
            ORDER BY abs(k.pool - COALESCE(b.pool, 0)) + abs(k.assigned - COALESCE(b.assigned, 0)) DESC, k.employee_id
            LIMIT %(limit)s"""
        )
    after = Figures(**dict(zip(SUMMED, whole, strict=True)))
    moved = unit_rows[0][-len(SUMMED) :] if unit_rows else (0,) * len(SUMMED)
    before = Figures(**{name: getattr(after, name) - change for name, change in zip(SUMMED, moved, strict=True)})
    return Outcome(
        before,
        after,
        position_rows[0][-1] if position_rows else 0,
        unit_rows[0][4 + len(names)] if unit_rows else 0,
        account_rows[0][-1] if account_rows else 0,
        [_changed(row) for row in position_rows],
        [_changed(row) for row in unit_rows],
        [Account(*row[:-1]) for row in account_rows],
    )


def fingerprint(correction: Correction) -> str:
    """Return what names exactly the figures a correction wrote."""
    positions = ", ".join(FIGURES)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT md5(string_agg(line, ';' ORDER BY line)) FROM (
                SELECT 'p' || concat_ws(',', position_id, {positions}) AS line FROM {CLOSED_POSITIONS.corrected}
                WHERE correction_id = %(correction)s
                UNION ALL
                SELECT 'e' || concat_ws(',', employee_id, pool, assigned) FROM {CLOSED_ACCOUNTS.corrected}
                WHERE correction_id = %(correction)s
            ) AS lines""",
            {"correction": correction.pk},
        )
        return str(cursor.fetchone()[0])


def _changed(row: Sequence[Any]) -> Changed:
    size = len(SUMMED)
    was, now = (dict(zip(SUMMED, row[4 + side * size : 4 + (side + 1) * size], strict=True)) for side in (0, 1))
    pk, code, name, unit = row[:4]
    return Changed(pk, code, name, unit, Figures(**was), Figures(**now))
