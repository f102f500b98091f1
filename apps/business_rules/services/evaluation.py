"""evaluate_rules(): the one question other apps ask of the rules."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.db import connection

from apps.common import prepared
from apps.common.clock import today

from ..models import BusinessRule
from ..questions import Question
from ..registry import Rule
from ..sql import COLUMNS, Setting, all_found, settings_in_effect
from ..subjects import kind_named
from ..verdicts import Finding


def evaluate_rules(
    *,
    subjects: Mapping[str, Iterable[int]] | None = None,
    rules: Iterable[str] | None = None,
    on: date | None = None,
    as_accepted: Iterable[int] = (),
    at_gate: bool = False,
) -> list[Finding]:
    """Return who breaks which rule, the easiest to fix first; nothing is written.

    `subjects` maps a kind (employee, assignment, position, unit) to ids, None asks about everyone; `rules` are
    codes. The catalogue is read now, so an edit acts at once. `as_accepted` are proposals counted as if they were
    accepted; `at_gate` looks ahead to the day an assignment begins where the sweep looks at `on` (today), and leaves
    out the rules the gate does not ask. One query for the catalogue and one for all rules together, however many
    subjects.
    """
    question = Question(
        on=on or today(),
        ids=None if subjects is None else {kind: sorted(set(ids)) for kind, ids in subjects.items()},
        as_accepted=tuple(as_accepted),
        at_gate=at_gate,
    )
    return ask(settings_in_effect(question.on, rules), question)


def ask(settings: Iterable[Setting], question: Question) -> list[Finding]:
    """Put the question to these rules in one statement."""
    settings = list(settings)
    sql, params = all_found(settings, question)
    if not sql:
        return []
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in _fetched(sql, params, question)]
    rules = {setting.rule.code: setting.rule for setting in settings}
    findings = [_finding(rules[row["rule"]], row) for row in rows]
    return sorted(findings, key=_easiest_first)


def _fetched(sql: str, params: dict[str, Any], question: Question) -> list[Any]:
    if question.ids is not None:
        return prepared.fetch(sql, params)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _finding(rule: Rule, row: dict[str, Any]) -> Finding:
    # Django hands jsonb over as text.
    return Finding(definition=rule, **row | {"facts": json.loads(row["facts"])})


def _easiest_first(finding: Finding) -> tuple[int, str, str, int]:
    fixable = finding.definition.fixable if finding.definition else 99
    return fixable, finding.rule, finding.subject_code, finding.subject_id


def setting_for(rule: BusinessRule, subject_kind: str, subject_id: int) -> tuple[str, str]:
    """Return (code, severity) of a subject under a rule: the severity its unit gives it; OFF counts as the rule's."""
    rows = kind_named(subject_kind).rows
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
                SELECT r.code, (
                    SELECT o.severity FROM business_rules_ruleoverride o
                    WHERE o.rule_id = %(rule)s AND o.org_unit_id = ANY (u.path) AND o.severity NOT IN ('', 'OFF')
                    ORDER BY array_position(u.path, o.org_unit_id) DESC LIMIT 1
                )
                FROM ({rows}) r JOIN org_orgunit u ON u.id = r.unit_id WHERE r.id = %(id)s
            """,
            {"rule": rule.pk, "id": subject_id, "today": today()},
        )
        code, severity = cursor.fetchone()
    return code, severity or rule.severity
