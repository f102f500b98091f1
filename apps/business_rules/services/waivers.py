"""Exceptions somebody answers for: granted for a record or a unit, ended, and over by themselves."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.clock import today
from apps.common.errors import Reason, Refusal
from apps.org.models import OrgUnit
from apps.users.enums import Role
from apps.users.permissions import WAIVES, rights_of

from ..enums import RANKS, Severity, SubjectKind, ViolationState
from ..models import BusinessRule, RuleViolation, Waiver
from ..standing import locked, move, out_of_sight
from ..subjects import kind_named
from .evaluation import setting_for
from .sweeps import request_judging, sweep_subjects

if TYPE_CHECKING:
    from apps.users.models import User


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
    """Judge anew what a waiver covered until yesterday; return how many waivers ran out since the last time.

    The daily job. A violation says WAIVED until it is judged anew, so whatever is waived without a waiver in force
    is looked at, however long the job did not run.
    """
    day = today()
    over = Waiver.objects.filter(expires_on__lt=day)
    waived = RuleViolation.objects.filter(state=ViolationState.WAIVED)
    due: list[Waiver] = []
    for kind, rule, pks in _waived_by_rule(waived):
        due += over.filter(rule_id=rule, subject_kind=kind, subject_id__in=pks)
    due += over.filter(org_unit__isnull=False, rule__in=waived.values("rule"))
    with acting(None, reason=str(_("a waiver ran out"))):
        _judge_anew(due)
    return len(due)


def _waived_by_rule(waived: object) -> list[tuple[str, int, list[int]]]:
    grouped: dict[tuple[str, int], list[int]] = defaultdict(list)
    for kind, rule, pk in waived.values_list("subject_kind", "rule_id", "subject_id"):  # type: ignore[attr-defined]
        grouped[kind, rule].append(pk)
    return [(kind, rule, pks) for (kind, rule), pks in grouped.items()]


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
