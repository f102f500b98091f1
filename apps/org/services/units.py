"""What can be done to units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apps.common.acting import acting
from apps.common.saving import in_words, refuse_outside, save_rows, within_scope

from ..models import OrgUnit, UnitScope

if TYPE_CHECKING:
    from apps.users.models import User


def save_units(*, units: Sequence[OrgUnit], actor: User | None, reason: str = "") -> list[OrgUnit]:
    """Create or change units; a move that would make a cycle is refused. Parents must be saved before children."""
    with acting(actor, reason), within_scope(OrgUnit, units, actor):
        save_rows(OrgUnit, units)
    return list(units)


def create_unit(*, actor: User | None, **fields: Any) -> OrgUnit:
    """Create one unit."""
    return save_units(units=[OrgUnit(**fields)], actor=actor)[0]


def move_unit(*, unit: OrgUnit, parent: OrgUnit | None, actor: User | None, reason: str = "") -> OrgUnit:
    """Hang a unit and all below it under another parent."""
    unit.parent = parent
    return save_units(units=[unit], actor=actor, reason=reason)[0]


def remove_unit(*, unit: OrgUnit, actor: User | None, reason: str = "") -> None:
    """Delete a unit that nothing hangs on."""
    with acting(actor, reason), in_words():
        refuse_outside(OrgUnit, [unit], actor)
        unit.delete()


def limit_sight(*, user: User, unit: OrgUnit | None, actor: User | None) -> None:
    """Give a user the subtree they work in; None = the whole tree."""
    with acting(actor):
        if unit is None:
            UnitScope.objects.filter(user=user).delete()
        else:
            UnitScope.objects.update_or_create(user=user, defaults={"org_unit": unit})
