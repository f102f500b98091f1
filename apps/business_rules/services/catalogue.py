"""What administrators do with the catalogue: how severe a rule is, from which threshold on, when, and where not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.errors import Reason, Refusal
from apps.common.saving import in_words, refuse_outside, save_rows, within_scope

from ..examples import broken_examples
from ..models import BusinessRule, RuleExample, RuleOverride
from .sweeps import request_judging

if TYPE_CHECKING:
    from apps.users.models import User


def save_rules(*, rules: Sequence[BusinessRule], actor: User | None, reason: str = "") -> list[BusinessRule]:
    """Change rules; what changes acts at once at the gate, and on the violations within seconds.

    What a rule staff wrote says (condition, message, measure) changes by a draft alone, which is looked at before it
    acts. A change that a pinned case contradicts is refused.
    """
    with acting(actor, reason), within_scope(BusinessRule, rules, actor):
        _same_words(rules)
        for rule in rules:
            if not rule.is_own:
                _threshold_makes_sense(rule.threshold)
        save_rows(BusinessRule, rules)
        for rule in rules:
            if reasons := broken_examples(RuleExample.objects.filter(rule=rule), rule, actor):
                raise Refusal(reasons)
        request_judging(rules=[rule.code for rule in rules])
    return list(rules)


def save_override(*, override: RuleOverride, actor: User | None, reason: str = "") -> RuleOverride:
    """Give a unit, and all below it, its own severity (or OFF) or threshold of a rule."""
    with acting(actor, reason), within_scope(RuleOverride, [override], actor):
        if not override.severity and override.threshold is None:
            raise Refusal(
                Reason(
                    _("Say what is different there: another severity, or another threshold."),
                    code="needed",
                    field="severity",
                    fixable=1,
                )
            )
        _threshold_makes_sense(override.threshold)
        save_rows(RuleOverride, [override])
        request_judging(rules=[override.rule.code], unit=override.org_unit)
    return override


def remove_override(*, override: RuleOverride, actor: User | None, reason: str = "") -> None:
    """Let a rule hold in a unit as it does above it."""
    with acting(actor, reason), in_words():
        refuse_outside(RuleOverride, [override], actor)
        override.delete()
        request_judging(rules=[override.rule.code], unit=override.org_unit)


def _same_words(rules: Sequence[BusinessRule]) -> None:
    stored = BusinessRule.objects.in_bulk([rule.pk for rule in rules if rule.pk is not None])
    words = ("condition", "message", "measure", "language")
    for rule in rules:
        old = stored.get(rule.pk)
        if any(getattr(rule, name) != (getattr(old, name) if old else getattr(BusinessRule(), name)) for name in words):
            raise Refusal(
                Reason(
                    _("What a rule says is changed in a draft, where its effect is seen before it acts."),
                    code="needs_draft",
                    field="condition",
                    fixable=3,
                )
            )


def _threshold_makes_sense(threshold: object) -> None:
    if threshold is not None and threshold < 0:  # type: ignore[operator]
        raise Refusal(Reason(_("A threshold is 0 or more."), code="invalid", field="threshold", fixable=2))
