"""Who may bring in or take out which kind of sheet: the permission table's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apps.common.resources import SheetResource, resources
from apps.users.enums import Role
from apps.users.permissions import rights_of

if TYPE_CHECKING:
    from apps.users.models import User


def may(user: User | None, verb: str, resource: type[SheetResource]) -> bool:
    """Say whether the user may "import" or "export" this kind; the system (None) may."""
    if user is None:
        return True
    label, deed = resource.permission(verb)
    return bool(user.is_active and deed in rights_of(Role(user.role)).get(label, ()))


def kinds_for(user: User | None, verb: str) -> dict[str, type[SheetResource]]:
    """Return the kinds of sheet the user may import or export, in the order of a whole clinic."""
    return {kind: resource for kind, resource in in_order().items() if may(user, verb, resource)}


def in_order() -> dict[str, type[SheetResource]]:
    """Return all kinds so that whatever a sheet refers to comes before it."""
    order = ("org_units", "tags", "positions", "employees", "employee_tags", "leaves", "assignments",
             "demand_adjustments")  # fmt: skip
    known = resources()
    return {kind: known[kind] for kind in order} | {kind: known[kind] for kind in known if kind not in order}


def may_take_out(user: User | None, model: Any) -> bool:
    """Say whether the user may take out the list of a model, be it a kind of sheet or not."""
    return bool(
        user is not None and user.is_active and "export" in rights_of(Role(user.role)).get(model._meta.label_lower, ())
    )
