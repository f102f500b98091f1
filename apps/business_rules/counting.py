"""How many violations each rule has in the part of the organisation a person sees."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import Count

from apps.org.querysets import is_walked_for

from .enums import ViolationState
from .models import BusinessRule, RuleViolation
from .subjects import kind_named

if TYPE_CHECKING:
    from apps.users.models import User

# Of each rule and state so many are counted for who sees a large part of the organisation: there are twenty rules.
COUNTED_OF_A_RULE = 200


@dataclass(frozen=True)
class RuleCounts:
    """Violations by rule and state. `most` is how far each number was counted, None where all were; one more = more."""

    by_rule: dict[int, Counter[str]]
    most: int | None = None

    def of(self, rule: BusinessRule) -> Counter[str]:
        return self.by_rule.get(rule.pk, Counter())


def count_by_rule(rules: Iterable[BusinessRule], user: User, states: Collection[str]) -> RuleCounts:
    """Count what a user sees of some rules in some states, in one statement."""
    if not is_walked_for(user):
        return RuleCounts(_all_of_them(user, states))
    return RuleCounts(_up_to(list(rules), user, states), COUNTED_OF_A_RULE)


def have_ever_fired(rules: Collection[BusinessRule], user: User) -> set[int]:
    """Return which of some rules have a violation the user sees, even a resolved one."""
    counts = _up_to(rules, user, [ViolationState.RESOLVED], most=0) if is_walked_for(user) else {}
    return {pk for pk, states in counts.items() if states}


def _all_of_them(user: User, states: Collection[str]) -> dict[int, Counter[str]]:
    found: dict[int, Counter[str]] = defaultdict(Counter)
    rows = RuleViolation.objects.visible_to(user).filter(state__in=states).order_by()
    for rule, state, number in rows.values_list("rule_id", "state").annotate(Count("pk")):
        found[rule][state] = number
    return found


def _up_to(
    rules: Collection[BusinessRule], user: User, states: Collection[str], most: int = COUNTED_OF_A_RULE
) -> dict[int, Counter[str]]:
    """Return the counts up to one more than `most`.

    Each rule and state is a branch of its own with its ids written out: the planner then knows how rare it is.
    """
    parts, params = [], []
    for rule in rules:
        seen = RuleViolation.objects.walked(kind_named(rule.subject_kind), user).filter(rule=rule.pk).order_by()
        for state in states:
            sql, values = seen.filter(state=state).values("pk")[: most + 1].query.sql_with_params()
            parts.append(f"SELECT %s::bigint, %s, count(*) FROM ({sql}) counted")
            params += [rule.pk, str(state), *values]
    found: dict[int, Counter[str]] = defaultdict(Counter)
    if parts:
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(parts), params)
            for pk, state, number in cursor.fetchall():
                if number:
                    found[pk][state] = number
    return found
