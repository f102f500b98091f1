"""What people do with violations: take note of them, or answer for letting them stand."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.clock import today
from apps.common.errors import Reason, Refusal
from apps.users.enums import Role
from apps.users.permissions import WAIVES, rights_of

from ..enums import Severity, ViolationState
from ..models import BusinessRule, RuleViolation, Waiver
from ..subjects import kind_named

if TYPE_CHECKING:
    from apps.users.models import User


def acknowledge_violation(*, violation: RuleViolation, actor: User, reason: str = "") -> RuleViolation:
    """Take note of an open violation: it stays listed, marked as seen, until it is resolved or waived."""
    with acting(actor, reason):
        row = _locked(violation, actor)
        if not _may(actor, "business_rules.ruleviolation", "change"):
            raise Refusal(Reason(_("You may not acknowledge violations."), code="forbidden", fixable=90))
        if row.state != ViolationState.OPEN:
            raise Refusal(
                Reason(
                    _("%(what)s is “%(state)s”: only an open violation is acknowledged.")
                    % {"what": row, "state": row.get_state_display()},
                    code="wrong_state",
                    fixable=80,
                )
            )
        _move(row, ViolationState.ACKNOWLEDGED)
    return row


def waive_violation(*, violation: RuleViolation, actor: User, reason: str, expires_on: date) -> Waiver:
    """Let a violation stand until a day, included; it reopens by itself.

    Who may follows the severity the rule has now: the gate lets pass what a waiver covers at once, and the severity
    on the violation is as old as the last sweep.
    """
    from .evaluation import setting_for

    with acting(actor, reason):
        row = _locked(violation, actor)
        if row.state == ViolationState.RESOLVED:
            raise Refusal(
                Reason(_("%(what)s is resolved: there is nothing to waive.") % {"what": row}, code="wrong_state")
            )
        code, severity = setting_for(row.rule, row.subject_kind, row.subject_id)
        waiver = _grant(row.rule, row.subject_kind, row.subject_id, code, severity, actor, reason, expires_on)
        _move(row, ViolationState.WAIVED)
    return waiver


def grant_waiver(
    *, rule: BusinessRule, subject_kind: str, subject_id: int, actor: User, reason: str, expires_on: date
) -> Waiver:
    """Let a rule not count for a subject until a day, before it is broken; a violation that stands is waived with it.

    Who may grant it follows the severity the rule has in the subject's unit.
    """
    from .evaluation import setting_for

    with acting(actor, reason):
        subject = kind_named(subject_kind).model.objects.visible_to(actor).filter(pk=subject_id).exists()
        if not subject:
            raise _out_of_sight()
        code, severity = setting_for(rule, subject_kind, subject_id)
        waiver = _grant(rule, subject_kind, subject_id, code, severity, actor, reason, expires_on)
        standing = RuleViolation.objects.unresolved().select_for_update(no_key=True)
        for row in standing.filter(rule=rule, subject_kind=subject_kind, subject_id=subject_id):
            _move(row, ViolationState.WAIVED)
    return waiver


def _grant(
    rule: BusinessRule,
    subject_kind: str,
    subject_id: int,
    subject_code: str,
    severity: str,
    actor: User,
    reason: str,
    expires_on: date,
) -> Waiver:
    reasons = []
    if not actor.is_active or actor.role not in WAIVES[severity]:
        reasons.append(
            Reason(
                _("You may not waive “%(rule)s” here: it is %(severity)s.")
                % {"rule": rule, "severity": Severity(severity).label},
                code="forbidden",
                fixable=90,
            )
        )
    if not reason.strip():
        reasons.append(Reason(_("A waiver needs a reason."), code="needed", field="reason", fixable=1))
    if expires_on < today():
        reasons.append(
            Reason(_("A waiver ends today or later."), code="expires_in_past", field="expires_on", fixable=2)
        )
    if reasons:
        raise Refusal(reasons)
    return Waiver.objects.create(
        rule=rule,
        subject_kind=subject_kind,
        subject_id=subject_id,
        subject_code=subject_code,
        reason=reason.strip(),
        granted_by=actor,
        expires_on=expires_on,
    )


def _locked(violation: RuleViolation, actor: User) -> RuleViolation:
    """Return the violation as it is now, locked, if the actor may see its subject."""
    rows = RuleViolation.objects.select_for_update(of=("self",), no_key=True).select_related("rule")
    row = rows.filter(pk=violation.pk).first()
    if row is None or not RuleViolation.objects.editable_by(actor).filter(pk=row.pk).exists():
        raise _out_of_sight()
    return row


def _out_of_sight() -> Refusal:
    return Refusal(Reason(_("There is no such record in your part of the organisation."), code="out_of_scope"))


def _may(actor: User, label: str, verb: str) -> bool:
    return actor.is_active and verb in rights_of(Role(actor.role)).get(label, ())


def _move(row: RuleViolation, state: ViolationState) -> None:
    row.state = state
    row.updated_at = timezone.now()
    row.save(update_fields=["state", "updated_at"])
