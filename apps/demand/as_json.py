"""Coverage and candidates as programs read them: hours as texts of two decimals, percents of one."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from apps.changes.freshness import Freshness
from apps.common.clock import monday_of
from apps.common.hours import to_hours
from apps.common.weeks import week_code
from apps.org.models import Position

from .board import Board, PositionLine, UnitLine
from .candidates import Candidate, Wanted
from .coverage import STATES

HOURS = ("required", "assigned", "reinforcement", "proposed")


def board_as_json(found: Board, fresh: Freshness) -> dict[str, Any]:
    """Return the figures of a week of a part of the tree, its positions and how fresh they are."""
    return {
        "week": week_code(found.week),
        "computed_at": _instant((found.stamp and found.stamp.at) or found.closed_at or fresh.as_of),
        "closed": found.closed_at is not None,
        "corrected": found.stamp and {"by": found.stamp.by, "reason": found.stamp.reason},
        "waiting": 0 if found.closed_at else fresh.waiting,
        "units": [_unit(unit) for unit in found.units],
        "positions": [_position(position) for position in found.positions],
    }


@lru_cache(maxsize=20_000)
def _text(hour_days: int) -> str:
    """Return hour-days as the text of hours; positions of a house need few different ones."""
    return str(to_hours(hour_days))


def _hours(line: UnitLine | PositionLine, *names: str) -> dict[str, str]:
    return {f"{name}_hours": _text(getattr(line, name)) for name in names}


def _unit(unit: UnitLine) -> dict[str, Any]:
    return {
        "code": unit.code,
        "parent_code": unit.parent_code,
        **_hours(unit, *HOURS, "unqualified", "filled", "deficit", "surplus", "headroom", "headroom_filled"),
        "coverage_percent": _percent(unit.coverage_percent),
        "raw_percent": _percent(unit.raw_percent),
        "net_zero": unit.net_zero,
        "positions": {state.value: getattr(unit, name) for name, state in STATES.items()},
    }


def _position(position: PositionLine) -> dict[str, Any]:
    return {
        "code": position.code,
        "unit_code": position.unit_code,
        **_hours(position, *HOURS, "unqualified"),
        "coverage_percent": _percent(position.coverage_percent),
        "state": position.state.value,
    }


def against(one: Candidate) -> list[str]:
    """Return what speaks against somebody, sentence by sentence."""
    return [
        *(finding.message for finding in one.findings if not finding.waived),
        *(str(reason.message) for reason in one.refusal),
        *(f"{leave.kind} {leave.starts_on} – {leave.ends_on or ''}" for leave in one.away),
    ]


def candidates_as_json(position: Position, wanted: Wanted | None, found: list[Candidate]) -> dict[str, Any]:
    """Return who could cover a gap; without a gap nobody is looked for."""
    return {
        "position_code": position.code,
        "week": week_code(monday_of(wanted.first)) if wanted else None,
        "hours": str(wanted.hours) if wanted else None,
        "from": wanted.first.isoformat() if wanted else None,
        "until": wanted.ends_on.isoformat() if wanted and wanted.ends_on else None,
        "candidates": [
            {
                "employee_number": one.employee.employee_number,
                "unit_code": one.employee.home_unit.code,
                "steps": one.steps,
                "free_hours": str(to_hours(one.least_free)),
                "has_room": one.has_room,
                "contract_until": one.contract_until.isoformat() if one.contract_until else None,
                "preferred_tags": list(one.preferred),
                "lacking_tags": list(one.lacking),
                "allowed": one.allowed,
                "verdicts": [finding.as_json() for finding in one.findings],
                "against": against(one),
            }
            for one in found
        ],
    }


def _percent(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
