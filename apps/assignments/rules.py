"""The rules about assignments, and about the hours an employee's assignments add up to."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Min
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.business_rules.questions import Question
from apps.business_rules.registry import Rival, Rule, register_rule
from apps.business_rules.subjects import Kind, register_kind
from apps.business_rules.verdicts import Verdict, day, days, hours
from apps.common.clock import today
from apps.common.errors import Refusal
from apps.common.hours import HOUR_DAYS
from apps.fsm.employee_fsm import EmployeeStatus
from apps.offer.asked import ledger_asked
from apps.org.models import Employee, OrgUnit, Position

from .live import live
from .services import propose_assignment

CODE = "e.employee_number || '/' || p.code || '/' || a.starts_on"


def adds_up(row: str, question: Question) -> str:
    """Return the SQL condition that an assignment counts against the cap: active, or judged as if it were.

    What is voided is closed (a constraint); not saying so lets the index of live rows answer alone.
    """
    counted = f"{row}.status = 'ACTIVE'"
    if question.as_accepted:
        counted = f"({counted} OR {row}.status = 'PROPOSED' AND {row}.id = ANY (%(as_accepted)s::bigint[]))"
    return f"{counted} AND {live(row)}"


def stage_proposal(case: Mapping[str, Any], actor: Any) -> dict[str, list[int]]:
    """Propose what a pinned case says, {employee, position, hours, starts_in_days, days}; run inside a what-if."""
    starts_on = today() + timedelta(days=int(case.get("starts_in_days") or 0))
    employee = Employee.objects.filter(pk=case["employee"]).first()
    position = Position.objects.filter(pk=case["position"]).first()
    if employee is None or position is None:
        raise Refusal(_now("Its employee or its position is gone."))
    assignment = propose_assignment(
        employee=employee,
        position=position,
        hours=Decimal(case["hours"]),
        starts_on=starts_on,
        ends_on=starts_on + timedelta(days=int(case["days"]) - 1) if case.get("days") else None,
        actor=actor,
        confirmed=True,
    )
    return {"assignment": [assignment.pk], "employee": [employee.pk], "position": [position.pk]}


def proposed_beside(kind: str) -> str:
    """Return the SQL of the proposals that share an employee or a position with these of a kind, or with theirs."""
    own = "b.id" if kind == "assignment" else f"b.{kind}_id"
    beside = " OR ".join(
        f"a.{one}_id = ANY (%(ids)s::bigint[])"
        if one == kind
        else f"a.{one}_id IN (SELECT b.{one}_id FROM assignments_assignment b WHERE {own} = ANY (%(ids)s::bigint[]))"
        for one in ("employee", "position")
    )
    return f"SELECT a.id FROM assignments_assignment a WHERE a.status = 'PROPOSED' AND ({beside})"


register_kind(
    Kind(
        name="assignment",
        label="assignments.Assignment",
        table="assignments_assignment",
        unit="place.org_unit_id",
        unit_join="JOIN org_position place ON place.id = s.position_id",
        rows=f"""
            SELECT a.id, {CODE} AS code, p.org_unit_id AS unit_id, {CODE} AS name
            FROM assignments_assignment a JOIN org_employee e ON e.id = a.employee_id
                JOIN org_position p ON p.id = a.position_id
        """,
        # Not the unit: more hours can only help it, and what takes hours away is never refused.
        touches={
            other: f"SELECT a.id, a.{other}_id FROM assignments_assignment a WHERE a.id = ANY (%(ids)s::bigint[])"
            for other in ("employee", "position")
        },
        reached_from={
            "employee": "SELECT a.id FROM assignments_assignment a WHERE a.employee_id = ANY (%(ids)s::bigint[])",
            "position": "SELECT a.id FROM assignments_assignment a WHERE a.position_id = ANY (%(ids)s::bigint[])",
        },
        enters=("accept",),
        proposed_beside={kind: proposed_beside(kind) for kind in ("assignment", "employee", "position")},
        stage=stage_proposal,
    )
)


# How many hours a week, on the worst day from today on


def _too_many_hours(verdict: Verdict) -> str:
    facts = verdict.facts
    words = {
        "who": verdict.who,
        "hours": hours(verdict.observed),
        "cap": hours(verdict.limit),
        "day": day(facts["since"]),
        "unit": facts["cap_unit"],
    }
    if facts["cap_unit"]:
        return _now("%(who)s: %(hours)s hours a week from %(day)s, above the cap of %(cap)s of unit %(unit)s.") % words
    return _now("%(who)s: %(hours)s hours a week from %(day)s, above the cap of %(cap)s.") % words


def _fewer_hours(verdict: Verdict) -> str:
    over = hours((verdict.observed or Decimal(0)) - (verdict.limit or Decimal(0)))
    return _now("It fits with %(over)s hours less, or once other assignments end (%(records)s).") % {
        "over": over,
        "records": ", ".join(f"{record['code']}: {hours(record['hours'])}" for record in verdict.facts["records"]),
    }


def _above_the_cap(question: Question) -> tuple[str, dict[str, Any]]:
    """Return who has a day from today on whose active assignments add up to more than the cap; the worst day.

    Who stays below the lowest cap there is with everything added up is out at once, and who stays below the own one
    cannot be above it on any day; of the few others every day is looked at on which the sum can rise: today, and where
    an assignment begins.
    """
    if question.reads_kept:
        # Their sum is kept with the account of hours.
        above = f"engaged > (LEAST(%(threshold_least)s::numeric, %(lowest_cap)s::numeric) * {HOUR_DAYS})::bigint"
        ledger, params = ledger_asked(question, where=above)
        params["lowest_cap"] = OrgUnit.objects.aggregate(cap=Min("max_weekly_hours"))["cap"]
        heavy = f"""
            SELECT account.employee_id, account.engaged::numeric / {HOUR_DAYS} AS hours FROM ({ledger}) account
            WHERE account.{above}
        """
        # The units that are, or are below, one of the few with a cap.
        capped = """
            capped AS MATERIALIZED (
                SELECT DISTINCT ON (u.id) u.id, c.max_weekly_hours AS cap, c.code AS unit_code
                FROM org_orgunit c JOIN org_orgunit u ON u.path @> ARRAY[c.id]
                WHERE c.max_weekly_hours IS NOT NULL ORDER BY u.id, c.max_weekly_hours, c.id
            ),
        """
        chain = "capped chain ON chain.id = s.home_unit_id"
    else:
        only = "" if question.ids is None else "AND a.employee_id = ANY (%(ids_employee)s::bigint[])"
        params = {}
        capped = ""
        chain = """LATERAL (
            SELECT c.max_weekly_hours AS cap, c.code AS unit_code
            FROM org_orgunit u JOIN org_orgunit c ON c.id = ANY (u.path)
            WHERE u.id = s.home_unit_id AND c.max_weekly_hours IS NOT NULL
            ORDER BY c.max_weekly_hours, c.id LIMIT 1
        ) chain ON true"""
        heavy = f"""
            SELECT a.employee_id, sum(a.effective_hours) AS hours FROM assignments_assignment a
            WHERE {adds_up("a", question)} {only} GROUP BY a.employee_id
        """
    return (
        f"""
            WITH heavy AS ({heavy}),
            {capped}
            suspect AS (
                SELECT s.id, LEAST(s.threshold, chain.cap) AS cap,
                    CASE WHEN chain.cap < s.threshold OR s.threshold IS NULL THEN chain.unit_code END AS cap_unit
                FROM heavy JOIN subject s ON s.id = heavy.employee_id LEFT JOIN {chain}
                WHERE heavy.hours > LEAST(s.threshold, chain.cap)
            )
            SELECT suspect.id AS subject_id, peak.hours AS observed, suspect.cap AS "limit",
                (
                    SELECT jsonb_build_object(
                        'since', max(a.starts_on), 'cap_unit', suspect.cap_unit, 'records', jsonb_agg(
                            jsonb_build_object(
                                'kind', 'assignment', 'id', a.id, 'code', {CODE}, 'hours', a.effective_hours::text
                            ) ORDER BY a.starts_on, a.id
                        )
                    )
                    FROM assignments_assignment a JOIN org_employee e ON e.id = a.employee_id
                        JOIN org_position p ON p.id = a.position_id
                    WHERE a.employee_id = suspect.id AND {adds_up("a", question)}
                        AND a.starts_on <= peak.day AND (a.ends_on IS NULL OR a.ends_on >= peak.day)
                ) AS facts
            FROM suspect CROSS JOIN LATERAL (
                SELECT boundary.day, sum(a.effective_hours) AS hours
                FROM (
                    SELECT DISTINCT GREATEST(begins.starts_on, %(today)s::date) AS day
                    FROM assignments_assignment begins
                    WHERE begins.employee_id = suspect.id AND {adds_up("begins", question)}
                ) boundary
                JOIN assignments_assignment a ON a.employee_id = suspect.id AND {adds_up("a", question)}
                    AND a.starts_on <= boundary.day AND (a.ends_on IS NULL OR a.ends_on >= boundary.day)
                GROUP BY boundary.day
                ORDER BY hours DESC, boundary.day LIMIT 1
            ) peak
            WHERE peak.hours > suspect.cap
        """,
        params,
    )


MAX_WEEKLY_HOURS = register_rule(
    Rule(
        code="MAX_WEEKLY_HOURS",
        kind="employee",
        name=_("Cap of weekly hours"),
        description=_(
            "On no day from today on do an employee's active assignments add up to more hours a week than the cap: "
            "the lowest of the threshold and the caps of the home unit and those above it. A leave does not hide an "
            "overload."
        ),
        fixable=20,
        # A week has 168 hours.
        sensible=(Decimal(1), Decimal(168)),
        strictest=Decimal(0),
        rival=Rival("max_weekly_hours", "lowest"),
        violations=_above_the_cap,
        sentence=_too_many_hours,
        remedy=_fewer_hours,
    )
)


# Whether its employee is there


def _not_available(verdict: Verdict) -> str:
    facts = verdict.facts
    if facts["status"] in (EmployeeStatus.TERMINATED, EmployeeStatus.SUSPENDED):
        return _now("%(what)s: its employee is “%(status)s”.") % {
            "what": verdict.who,
            "status": EmployeeStatus(facts["status"]).label,
        }
    return _now("%(what)s goes on after the last day of its employee, %(day)s.") % {
        "what": verdict.who,
        "day": day(facts["last_day"]),
    }


def _when_available(verdict: Verdict) -> str:
    facts = verdict.facts
    if facts["status"] == EmployeeStatus.SUSPENDED:
        return _now("It is possible once the employee is reinstated.")
    if facts["status"] == EmployeeStatus.TERMINATED:
        return _now("It is possible after a rehire.")
    return _now("End it on %(day)s or earlier.") % {"day": day(facts["last_day"])}


EMPLOYEE_NOT_AVAILABLE = register_rule(
    Rule(
        code="EMPLOYEE_NOT_AVAILABLE",
        kind="assignment",
        name=_("Employee not available"),
        description=_(
            "No live assignment has a day from today on on which its employee is terminated, suspended or past the "
            "last day."
        ),
        fixable=60,
        violations=f"""
            SELECT a.id AS subject_id, NULL::numeric AS observed, NULL::numeric AS "limit",
                jsonb_build_object('status', e.status, 'last_day', e.last_day, 'records', jsonb_build_array(
                    jsonb_build_object('kind', 'employee', 'id', e.id, 'code', e.employee_number)
                )) AS facts
            FROM (
                -- Of all employees those few of whose assignments anything can be said.
                SELECT e.id, e.employee_number, e.status, e.last_day FROM org_employee e
                WHERE e.status IN ('TERMINATED', 'SUSPENDED') OR e.last_day IS NOT NULL
            ) e JOIN subject a ON a.employee_id = e.id
            WHERE {live("a")} AND (
                e.status IN ('TERMINATED', 'SUSPENDED')
                OR e.last_day < COALESCE(a.ends_on, 'infinity'::date)
            )
        """,
        sentence=_not_available,
        remedy=_when_available,
    )
)


# One regular assignment at a time

# Holds it for the stored rows.
ONE_LIVE_REGULAR = "assignments_one_live_regular"
NOBODY = 'SELECT NULL::bigint AS subject_id, NULL::numeric AS observed, NULL::numeric AS "limit", NULL::jsonb AS facts'


def _duplicate(verdict: Verdict) -> str:
    return _now(
        "%(what)s: the employee already has a live regular assignment to this position on those days: %(others)s."
    ) % {"what": verdict.who, "others": ", ".join(verdict.records)}


def _kept_out() -> bool:
    """Tell whether the database lets no two overlap: it has the constraint, and every row passed it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_constraint WHERE conname = %s AND convalidated AND conrelid = %s::regclass)",
            [ONE_LIVE_REGULAR, "assignments_assignment"],
        )
        return bool(cursor.fetchone()[0])


def _more_than_one(question: Question) -> tuple[str, dict[str, Any]]:
    """Return the live regular assignments of an employee to a position that has another on some of their days.

    Of everybody none is looked for where the database itself lets none in; what is proposed is told by the rule.
    """
    if question.ids is None and _kept_out():
        return f"{NOBODY} WHERE false", {}
    only = "" if question.ids is None else "AND o.employee_id IN (SELECT s.employee_id FROM subject s)"
    return (
        f"""
            WITH several AS (
                SELECT o.employee_id, o.position_id FROM assignments_assignment o
                WHERE {live("o")} AND NOT o.is_reinforcement {only}
                GROUP BY o.employee_id, o.position_id HAVING count(*) > 1
            )
            SELECT a.id AS subject_id, 1 + count(*)::numeric AS observed, 1::numeric AS "limit",
                jsonb_build_object('records', jsonb_agg(jsonb_build_object(
                    'kind', 'assignment', 'id', other.id,
                    'code', e.employee_number || '/' || p.code || '/' || other.starts_on
                ) ORDER BY other.starts_on, other.id)) AS facts
            FROM several JOIN subject a ON a.employee_id = several.employee_id AND a.position_id = several.position_id
                JOIN assignments_assignment other ON other.employee_id = a.employee_id
                    AND other.position_id = a.position_id AND other.id <> a.id
                JOIN org_employee e ON e.id = a.employee_id JOIN org_position p ON p.id = a.position_id
            WHERE {live("a")} AND NOT a.is_reinforcement
                AND {live("other")} AND NOT other.is_reinforcement
                AND daterange(a.starts_on, a.ends_on, '[]') && daterange(other.starts_on, other.ends_on, '[]')
            GROUP BY a.id
        """,
        {},
    )


DUPLICATE_ASSIGNMENT = register_rule(
    Rule(
        code="DUPLICATE_ASSIGNMENT",
        kind="assignment",
        name=_("Duplicate assignment"),
        description=_("An employee has at most one live regular assignment to a position at a time."),
        fixable=30,
        violations=_more_than_one,
        sentence=_duplicate,
        remedy=lambda verdict: _now("Change that one instead, choose other days, or mark this one as reinforcement."),
    )
)


# Within the dates of the position


def _outside(verdict: Verdict) -> str:
    facts = verdict.facts
    return _now("%(what)s runs %(days)s; the position is open %(open)s.") % {
        "what": verdict.who,
        "days": days(facts["starts_on"], facts["ends_on"]),
        "open": days(facts["opens_on"], facts["closes_on"]),
    }


def _inside(verdict: Verdict) -> str:
    facts = verdict.facts
    steps = []
    # ISO dates compare as text.
    if facts["opens_on"] and facts["starts_on"] < facts["opens_on"]:
        steps.append(_now("Start it on %(day)s or later.") % {"day": day(facts["opens_on"])})
    if facts["late"]:
        steps.append(_now("End it on %(day)s or earlier.") % {"day": day(facts["closes_on"])})
    return " ".join(steps)


OUTSIDE_POSITION_DATES = register_rule(
    Rule(
        code="OUTSIDE_POSITION_DATES",
        kind="assignment",
        name=_("Outside the position's dates"),
        description=_("A live assignment lies within the dates of its position."),
        fixable=10,
        # An assignment without an end goes as long as its position: it is outside from the day the position is closed.
        violations=f"""
            SELECT a.id AS subject_id,
                (
                    CASE WHEN a.starts_on < p.opens_on
                        THEN LEAST(p.opens_on, a.ends_on + 1) - a.starts_on ELSE 0 END
                    + CASE WHEN COALESCE(a.ends_on, GREATEST(a.starts_on, %(today)s::date)) > p.closes_on
                        THEN COALESCE(a.ends_on, GREATEST(a.starts_on, %(today)s::date))
                            - GREATEST(p.closes_on, a.starts_on - 1) ELSE 0 END
                )::numeric AS observed,
                0::numeric AS "limit",
                jsonb_build_object(
                    'starts_on', a.starts_on, 'ends_on', a.ends_on, 'opens_on', p.opens_on, 'closes_on', p.closes_on,
                    'late', COALESCE(COALESCE(a.ends_on, GREATEST(a.starts_on, %(today)s::date)) > p.closes_on, false),
                    'records', jsonb_build_array(jsonb_build_object('kind', 'position', 'id', p.id, 'code', p.code))
                ) AS facts
            FROM subject a JOIN org_position p ON p.id = a.position_id
            WHERE {live("a")} AND (
                a.starts_on < p.opens_on
                OR COALESCE(a.ends_on, GREATEST(a.starts_on, %(today)s::date)) > p.closes_on
            )
        """,
        sentence=_outside,
        remedy=_inside,
    )
)


# As many hours as the contract has


def _other_than_contract(verdict: Verdict) -> str:
    facts = verdict.facts
    return _now("%(what)s: %(hours)s hours a week, the contract of its employee has %(contract)s.") % {
        "what": verdict.who,
        "hours": hours(facts["hours"]),
        "contract": hours(facts["contract_hours"]),
    }


CONTRACT_HOURS_MISMATCH = register_rule(
    Rule(
        code="CONTRACT_HOURS_MISMATCH",
        kind="assignment",
        name=_("Hours other than the contract's"),
        description=_(
            "A live regular assignment has as many hours as the contracts of its employee have together, today or on "
            "the first day of one yet to begin."
        ),
        fixable=65,
        violations=f"""
            SELECT a.id AS subject_id, abs(a.effective_hours - a.contract_hours) AS observed, 0::numeric AS "limit",
                jsonb_build_object(
                    'hours', a.effective_hours::text, 'contract_hours', round(a.contract_hours, 2)::text,
                    'records', jsonb_build_array(
                        jsonb_build_object('kind', 'employee', 'id', e.id, 'code', e.employee_number)
                    )
                ) AS facts
            FROM (
                SELECT a.id, a.employee_id, a.effective_hours, COALESCE(sum(held.hours_delta), 0) AS contract_hours
                FROM subject a
                LEFT JOIN (
                    SELECT t.employee_id, t.valid_from, t.valid_until, contract.hours_delta
                    FROM tags_employeetag t JOIN tags_tagcatalog contract ON contract.id = t.tag_id
                    WHERE contract.type = 'CONTRACT' AND (t.valid_until IS NULL OR t.valid_until >= %(today)s)
                ) held ON held.employee_id = a.employee_id AND GREATEST(a.starts_on, %(today)s::date)
                    BETWEEN held.valid_from AND COALESCE(held.valid_until, 'infinity'::date)
                WHERE {live("a")} AND NOT a.is_reinforcement
                GROUP BY a.id, a.employee_id, a.effective_hours
                HAVING a.effective_hours <> COALESCE(sum(held.hours_delta), 0)
            ) a JOIN org_employee e ON e.id = a.employee_id
        """,
        sentence=_other_than_contract,
        remedy=lambda verdict: (
            _now("Change the hours to %(hours)s, or enter another contract.")
            % {"hours": hours(verdict.facts["contract_hours"])}
        ),
    )
)
