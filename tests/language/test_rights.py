"""Who knows which word, and how much of other people's records a condition may read."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.utils import translation

from apps.assignments.models import Assignment
from apps.business_rules.language import search as searching
from apps.business_rules.language.bounds import check_condition
from apps.business_rules.language.completion import complete
from apps.business_rules.language.errors import ConditionError
from apps.business_rules.language.search import search
from apps.business_rules.language.vocabulary import Sight, known_words
from apps.business_rules.own_rules import own_rule
from apps.business_rules.questions import Question
from apps.org.models import Employee, OrgUnit, Position
from tests.conftest import TODAY
from tests.factories import AssignmentFactory, BusinessRuleFactory, Clinic, UserFactory

pytestmark = pytest.mark.django_db


def numbers(text: str, user: Any) -> set[str]:
    rows = search(Employee.objects.visible_to(user), "employee", text, user)
    return set(rows.values_list("employee_number", flat=True))


@pytest.fixture
def numbered(clinic: Clinic) -> Clinic:
    Employee.objects.filter(pk=clinic.nurse.pk).update(national_id="20-1")
    return clinic


def test_who_may_read_the_national_id_may_search_by_it(numbered: Clinic) -> None:
    assert numbers('national_id starts with "20"', numbered.manager) == {"E1"}
    assert numbers('national_id starts with "20"', numbered.admin) == {"E1"}


@pytest.mark.parametrize(
    "text", ['national_id starts with "2"', "national_id is empty", 'national_id in ("20-1")', "name = national_id"]
)
@pytest.mark.parametrize("role", ["viewer", "supervisor"])
def test_for_others_the_word_does_not_exist_however_it_is_used(numbered: Clinic, text: str, role: str) -> None:
    user = getattr(numbered, role)
    with pytest.raises(ConditionError) as raised:
        numbers(text, user)
    with pytest.raises(ConditionError) as nonsense:
        numbers(text.replace("national_id", "nationalxid"), user)
    assert raised.value.code == "word"
    assert raised.value.message == nonsense.value.message.replace("nationalxid", "national_id")
    assert "national_id" not in raised.value.suggestions + nonsense.value.suggestions


@pytest.mark.parametrize("typed", ["", "n", "nat", "national_id", 'name = "a" and nat', "name = na"])
def test_it_is_not_offered_to_them_either(numbered: Clinic, typed: str) -> None:
    offered = complete(typed, len(typed), "employee", Sight.of(numbered.viewer)).items
    assert "national_id" not in {item.insert for item in offered}
    through = complete("employee.nat", 12, "assignment", Sight.of(numbered.viewer)).items
    assert not through


def test_the_canary_is_offered_to_a_manager(numbered: Clinic) -> None:
    assert "national_id" in {item.insert for item in complete("nat", 3, "employee", Sight.of(numbered.manager)).items}


def test_no_rule_may_use_it_for_its_verdicts_are_read_by_everybody() -> None:
    with pytest.raises(ConditionError) as raised:
        check_condition("employee", "national_id is empty")
    assert raised.value.code == "word"
    with pytest.raises(ConditionError):
        check_condition("assignment", 'employee.national_id = "1"')
    with pytest.raises(ConditionError):
        check_condition("employee", "balance < 0", message="{who}: {national_id}")
    with pytest.raises(ConditionError):
        row = BusinessRuleFactory.build(code="X", condition="national_id is empty", message="{who}")
        own_rule(row).sql(Question(TODAY))


def test_an_employee_knows_no_word_at_all(clinic: Clinic) -> None:
    nobody = UserFactory(role="EMPLOYEE")
    assert all(not known_words(kind, Sight.of(nobody)) for kind in ("employee", "position", "unit", "assignment"))
    with pytest.raises(ConditionError):
        numbers("hired_on < today", nobody)


def test_counts_reach_no_further_than_the_persons_sight(clinic: Clinic) -> None:
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=4, accepted=True)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p1, effective_hours=4, accepted=True)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=4, accepted=True)
    assert numbers("assignments = 2", clinic.admin) == {"E2"}
    # Of the surgeon's two, the manager of H1 sees the one there.
    assert numbers("assignments = 2", clinic.manager) == set()
    assert numbers("assignments = 1", clinic.manager) == {"E1", "E2"}


def test_without_the_limit_the_count_would_tell(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary of the test above: the same read without the person finds what is out of sight."""
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p1, effective_hours=4, accepted=True)
    AssignmentFactory(employee=clinic.surgeon, position=clinic.p2, effective_hours=4, accepted=True)
    reading = searching.Reading
    monkeypatch.setattr(searching, "Reading", lambda kind, question, user: reading(kind, question))
    assert numbers("assignments = 2", clinic.manager) == {"E2"}


def test_the_other_end_of_an_assignment_is_empty_where_it_is_out_of_sight(clinic: Clinic) -> None:
    there = AssignmentFactory(employee=clinic.nurse, position=clinic.p2, effective_hours=4, accepted=True)
    here = AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=4, accepted=True)

    def found(text: str, user: Any) -> set[int]:
        return set(search(Assignment.objects.visible_to(user), "assignment", text, user).values_list("pk", flat=True))

    assert found("position.required_weekly_hours = 36", clinic.admin) == {here.pk, there.pk}
    assert found("position.required_weekly_hours = 36", clinic.manager) == {here.pk}
    assert found("position.required_weekly_hours is empty", clinic.manager) == {there.pk}
    assert found("position.unit.code is empty", clinic.manager) == {there.pk}
    assert found("same_unit", clinic.manager) == {here.pk}


def test_a_unit_out_of_sight_is_told_from_no_unit_by_nothing(clinic: Clinic) -> None:
    for code in ("H2", "H", "NONE"):
        with translation.override("en"), pytest.raises(ConditionError) as raised:
            numbers(f'in_unit("{code}")', clinic.manager)
        assert raised.value.message == f"code of a unit: there is no “{code}”."
        assert set(raised.value.suggestions) <= {"H1"}
    assert numbers('in_unit("H1")', clinic.manager) == {"E1", "E3"}
    assert numbers('in_unit("H")', clinic.admin) == {"E1", "E2", "E3"}
    offered = complete('in_unit("', 9, "employee", Sight.of(clinic.manager)).items
    assert [item.insert for item in offered] == ['"H1")']


def test_results_stay_inside_what_the_list_was_limited_to(clinic: Clinic) -> None:
    assert numbers("hired_on <= today or not (hired_on <= today)", clinic.viewer) == {"E1", "E3"}
    units = search(OrgUnit.objects.visible_to(clinic.viewer), "unit", "depth >= 1", clinic.viewer)
    assert set(units.values_list("code", flat=True)) == {"H1"}
    positions = search(Position.objects.visible_to(clinic.viewer), "position", "code is not empty", clinic.viewer)
    assert set(positions.values_list("code", flat=True)) == {"P1"}


def test_a_parent_out_of_sight_is_empty(clinic: Clinic) -> None:
    def codes(text: str, user: Any) -> set[str]:
        return set(search(OrgUnit.objects.visible_to(user), "unit", text, user).values_list("code", flat=True))

    assert codes('parent.code = "H"', clinic.admin) == {"H1", "H2"}
    assert codes('parent.code = "H"', clinic.manager) == set()
    assert codes("parent.name is empty", clinic.manager) == {"H1"}


def test_hired_in_the_future_counts_backwards(clinic: Clinic) -> None:
    Employee.objects.filter(pk=clinic.newcomer.pk).update(hired_on=date(2026, 12, 19))
    assert numbers("days_since_hired = -10", clinic.admin) == {"E3"}
