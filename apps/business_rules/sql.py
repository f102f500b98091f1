"""How a rule becomes one statement: the subjects with their thresholds before it, severities and waivers after it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection

from apps.common import prepared
from apps.common.prepared import Statement

from .definitions import definition_of
from .enums import RANKS
from .language.errors import ConditionError
from .models import BusinessRule, RuleDraft
from .questions import Question
from .registry import Rule, rule_with_code
from .subjects import Kind, kind_named
from .unjudged import Unjudged, note

if TYPE_CHECKING:
    from .models.rule_content import RuleContent


# Tables with more rows are not counted for a run's record.
COUNTED = 100_000
# The key of a rule that is only drafted: it has no exceptions, waivers or violations.
NOBODY = 0


@dataclass(frozen=True)
class Setting:
    """A rule as the catalogue has it at this moment."""

    pk: int
    rule: Rule
    severity: str
    threshold: Decimal | None
    version: int
    has_overrides: bool
    has_waivers: bool
    has_unit_waivers: bool
    # The lowest and the highest threshold that any unit has.
    least: Decimal | None = None
    most: Decimal | None = None

    @property
    def kind(self) -> Kind:
        return kind_named(self.rule.kind)


@dataclass(frozen=True)
class Catalogue:
    """The rules in effect as they were read, and what was worded about exactly these."""

    rows: list[Any]
    defined: dict[str, Rule | None]
    settings: list[Setting]
    worded: dict[Any, Any] = field(default_factory=dict)


_latest: Catalogue | None = None


def settings_in_effect(on: date, codes: Iterable[str] | None = None) -> list[Setting]:
    """Read the catalogue: the rules in effect on a day that code stands behind. One query, at every evaluation."""
    return catalogue_of(prepared.fetch(*reading(on, codes))).settings


def reading(on: date, codes: Iterable[str] | None = None) -> Statement:
    """Return the statement that reads the rules in effect on a day, all or these codes, for `catalogue_of`."""
    in_effect = """
        r.enabled AND COALESCE(r.effective_from, '-infinity'::date) <= %(on)s
        AND COALESCE(r.effective_until, 'infinity'::date) >= %(on)s
    """
    if codes is None:
        return READ.format(condition=in_effect), {"on": on}
    return READ.format(condition=f"{in_effect} AND r.code = ANY (%(codes)s)"), {"on": on, "codes": list(codes)}


def catalogue_of(rows: list[Any]) -> Catalogue:
    """Return the rules as read; the same as last time while nothing about any of them is another."""
    global _latest
    known = _latest
    if known is None or rows != known.rows or any(rule_with_code(code) is not of for code, of in known.defined.items()):
        entries = [_entry(row) for row in rows]
        settings = [setting for entry in entries if (setting := _setting(entry)) is not None]
        defined = {entry.code: rule_with_code(entry.code) for entry in entries}
        known = _latest = Catalogue(rows, defined, settings)
    return known


def setting_of(content: RuleContent, on: date) -> Setting | None:
    """Return a rule as it would be with this content, its exceptions of units and waivers as they are.

    For a draft: it is judged whether it is enabled and in its dates or not. None if nothing stands behind it.
    """
    pk = content.rule_id if isinstance(content, RuleDraft) else content.pk
    rows = prepared.fetch(READ.format(condition="r.id = %(pk)s"), {"on": on, "pk": pk or NOBODY})
    known = _entry(rows[0]) if rows else None
    rule = definition_of(content)
    if rule is None:
        return None
    return Setting(
        pk or NOBODY,
        rule,
        content.severity,
        content.threshold,
        known.version + 1 if known else 1,
        bool(known and known.overridden),
        bool(known and known.waived),
        bool(known and known.unit_waived),
        *_extremes(content.threshold, *((known.least, known.most) if known else ())),
    )


NAMES = [column.attname for column in BusinessRule._meta.concrete_fields]
# The catalogue and which entries have exceptions: asked before each change, so planned once a connection.
READ = f"""
    SELECT {", ".join(f'r."{column.column}"' for column in BusinessRule._meta.concrete_fields)},
        EXISTS (SELECT FROM business_rules_ruleoverride o WHERE o.rule_id = r.id),
        EXISTS (SELECT FROM business_rules_waiver w WHERE w.rule_id = r.id AND w.expires_on >= %(on)s),
        EXISTS (
            SELECT FROM business_rules_waiver w
            WHERE w.rule_id = r.id AND w.org_unit_id IS NOT NULL AND w.expires_on >= %(on)s
        ),
        (SELECT min(o.threshold) FROM business_rules_ruleoverride o WHERE o.rule_id = r.id),
        (SELECT max(o.threshold) FROM business_rules_ruleoverride o WHERE o.rule_id = r.id)
    FROM business_rules_businessrule r WHERE {{condition}} ORDER BY r.code
"""


def _entry(row: Any) -> Any:
    entry: Any = BusinessRule.from_db(connection.alias, NAMES, row[: len(NAMES)])
    entry.overridden, entry.waived, entry.unit_waived, entry.least, entry.most = row[len(NAMES) :]
    return entry


def _setting(row: Any) -> Setting | None:
    rule = definition_of(row)
    if rule is None:
        return None
    least, most = _extremes(row.threshold, row.least, row.most)
    return Setting(
        row.pk, rule, row.severity, row.threshold, row.version, row.overridden, row.waived, row.unit_waived, least, most
    )


def _extremes(*thresholds: Decimal | None) -> tuple[Decimal | None, Decimal | None]:
    known = [threshold for threshold in thresholds if threshold is not None]
    return (min(known), max(known)) if known else (None, None)


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
MANY = 1_000
UNITS_OF_SUBJECTS = "AND u.id IN (SELECT r.unit_id FROM ({rows}) r WHERE r.id = ANY (%(ids_{kind})s))"
# Who breaks the rule, as told to people: name, severity of the unit, waiver.
COLUMNS = (
    "rule", "rule_id", "rule_version", "subject_kind", "subject_id", "subject_code", "who", "observed", "limit",
    "facts", "severity", "waived",
)  # fmt: skip
FOUND = """
    SELECT %(code{n})s AS rule, %(rule{n})s::bigint AS rule_id, %(version{n})s::int AS rule_version,
        %(kind{n})s AS subject_kind, f.subject_id, r.code AS subject_code, r.name AS who,
        round(f.observed, 2) AS observed, round(f."limit", 2) AS "limit", f.facts, {severity} AS severity,
        {waived} AS waived
    FROM broken f JOIN ({rows}) r ON r.id = f.subject_id {setting}
"""
# The same without what only people read: who breaks the rule how badly, for a first look at everybody.
BARE = """
    SELECT f.subject_id, round(f.observed, 2) AS observed, round(f."limit", 2) AS "limit", {severity} AS severity,
        {waived} AS waived
    FROM broken f {place} {setting}
"""
PLACE = "JOIN (SELECT s.id, {unit} AS unit_id FROM {table} s {unit_join}) r ON r.id = f.subject_id"
# Of most rules nothing is waived: that is asked once a statement, and not of each violation.
WAIVED = """
    CASE WHEN (SELECT EXISTS (
        SELECT FROM business_rules_waiver w WHERE w.rule_id = %(rule{n})s AND w.expires_on >= %(today)s
    )) THEN EXISTS (
        SELECT FROM business_rules_waiver w
        WHERE w.rule_id = %(rule{n})s AND w.subject_kind = %(kind{n})s AND w.subject_id = f.subject_id
            AND w.expires_on >= %(today)s AND {covers}
    ) {unit_waivers} ELSE false END
"""
UNIT_WAIVERS = """
        OR EXISTS (
            SELECT FROM business_rules_waiver w JOIN org_orgunit u ON u.path @> ARRAY[w.org_unit_id]
            WHERE w.rule_id = %(rule{n})s AND u.id = r.unit_id AND w.expires_on >= %(today)s AND {covers}
        )
"""


def rank(severity: str) -> str:
    """Return the SQL of how severe a severity (SQL) is, as a number."""
    return f"CASE {severity} " + " ".join(f"WHEN '{known.value}' THEN {of}" for known, of in RANKS.items()) + " END"


def found_by(
    setting: Setting, question: Question, n: int = 0, *, bare: bool = False
) -> tuple[str, str, dict[str, Any]]:
    """Return (WITH list, SELECT, parameters) of the violations of one rule; `n` keeps the parameters of many apart.

    The columns are COLUMNS (who = the subject's name in a sentence), or, `bare`, those of BARE.
    """
    kind = setting.kind
    text, own = setting.rule.sql(question)
    broken, params = _apart(text, {**own, "threshold_least": setting.least, "threshold_most": setting.most}, n)
    params |= {
        "today": question.on,
        "at_gate": question.at_gate,
        "as_accepted": list(question.as_accepted),
        f"rule{n}": setting.pk,
        f"code{n}": setting.rule.code,
        f"kind{n}": kind.name,
        f"severity{n}": setting.severity,
        f"threshold{n}": setting.threshold,
        f"version{n}": setting.version,
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
    if setting.has_overrides:
        severity = f"COALESCE(setting.severity, {severity})"
    covers = f"{rank('w.severity')} >= {rank(severity)}"
    # The gate reads the catalogue before what it judges is done, which may be a waiver.
    may_be_waived = setting.has_waivers or question.due != {}
    unit_waivers = UNIT_WAIVERS.format(n=n, covers=covers) if setting.has_unit_waivers else ""
    has_place = setting.has_overrides or setting.has_unit_waivers
    select = (BARE if bare else FOUND).format(
        n=n,
        rows=kind.rows,
        place=PLACE.format(unit=kind.unit, table=kind.table, unit_join=kind.unit_join) if has_place else "",
        severity=severity,
        waived=WAIVED.format(n=n, covers=covers, unit_waivers=unit_waivers) if may_be_waived else "false",
        setting="LEFT JOIN unit_setting setting ON setting.unit_id = r.unit_id" if setting.has_overrides else "",
    )
    return with_list, select, params


def all_found(
    settings: Iterable[Setting], question: Question, *, first: int = 0, unjudged: Unjudged | None = None
) -> tuple[str, dict[str, Any]]:
    """Return one query (COLUMNS) of all violations of these rules, and its parameters; empty if none is asked.

    The parameters are numbered from `first` on, for two such queries in one statement. A rule whose condition cannot
    be read is left out and noted in `unjudged`; where that is None, it is a ConditionError.
    """
    parts: list[str] = []
    params: dict[str, Any] = {}
    asked = (
        setting
        for setting in settings
        if question.asks_about(setting.rule.kind) and (setting.rule.gated or not question.at_gate)
    )
    for n, setting in enumerate(asked, start=first):
        try:
            with_list, select, own = found_by(setting, question, n)
        except ConditionError as error:
            if unjudged is None:
                raise
            note(unjudged, setting.rule.code, error)
            continue
        parts.append(f"(WITH {with_list} {select})")
        params |= own
    return " UNION ALL ".join(parts), params


def _apart(sql: str, params: Mapping[str, Any], n: int) -> tuple[str, dict[str, Any]]:
    """Number the parameters a rule brings along: another rule of the statement may mean something else by the name."""
    if not params:
        return sql, {}
    named = re.compile(r"%\((" + "|".join(map(re.escape, params)) + r")\)s")
    return named.sub(lambda found: f"%({found[1]}_{n})s", sql), {f"{name}_{n}": params[name] for name in params}


def _subjects(setting: Setting, question: Question, n: int) -> str:
    """Return the SQL of `subject`: the rows asked about and their threshold, as cheap as the question allows."""
    kind = setting.kind
    threshold, joins, conditions = f"%(threshold{n})s::numeric", "", []
    if setting.has_overrides or question.unit is not None:
        joins += f" {kind.unit_join}"
    if question.unit is not None:
        joins += f" JOIN org_orgunit asked ON asked.id = {kind.unit}"
        conditions.append("asked.path @> ARRAY[%(unit)s::bigint]")
    if setting.has_overrides:
        joins += f" LEFT JOIN unit_setting o ON o.unit_id = {kind.unit}"
        conditions.append("o.severity IS DISTINCT FROM 'OFF'")
        threshold = f"COALESCE(o.threshold, {threshold})"
    if question.ids is not None:
        ids = f"%(ids_{kind.name})s::bigint[]"
        # A join of a rule may look each of its rows up by key; an array of ids beside it is gone through every time.
        many = len(question.ids_of(kind.name) or ()) > MANY
        conditions.append(f"s.id IN (SELECT unnest({ids}))" if many else f"s.id = ANY ({ids})")
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT s.*, {threshold} AS threshold FROM {kind.table} s {joins} {where}"


def count_subjects(kind: Kind, question: Question) -> int:
    """Return how many subjects of a kind a question is about; of a great many, what the planner knows."""
    if question.ids is not None:
        return len(question.ids_of(kind.name) or ())
    if question.unit is None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [kind.table])
            if (known := int(cursor.fetchone()[0])) > COUNTED:
                return known
    under = "" if question.unit is None else f"WHERE s.id IN ({kind.ids_under})"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {kind.table} s {under}", [question.unit] if under else [])
        return int(cursor.fetchone()[0])
