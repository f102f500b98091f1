"""MAX_WEEKLY_HOURS: on no day from today on more than the cap."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from apps.business_rules.models import BusinessRule
from apps.org.models import OrgUnit
from tests.conftest import TODAY
from tests.factories import AssignmentFactory, Clinic, LeaveFactory, OrgUnitFactory, RuleOverrideFactory

from .catalogue import at_the_gate, found, install_rules

pytestmark = pytest.mark.django_db
CODE = "MAX_WEEKLY_HOURS"
Rules = dict[str, BusinessRule]


def give(clinic: Clinic, hours: str, *, to: str = "p1", first: date = date(2026, 1, 1), last: date | None = None):
    return AssignmentFactory(
        employee=clinic.nurse,
        position=getattr(clinic, to),
        effective_hours=Decimal(hours),
        starts_on=first,
        ends_on=last,
        accepted=True,
    )


def test_exactly_the_cap_is_allowed(clinic: Clinic) -> None:
    give(clinic, "36")
    give(clinic, "24", to="p2")
    install_rules()
    assert found(CODE) == []


@pytest.fixture
def overloaded(clinic: Clinic) -> Clinic:
    """The nurse works 36 and, from the 14th on, 24.01 hours; nobody asked the rules, they came later."""
    give(clinic, "36")
    give(clinic, "24.01", to="p2", first=date(2026, 12, 14))
    return clinic


def test_a_hundredth_above_the_cap_is_told_with_day_numbers_and_assignments(overloaded: Clinic, rules: Rules) -> None:
    [finding] = found(CODE)
    assert (finding.subject_kind, finding.subject_code, finding.severity) == ("employee", "E1", "BLOCKING")
    assert (finding.observed, finding.limit) == (Decimal("60.01"), Decimal("60.00"))
    assert finding.facts["since"] == "2026-12-14"
    assert finding.records == ("E1/P1/2026-01-01", "E1/P2/2026-12-14")
    with translation.override("en"):
        assert finding.message == "Gómez, Lucía (E1): 60.01 hours a week from 14 Dec 2026, above the cap of 60.00."
        assert finding.remedy.startswith("It fits with 0.01 hours less")


def test_every_date_boundary_is_looked_at_however_far(clinic: Clinic) -> None:
    give(clinic, "40")
    give(clinic, "21", to="p2", first=date(2031, 5, 5), last=date(2031, 5, 5))
    install_rules()
    assert [finding.facts["since"] for finding in found(CODE)] == ["2031-05-05"]


@pytest.mark.parametrize(
    ("last", "first", "broken"),
    [
        (date(2026, 12, 31), date(2027, 1, 1), False),
        (date(2026, 12, 31), date(2026, 12, 31), True),
        (TODAY - timedelta(days=1), date(2026, 1, 1), False),
        (TODAY, date(2026, 1, 1), True),
    ],
    ids=["one after the other", "a day together", "over since yesterday", "together until today"],
)
def test_only_days_together_from_today_on_add_up(clinic: Clinic, last: date, first: date, broken: bool) -> None:
    give(clinic, "36", last=last)
    give(clinic, "36", to="p2", first=first)
    install_rules()
    assert bool(found(CODE)) is broken


def test_a_leave_does_not_hide_an_overload(overloaded: Clinic, rules: Rules) -> None:
    LeaveFactory(employee=overloaded.nurse, starts_on=date(2026, 12, 1))
    assert len(found(CODE)) == 1


def test_proposals_count_only_as_if_accepted_and_only_the_ones_judged(overloaded: Clinic, rules: Rules) -> None:
    AssignmentFactory(employee=overloaded.surgeon, position=overloaded.p1, effective_hours=40)
    judged = AssignmentFactory(employee=overloaded.surgeon, position=overloaded.p2, effective_hours=61)
    assert [finding.subject_code for finding in found(CODE)] == ["E1"]
    assert [finding.observed for finding in at_the_gate(CODE, judged)] == [Decimal("61.00")]


def test_the_lowest_cap_on_the_way_up_holds_and_is_named(overloaded: Clinic, rules: Rules) -> None:
    OrgUnit.objects.filter(pk=overloaded.root.pk).update(max_weekly_hours=48)
    OrgUnit.objects.filter(pk=overloaded.h1.pk).update(max_weekly_hours=70)
    [finding] = found(CODE)
    assert (finding.limit, finding.facts["cap_unit"]) == (Decimal("48.00"), "H")
    with translation.override("en"):
        assert "the cap of 48.00 of unit H" in finding.message


def test_a_unit_never_raises_the_cap(overloaded: Clinic, rules: Rules) -> None:
    OrgUnit.objects.filter(pk=overloaded.h1.pk).update(max_weekly_hours=80)
    assert [finding.limit for finding in found(CODE)] == [Decimal("60.00")]


def test_the_home_unit_decides_not_the_unit_of_the_position(overloaded: Clinic, rules: Rules) -> None:
    OrgUnit.objects.filter(pk=overloaded.h2.pk).update(max_weekly_hours=10)
    assert [finding.limit for finding in found(CODE)] == [Decimal("60.00")]


def test_without_a_threshold_only_the_caps_of_units_hold(overloaded: Clinic, rules: Rules) -> None:
    BusinessRule.objects.filter(code=CODE).update(threshold=None)
    assert found(CODE) == []
    OrgUnit.objects.filter(pk=overloaded.h1.pk).update(max_weekly_hours=60)
    assert [finding.facts["cap_unit"] for finding in found(CODE)] == ["H1"]


class TestOverridesOfUnits:
    def test_the_nearest_one_wins_for_severity_and_threshold_apart(self, overloaded: Clinic, rules: Rules) -> None:
        RuleOverrideFactory(rule=rules[CODE], org_unit=overloaded.root, severity="INFO", threshold=20)
        RuleOverrideFactory(rule=rules[CODE], org_unit=overloaded.h1, severity="", threshold=50)
        [finding] = found(CODE)
        assert (finding.severity, finding.limit) == ("INFO", Decimal("50.00"))

    def test_a_moved_unit_inherits_from_its_new_parent(self, overloaded: Clinic, rules: Rules) -> None:
        other = OrgUnitFactory(code="X")
        RuleOverrideFactory(rule=rules[CODE], org_unit=other, severity="OFF")
        assert len(found(CODE)) == 1
        overloaded.h1.parent = other
        overloaded.h1.save()
        assert found(CODE) == []

    def test_off_above_can_be_switched_on_again_below(self, overloaded: Clinic, rules: Rules) -> None:
        RuleOverrideFactory(rule=rules[CODE], org_unit=overloaded.root, severity="OFF")
        assert found(CODE) == []
        RuleOverrideFactory(rule=rules[CODE], org_unit=overloaded.h1, severity="WARNING")
        assert [finding.severity for finding in found(CODE)] == ["WARNING"]

    def test_another_rules_override_changes_nothing(self, overloaded: Clinic, rules: Rules) -> None:
        RuleOverrideFactory(rule=rules["HOURS_OVER_POOL"], org_unit=overloaded.h1, severity="OFF")
        assert len(found(CODE)) == 1


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"enabled": False}, False),
        ({"effective_from": TODAY + timedelta(days=1)}, False),
        ({"effective_from": TODAY}, True),
        ({"effective_until": TODAY}, True),
        ({"effective_until": TODAY - timedelta(days=1)}, False),
        ({"threshold": Decimal("60.01")}, False),
        ({"severity": "INFO"}, True),
    ],
)
def test_an_edit_of_the_catalogue_acts_at_the_next_question(
    overloaded: Clinic, rules: Rules, change: dict[str, object], broken: bool
) -> None:
    assert len(found(CODE)) == 1
    BusinessRule.objects.filter(code=CODE).update(**change)
    findings = found(CODE)
    assert bool(findings) is broken
    if "severity" in change:
        assert findings[0].severity == "INFO"
