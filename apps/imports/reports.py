"""What an import did or would do, told to people and to programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.business_rules.verdicts import Finding
from apps.common.staging import EFFECTIVE, StagedSheet

from .applying import Outcome
from .cleaning import Cells
from .differences import Change
from .problems import MOST_TOLD, Error, Noted, error_of, raw_cells, sentence_of, value_of

SHOWN_CHANGES = 500
# The kind of an import whose sheets are of several.
SEVERAL = "several"


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
    refused_rows: bytes | None = None
    rows: int = 0
    # Something is wrong with the file itself or its header: none of its rows comes in, in whatever mode.
    is_unreadable: bool = False
    # Of an import of several sheets: the turn of this one, and on the report of all those of each.
    part: int = 0
    parts: list[Report] = field(default_factory=list)

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


def report_on(
    cells: Cells, sheet: StagedSheet | None, outcome: Outcome | None, *, shown: list[Change], whole: bool, dry_run: bool
) -> Report:
    """Return the report of a sheet that was written (or tried, and is taken back). `shown` are the first changes."""
    outcome = outcome or Outcome()
    if sheet is None:
        return Report(
            kind=cells.resource.sheet, dry_run=dry_run, refused=cells.rows, errors=cells.errors, is_unreadable=True
        )
    created, updated, refused = sheet.fetch(COUNTS)[0]
    nothing = whole and refused > 0
    counts = {"created": created, "updated": updated, "unchanged": cells.rows - created - updated - refused,
              "refused": refused}  # fmt: skip
    errors = _errors(cells, sheet) if refused else []
    lines = {error["line"] for error in errors}
    return Report(
        kind=sheet.resource.sheet,
        dry_run=dry_run,
        created=0 if nothing else created,
        updated=0 if nothing else updated,
        unchanged=counts["unchanged"],
        refused=refused,
        good=counts,
        errors=errors,
        changes=[change for change in shown if change["line"] not in lines][:SHOWN_CHANGES],
        warnings=[finding.as_json() for finding in outcome.warnings],
        impact=_impact(outcome),
    )


def together(reports: Sequence[Report], *, whole: bool) -> Report:
    """Return the report of all sheets of an import; of a single sheet its own.

    What it tells of a sheet (an error, a change) carries the turn of that sheet.
    """
    if len(reports) == 1 and not reports[0].part:
        return reports[0]
    nothing = whole and not all(report.ok for report in reports)
    most = max(20, SHOWN_CHANGES // len(reports))
    totals = {name: sum(report.good.get(name, 0) for report in reports) for name in ("created", "updated")}
    sums = {name: sum(getattr(report, name) for report in reports) for name in ("unchanged", "refused")}
    rules: dict[str, Counter[str]] = {"confirmed": Counter(), "noted": Counter()}
    for report in reports:
        for name, counts in report.impact.get("rules", {}).items():
            rules[name].update(counts)
    return Report(
        kind=SEVERAL,
        dry_run=reports[0].dry_run,
        created=0 if nothing else totals["created"],
        updated=0 if nothing else totals["updated"],
        **sums,
        good={**totals, **sums},
        errors=[{**error, "part": report.part} for report in reports for error in report.errors],
        changes=[{**change, "part": report.part} for report in reports for change in report.changes[:most]],
        warnings=[warning for report in reports for warning in report.warnings],
        impact={"rules": {name: dict(sorted(found.items())) for name, found in rules.items()}, "coverage": None},
        read_as={"sheets": len(reports)},
        rows=sum(report.rows for report in reports),
        is_unreadable=any(report.is_unreadable for report in reports),
        parts=list(reports),
    )


COUNTS = f"""
    SELECT count(*) FILTER (WHERE {EFFECTIVE} AND s.stored IS NULL),
        count(*) FILTER (WHERE {EFFECTIVE} AND s.stored IS NOT NULL), count(*) FILTER (WHERE s.refused)
    FROM sheet_rows s
"""


def _errors(cells: Cells, sheet: StagedSheet) -> list[Error]:
    """Return what is wrong, line by line; of each line first what could not be read."""
    rows = sheet.fetch("SELECT line, col, code, about FROM sheet_problems ORDER BY line, id LIMIT %(most)s",
                       {"most": MOST_TOLD})  # fmt: skip
    noted = [Noted(line, column, code, json.loads(about) if isinstance(about, str) else about)
             for line, column, code, about in rows]  # fmt: skip
    raw = raw_cells(cells.table, cells.headers, {one.line for one in noted})
    found = list(cells.told)
    for one in noted:
        value = value_of(one, raw.get(one.line, {}))
        if one.code == "doubt":
            doubt = cells.doubts[int(one.about)]
            found.append(error_of(one.line, one.column, value, doubt.code, doubt.message))
        else:
            error = error_of(one.line, one.column, value, one.code, sentence_of(sheet.resource, one))
            if isinstance(one.about, Mapping) and "conflict" in one.about:
                error["conflict"] = one.about["conflict"]
            found.append(error)
    return sorted(found, key=lambda error: error["line"])[:MOST_TOLD]


def _impact(outcome: Outcome) -> dict[str, Any]:
    def by_rule(findings: Sequence[Finding]) -> dict[str, int]:
        return dict(sorted(Counter(finding.rule for finding in findings).items()))

    return {
        "rules": {"confirmed": by_rule(outcome.warnings), "noted": by_rule(outcome.noted)},
        "coverage": None,
    }
