"""What can be done to positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apps.common.acting import acting
from apps.common.saving import save_rows, within_scope

from ..models import Position

if TYPE_CHECKING:
    from apps.users.models import User


def save_positions(*, positions: Sequence[Position], actor: User | None, reason: str = "") -> list[Position]:
    """Create or change positions in the actor's scope."""
    with acting(actor, reason), within_scope(Position, positions, actor):
        save_rows(Position, positions)
    return list(positions)


def create_position(*, actor: User | None, **fields: Any) -> Position:
    """Create one position."""
    return save_positions(positions=[Position(**fields)], actor=actor)[0]
