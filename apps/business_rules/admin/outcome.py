"""What a simulation answered, as the page of a draft shows it: figures with bars, units, examples, pinned cases."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from apps.common.badges import badge
from apps.org.models import OrgUnit

from ..definitions import definition_of
from ..enums import Expectation, SubjectKind
from ..own_rules import told_values
from ..simulation import CHANGES, CLOSES, OPENS, SUBJECTS_TOLD, UNITS_TOLD
from ..verdicts import Verdict
from .words import facts_of, measured, page_of, severity_badge, subject_link

if TYPE_CHECKING:
    from ..models import RuleDraft, RuleExample
    from ..models.rule_content import RuleContent

TONES = {OPENS: "red", CLOSES: "green", CHANGES: "yellow"}


def told_outcome(draft: RuleDraft) -> dict[str, Any]:
    """Return what the page shows of the stored answer; empty before the first simulation. Asks the database nothing."""
    outcome = draft.outcome
    if not outcome:
        return {}
    moves = [(OPENS, _("would open")), (CLOSES, _("would close")), (CHANGES, _("would change"))]
    return {
        "on": date.fromisoformat(outcome["on"]),
        "figures": _figures(outcome, moves),
        "standing": outcome["standing"],
        "proposed": outcome["proposed"],
        "moved": sum(outcome[what] for what, _title in moves),
        "units": _units(outcome),
        "units_cut": len(outcome["by_unit"]) >= UNITS_TOLD and UNITS_TOLD,
        "examples": [
            group
            for what, title in moves
            if (group := _group(draft, outcome, what, title)) is not None
        ],
    }  # fmt: skip


def _figures(outcome: dict[str, Any], moves: list[tuple[str, str]]) -> list[dict[str, Any]]:
    rows = [
        ("standing", _("violations now"), "grey"),
        ("proposed", _("violations then"), "petrol"),
        *((what, title, TONES[what]) for what, title in moves),
    ]
    most = max((outcome[name] for name, _title, _tone in rows), default=0) or 1
    return [
        {"name": name, "title": title, "tone": tone, "value": outcome[name], "percent": 100 * outcome[name] / most}
        for name, title, tone in rows
    ]


def _units(outcome: dict[str, Any]) -> list[dict[str, Any]]:
    units = outcome["by_unit"]
    most = max((unit["moved"] for unit in units), default=0) or 1
    return [
        {**unit, "link": page_of(OrgUnit, unit["id"]), "percent": 100 * unit["moved"] / most}
        for unit in sorted(units, key=lambda unit: (-unit["opens"], -unit["moved"], unit["code"]))
    ]


def _group(draft: RuleDraft, outcome: dict[str, Any], what: str, title: str) -> dict[str, Any] | None:
    examples = [example for example in outcome["examples"] if example["what"] == what]
    if not examples:
        return None
    # What closes is told as it stands: the draft may speak of words that were never looked at there.
    content: RuleContent = draft.rule if what == CLOSES and draft.rule is not None else draft
    return {
        "title": title,
        "tone": TONES[what],
        "count": outcome[what],
        "cut": outcome[what] > len(examples) and SUBJECTS_TOLD,
        "rows": [_example(content, example) for example in examples],
    }


def _example(content: RuleContent, example: dict[str, Any]) -> dict[str, Any]:
    verdict = Verdict(
        rule=content.code,
        who=example["who"] or example["subject_code"],
        observed=_figure(example["observed"]),
        limit=_figure(example["limit"]),
        facts=example["facts"] or {},
        definition=definition_of(content),
    )
    before, now = example["severity_before"], example["severity"]
    return {
        "code": example["subject_code"],
        "link": subject_link(content.subject_kind, example["subject_id"]),
        "sentence": verdict.message,
        "severity": severity_badge(now),
        "severity_before": severity_badge(before) if before and before != now else "",
        "observed": measured(verdict.observed),
        "limit": measured(verdict.limit),
        "values": _values(content, verdict),
        "waived": example["waived"],
    }


def _values(content: RuleContent, verdict: Verdict) -> list[tuple[str, str]]:
    if content.is_own:
        return told_values(verdict, content.subject_kind)
    return facts_of(replace(verdict, facts={k: v for k, v in verdict.facts.items() if k != "values"}))


def _figure(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def told_cases(examples: list[RuleExample], outcome: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pinned cases with what became of each at the last simulation."""
    tried = {case["example"]: case for case in outcome.get("cases", ())}
    return [
        {
            "example": example,
            "expects": Expectation(example.expects).label,
            "case": tried.get(example.pk),
            "became": _became(tried.get(example.pk)),
        }
        for example in examples
    ]


def _became(case: dict[str, Any] | None) -> Any:
    if case is None:
        return badge(_("not tried yet"), "grey", "schedule")
    if case["holds"]:
        return badge(_("holds"), "green")
    if not case["got"]:
        return badge(_("cannot be tried"), "red", "help")
    return badge(_("would be blocked") if case["got"] == Expectation.BLOCKED else _("would be allowed"), "red", "close")


def kind_label(kind: str) -> Any:
    return SubjectKind(kind).label
