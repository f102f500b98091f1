"""What a rule would find with another content, beside what it finds now: on live data, nothing written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from django.db import connection

from apps.common.clock import today

from .questions import Question
from .sql import COLUMNS, Setting, all_found, setting_of, settings_in_effect
from .subjects import kind_named

if TYPE_CHECKING:
    from .models import BusinessRule, RuleDraft
    from .models.rule_content import RuleContent

UNITS_TOLD, SUBJECTS_TOLD = 50, 20
OPENS, CLOSES, CHANGES = "opens", "closes", "changes"
NOTHING = "SELECT " + ", ".join(f'{cast} AS "{name}"' for name, cast in zip(
    COLUMNS,
    ("''", "0::bigint", "0", "''", "0::bigint", "''::varchar", "''", "0::numeric", "0::numeric", "'{{}}'::jsonb",
     "''::text", "false"),
    strict=True,
)) + " WHERE false"  # fmt: skip
DIFFERENCE = """
    WITH standing AS ({standing}), proposed AS ({proposed}),
    difference AS MATERIALIZED (
        SELECT CASE WHEN s.subject_id IS NULL THEN 'opens' WHEN p.subject_id IS NULL THEN 'closes'
                ELSE 'changes' END AS what,
            COALESCE(p.subject_id, s.subject_id) AS subject_id,
            COALESCE(p.subject_code, s.subject_code) AS subject_code,
            COALESCE(p.who, s.who) AS who, COALESCE(p.severity, s.severity) AS severity, s.severity AS severity_before,
            CASE WHEN p.subject_id IS NULL THEN s.observed ELSE p.observed END AS observed,
            CASE WHEN p.subject_id IS NULL THEN s."limit" ELSE p."limit" END AS "limit",
            COALESCE(p.facts, s.facts) AS facts, COALESCE(p.waived, s.waived) AS waived
        FROM standing s FULL JOIN proposed p ON p.subject_id = s.subject_id
        WHERE s.subject_id IS NULL OR p.subject_id IS NULL
            OR (s.severity, s.observed, s."limit", s.waived)
                IS DISTINCT FROM (p.severity, p.observed, p."limit", p.waived)
    )
    SELECT (SELECT count(*) FROM standing), (SELECT count(*) FROM proposed),
        COALESCE((
            SELECT jsonb_object_agg(what, n) FROM (SELECT what, count(*) AS n FROM difference GROUP BY what) t
        ), '{{}}'),
        COALESCE((SELECT jsonb_agg(t ORDER BY t.moved DESC, t.code) FROM (
            SELECT u.id, u.code, u.name, count(*) AS moved, count(*) FILTER (WHERE what = 'opens') AS opens,
                count(*) FILTER (WHERE what = 'closes') AS closes, count(*) FILTER (WHERE what = 'changes') AS changes
            FROM difference d JOIN ({rows}) r ON r.id = d.subject_id JOIN org_orgunit u ON u.id = r.unit_id
            GROUP BY u.id ORDER BY count(*) DESC, u.code LIMIT {units}
        ) t), '[]'),
        COALESCE((SELECT jsonb_agg(t ORDER BY t.what, t.subject_code) FROM (
            SELECT d.*, row_number() OVER (PARTITION BY what ORDER BY subject_code, subject_id) AS place
            FROM difference d
        ) t WHERE t.place <= {subjects}), '[]')
"""


@dataclass(frozen=True)
class Simulation:
    """What would change: violations now and then, how many open, close and change, by unit, with examples.

    `by_unit` are the units with the most, {id, code, name, opens, closes, changes}; `examples` the first subjects of
    each kind of change: {what, subject_id, subject_code, who, severity, severity_before, observed, limit, facts,
    waived}.
    """

    on: str
    standing: int = 0
    proposed: int = 0
    opens: int = 0
    closes: int = 0
    changes: int = 0
    by_unit: list[dict[str, Any]] = field(default_factory=list)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def simulate(draft: RuleDraft) -> Simulation:
    """Compare what the rule finds now with what it would find if the draft were published, for everybody.

    One statement, so both are told from one state. A rule that is off or out of its dates finds nothing.
    """
    day = today()
    question = Question(day, due={})
    now = setting_now(draft.rule, day) if draft.rule is not None else None
    then = setting_of(draft, day) if acts_on(draft, day) else None
    # A rule that cannot be read finds nothing now: its repair is looked at like any other draft.
    standing, params = all_found([now] if now else [], question, unjudged={})
    proposed, more = all_found([then] if then else [], question, first=1)
    kind = kind_named(draft.subject_kind)
    statement = DIFFERENCE.format(
        standing=standing or NOTHING.format(),
        proposed=proposed or NOTHING.format(),
        rows=kind.rows,
        units=UNITS_TOLD,
        subjects=SUBJECTS_TOLD,
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, {**params, **more})
        before, after, totals, units, examples = cursor.fetchone()
    counts: Mapping[str, int] = json.loads(totals)
    return Simulation(
        on=day.isoformat(),
        standing=before,
        proposed=after,
        opens=counts.get(OPENS, 0),
        closes=counts.get(CLOSES, 0),
        changes=counts.get(CHANGES, 0),
        by_unit=json.loads(units),
        examples=json.loads(examples),
    )


def setting_now(rule: BusinessRule, day: date) -> Setting | None:
    """Return a published rule as it acts on a day; None while it does not."""
    return next(iter(settings_in_effect(day, [rule.code])), None)


def acts_on(content: RuleContent, day: date) -> bool:
    """Say whether a content is switched on and in its dates."""
    begun = content.effective_from is None or content.effective_from <= day
    return bool(content.enabled and begun and (content.effective_until is None or content.effective_until >= day))
