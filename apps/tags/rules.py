"""The rules about what employees hold and positions ask for."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.assignments.live import live
from apps.business_rules.questions import Question
from apps.business_rules.registry import Rule, register_rule
from apps.business_rules.verdicts import Verdict, day

from .holding import held_on, named, same_holding

# Days: longer than any tag is held.
A_LIFETIME = Decimal(36_500)
# The longest lead time of any unit: it narrows the tags down to those that end soon, before any join.
LONGEST = "%(today)s::date + floor(COALESCE(%(threshold_most)s::numeric, 0))::int"


def _tags_until(verdict: Verdict) -> str:
    return ", ".join(
        _now("%(tag)s on %(day)s") % {"tag": f"{record['name']} ({record['code']})", "day": day(record["ends_on"])}
        for record in verdict.facts["records"]
    )


# Running out while the assignment goes on


def _running_out(verdict: Verdict) -> str:
    words = {"what": verdict.who, "tags": _tags_until(verdict)}
    if until := verdict.facts["goes_on_until"]:
        return _now("%(what)s goes on until %(until)s, what its position requires ends before: %(tags)s.") % (
            words | {"until": day(until)}
        )
    return _now("%(what)s goes on without an end, what its position requires ends: %(tags)s.") % words


def _renew(verdict: Verdict) -> str:
    return ngettext(
        "Renew the tag, and enter until when, or end the assignment on %(day)s or earlier.",
        "Renew the tags, and enter until when, or end the assignment on %(day)s or earlier.",
        len(verdict.facts["records"]),
    ) % {"day": day(verdict.facts["ends_on"])}


def _ending_before(question: Question) -> tuple[str, dict[str, Any]]:
    """Return the live assignments that go on after a required tag of their employee has ended, soon."""
    return (
        f"""
            SELECT a.id AS subject_id, (min(held.valid_until) - %(today)s::date)::numeric AS observed,
                COALESCE(max(a.threshold), 0) AS "limit",
                jsonb_build_object(
                    'ends_on', min(held.valid_until), 'goes_on_until', a.ends_on,
                    'records', jsonb_agg(
                        jsonb_build_object(
                            'kind', 'tag', 'id', tag.id, 'code', tag.code, 'name', tag.name, 'ends_on', held.valid_until
                        ) ORDER BY held.valid_until, tag.code
                    )
                ) AS facts
            FROM subject a
                JOIN tags_employeetag held ON held.employee_id = a.employee_id
                    AND held.valid_until BETWEEN %(today)s AND {LONGEST}
                JOIN tags_positiontag wanted ON wanted.position_id = a.position_id AND wanted.tag_id = held.tag_id
                    AND wanted.level = 'REQUIRED'
                JOIN tags_tagcatalog tag ON tag.id = wanted.tag_id
            WHERE {live("a")} AND (a.ends_on IS NULL OR a.ends_on > held.valid_until)
                AND held.valid_until - %(today)s::date <= COALESCE(a.threshold, 0)
                AND NOT EXISTS (
                    SELECT FROM tags_employeetag again
                    WHERE {same_holding("again", "held.employee_id", "held.tag_id", question)}
                        AND {held_on("again", "GREATEST(held.valid_until + 1, a.starts_on)")}
                )
            GROUP BY a.id, a.ends_on
        """,
        {},
    )


REQUIRED_TAG_EXPIRING = register_rule(
    Rule(
        code="REQUIRED_TAG_EXPIRING",
        kind="assignment",
        name=_("Required tag expiring"),
        description=_(
            "No tag that the position of a live assignment requires ends within so many days as the threshold while "
            "the assignment goes on, unless it is held on the day after as well."
        ),
        worse="lower",
        strictest=A_LIFETIME,
        fixable=45,
        # Of an assignment yet to begin a tag counts that will lack on its first day: what is renewed by then is not.
        violations=_ending_before,
        sentence=_running_out,
        remedy=_renew,
    )
)


# Contracts


def _without_contract(verdict: Verdict) -> str:
    facts = verdict.facts
    if not facts["records"]:
        return _now("%(who)s works without a contract and has never had one.") % {"who": verdict.who}
    return _now("%(who)s works without a contract: the last one, %(tags)s, ended on %(day)s.") % {
        "who": verdict.who,
        "tags": named(verdict),
        "day": day(facts["ends_on"]),
    }


NO_CONTRACT = register_rule(
    Rule(
        code="NO_CONTRACT",
        kind="employee",
        name=_("Without a contract"),
        description=_("Whoever is active or in notice holds a contract today."),
        fixable=42,
        violations=f"""
            SELECT nobody.id AS subject_id, NULL::numeric AS observed, NULL::numeric AS "limit",
                jsonb_build_object('ends_on', last.valid_until, 'records', COALESCE(last.records, '[]')) AS facts
            FROM (
                SELECT e.id FROM subject e
                WHERE e.status IN ('ACTIVE', 'NOTICE') AND NOT EXISTS (
                    SELECT FROM tags_employeetag held JOIN tags_tagcatalog contract ON contract.id = held.tag_id
                    WHERE held.employee_id = e.id AND contract.type = 'CONTRACT' AND {held_on("held", "%(today)s")}
                )
            ) nobody
            LEFT JOIN LATERAL (
                SELECT held.valid_until, jsonb_build_array(
                    jsonb_build_object('kind', 'tag', 'id', contract.id, 'code', contract.code, 'name', contract.name)
                ) AS records
                FROM tags_employeetag held JOIN tags_tagcatalog contract ON contract.id = held.tag_id
                WHERE held.employee_id = nobody.id AND contract.type = 'CONTRACT' AND held.valid_until < %(today)s
                ORDER BY held.valid_until DESC, contract.code LIMIT 1
            ) last ON true
        """,
        sentence=_without_contract,
        remedy=lambda verdict: _now("Enter the contract, or the day it was renewed until, or end the employment."),
    )
)


def _contract_ends(verdict: Verdict) -> str:
    return _now("%(who)s: the contract ends and none follows: %(tags)s.") % {
        "who": verdict.who,
        "tags": _tags_until(verdict),
    }


def _follow_up(verdict: Verdict) -> str:
    return _now("Enter a contract from %(day)s on, or give notice.") % {
        "day": day(date.fromisoformat(verdict.facts["ends_on"]) + timedelta(days=1))
    }


CONTRACT_ENDING = register_rule(
    Rule(
        code="CONTRACT_ENDING",
        kind="employee",
        name=_("Contract ending"),
        description=_(
            "No contract ends within so many days as the threshold unless the employee holds one on the day after, or "
            "leaves by then."
        ),
        worse="lower",
        strictest=A_LIFETIME,
        fixable=46,
        violations=f"""
            SELECT e.id AS subject_id, (min(held.valid_until) - %(today)s::date)::numeric AS observed,
                COALESCE(max(e.threshold), 0) AS "limit",
                jsonb_build_object('ends_on', min(held.valid_until), 'records', jsonb_agg(
                    jsonb_build_object(
                        'kind', 'tag', 'id', contract.id, 'code', contract.code, 'name', contract.name,
                        'ends_on', held.valid_until
                    ) ORDER BY held.valid_until, contract.code
                )) AS facts
            FROM subject e
                JOIN tags_employeetag held ON held.employee_id = e.id
                    AND held.valid_until BETWEEN %(today)s AND {LONGEST}
                JOIN tags_tagcatalog contract ON contract.id = held.tag_id AND contract.type = 'CONTRACT'
            WHERE held.valid_until - %(today)s::date <= COALESCE(e.threshold, 0)
                AND e.status <> 'TERMINATED' AND (e.last_day IS NULL OR e.last_day > held.valid_until)
                AND NOT EXISTS (
                    SELECT FROM tags_employeetag next JOIN tags_tagcatalog follows ON follows.id = next.tag_id
                    WHERE next.employee_id = held.employee_id AND follows.type = 'CONTRACT'
                        AND {held_on("next", "held.valid_until + 1")}
                )
            GROUP BY e.id
        """,
        sentence=_contract_ends,
        remedy=_follow_up,
    )
)
