"""Exceptions somebody answers for: granted for a record or a unit, ended, and over by themselves."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING

from django.db import connection
from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.clock import today
from apps.common.errors import Reason, Refusal
from apps.org.models import OrgUnit
from apps.users.enums import Role
from apps.users.permissions import WAIVES, rights_of

from ..enums import RANKS, Severity, SubjectKind, ViolationState
from ..models import BusinessRule, RuleViolation, Waiver
from ..sql import rank
from ..standing import locked, move, out_of_sight
from ..subjects import kind_named, kinds
from .evaluation import setting_for
from .sweeps import request_judging, sweep_subjects

if TYPE_CHECKING:
    from apps.users.models import User

# Above so many of one rule, everybody is judged anew by it: one statement that reads the kept figures.
AT_ONCE = 1_000
UNCOVERED = """
    SELECT rule.code, v.subject_kind, v.subject_id
    FROM business_rules_ruleviolation v JOIN business_rules_businessrule rule ON rule.id = v.rule_id
        JOIN ({rows}) r ON r.id = v.subject_id JOIN org_orgunit u ON u.id = r.unit_id
    WHERE v.state = 'WAIVED' AND v.subject_kind = '{kind}'
        AND rule.enabled AND COALESCE(rule.effective_from, '-infinity'::date) <= %(today)s
        AND COALESCE(rule.effective_until, 'infinity'::date) >= %(today)s
        AND NOT EXISTS (
            SELECT FROM business_rules_waiver w
            WHERE w.rule_id = v.rule_id AND w.expires_on >= %(today)s AND {waiver} >= {violation}
                AND (w.subject_kind = v.subject_kind AND w.subject_id = v.subject_id OR w.org_unit_id = ANY (u.path))
        )
"""


def waive_violation(*, violation: RuleViolation, actor: User, reason: str, expires_on: date) -> Waiver:
    """Let a violation stand until a day, included; it reopens by itself.

    Who may follows the severity the rule has now: the gate lets pass what a waiver covers at once, and the severity
    on the violation is as old as the last sweep.
    """
    with acting(actor, reason):
        row = locked(violation, actor)
        if row.state == ViolationState.RESOLVED:
            raise Refusal(
                Reason(_("%(what)s is resolved: there is nothing to waive.") % {"what": row}, code="wrong_state")
            )
        code, severity = setting_for(row.rule, row.subject_kind, row.subject_id)
        waiver = Waiver(
            rule=row.rule,
            subject_kind=row.subject_kind,
            subject_id=row.subject_id,
            subject_code=code,
            severity=severity,
            reason=reason,
            expires_on=expires_on,
        )
        _save(waiver, actor)
        move(row, ViolationState.WAIVED)
    return waiver


def grant_waiver(
    *, rule: BusinessRule, subject_kind: str, subject_id: int, actor: User, reason: str, expires_on: date
) -> Waiver:
    """Let a rule not count for a subject until a day, before it is broken; a violation that stands is waived with it.

    Who may grant it follows the severity the rule has in the subject's unit.
    """
    with acting(actor, reason):
        if subject_kind != rule.subject_kind:
            raise Refusal(
                Reason(
                    _("“%(rule)s” judges another kind of record.") % {"rule": rule},
                    code="wrong_kind",
                    field="rule",
                )
            )
        if not kind_named(subject_kind).model.objects.visible_to(actor).filter(pk=subject_id).exists():
            raise out_of_sight()
        code, severity = setting_for(rule, subject_kind, subject_id)
        waiver = Waiver(
            rule=rule,
            subject_kind=subject_kind,
            subject_id=subject_id,
            subject_code=code,
            severity=severity,
            reason=reason,
            expires_on=expires_on,
        )
        _save(waiver, actor)
        standing = RuleViolation.objects.unresolved().select_for_update(no_key=True)
        for row in standing.filter(rule=rule, subject_kind=subject_kind, subject_id=subject_id):
            if RANKS[Severity(row.severity)] <= RANKS[Severity(severity)]:
                move(row, ViolationState.WAIVED)
    return waiver


def grant_unit_waiver(*, rule: BusinessRule, unit: OrgUnit, actor: User, reason: str, expires_on: date) -> Waiver:
    """Let a rule not count for all subjects of a unit and below until a day; a worker waives what stands, in seconds.

    Who may grant it follows the severity the rule has in that unit; where a unit below makes the rule more severe,
    the waiver does not reach.
    """
    with acting(actor, reason):
        if not OrgUnit.objects.visible_to(actor).filter(pk=unit.pk).exists():
            raise out_of_sight()
        _code, severity = setting_for(rule, SubjectKind.UNIT, unit.pk)
        waiver = Waiver(rule=rule, org_unit=unit, severity=severity, reason=reason, expires_on=expires_on)
        _save(waiver, actor)
        request_judging(rules=[rule.code], unit=unit)
    return waiver


def end_waiver(*, waiver: Waiver, actor: User, reason: str) -> Waiver:
    """Let a waiver be over as of today; what it covered is open again at once, or in seconds for a unit."""
    with acting(actor, reason):
        row = Waiver.objects.select_for_update(of=("self",), no_key=True).select_related("rule", "org_unit")
        held = row.filter(pk=waiver.pk).first()
        if held is None or not Waiver.objects.editable_by(actor).filter(pk=held.pk).exists():
            raise out_of_sight()
        reasons = [] if held.granted_by_id == actor.pk else _may_end(held, actor)
        if not reason.strip():
            reasons.append(
                Reason(_("Say why the waiver ends."), code="needed", field="reason", fixable=1),
            )
        if held.expires_on < today():
            reasons.append(Reason(_("%(what)s is over already.") % {"what": held}, code="wrong_state", fixable=80))
        if reasons:
            raise Refusal(reasons)
        held.expires_on = today() - timedelta(days=1)
        held.save(update_fields=["expires_on", "updated_at"])
        _judge_anew([held])
    return held


def reopen_expired() -> int:
    """Judge anew what is waived though no waiver in force covers it any more; return how many violations that were.

    The daily job. A violation says WAIVED until it is judged anew, so what a waiver left behind is found however long
    the job did not run, and only once. Of a rule with thousands of them everybody is judged anew by a worker.
    """
    uncovered = _uncovered()
    few: dict[str, set[int]] = defaultdict(set)
    codes: set[str] = set()
    for (code, kind), pks in uncovered.items():
        if len(pks) > AT_ONCE:
            request_judging(rules=[code])
        else:
            few[kind] |= pks
            codes.add(code)
    if codes:
        with acting(None, reason=str(_("a waiver ran out"))):
            sweep_subjects(subjects=few, actor=None, rules=codes)
    return sum(map(len, uncovered.values()))


def _uncovered() -> dict[tuple[str, str], set[int]]:
    """Return the subjects, by rule and kind, whose violation is waived by nothing that is in force. One query."""
    parts = [UNCOVERED.format(kind=kind.name, rows=kind.rows, waiver=rank("w.severity"), violation=rank("v.severity"))
             for kind in kinds()]  # fmt: skip
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), {"today": today()})
        for code, kind, pk in cursor.fetchall():
            found[code, kind].add(pk)
    return found


def _judge_anew(waivers: list[Waiver]) -> None:
    subjects: dict[str, set[int]] = defaultdict(set)
    for waiver in waivers:
        if waiver.org_unit is not None:
            request_judging(rules=[waiver.rule.code], unit=waiver.org_unit)
        elif waiver.subject_id is not None:
            subjects[waiver.subject_kind].add(waiver.subject_id)
    if subjects:
        sweep_subjects(subjects=subjects, actor=None, rules={waiver.rule.code for waiver in waivers})


def _save(waiver: Waiver, actor: User) -> Waiver:
    """Write a new waiver if the actor may answer for its severity, says why and lets it end."""
    reasons = _may_decide(waiver, actor)
    if not waiver.reason.strip():
        reasons.append(Reason(_("A waiver needs a reason."), code="needed", field="reason", fixable=1))
    if waiver.expires_on < today():
        reasons.append(
            Reason(_("A waiver ends today or later."), code="expires_in_past", field="expires_on", fixable=2)
        )
    if reasons:
        raise Refusal(reasons)
    waiver.reason = waiver.reason.strip()
    waiver.granted_by = actor
    waiver.save()
    return waiver


def _may_decide(waiver: Waiver, actor: User) -> list[Reason]:
    if actor.is_active and actor.role in WAIVES[waiver.severity]:
        return []
    return [
        Reason(
            _("You may not waive “%(rule)s” here: it is %(severity)s.")
            % {"rule": waiver.rule, "severity": Severity(waiver.severity).label},
            code="forbidden",
            fixable=90,
        )
    ]


def _may_end(waiver: Waiver, actor: User) -> list[Reason]:
    if "change" in rights_of(Role(actor.role)).get("business_rules.waiver", ()):
        return _may_decide(waiver, actor)
    return [Reason(_("You may end the waivers you granted yourself."), code="forbidden", fixable=90)]
