"""The rules there is code for. Each app defines the ones about its nouns in rules.py, once for every use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from .questions import Question
from .verdicts import Verdict

_RULES: dict[str, Rule] = {}


@dataclass(frozen=True)
class Rival:
    """A setting of units (a column of OrgUnit) that competes with the threshold of a rule.

    "lowest": the lowest of the threshold and those along the chain counts, "nearest": the nearest one up the chain, the
    threshold only where there is none.
    """

    field: str
    counts: Literal["lowest", "nearest"]

    def holds(self, threshold: Decimal | None, chain: Sequence[Decimal | None]) -> Decimal | None:
        """Return the limit that holds below a chain of units, the root first."""
        known = [value for value in chain if value is not None]
        if self.counts == "nearest":
            return known[-1] if known else threshold
        return min([*known, *([] if threshold is None else [threshold])], default=None)


@dataclass(frozen=True)
class Rule:
    """One rule: what it judges, the SQL that finds who breaks it, and how it speaks.

    `violations` is SQL (or a function of the question that returns it with parameters of its own) of rows
    (subject_id, observed, "limit", facts) over the relation `subject`, which holds a few rows of the subjects' table or
    all of them, each with all its columns and `threshold`, that of its unit; so the gate, the sweep and the preview run
    the same text.
    Parameters: threshold_least and threshold_most (of any unit), today, as_accepted (ids of assignments to be counted
    as if accepted), at_gate (whether a change is being judged rather than today). facts is JSON and depends on the day
    only where the violation does, or the sweep would rewrite it nightly; facts.records lists the records behind the
    verdict as {kind, id, code}. `worse` says in which direction the observed value gets worse; None observed is worse
    than any number. `sentence` and `remedy` tell a verdict, and what would make it pass, in the active language. Lower
    `fixable` = easier for the person to fix. `gated` is false for a rule about capacity that lacks or lies idle:
    committing capacity cannot break it, and taking capacity away is never refused or asked about, so the gate leaves
    it out. `is_own`: staff wrote it.
    `strictest` is a threshold under which everybody who has a number is told with it: so a pass can be told with its
    number. A threshold outside `sensible` (lowest, highest) can hardly be meant. `rival` as there.
    """

    code: str
    kind: str
    name: Any
    description: Any
    violations: str | Callable[[Question], tuple[str, dict[str, Any]]]
    sentence: Callable[[Verdict], str]
    remedy: Callable[[Verdict], str]
    worse: Literal["higher", "lower"] = "higher"
    fixable: int = 50
    gated: bool = True
    is_own: bool = False
    strictest: Decimal | None = None
    sensible: tuple[Decimal | None, Decimal | None] = (None, None)
    rival: Rival | None = None

    def sql(self, question: Question) -> tuple[str, dict[str, Any]]:
        """Return the SQL of the violations and the parameters of its own."""
        return (self.violations, {}) if isinstance(self.violations, str) else self.violations(question)

    def is_worse(self, after: Decimal | None, before: Decimal | None) -> bool:
        """Say whether an observed value is worse than it was."""
        if after is None or before is None:
            return after is None and before is not None
        return after > before if self.worse == "higher" else after < before


def register_rule(rule: Rule) -> Rule:
    """Make a rule known to the engine; the catalogue decides whether and how it is applied."""
    _RULES[rule.code] = rule
    return rule


def defined_rules() -> list[Rule]:
    return list(_RULES.values())


def rule_with_code(code: str) -> Rule | None:
    """Return the definition; None for a catalogue entry no code stands behind, which is never evaluated."""
    return _RULES.get(code)
