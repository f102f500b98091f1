"""What a sheet does to coverage and to the rules, before → after: asked while it is written, kept or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apps.business_rules.services.consequences import consequences_since
from apps.business_rules.services.what_if import large_steps
from apps.changes.span import Span
from apps.demand.effects import unit_effects

if TYPE_CHECKING:
    from apps.users.models import User

UNITS_TOLD = 20


def impact_since(mark: int, user: User | None) -> dict[str, Any]:
    """Return {coverage, rules} of everything written since a mark, as reports carry it."""
    found = consequences_since(mark)
    with large_steps():
        coverage = unit_effects(found.units, Span.current(), user=user, most=UNITS_TOLD)
    return {
        "rules": {"opened": found.opened, "closed": found.closed, "asked": found.asked,
                  "unjudged": list(found.unjudged)},
        "coverage": coverage.as_json(),
    }  # fmt: skip
