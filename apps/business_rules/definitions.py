"""From an entry of the catalogue to what judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .own_rules import own_rule
from .registry import Rule, rule_with_code

if TYPE_CHECKING:
    from .models.rule_content import RuleContent


def definition_of(row: RuleContent) -> Rule | None:
    """Return what stands behind a rule: code, or the condition staff wrote; None for one that is never evaluated."""
    return own_rule(row) if row.is_own else rule_with_code(row.code)
