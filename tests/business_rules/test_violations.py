"""Acknowledging and waiving: who may, for which severity, in whose part of the tree."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apps.business_rules.models import BusinessRule, RuleViolation, Waiver
from apps.business_rules.services import acknowledge_violation, grant_waiver, sweep, waive_violation
from apps.common.errors import Refusal
from apps.users.enums import Role
from tests.conftest import TODAY
from tests.factories import AssignmentFactory, Clinic, RuleOverrideFactory, UserFactory
from tests.rules.catalogue import install_rules

pytestmark = pytest.mark.django_db
SOON = TODAY + timedelta(days=30)


@pytest.fixture
def found(clinic: Clinic) -> dict[str, RuleViolation]:
    """The nurse of H1 above the cap (BLOCKING) and the pool (WARNING), the surgeon of H2 above the pool."""
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=61, accepted=True)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=40, accepted=True)
    install_rules()
    sweep(actor=None)
    rows = RuleViolation.objects.select_related("rule")
    return {f"{row.rule.code} {row.subject_code}": row for row in rows}


CAP, POOL, ELSEWHERE = "MAX_WEEKLY_HOURS E1", "HOURS_OVER_POOL E1", "HOURS_OVER_POOL E2"


def refused(deed: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        deed()
    return refusal.value.reasons[0].code


def test_a_supervisor_takes_note_of_what_is_in_scope(clinic: Clinic, found: dict[str, RuleViolation]) -> None:
    acknowledge_violation(violation=found[CAP], actor=clinic.supervisor, reason="seen")
    found[CAP].refresh_from_db()
    assert found[CAP].state == "ACKNOWLEDGED"
    last = RuleViolation.history.filter(id=found[CAP].pk).first()
    assert (last.history_user_id, last.history_change_reason) == (clinic.supervisor.pk, "seen")


def test_nobody_acknowledges_what_is_out_of_scope_or_without_the_right(
    clinic: Clinic, found: dict[str, RuleViolation]
) -> None:
    assert refused(lambda: acknowledge_violation(violation=found[ELSEWHERE], actor=clinic.supervisor)) == "out_of_scope"
    assert refused(lambda: acknowledge_violation(violation=found[CAP], actor=clinic.viewer)) == "forbidden"


def test_only_an_open_one_is_acknowledged(clinic: Clinic, found: dict[str, RuleViolation]) -> None:
    acknowledge_violation(violation=found[CAP], actor=clinic.supervisor)
    assert refused(lambda: acknowledge_violation(violation=found[CAP], actor=clinic.supervisor)) == "wrong_state"


@pytest.mark.parametrize(
    ("who", "which", "may"),
    [
        ("viewer", POOL, False),
        ("supervisor", POOL, True),
        ("supervisor", CAP, False),
        ("manager", POOL, True),
        ("manager", CAP, True),
        ("admin", CAP, True),
        ("manager", ELSEWHERE, False),
        ("admin", ELSEWHERE, True),
    ],
)
def test_who_may_waive_what(clinic: Clinic, found: dict[str, RuleViolation], who: str, which: str, may: bool) -> None:
    actor = getattr(clinic, who)
    deed = lambda: waive_violation(violation=found[which], actor=actor, reason="agreed", expires_on=SOON)  # noqa: E731
    if not may:
        assert refused(deed) in ("forbidden", "out_of_scope")
        assert not Waiver.objects.exists()
        return
    waiver = deed()
    assert (waiver.granted_by, waiver.expires_on, waiver.subject_code) == (actor, SOON, found[which].subject_code)
    found[which].refresh_from_db()
    assert found[which].state == "WAIVED"


def test_an_employee_login_and_a_blocked_one_waive_nothing(clinic: Clinic, found: dict[str, RuleViolation]) -> None:
    for actor in (UserFactory(role=Role.EMPLOYEE), UserFactory(role=Role.ADMIN, is_active=False)):
        with pytest.raises(Refusal):
            waive_violation(violation=found[POOL], actor=actor, reason="agreed", expires_on=SOON)


def test_the_severity_of_the_unit_decides_who_may(clinic: Clinic, found: dict[str, RuleViolation]) -> None:
    RuleOverrideFactory(rule=found[CAP].rule, org_unit=clinic.h1, severity="WARNING")
    sweep(actor=None)
    waive_violation(violation=found[CAP], actor=clinic.supervisor, reason="agreed", expires_on=SOON)
    found[CAP].refresh_from_db()
    assert found[CAP].state == "WAIVED"


def test_a_severity_raised_since_the_last_sweep_decides_who_may(
    clinic: Clinic, found: dict[str, RuleViolation]
) -> None:
    BusinessRule.objects.filter(pk=found[POOL].rule_id).update(severity="BLOCKING")
    waive = lambda actor: waive_violation(violation=found[POOL], actor=actor, reason="agreed", expires_on=SOON)  # noqa: E731
    assert refused(lambda: waive(clinic.supervisor)) == "forbidden"
    assert not Waiver.objects.exists()
    waive(clinic.manager)


@pytest.mark.parametrize(
    ("reason", "expires_on", "code"),
    [("", SOON, "needed"), ("  ", SOON, "needed"), ("agreed", TODAY - timedelta(days=1), "expires_in_past")],
)
def test_a_waiver_needs_a_reason_and_an_end_ahead(
    clinic: Clinic, found: dict[str, RuleViolation], reason: str, expires_on: Any, code: str
) -> None:
    assert (
        refused(lambda: waive_violation(violation=found[CAP], actor=clinic.admin, reason=reason, expires_on=expires_on))
        == code
    )


def test_what_is_resolved_is_not_waived(clinic: Clinic, found: dict[str, RuleViolation]) -> None:
    BusinessRule.objects.all().update(enabled=False)
    sweep(actor=None)
    assert (
        refused(lambda: waive_violation(violation=found[CAP], actor=clinic.admin, reason="agreed", expires_on=SOON))
        == "wrong_state"
    )


def test_a_waiver_can_be_granted_before_the_rule_is_broken(clinic: Clinic, found: dict[str, RuleViolation]) -> None:
    rule = found[CAP].rule
    waiver = grant_waiver(
        rule=rule, subject_kind="employee", subject_id=clinic.newcomer.pk, actor=clinic.manager, reason="agreed",
        expires_on=SOON,
    )  # fmt: skip
    assert waiver.subject_code == "E3"
    with pytest.raises(Refusal):
        grant_waiver(
            rule=rule, subject_kind="employee", subject_id=clinic.newcomer.pk, actor=clinic.supervisor,
            reason="agreed", expires_on=SOON,
        )  # fmt: skip
    with pytest.raises(Refusal):
        grant_waiver(
            rule=rule, subject_kind="employee", subject_id=clinic.surgeon.pk, actor=clinic.manager, reason="agreed",
            expires_on=SOON,
        )  # fmt: skip


def test_granting_one_waives_the_violation_that_stands(clinic: Clinic, found: dict[str, RuleViolation]) -> None:
    grant_waiver(
        rule=found[CAP].rule, subject_kind="employee", subject_id=clinic.nurse.pk, actor=clinic.manager,
        reason="agreed", expires_on=SOON,
    )  # fmt: skip
    found[CAP].refresh_from_db()
    assert found[CAP].state == "WAIVED"
