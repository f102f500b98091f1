"""What a deed under way does to the coverage of units: as kept from before, and as it is inside its transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection

from apps.changes.span import Span
from apps.common.hours import to_hours
from apps.org.models import OrgUnit

from .tables import UNITS
from .whole import own_figures_sql

if TYPE_CHECKING:
    from apps.users.models import User

TOLD = ("required", "filled", "deficit", "unqualified")


@dataclass(frozen=True)
class UnitEffect:
    """Hour-days of a unit's own positions, by figure: (before, after) this week, and over all weeks of the horizon."""

    code: str
    name: str
    now: dict[str, tuple[int, int]]
    ahead: dict[str, tuple[int, int]]

    def as_json(self) -> dict[str, Any]:
        """Return the hours as texts of two decimals."""
        return {
            "code": self.code,
            "name": self.name,
            "now": _hours(self.now),
            "ahead": _hours(self.ahead),
        }


@dataclass(frozen=True)
class Effects:
    """How many units change, their sum, and the most changed of those a person may see, one by one."""

    weeks: int
    changed: int
    total: UnitEffect
    units: list[UnitEffect]

    def as_json(self) -> dict[str, Any]:
        total = self.total.as_json()
        return {
            "weeks": self.weeks,
            "changed": self.changed,
            "total": {"now": total["now"], "ahead": total["ahead"]},
            "units": [unit.as_json() for unit in self.units],
        }


def unit_effects(units: Iterable[int], span: Span, *, user: User | None, most: int) -> Effects:
    """Compare the kept figures of these units' own positions with what they are in the transaction under way.

    Two statements whatever the number of units. What a user does not see is in the sum and has no name.
    """
    sql, params = own_figures_sql(span, sorted(units))
    sides = []
    for name in TOLD:
        for week in ("1", "all"):
            for side in ("o", "n"):
                column = f"{side}.{name}"
                figure = f"{column}[1]" if week == "1" else f"(SELECT sum(figure) FROM unnest({column}) AS figure)"
                sides.append(f"COALESCE({figure}, 0)::bigint")
    differ = " OR ".join(f"n.{name} IS DISTINCT FROM o.{name}" for name in TOLD)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT n.org_unit_id, {", ".join(sides)} FROM ({sql}) AS n
            LEFT JOIN {UNITS.name} o ON o.org_unit_id = n.org_unit_id AND o.first_week = %(span_first)s
            WHERE {differ}""",
            params,
        )
        rows = cursor.fetchall()
    figures = {row[0]: row[1:] for row in rows}
    place = 4 * TOLD.index("deficit")
    ranked = sorted(figures, key=lambda unit: (-_moved(figures[unit], place), -_moved(figures[unit], 0), unit))
    seen: Any = OrgUnit.objects.all() if user is None else OrgUnit.objects.visible_to(user)
    named = {
        pk: (code, name) for pk, code, name in seen.filter(pk__in=ranked[: 10 * most]).values_list("pk", "code", "name")
    }
    return Effects(
        weeks=span.weeks,
        changed=len(figures),
        total=_effect("", "", [sum(column) for column in zip(*figures.values(), strict=True)] or [0] * 4 * len(TOLD)),
        units=[_effect(*named[unit], figures[unit]) for unit in ranked if unit in named][:most],
    )


def _moved(row: Any, place: int) -> int:
    return abs(row[place + 3] - row[place + 2])


def _effect(code: str, name: str, row: Any) -> UnitEffect:
    now, ahead = {}, {}
    for number, figure in enumerate(TOLD):
        first = 4 * number
        now[figure] = (row[first], row[first + 1])
        ahead[figure] = (row[first + 2], row[first + 3])
    return UnitEffect(code, name, now, ahead)


def _hours(figures: dict[str, tuple[int, int]]) -> dict[str, dict[str, str]]:
    return {
        f"{name}_hours": {"before": _text(to_hours(before)), "after": _text(to_hours(after))}
        for name, (before, after) in figures.items()
    }


def _text(hours: Decimal) -> str:
    return f"{hours:.2f}"
