"""The rules about what is not covered, or covered more than once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.assignments.live import live
from apps.business_rules.questions import Question
from apps.business_rules.registry import Rival, Rule, register_rule
from apps.business_rules.verdicts import Verdict, day, hours
from apps.changes.models import Kind
from apps.changes.span import Span
from apps.common.hours import HOUR_DAYS
from apps.common.weeks import week_code
from apps.fsm.employee_fsm import GIVING, EmployeeStatus
from apps.offer.giving import giving_ctes
from apps.tags.holding import held_on, named, same_holding

from .asked import coverage_asked, short_of_tags, whole_coverage_asked

# Of more units than this that are behind, the figures are put together once for the whole statement.
FEW_DUE = 50
# So many parts of a unit are named as where its largest gaps are: those right below it, and itself for its own.
NAMED = 5
COUNTED = "NOT a.voided AND (a.accepted_at IS NOT NULL OR a.id = ANY (%(as_accepted)s::bigint[]))"
ASSIGNMENT = "e.employee_number || '/' || p.code || '/' || a.starts_on"


def percent(value: Decimal | str | None) -> str:
    """Return a percent for people: one decimal, or the two that a target has."""
    number = Decimal(value or 0)
    exact = number == number.quantize(Decimal("0.1"))
    return number_format(number, decimal_pos=1 if exact else 2, use_l10n=True)


def _in_hours(hour_days: str) -> str:
    """Return SQL for a text of hours with two decimals, of hour-days."""
    return f"round({hour_days}::numeric / {HOUR_DAYS}, 2)::text"


def _at_least_hours(hour_days: str) -> str:
    """Return SQL for a text of hours with two decimals that are not too few, of hour-days."""
    return f"round(ceil({hour_days}::numeric / {HOUR_DAYS // 100}) / 100, 2)::text"


def _week(verdict: Verdict) -> str:
    return week_code(date.fromisoformat(verdict.facts["week"]))


# A unit and all below it


def _nearest_target(everyone: bool) -> str:
    """Return a query (id, percent, code) for the target of each unit that has one, or is below one that has."""
    if everyone:
        return """
            SELECT DISTINCT ON (u.id) u.id, target.coverage_target AS percent, target.code
            FROM org_orgunit target JOIN org_orgunit u ON u.path @> ARRAY[target.id]
            WHERE target.coverage_target IS NOT NULL
            ORDER BY u.id, cardinality(target.path) DESC
        """
    return """
        SELECT DISTINCT ON (s.id) s.id, target.coverage_target AS percent, target.code
        FROM subject s CROSS JOIN unnest(s.path) WITH ORDINALITY AS above (id, depth)
            JOIN org_orgunit target ON target.id = above.id AND target.coverage_target IS NOT NULL
        ORDER BY s.id, above.depth DESC
    """


def _below_target(question: Question) -> tuple[str, dict[str, Any]]:
    """Return the units with a week of the horizon in which filled ÷ required is below the target; the first of them."""
    asked, params = whole_coverage_asked(question)
    # Figures that are kept are read by their key, twice; those that are computed are so once.
    keeps = question.due is not None and len(question.due.get(Kind.UNIT.value, ())) <= FEW_DUE
    weeks = range(1, Span.current(question.on).weeks + 1)
    everyone = question.ids is None and question.unit is None
    # A target has two decimals: weighed in integers. A week without demand is never short.
    first_short = " ".join(f"WHEN filled[{week}] * 10000 < weight * required[{week}] THEN {week}" for week in weeks)
    return (
        f"""
            WITH whole AS {"NOT " if keeps else ""}MATERIALIZED (
                SELECT org_unit_id AS id, required, filled FROM ({asked}) figures
            ),
            nearest AS ({_nearest_target(everyone)}),
            short AS MATERIALIZED (
                SELECT id, percent, unit, week, required[week] AS required, filled[week] AS filled
                FROM (
                    SELECT aimed.*, CASE {first_short} END AS week
                    FROM (
                        SELECT whole.*, COALESCE(nearest.percent, s.threshold) AS percent, nearest.code AS unit,
                            (COALESCE(nearest.percent, s.threshold) * 100)::bigint AS weight
                        FROM whole JOIN subject s ON s.id = whole.id LEFT JOIN nearest ON nearest.id = whole.id
                        OFFSET 0 -- the target is weighed once, not once a week
                    ) aimed
                ) judged
                WHERE week IS NOT NULL
            ),
            below AS MATERIALIZED (
                SELECT short.id, u.id AS part, u.code, whole.required[week] - whole.filled[week] AS missing
                FROM short JOIN org_orgunit u ON u.parent_id = short.id JOIN whole ON whole.id = u.id
            ),
            part AS (
                SELECT id, part, code, missing FROM below
                UNION ALL
                -- What its own positions miss is what those below do not.
                SELECT short.id, u.id, u.code, short.required - short.filled - COALESCE(sum(below.missing), 0)::bigint
                FROM short JOIN org_orgunit u ON u.id = short.id LEFT JOIN below ON below.id = short.id
                GROUP BY short.id, u.id, u.code, short.required, short.filled
            ),
            gap AS (
                SELECT id, jsonb_agg(
                    jsonb_build_object('kind', 'unit', 'id', part, 'code', code, 'missing', {_in_hours("missing")})
                    ORDER BY missing DESC, part
                ) AS records
                FROM (
                    SELECT part.*, row_number() OVER (PARTITION BY id ORDER BY missing DESC, part) AS place
                    FROM part WHERE missing > 0
                ) each
                WHERE place <= {NAMED} GROUP BY id
            )
            SELECT short.id AS subject_id,
                -- What is below is never shown as what it is below of.
                CASE WHEN shown.percent < short.percent THEN shown.percent ELSE shown.percent - 0.1 END AS observed,
                short.percent AS "limit",
                jsonb_build_object(
                    'week', %(span_first)s::date + 7 * (short.week - 1),
                    'required', {_in_hours("short.required")}, 'filled', {_in_hours("short.filled")},
                    'missing', {_at_least_hours("(short.percent * short.required / 100 - short.filled)")},
                    'target_unit', short.unit, 'records', COALESCE(gap.records, '[]')
                ) AS facts
            FROM short LEFT JOIN gap ON gap.id = short.id -- left, so that it is not asked for where no facts are
            CROSS JOIN LATERAL (SELECT round(short.filled * 100::numeric / short.required, 1) AS percent) shown
        """,
        params,
    )


def _under_covered(verdict: Verdict) -> str:
    facts = verdict.facts
    words = {
        "who": verdict.who,
        "percent": percent(verdict.observed),
        "week": _week(verdict),
        "filled": hours(facts["filled"]),
        "required": hours(facts["required"]),
        "target": percent(verdict.limit),
        "unit": facts["target_unit"],
    }
    if facts["target_unit"]:
        return (
            _now(
                "%(who)s: %(percent)s %% covered in week %(week)s (%(filled)s of %(required)s hours), below the target "
                "of %(target)s %% of unit %(unit)s."
            )
            % words
        )
    return (
        _now(
            "%(who)s: %(percent)s %% covered in week %(week)s (%(filled)s of %(required)s hours), below %(target)s %%."
        )
        % words
    )


def _cover(verdict: Verdict) -> str:
    return _now("It takes %(missing)s hours more that week. The largest gaps: %(gaps)s.") % {
        "missing": hours(verdict.facts["missing"]),
        "gaps": ", ".join(f"{record['code']}: {hours(record['missing'])}" for record in verdict.facts["records"]),
    }


UNIT_UNDER_COVERED = register_rule(
    Rule(
        code="UNIT_UNDER_COVERED",
        kind="unit",
        name=_("Unit under-covered"),
        description=_(
            "In no week of the current one and the 12 to come is a unit, with all below it, covered to less than its "
            "coverage target, or the threshold where no unit above sets a target. Weeks without demand do not count."
        ),
        worse="lower",
        sensible=(Decimal(0), Decimal(100)),
        rival=Rival("coverage_target", "nearest"),
        fixable=70,
        gated=False,
        violations=_below_target,
        sentence=_under_covered,
        remedy=_cover,
    )
)


# A position with demand and nobody there

# Days further back than this are not told apart.
SINCE = date(1900, 1, 1)


def _empty_for_long(question: Question) -> tuple[str, dict[str, Any]]:
    """Return the positions that have had demand and nobody in force for more days running than the threshold."""
    span = Span(SINCE, (question.on - SINCE).days // 7 + 1, question.on)
    giving = ", ".join(f"'{status.value}'" for status in GIVING)
    # Nobody can be there today where every assignment of today is of somebody who is not: this finds the few positions
    # for which it is worth asking, day by day, when somebody last was. Whom it is about is said once, by `subject`: an
    # array of ids beside a join is looked through again for every row of the join, a hundred thousand times its length.
    return (
        f"""
            WITH deserted AS MATERIALIZED (
                SELECT p.id, p.opens_on, p.required_weekly_hours, COALESCE(p.threshold, 0) AS threshold
                FROM subject p
                WHERE (p.opens_on IS NULL OR %(today)s::date - p.opens_on >= COALESCE(p.threshold, 0))
                    AND (p.closes_on IS NULL OR p.closes_on >= %(today)s)
                    AND NOT EXISTS (
                        SELECT FROM assignments_assignment a
                        WHERE a.position_id = p.id AND {COUNTED} AND a.starts_on <= %(today)s
                            AND (a.ends_on IS NULL OR a.ends_on >= %(today)s)
                            AND NOT EXISTS (
                                SELECT FROM org_employee e WHERE e.id = a.employee_id
                                    AND (e.status NOT IN ({giving}) OR e.last_day < %(today)s)
                            )
                            AND NOT EXISTS (
                                SELECT FROM org_leave l WHERE l.employee_id = a.employee_id
                                    AND l.starts_on <= %(today)s AND (l.ends_on IS NULL OR l.ends_on >= %(today)s)
                            )
                    )
            ),
            booked AS MATERIALIZED (
                SELECT a.id, a.position_id, a.employee_id,
                    GREATEST(a.starts_on, %(span_first)s::date) - %(span_first)s::date AS lo,
                    LEAST(a.ends_on, %(today)s::date) - %(span_first)s::date + 1 AS hi
                FROM deserted d JOIN assignments_assignment a ON a.position_id = d.id
                WHERE {COUNTED} AND a.starts_on <= %(today)s
            ),
            {giving_ctes(span, employees="{id} IN (SELECT employee_id FROM booked)")},
            covered AS (
                SELECT DISTINCT ON (b.position_id) b.position_id, b.id AS assignment_id,
                    %(span_first)s::date + LEAST(b.hi, g.hi) AS until
                FROM booked b JOIN giving g ON g.employee_id = b.employee_id AND g.lo < b.hi AND g.hi > b.lo
                ORDER BY b.position_id, LEAST(b.hi, g.hi) DESC, b.id
            ),
            -- What adjustments add up to changes where one begins or has ended; without any there is always demand.
            unneeded AS (
                SELECT id, max(COALESCE(until, %(today)s::date + 1)) AS until
                FROM (
                    SELECT d.id, lead(turn.day) OVER (PARTITION BY d.id ORDER BY turn.day) AS until,
                        d.required_weekly_hours + COALESCE((
                            SELECT sum(j.hours) FROM demand_demandadjustment j WHERE j.position_id = d.id
                                AND j.from_day <= turn.day AND (j.until_day IS NULL OR j.until_day >= turn.day)
                        ), 0) AS hours
                    FROM deserted d CROSS JOIN LATERAL (
                        SELECT j.from_day AS day FROM demand_demandadjustment j WHERE j.position_id = d.id
                        UNION SELECT j.until_day + 1 FROM demand_demandadjustment j WHERE j.position_id = d.id
                    ) turn
                    WHERE turn.day <= %(today)s
                ) stretch
                WHERE hours <= 0 GROUP BY id
            )
            SELECT d.id AS subject_id, (%(today)s::date - empty.since + 1)::numeric AS observed, d.threshold AS "limit",
                jsonb_build_object(
                    'since', empty.since,
                    'hours', (d.required_weekly_hours + COALESCE((
                        SELECT sum(j.hours) FROM demand_demandadjustment j WHERE j.position_id = d.id
                            AND j.from_day <= %(today)s AND (j.until_day IS NULL OR j.until_day >= %(today)s)
                    ), 0))::text,
                    'records', COALESCE((
                        SELECT jsonb_build_array(jsonb_build_object('kind', 'assignment', 'id', a.id,
                            'code', {ASSIGNMENT}))
                        FROM assignments_assignment a JOIN org_employee e ON e.id = a.employee_id
                            JOIN org_position p ON p.id = a.position_id
                        WHERE a.id = covered.assignment_id
                    ), '[]')
                ) AS facts
            FROM deserted d LEFT JOIN covered ON covered.position_id = d.id LEFT JOIN unneeded ON unneeded.id = d.id
            CROSS JOIN LATERAL (SELECT GREATEST(d.opens_on, covered.until, unneeded.until) AS since) empty
            WHERE empty.since IS NULL OR %(today)s::date - empty.since + 1 > d.threshold
        """,
        dict(span.params),
    )


def _vacant(verdict: Verdict) -> str:
    if verdict.observed is None:
        return _now("%(who)s: nobody has ever been in force.") % {"who": verdict.who}
    number = int(verdict.observed)
    return ngettext(
        "%(who)s: nobody in force since %(day)s, for %(number)d day.",
        "%(who)s: nobody in force since %(day)s, for %(number)d days.",
        number,
    ) % {"who": verdict.who, "day": day(verdict.facts["since"]), "number": number}


def _fill(verdict: Verdict) -> str:
    return _now("Assign somebody who is here: %(hours)s hours a week are needed.") % {
        "hours": hours(verdict.facts["hours"])
    }


POSITION_VACANT = register_rule(
    Rule(
        code="POSITION_VACANT",
        kind="position",
        name=_("Position vacant"),
        description=_(
            "No position with demand has had nobody in force for more days running than the threshold, today included."
        ),
        fixable=75,
        gated=False,
        violations=_empty_for_long,
        sentence=_vacant,
        remedy=_fill,
    )
)


# A position with more than it needs


def _above_what_is_needed(question: Question) -> tuple[str, dict[str, Any]]:
    """Return the positions with a week of the horizon whose regular hours are above the threshold; the worst week."""
    coverage, params = coverage_asked(question, ("required", "assigned", "reinforcement"))
    # Weighed in integers, before anything is divided.
    allowed = "(COALESCE(s.threshold, 100) * 100)::bigint"
    above = f"worst.regular * 10000 > {allowed} * worst.required"
    if question.due is not None:
        # Of all only those that have such a week are sorted by it; of a few it costs more to plan than it saves.
        above = " OR ".join(
            f"c.required[{week}] > 0 AND (c.assigned[{week}] - c.reinforcement[{week}]) * 10000"
            f" > {allowed} * c.required[{week}]"
            for week in range(1, Span.current(question.on).weeks + 1)
        )
    return (
        f"""
            SELECT s.id AS subject_id,
                CASE WHEN shown.percent > shown."limit" THEN shown.percent ELSE shown.percent + 0.1 END AS observed,
                shown."limit",
                jsonb_build_object(
                    'week', worst.monday, 'required', {_in_hours("worst.required")},
                    'regular', {_in_hours("worst.regular")},
                    'over', {_at_least_hours('(worst.regular - shown."limit" * worst.required / 100)')},
                    'records', (
                        SELECT COALESCE(jsonb_agg(jsonb_build_object(
                            'kind', 'assignment', 'id', a.id, 'code', {ASSIGNMENT}, 'hours', a.effective_hours::text
                        ) ORDER BY a.starts_on, a.id), '[]')
                        FROM assignments_assignment a JOIN org_position p ON p.id = a.position_id
                            JOIN org_employee e ON e.id = a.employee_id
                        WHERE a.position_id = s.id AND NOT a.is_reinforcement AND {COUNTED}
                            AND a.starts_on < worst.monday + 7 AND (a.ends_on IS NULL OR a.ends_on >= worst.monday)
                    )
                ) AS facts
            FROM subject s JOIN ({coverage}) c ON c.position_id = s.id
            CROSS JOIN LATERAL (
                SELECT c.assigned[week] - c.reinforcement[week] AS regular, c.required[week] AS required,
                    %(span_first)s::date + 7 * (week - 1) AS monday
                FROM generate_subscripts(c.required, 1) AS week
                WHERE c.required[week] > 0
                ORDER BY (c.assigned[week] - c.reinforcement[week])::numeric / c.required[week] DESC, week LIMIT 1
            ) worst
            CROSS JOIN LATERAL (
                SELECT round(worst.regular * 100::numeric / worst.required, 1) AS percent,
                    COALESCE(s.threshold, 100) AS "limit"
            ) shown
            WHERE {above}
        """,
        params,
    )


def _over_covered(verdict: Verdict) -> str:
    facts = verdict.facts
    return _now(
        "%(who)s: %(regular)s regular hours in week %(week)s where %(required)s are required, %(percent)s %% of them; "
        "up to %(limit)s %% is allowed."
    ) % {
        "who": verdict.who,
        "regular": hours(facts["regular"]),
        "week": _week(verdict),
        "required": hours(facts["required"]),
        "percent": percent(verdict.observed),
        "limit": percent(verdict.limit),
    }


def _reinforce(verdict: Verdict) -> str:
    return _now(
        "It fits with %(over)s hours less that week, or with what is meant as a surplus marked reinforcement."
    ) % {"over": hours(verdict.facts["over"])}


POSITION_OVER_COVERED = register_rule(
    Rule(
        code="POSITION_OVER_COVERED",
        kind="position",
        name=_("Position over-covered"),
        description=_(
            "In no week of the current one and the 12 to come do a position's regular hours exceed the threshold, in "
            "percent of what it requires. Reinforcement does not count, nor do weeks without demand."
        ),
        fixable=35,
        sensible=(Decimal(100), None),
        strictest=Decimal(0),
        violations=_above_what_is_needed,
        sentence=_over_covered,
        remedy=_reinforce,
    )
)


# What a position asks of whoever works there, held when the assignment needs it


def _missing(verdict: Verdict) -> str:
    facts = verdict.facts
    words = {
        "what": verdict.who,
        "tags": named(verdict),
        "day": day(facts["day"]) if facts["day"] else "",
    }
    if facts["day"]:
        return _now("%(what)s: on %(day)s the employee does not hold what the position requires: %(tags)s.") % words
    return _now("%(what)s: the employee does not hold what the position requires: %(tags)s.") % words


def _hold(verdict: Verdict) -> str:
    return ngettext(
        "Enter the missing tag, or the day it was renewed until, if the employee holds it.",
        "Enter the missing tags, or the days they were renewed until, if the employee holds them.",
        len(verdict.facts["records"]),
    )


def _not_giving() -> str:
    """Return SQL for the employees who give no hours today: no position lacks anything of theirs."""
    giving = ", ".join(f"'{status.value}'" for status in EmployeeStatus if status not in GIVING)
    return f"""
        SELECT e.id FROM org_employee e
        WHERE e.status IN ({giving}) OR e.last_day IS NOT NULL AND e.last_day < %(today)s
        UNION ALL
        SELECT l.employee_id FROM org_leave l
        WHERE l.starts_on <= %(today)s AND (l.ends_on IS NULL OR l.ends_on >= %(today)s)
    """


# What of its columns the rule looks at.
LOOKED_AT = "a.id, a.employee_id, a.position_id, a.starts_on"


def _worth_asking(question: Question) -> tuple[str, dict[str, Any]]:
    """Return CTEs ending in `asked` (LOOKED_AT): of everybody's live assignments those that may lack something.

    Who is in force, there and without a required tag today gives unqualified hours this week, which are kept with the
    position. What is not counted there is asked about by itself: proposals, what is yet to begin, whoever is away.
    """
    short, params = short_of_tags(question)
    # That an active one is among the live is said as well, so that their index is seen to answer.
    active = f"{live('a')} AND a.status = 'ACTIVE'"
    under_way = f"{active} AND a.starts_on <= %(today)s"
    return (
        f"""
            short AS MATERIALIZED ({short}),
            away AS MATERIALIZED ({_not_giving()}),
            asked AS (
                SELECT {LOOKED_AT} FROM subject a WHERE {live("a")} AND a.status = 'PROPOSED'
                UNION ALL
                SELECT {LOOKED_AT} FROM subject a WHERE {active} AND a.starts_on > %(today)s
                UNION ALL
                SELECT {LOOKED_AT} FROM subject a WHERE {under_way} AND a.position_id IN (SELECT position_id FROM short)
                UNION ALL
                SELECT own.* FROM (SELECT DISTINCT id FROM away) away CROSS JOIN LATERAL (
                    SELECT {LOOKED_AT} FROM subject a WHERE a.employee_id = away.id AND {under_way}
                    OFFSET 0 -- they are few: one after the other, whatever the planner makes of it
                ) own
                WHERE own.position_id NOT IN (SELECT position_id FROM short)
            ),
        """,
        params,
    )


def _lacking(question: Question) -> tuple[str, dict[str, Any]]:
    """Return the live assignments whose employee lacks a tag the position requires.

    Of an assignment yet to begin the sweep tells what is missing both today and on its first day: what the gate let
    pass is not reported before it begins.
    """
    if question.reads_kept:
        asked, params = _worth_asking(question)
        # As the index that is asked has them.
        in_order = "ORDER BY a.employee_id, wanted.tag_id"
    else:
        params, in_order = {}, ""
        asked = f"asked AS (SELECT {LOOKED_AT} FROM subject a WHERE {live('a')}),"
    return (
        f"""
            WITH {asked}
            lacking AS (
                SELECT a.id, a.starts_on, a.tag_id
                FROM (
                    SELECT a.id, a.employee_id, a.starts_on, wanted.tag_id
                    FROM asked a JOIN tags_positiontag wanted
                        ON wanted.position_id = a.position_id AND wanted.level = 'REQUIRED'
                    {in_order}
                ) a
                WHERE NOT EXISTS (
                    SELECT FROM tags_employeetag held
                    WHERE {same_holding("held", "a.employee_id", "a.tag_id", question)}
                    AND (held.valid_until IS NULL OR held.valid_until >= %(today)s) AND (
                        {held_on("held", "GREATEST(a.starts_on, %(today)s::date)")}
                        OR NOT %(at_gate)s AND {held_on("held", "%(today)s")}
                    )
                )
            )
            SELECT lacking.id AS subject_id, count(*)::numeric AS observed, 0::numeric AS "limit",
                jsonb_build_object(
                    'day', CASE WHEN lacking.starts_on > %(today)s THEN lacking.starts_on END,
                    'records', jsonb_agg(
                        jsonb_build_object('kind', 'tag', 'id', tag.id, 'code', tag.code, 'name', tag.name)
                        ORDER BY tag.code
                    )
                ) AS facts
            FROM lacking JOIN tags_tagcatalog tag ON tag.id = lacking.tag_id
            GROUP BY lacking.id, lacking.starts_on
        """,
        params,
    )


MISSING_REQUIRED_TAG = register_rule(
    Rule(
        code="MISSING_REQUIRED_TAG",
        kind="assignment",
        name=_("Required tag missing"),
        description=_(
            "The employee of a live assignment holds every tag its position requires: when it is proposed, changed or "
            "accepted, on its first day from then on; afterwards, today."
        ),
        fixable=40,
        violations=_lacking,
        sentence=_missing,
        remedy=_hold,
    )
)
