"""The rules about the hours employees can give."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.business_rules.questions import Question
from apps.business_rules.registry import Rule, register_rule
from apps.business_rules.verdicts import Verdict, hours
from apps.changes.span import Span
from apps.common.hours import HOUR_DAYS
from apps.common.weeks import week_code

from .asked import ledger_asked
from .ledger import lowest_balance


def _in_hour_days(sign: str = "") -> str:
    """Return SQL for a subject's threshold of hours, or minus it, in hour-days; weighed in integers."""
    return f"({sign}COALESCE(s.threshold, 0) * {HOUR_DAYS})::bigint"


def _below_the_balance(question: Question) -> tuple[str, dict[str, Any]]:
    """Return who has a week of the horizon whose balance is below −threshold, by the ledger's own formula."""
    # Of kept accounts those alone that may be below any unit's limit: the lowest week of each is indexed.
    ledger, params = ledger_asked(
        question, where=f"lowest < (-COALESCE(%(threshold_least)s::numeric, 0) * {HOUR_DAYS})::bigint"
    )
    # The lowest balance alone: which week it is in is asked only where somebody reads it.
    lowest = "l.lowest" if question.due is not None else lowest_balance(Span.current(question.on).weeks)
    return (
        f"""
            SELECT s.id AS subject_id, lowest.balance::numeric / {HOUR_DAYS} AS observed,
                -COALESCE(s.threshold, 0) AS "limit",
                (
                    SELECT jsonb_build_object(
                        'week', worst.monday, 'pool', round(worst.pool::numeric / {HOUR_DAYS}, 2)::text,
                        'assigned', round(worst.assigned::numeric / {HOUR_DAYS}, 2)::text,
                        'records', (
                            SELECT COALESCE(jsonb_agg(jsonb_build_object(
                                'kind', 'assignment', 'id', a.id,
                                'code', e.employee_number || '/' || p.code || '/' || a.starts_on,
                                'hours', a.effective_hours::text
                            ) ORDER BY a.starts_on, a.id), '[]')
                            FROM assignments_assignment a JOIN org_position p ON p.id = a.position_id
                                JOIN org_employee e ON e.id = a.employee_id
                            WHERE a.employee_id = s.id AND NOT a.voided
                                AND (a.accepted_at IS NOT NULL OR a.id = ANY (%(as_accepted)s::bigint[]))
                                AND a.starts_on < worst.monday + 7 AND (a.ends_on IS NULL OR a.ends_on >= worst.monday)
                        )
                    )
                    FROM (
                        SELECT l.pool[week] AS pool, l.assigned[week] AS assigned,
                            %(span_first)s::date + 7 * (week - 1) AS monday
                        FROM generate_subscripts(l.pool, 1) AS week
                        ORDER BY l.pool[week] - l.assigned[week], week LIMIT 1
                    ) worst
                ) AS facts
            FROM subject s JOIN ({ledger}) l ON l.employee_id = s.id
            CROSS JOIN LATERAL (SELECT {lowest} AS balance) lowest
            WHERE lowest.balance < {_in_hour_days("-")}
        """,
        params,
    )


def _over(verdict: Verdict) -> str:
    facts = verdict.facts
    return _now("%(who)s: balance of %(balance)s hours in week %(week)s (%(pool)s to give, %(assigned)s assigned).") % {
        "who": verdict.who,
        "balance": hours(verdict.observed),
        "week": week_code(date.fromisoformat(facts["week"])),
        "pool": hours(facts["pool"]),
        "assigned": hours(facts["assigned"]),
    }


def _less(verdict: Verdict) -> str:
    over = hours((verdict.limit or Decimal(0)) - (verdict.observed or Decimal(0)))
    return _now("It fits with %(over)s hours less that week, or a contract of more hours.") % {"over": over}


HOURS_OVER_POOL = register_rule(
    Rule(
        code="HOURS_OVER_POOL",
        kind="employee",
        name=_("Hours over the pool"),
        description=_(
            "In no week of the current one and the 12 to come is an employee's balance (hours to give − hours "
            "assigned) below minus the threshold."
        ),
        worse="lower",
        strictest=Decimal(-100_000),
        fixable=15,
        violations=_below_the_balance,
        sentence=_over,
        remedy=_less,
    )
)


# Hours paid for and not used


def _much_to_give(question: Question) -> tuple[str, dict[str, Any]]:
    """Return whose balance of the current week is above the threshold."""
    ledger, params = ledger_asked(question)
    return (
        f"""
            SELECT s.id AS subject_id,
                -- What is above is never shown as what it is above of.
                GREATEST(round((l.pool[1] - l.assigned[1])::numeric / {HOUR_DAYS}, 2), COALESCE(s.threshold, 0) + 0.01)
                    AS observed,
                COALESCE(s.threshold, 0) AS "limit",
                jsonb_build_object(
                    'week', %(span_first)s::date, 'pool', round(l.pool[1]::numeric / {HOUR_DAYS}, 2)::text,
                    'assigned', round(l.assigned[1]::numeric / {HOUR_DAYS}, 2)::text,
                    'records', jsonb_build_array(
                        jsonb_build_object('kind', 'employee', 'id', s.id, 'code', s.employee_number)
                    )
                ) AS facts
            FROM subject s JOIN ({ledger}) l ON l.employee_id = s.id
            WHERE l.pool[1] - l.assigned[1] > {_in_hour_days()}
        """,
        params,
    )


def _unused(verdict: Verdict) -> str:
    facts = verdict.facts
    return _now("%(who)s: %(balance)s hours to give in week %(week)s (pool %(pool)s, assigned %(assigned)s).") % {
        "who": verdict.who,
        "balance": hours(verdict.observed),
        "week": week_code(date.fromisoformat(facts["week"])),
        "pool": hours(facts["pool"]),
        "assigned": hours(facts["assigned"]),
    }


def _use(verdict: Verdict) -> str:
    over = hours((verdict.observed or Decimal(0)) - (verdict.limit or Decimal(0)))
    return _now("Assign %(over)s hours more where they lack; %(limit)s may stay free.") % {
        "over": over,
        "limit": hours(verdict.limit),
    }


UNUSED_CAPACITY = register_rule(
    Rule(
        code="UNUSED_CAPACITY",
        kind="employee",
        name=_("Unused capacity"),
        description=_(
            "An employee's balance of the current week (hours to give − hours assigned) is not above the threshold."
        ),
        fixable=80,
        gated=False,
        violations=_much_to_give,
        sentence=_unused,
        remedy=_use,
    )
)
