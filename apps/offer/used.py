"""Who is used too much and who too little, by unit: what the page reads.

Units come with what is kept of them (usage.py), level by level. People come worst first, and of a million of them only
those in the units that can hold one of the first so many are looked at: somebody among the first N is at home in one of
the N units whose worst is worst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from django.db import connection
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from apps.common.hours import to_hours
from apps.org.querysets import inside

from .usage import OWN, SUMS, WHOLE, is_over, is_under


class Use(TextChoices):
    """Which people: those over the pool, those with hours left."""

    OVER = "over", _("Over the pool")
    UNDER = "under", _("With hours left")


class Order(StrEnum):
    CODE = "code"
    OVER = "over"
    UNDER = "under"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the tree in a week: under `root`, and under `scope`, to which a person's sight is limited."""

    week: date
    root: int | None = None
    scope: int | None = None

    @property
    def top(self) -> int | None:
        """Return the unit that stands at the top by itself; None where the roots of the tree do."""
        return self.root if self.root is not None else self.scope

    @property
    def params(self) -> dict[str, Any]:
        return {"week": self.week, "root": self.root, "scope": self.scope, "top": self.top}


@dataclass(frozen=True)
class Used:
    """How many people there are, over and under, and the hour-days of these (apps.common.hours)."""

    people: int = 0
    over: int = 0
    under: int = 0
    over_hour_days: int = 0
    under_hour_days: int = 0

    over_hours = property(lambda self: to_hours(self.over_hour_days))
    under_hours = property(lambda self: to_hours(self.under_hour_days))


@dataclass(frozen=True, kw_only=True)
class UnitUsed:
    """A unit with everybody below it; `path` has the ids above it and its own, `sisters` counts it and those beside."""

    id: int
    code: str
    name: str
    kind: str
    path: Sequence[int]
    has_units: bool
    sisters: int
    used: Used

    @property
    def parent(self) -> int | None:
        return self.path[-2] if len(self.path) > 1 else None


@dataclass(frozen=True, kw_only=True)
class PersonUsed:
    """Somebody with the account of the week, in hour-days; a balance below nothing is over the pool."""

    id: int
    number: str
    name: str
    status: str
    unit_code: str
    unit_name: str
    pool: int
    assigned: int

    @property
    def balance(self) -> int:
        return self.pool - self.assigned

    pool_hours = property(lambda self: to_hours(self.pool))
    assigned_hours = property(lambda self: to_hours(self.assigned))
    balance_hours = property(lambda self: to_hours(self.balance))


def sole_root() -> int | None:
    """Return the unit that holds all others; None where several stand side by side, or there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM org_orgunit WHERE parent_id IS NULL LIMIT 2")
        roots = cursor.fetchall()
    return roots[0][0] if len(roots) == 1 else None


ELEMENT = "(%(week)s::date - c.first_week) / 7 + 1"
FIGURES = ", ".join(f"COALESCE(c.{name}[{ELEMENT}], 0)" for name in SUMS)
ORDERS = {
    Order.CODE: "",
    Order.OVER: f"COALESCE(c.over_hours[{ELEMENT}], 0) DESC,",
    Order.UNDER: f"COALESCE(c.under_hours[{ELEMENT}], 0) DESC,",
}
TOTAL = f"""
    SELECT {", ".join(f"COALESCE(sum(c.{name}[{ELEMENT}]), 0)::bigint" for name in SUMS)}
    FROM org_orgunit u JOIN {WHOLE.name} c ON c.org_unit_id = u.id
    WHERE {inside("u.path")} AND CASE WHEN %(top)s::bigint IS NULL THEN u.parent_id IS NULL ELSE u.id = %(top)s END"""


def total_used(part: Part) -> Used:
    """Return the figures of everybody in a part of the tree."""
    with connection.cursor() as cursor:
        cursor.execute(TOTAL, part.params)
        return Used(*cursor.fetchone())


def units_used(
    part: Part, *, opened: Sequence[int], order: Order, per_level: int | None, page: int = 1
) -> list[UnitUsed]:
    """Return what lies right below the top and the `opened` units, `per_level` (None: all) of each, in order.

    Without a unit at the top it is the roots. The top's own level is turned over by `page`.
    """
    at_top = "u.parent_id IS NULL" if part.top is None else "u.parent_id = %(top)s"
    skipped = f"CASE WHEN {at_top.replace('u.', 'p.')} THEN %(skipped)s ELSE 0 END"
    sql = f"""
        WITH p AS (
            SELECT u.id, u.code, u.name, u.kind, u.path, u.parent_id,
                row_number() OVER (PARTITION BY u.parent_id ORDER BY {ORDERS[order]} u.code) AS place,
                count(*) OVER (PARTITION BY u.parent_id) AS sisters, {
        ", ".join(f"COALESCE(c.{name}[{ELEMENT}], 0) AS {name}" for name in SUMS)
    }
            FROM org_orgunit u LEFT JOIN {WHOLE.name} c ON c.org_unit_id = u.id
            WHERE {inside("u.path")} AND ({at_top} OR u.parent_id = ANY (%(opened)s::bigint[]))
        )
        SELECT p.id, p.code, p.name, p.kind, p.path,
            EXISTS (SELECT FROM org_orgunit below WHERE below.parent_id = p.id), p.sisters, {", ".join(SUMS)}
        FROM p WHERE %(per_level)s::int IS NULL OR (p.place > {skipped} AND p.place <= {skipped} + %(per_level)s)
        ORDER BY p.place"""
    params = part.params | {
        "opened": list(opened), "per_level": per_level, "skipped": (page - 1) * (per_level or 0),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [
            UnitUsed(
                id=pk, code=code, name=name, kind=kind, path=path, has_units=has_units, sisters=sisters,
                used=Used(*figures),
            )
            for pk, code, name, kind, path, has_units, sisters, *figures in cursor.fetchall()
        ]  # fmt: skip


BALANCE = f"c.pool[{ELEMENT}] - c.assigned[{ELEMENT}]"


def people_used(part: Part, use: Use, *, limit: int, offset: int = 0) -> list[PersonUsed]:
    """Return people of a part of the tree who are used too much, or too little: the worst first, then by unit."""
    most, meets, order = (
        ("most_over", is_over("balance"), "balance")
        if use == Use.OVER
        else ("most_under", is_under("balance"), "balance DESC")
    )
    sql = f"""
        WITH homes AS MATERIALIZED (
            -- Ties go by the unit here and below, so that no more units than people asked for can hold them.
            SELECT u.id, u.code, u.name FROM {OWN.name} c JOIN org_orgunit u ON u.id = c.org_unit_id
            WHERE c.{most}[{ELEMENT}] > 0 AND {inside("u.path")}
            ORDER BY c.{most}[{ELEMENT}] DESC, u.code LIMIT %(looked_at)s
        ),
        accounts AS (
            SELECT e.id, e.employee_number, e.family_name || ', ' || e.given_name AS name, e.status,
                homes.code, homes.name AS unit_name, c.pool[{ELEMENT}] AS pool, c.assigned[{ELEMENT}] AS assigned,
                {BALANCE} AS balance
            FROM homes JOIN org_employee e ON e.home_unit_id = homes.id
                JOIN offer_ledgerweek c ON c.employee_id = e.id
        )
        SELECT id, employee_number, name, status, code, unit_name, pool, assigned FROM accounts WHERE {meets}
        ORDER BY {order}, code, employee_number LIMIT %(limit)s OFFSET %(offset)s"""
    params = part.params | {"limit": limit, "offset": offset, "looked_at": limit + offset}
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [
            PersonUsed(
                id=pk, number=number, name=name, status=status, unit_code=code, unit_name=unit, pool=pool,
                assigned=assigned,
            )
            for pk, number, name, status, code, unit, pool, assigned in cursor.fetchall()
        ]  # fmt: skip
