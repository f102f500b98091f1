"""How the rules are doing: what they find, what is waived, how long they take, and which settings make no sense."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date
from statistics import median
from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import Count, Q
from django.utils import timezone

from apps.common.clock import today
from apps.org.models import OrgUnit
from apps.org.querysets import is_walked_for

from .contradictions import Contradiction, contradictions
from .counting import count_by_rule, have_ever_fired
from .definitions import definition_of
from .enums import UNRESOLVED, OverrideSeverity, ViolationState
from .models import BusinessRule, EvaluationRun, RuleOverride, Waiver
from .registry import Rule, defined_rules
from .subjects import kinds

if TYPE_CHECKING:
    from apps.users.models import User

# Times are the median of so many evaluations of everybody: one that ran while something else did says little.
RUNS = 7
# Of each exception that switches a rule off: the subjects for which it is the nearest word.
LEFT_OUT = """
    SELECT o.id, count(*) FROM business_rules_ruleoverride o JOIN business_rules_businessrule b ON b.id = o.rule_id
        JOIN org_orgunit u ON u.path @> ARRAY[o.org_unit_id] JOIN ({rows}) r ON r.unit_id = u.id
    WHERE o.severity = 'OFF' AND o.id = ANY (%(ids)s) AND b.subject_kind = '{kind}' AND NOT EXISTS (
        SELECT FROM business_rules_ruleoverride nearer
        WHERE nearer.rule_id = o.rule_id AND nearer.severity <> '' AND nearer.org_unit_id = ANY (u.path)
            AND array_position(u.path, nearer.org_unit_id) > array_position(u.path, o.org_unit_id)
    )
    GROUP BY o.id
"""


@dataclass(frozen=True)
class SwitchedOff:
    """A unit where a rule is off, with all below, and how many subjects that leaves out."""

    unit: OrgUnit
    subjects: int


@dataclass
class RuleHealth:
    """One rule. Figures are those of the part of the organisation the reader may see; times are of everybody.

    `milliseconds` is the median of the last evaluations, `failed` names what went wrong the last time. Where the
    reader's part is large each state is counted up to `most`: one more means more.
    """

    rule: BusinessRule
    definition: Rule | None
    states: Counter[str] = field(default_factory=Counter)
    waivers: int = 0
    milliseconds: float | None = None
    failed: str = ""
    contradictions: list[Contradiction] = field(default_factory=list)
    off: list[SwitchedOff] = field(default_factory=list)
    most: int | None = None

    @property
    def unresolved(self) -> int:
        return sum(self.states.values()) - self.states[ViolationState.RESOLVED]

    @property
    def waived(self) -> int:
        return self.states[ViolationState.WAIVED]

    @property
    def waived_percent(self) -> float | None:
        """Return which share of the violations that stand is waived, at most (`is_at_most`); None if not known."""
        if not self.unresolved or (self.most is not None and self.waived > self.most):
            return None
        return 100 * self.waived / self.unresolved

    @property
    def is_at_most(self) -> bool:
        """Say whether more stand than were counted, so that the share of waived ones is lower than it seems."""
        return self.most is not None and any(number > self.most for number in self.states.values())

    @property
    def in_effect(self) -> bool:
        day, rule = today(), self.rule
        return (
            rule.enabled
            and self.definition is not None
            and (rule.effective_from is None or rule.effective_from <= day)
            and (rule.effective_until is None or rule.effective_until >= day)
        )

    @property
    def never_fired(self) -> bool:
        return self.in_effect and not self.states

    @property
    def since(self) -> date:
        """Return the day from which on it could have been broken."""
        created = timezone.localdate(self.rule.created_at)
        return max(created, self.rule.effective_from) if self.rule.effective_from else created


def health_of(user: User) -> list[RuleHealth]:
    """Return every rule and how it is doing, by code. A constant number of queries."""
    rules = [RuleHealth(rule, definition_of(rule)) for rule in BusinessRule.objects.visible_to(user)]
    by_pk = {item.rule.pk: item for item in rules}
    _count(by_pk, user)
    _time(rules)
    _look_at_settings(by_pk, user)
    return rules


def _count(by_pk: dict[int, RuleHealth], user: User) -> None:
    rules = [item.rule for item in by_pk.values()]
    walked = is_walked_for(user)
    counts = count_by_rule(rules, user, UNRESOLVED if walked else ViolationState.values)
    for item in by_pk.values():
        item.states, item.most = counts.of(item.rule), counts.most
    if walked:
        quiet = [item.rule for item in by_pk.values() if not item.states]
        for pk in have_ever_fired(quiet, user):
            by_pk[pk].states = Counter({ViolationState.RESOLVED: 1})
    waivers = Waiver.objects.visible_to(user).in_force_on(today()).order_by().values_list("rule_id")
    for pk, number in waivers.annotate(Count("pk")):
        if pk in by_pk:
            by_pk[pk].waivers = number


def _time(rules: list[RuleHealth]) -> None:
    """Read times and failures from the last evaluations of everybody: of a unit they would say less."""
    everybody = EvaluationRun.objects.filter(unit_code="", finished_at__isnull=False)
    runs = list(everybody.order_by("-id").values_list("results", flat=True)[:RUNS])
    times: dict[str, list[float]] = defaultdict(list)
    last: dict[str, str] = {}
    for results in runs:
        for code, result in results.items():
            last.setdefault(code, result.get("failed", ""))
            if "failed" not in result and "ms" in result:
                times[code].append(float(result["ms"]))
    for item in rules:
        item.milliseconds = median(times[item.rule.code]) if times.get(item.rule.code) else None
        item.failed = last.get(item.rule.code, "")


def _look_at_settings(by_pk: dict[int, RuleHealth], user: User) -> None:
    of_rule: dict[int, list[RuleOverride]] = defaultdict(list)
    for row in RuleOverride.objects.select_related("org_unit").order_by("id"):
        of_rule[row.rule_id].append(row)
    fields = sorted({rule.rival.field for rule in defined_rules() if rule.rival is not None})
    own = Q(pk__in=[])
    for name in fields:
        own |= Q(**{f"{name}__isnull": False})
    units = list(OrgUnit.objects.filter(own))
    concerned = {unit.pk for unit in units} | {row.org_unit_id for rows in of_rule.values() for row in rows}
    seen = set(OrgUnit.objects.visible_to(user).filter(pk__in=concerned).values_list("pk", flat=True))
    off = {row.pk for rows in of_rule.values() for row in rows
           if row.severity == OverrideSeverity.OFF and row.org_unit_id in seen}  # fmt: skip
    left_out = _left_out(sorted(off))
    for pk, item in by_pk.items():
        rows = of_rule.get(pk, [])
        competing = []
        if item.definition is not None and item.definition.rival is not None:
            name = item.definition.rival.field
            competing = [unit for unit in units if getattr(unit, name) is not None]
        found = contradictions(item.rule, item.definition, rows, competing, today())
        item.contradictions = [one for one in found if one.unit is None or one.unit.pk in seen]
        item.off = [SwitchedOff(row.org_unit, left_out.get(row.pk, 0)) for row in rows if row.pk in off]


def _left_out(overrides: list[int]) -> dict[int, int]:
    if not overrides:
        return {}
    parts = [LEFT_OUT.format(kind=kind.name, rows=kind.rows) for kind in kinds()]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), {"ids": overrides, "today": today()})
        return dict(cursor.fetchall())
