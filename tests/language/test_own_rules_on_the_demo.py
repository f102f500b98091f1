"""Own rules on the demo clinic: the gate, the sweep and the search find the same."""

from __future__ import annotations

import pytest

from apps.business_rules.language.bounds import check_condition
from apps.business_rules.models import RuleViolation
from apps.business_rules.services.sweeps import sweep
from apps.business_rules.subjects import kind_named
from tests.language.test_own_rules import found, own

pytestmark = pytest.mark.django_db

# Each with somebody who meets it and somebody who does not, in the demo.
CONDITIONS = {
    "employee": ["balance < 0 or weeks_over > 0", "status = \"ACTIVE\" and days_since_hired > 400", "assignments = 0",
                 "days_to_contract_end < 200 or contract_hours is empty", "lowest_balance < pool and not on_leave",
                 "unit.coverage_percent < 100", "days_to_tag_expiry < 120"],
    "position": ['state = "VACANT" or worst_coverage_percent < 80', "people = 0", "deficit_hours > surplus_hours",
                 "unit.vacant_positions > 0"],
    "assignment": ["employee.balance < 0", "position.coverage_percent < 100", "not same_unit", "effective_hours > 20",
                   'position.state != "COVERED" and employee.pool > 10'],
    "unit": ["coverage_percent < 100", "depth > 2 and deficit_hours > 0", "vacant_positions > 0"],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "condition"), [(kind, one) for kind, some in CONDITIONS.items() for one in some])
def test_sweep_gate_and_search_of_the_demo_agree(demo: None, kind: str, condition: str) -> None:
    own(condition, kind)
    ids = list(kind_named(kind).model.objects.values_list("pk", flat=True))
    at_once = {finding.subject_id: (finding.observed, finding.facts) for finding in found()}
    named = {finding.subject_id: (finding.observed, finding.facts) for finding in found(subjects={kind: ids})}
    some = ids[::7]
    few = {finding.subject_id for finding in found(subjects={kind: some})}
    sweep(actor=None, rules=["OWN"])
    kept = set(RuleViolation.objects.unresolved().filter(rule__code="OWN").values_list("subject_id", flat=True))
    assert at_once == named
    assert kept == set(at_once)
    assert few == set(at_once) & set(some)
    assert 0 < len(kept) < len(ids), "everybody or nobody proves little"
    assert check_condition(kind, condition).matches == len(kept)
