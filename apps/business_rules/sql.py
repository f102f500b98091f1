"""How a rule becomes one statement: the subjects with their thresholds before it, severities and waivers after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef

from .models import BusinessRule, RuleOverride
from .questions import Question
from .registry import Rule, rule_with_code
from .subjects import Kind, kind_named


@dataclass(frozen=True)
class Setting:
    """A rule as the catalogue has it at this moment."""

    pk: int
    rule: Rule
    severity: str
    threshold: Decimal | None
    has_overrides: bool

    @property
    def kind(self) -> Kind:
        return kind_named(self.rule.kind)


def settings_in_effect(on: date, codes: Iterable[str] | None = None) -> list[Setting]:
    """Read the catalogue: the rules in effect on a day that code stands behind. One query, at every evaluation."""
    catalogue = BusinessRule.objects.in_effect_on(on)
    if codes is not None:
        catalogue = catalogue.filter(code__in=list(codes))
    overrides = RuleOverride.objects.filter(rule=OuterRef("pk"))
    return [
        Setting(row.pk, rule, row.severity, row.threshold, row.overridden)
        for row in catalogue.annotate(overridden=Exists(overrides)).order_by("code")
        if (rule := rule_with_code(row.code)) is not None
    ]


# The nearest unit on the way up that says something decides, for severity and threshold apart.
UNIT_SETTING = """
    unit_setting AS (
        SELECT u.id AS unit_id,
            (array_agg(o.severity ORDER BY array_position(u.path, o.org_unit_id) DESC)
                FILTER (WHERE o.severity <> ''))[1] AS severity,
            (array_agg(o.threshold ORDER BY array_position(u.path, o.org_unit_id) DESC)
                FILTER (WHERE o.threshold IS NOT NULL))[1] AS threshold
        FROM business_rules_ruleoverride o JOIN org_orgunit u ON u.path @> ARRAY[o.org_unit_id]
        WHERE o.rule_id = %(rule{n})s {units}
        GROUP BY u.id
    ),
"""
UNITS_OF_SUBJECTS = "AND u.id IN (SELECT r.unit_id FROM ({rows}) r WHERE r.id = ANY (%(ids_{kind})s))"
# Who breaks the rule, as told to people: name, severity of the unit, waiver.
FOUND = """
    SELECT %(code{n})s AS rule, f.subject_id, r.code AS subject_code, r.name AS who, round(f.observed, 2) AS observed,
        round(f."limit", 2) AS "limit", f.facts, {severity} AS severity,
        EXISTS (
            SELECT FROM business_rules_waiver w
            WHERE w.rule_id = %(rule{n})s AND w.subject_kind = %(kind{n})s AND w.subject_id = f.subject_id
                AND w.expires_on >= %(today)s
        ) AS waived
    FROM broken f JOIN ({rows}) r ON r.id = f.subject_id {setting}
"""


def found_by(setting: Setting, question: Question, n: int = 0) -> tuple[str, str, dict[str, Any]]:
    """Return (WITH list, SELECT, parameters) of the violations of one rule; `n` keeps the parameters of many apart.

    The columns: rule, subject_id, subject_code, who, observed, "limit", facts, severity, waived.
    """
    kind = setting.kind
    broken, params = setting.rule.sql(question)
    params |= {
        "today": question.on,
        "at_gate": question.at_gate,
        "as_accepted": list(question.as_accepted),
        f"rule{n}": setting.pk,
        f"code{n}": setting.rule.code,
        f"kind{n}": kind.name,
        f"severity{n}": setting.severity,
        f"threshold{n}": setting.threshold,
    }
    if question.ids is not None:
        params[f"ids_{kind.name}"] = question.ids_of(kind.name)
    if question.unit is not None:
        params["unit"] = question.unit
    units = "" if question.ids is None else UNITS_OF_SUBJECTS.format(rows=kind.rows, kind=kind.name)
    before = UNIT_SETTING.format(n=n, units=units) if setting.has_overrides else ""
    with_list = f"""
        {before} subject AS NOT MATERIALIZED ({_subjects(setting, question, n)}),
        broken AS ({broken})
    """
    severity = f"%(severity{n})s"
    select = FOUND.format(
        n=n,
        rows=kind.rows,
        severity=f"COALESCE(setting.severity, {severity})" if setting.has_overrides else severity,
        setting="LEFT JOIN unit_setting setting ON setting.unit_id = r.unit_id" if setting.has_overrides else "",
    )
    return with_list, select, params


def _subjects(setting: Setting, question: Question, n: int) -> str:
    """Return the SQL of subject (id, threshold), as cheap as the question allows."""
    kind = setting.kind
    threshold = f"%(threshold{n})s::numeric"
    among = f"%(ids_{kind.name})s::bigint[]"
    if not setting.has_overrides and question.unit is None:
        source = f"{kind.table} s" if question.ids is None else f"unnest({among}) AS s (id)"
        return f"SELECT s.id, {threshold} AS threshold FROM {source}"
    conditions, joins = [], ""
    if question.ids is not None:
        conditions.append(f"r.id = ANY ({among})")
    if question.unit is not None:
        joins += " JOIN org_orgunit u ON u.id = r.unit_id"
        conditions.append("u.path @> ARRAY[%(unit)s::bigint]")
    if setting.has_overrides:
        joins += " LEFT JOIN unit_setting o ON o.unit_id = r.unit_id"
        conditions.append("o.severity IS DISTINCT FROM 'OFF'")
        threshold = f"COALESCE(o.threshold, {threshold})"
    return f"SELECT r.id, {threshold} AS threshold FROM ({kind.rows}) r {joins} WHERE {' AND '.join(conditions)}"
