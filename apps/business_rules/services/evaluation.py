"""evaluate_rules(): the one question other apps ask of the rules."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.conf import settings as configured
from django.db import DatabaseError, connection

from apps.common import prepared
from apps.common.clock import today

from ..language.bounds import lies_in_the_statement, limited
from ..models import BusinessRule
from ..questions import Question
from ..registry import Rule
from ..sql import COLUMNS, Setting, all_found, settings_in_effect
from ..subjects import kind_named
from ..unjudged import Unjudged, note
from ..verdicts import Finding

# What tells one violation from another, and all columns by names no statement stumbles over.
KEY = ("rule", "subject_kind", "subject_id")
NAMES = [f'"{name}"' for name in COLUMNS]


def evaluate_rules(
    *,
    subjects: Mapping[str, Iterable[int]] | None = None,
    rules: Iterable[str] | None = None,
    on: date | None = None,
    as_accepted: Iterable[int] = (),
    at_gate: bool = False,
    unjudged: Unjudged | None = None,
) -> list[Finding]:
    """Return who breaks which rule, the easiest to fix first; nothing is written.

    `subjects` maps a kind (employee, assignment, position, unit) to ids, None asks about everyone; `rules` are
    codes. The catalogue is read now, so an edit acts at once. `as_accepted` are proposals counted as if they were
    accepted; `at_gate` looks ahead to the day an assignment begins where the sweep looks at `on` (today), and leaves
    out the rules the gate does not ask. One query for the catalogue, one for all rules that come with the product and
    one for all that staff wrote, however many subjects. Of those, one that cannot be judged is logged and named in
    `unjudged`.
    """
    question = Question(
        on=on or today(),
        ids=None if subjects is None else {kind: sorted(set(ids)) for kind, ids in subjects.items()},
        as_accepted=tuple(as_accepted),
        at_gate=at_gate,
    )
    return ask(settings_in_effect(question.on, rules), question, unjudged)


def ask(settings: Iterable[Setting], question: Question, unjudged: Unjudged | None = None) -> list[Finding]:
    """Put the question to these rules in one statement; to those staff wrote in one of their own.

    One of theirs that cannot be read, fails or takes longer than COVERIS_GATE_RULE_SECONDS finds nobody: it is logged
    and noted in `unjudged`, which also names those not to be asked at all. A rule of the product that fails raises.
    """
    failed = {} if unjudged is None else unjudged
    settings = [setting for setting in settings if setting.rule.code not in failed]
    rows = _rows(settings, question, failed)
    rules = {setting.rule.code: setting.rule for setting in settings}
    findings = [_finding(rules[row[0]], dict(zip(COLUMNS, row, strict=True))) for row in rows]
    return sorted(findings, key=easiest_first)


def keys_found(settings: Iterable[Setting], question: Question, unjudged: Unjudged) -> set[tuple[str, str, int]]:
    """Return the same as keys alone: rule, kind and id of the subject. Nothing is computed of what is behind them."""
    settings = [setting for setting in settings if setting.rule.code not in unjudged]
    return {key for key in _rows(settings, question, unjudged, only=KEY) if key[0] not in unjudged}


def _rows(settings: list[Setting], question: Question, failed: Unjudged, only: tuple[str, ...] = ()) -> list[Any]:
    rows = _fetched([setting for setting in settings if not setting.rule.is_own], question, failed, only)
    return rows + _fetched_bounded([setting for setting in settings if setting.rule.is_own], question, failed, only)


def _fetched_bounded(
    settings: list[Setting], question: Question, failed: Unjudged, only: tuple[str, ...] = ()
) -> list[Any]:
    """Ask all together; where that fails, each alone, so that it is known which of them it is."""
    if not any(question.asks_about(setting.rule.kind) for setting in settings):
        return []
    try:
        with limited(configured.COVERIS_GATE_RULE_SECONDS):
            return _fetched(settings, question, failed, only)
    except DatabaseError as error:
        if not lies_in_the_statement(error):
            raise
        if len(settings) == 1:
            note(failed, settings[0].rule.code, error)
            return []
    readable = [setting for setting in settings if setting.rule.code not in failed]
    return [row for setting in readable for row in _fetched_bounded([setting], question, failed, only)]


def _fetched(settings: list[Setting], question: Question, failed: Unjudged, only: tuple[str, ...] = ()) -> list[Any]:
    sql, params = all_found(settings, question, unjudged=failed)
    if not sql:
        return []
    if only:
        sql = f"SELECT {', '.join(only)} FROM ({sql}) AS found ({', '.join(NAMES)})"
    if question.ids is not None:
        return prepared.fetch(sql, params)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _finding(rule: Rule, row: dict[str, Any]) -> Finding:
    # Django hands jsonb over as text.
    return Finding(definition=rule, **row | {"facts": json.loads(row["facts"])})


def easiest_first(finding: Finding) -> tuple[int, str, str, int]:
    """Return what findings are sorted by."""
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
