"""What triggers of statements may not do."""

from __future__ import annotations

import re

import pgtrigger

from apps.common.triggers import StatementTrigger, changed_rows

BOTH_SIDES = re.compile(
    r"\b(?:old|new)_rows\b(?:\s+(?:AS\s+)?\w+)?\s+(?:\w+\s+)?JOIN\s+(?:old|new)_rows\b", re.IGNORECASE
)


def test_no_trigger_joins_what_was_with_what_is() -> None:
    """Its plan is made for the few rows of its first call: a nested loop, which takes minutes for a sheet's rows."""
    functions = {
        f"{model._meta.label}.{trigger.name}": trigger.get_func(model)
        for model, trigger in pgtrigger.registered()
        if isinstance(trigger, StatementTrigger)
    }
    assert len(functions) > 50
    assert not [name for name, text in functions.items() if BOTH_SIDES.search(text)]


def test_a_join_of_both_sides_would_be_found() -> None:
    assert BOTH_SIDES.search("FROM old_rows o JOIN new_rows n ON n.id = o.id")
    assert BOTH_SIDES.search("FROM new_rows n LEFT JOIN old_rows AS o ON n.id = o.id")
    assert not BOTH_SIDES.search(changed_rows(["id", "name"], new=True))
