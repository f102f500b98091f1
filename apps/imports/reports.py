"""What an import did or would do, told to people and to programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.business_rules.verdicts import Finding
from apps.common.cells import MASK, as_shown
from apps.common.resources import Row

from .applying import Outcome
from .plan import Plan

SHOWN_CHANGES = 500


@dataclass
class Report:
    """The counts, the refused rows, the difference per cell, and what the rules found.

    In all-or-nothing mode one refused row makes created and updated 0: nothing was (or would be) written. `good`
    tells what the others would have done.
    """

    kind: str
    dry_run: bool
    job: int | None = None
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    good: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    impact: dict[str, Any] = field(default_factory=dict)
    read_as: dict[str, Any] = field(default_factory=dict)
    touched: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.refused and not self.errors

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `import_sheet --json`; more keys may be added, none renamed."""
        return {
            "job": self.job,
            "dry_run": self.dry_run,
            "kind": self.kind,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "refused": self.refused,
            "good": self.good,
            "errors": self.errors,
            "warnings": self.warnings,
            "changes": self.changes,
            "impact": self.impact,
            "read_as": self.read_as,
        }


def report_on(plan: Plan, outcome: Outcome | None, *, whole: bool, dry_run: bool) -> Report:
    """Return the report of a plan that was applied (or tried and taken back)."""
    counts = {name: plan.count(name) for name in ("created", "updated", "unchanged", "refused")}
    if plan.errors:
        counts = {"created": 0, "updated": 0, "unchanged": 0, "refused": plan.total}
    nothing = whole and bool(plan.refusals)
    good = dict(counts)
    outcome = outcome or Outcome()
    return Report(
        kind=plan.resource.sheet,
        dry_run=dry_run,
        created=0 if nothing else counts["created"],
        updated=0 if nothing else counts["updated"],
        unchanged=counts["unchanged"],
        refused=counts["refused"],
        good=good,
        errors=plan.refusals,
        changes=_changes(plan),
        warnings=[finding.as_json() for finding in outcome.warnings],
        impact=_impact(outcome),
        touched={} if nothing or dry_run else _touched(plan),
    )


def _changes(plan: Plan) -> list[dict[str, Any]]:
    return [
        {"line": row.line, "key": "/".join(as_shown(part) for part in row.key), "outcome": row.outcome,
         "cells": _cells(plan, row), "transition": row.move.name if row.move is not None else ""}
        for row in plan.effective[:SHOWN_CHANGES]
    ]  # fmt: skip


def _cells(plan: Plan, row: Row) -> dict[str, list[str]]:
    columns = plan.resource.columns()
    found = {}
    for name, (before, after) in row.changes.items():
        column = columns[name]
        old = "" if row.is_new else column.widget.render(before)
        new = column.widget.render(after)
        if row.is_new and not new:
            continue
        # What a job keeps is read by whoever may see jobs: values of a person's documents stay out of it.
        found[name] = [MASK if old else "", MASK if new else ""] if column.sensitive else [old, new]
    for name, value in row.inputs.items():
        if name in columns:
            found[name] = [columns[name].widget.render(columns[name].read(row.instance)),
                           columns[name].widget.render(value)]  # fmt: skip
    return found


def _impact(outcome: Outcome) -> dict[str, Any]:
    def by_rule(findings: Sequence[Finding]) -> dict[str, int]:
        return dict(sorted(Counter(finding.rule for finding in findings).items()))

    return {
        "rules": {"confirmed": by_rule(outcome.warnings), "noted": by_rule(outcome.noted)},
        "coverage": None,
    }


def _touched(plan: Plan) -> dict[str, Any]:
    label = plan.resource.model()._meta.label_lower
    rows = plan.effective
    return {
        "model": label,
        "created": [row.instance.pk for row in rows if row.is_new],
        "updated": [row.instance.pk for row in rows if not row.is_new],
        "moved": {str(row.instance.pk): row.move.name for row in rows if row.move is not None},
    }
