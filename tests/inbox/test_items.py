"""What an inbox holds: for whom, in which order, how many, and as long as what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.assignments.models import Assignment
from apps.business_rules.models import EvaluationRun, RuleViolation
from apps.business_rules.subjects import kinds as subject_kinds
from apps.changes.models import DeadLetter, Mark
from apps.inbox.enums import AlertKind
from apps.inbox.items import _UNDER, Key, Whose
from apps.inbox.models import Digest
from tests.factories import AssignmentFactory, Clinic, EmployeeFactory, PositionFactory
from tests.today import TODAY

from .conftest import DAY, inbox_of, items_of, one

pytestmark = pytest.mark.django_db
RULE, VACANT, CLIFF, EXPIRY = AlertKind.RULE, AlertKind.VACANT, AlertKind.CLIFF, AlertKind.EXPIRY
PROPOSAL, UNDER, FIGURES, FAILURE = (
    AlertKind.PROPOSAL, AlertKind.UNDER_COVERED, AlertKind.FIGURES, AlertKind.FAILURE
)  # fmt: skip


def test_everything_that_waits_in_ones_part_is_there(waiting: Clinic) -> None:
    found = inbox_of(waiting.manager)
    assert {item.key.kind for item in found.items} == {RULE, VACANT, CLIFF, EXPIRY, PROPOSAL, UNDER}
    assert sum(found.counts.values()) == len(found.items)


def test_a_scoped_person_has_nothing_of_another_unit(waiting: Clinic) -> None:
    mine = {item.record_id for item in items_of(waiting.manager, kinds=[RULE])}
    everything = {item.record_id for item in items_of(waiting.admin, kinds=[RULE])}
    elsewhere = RuleViolation.objects.get(rule__code="HOURS_OVER_POOL", subject_code="E2").pk
    assert elsewhere in everything
    assert elsewhere not in mine
    assert mine < everything


def test_what_is_below_a_unit_is_what_its_people_may_see(waiting: Clinic) -> None:
    """The statement says visibility in its own words, for speed; they must be the house's."""
    guest = EmployeeFactory(home_unit=waiting.h2, active=True)
    AssignmentFactory(employee=guest, position=waiting.p1, effective_hours=2, accepted=True)
    AssignmentFactory(employee=waiting.leaver, position=waiting.p2, effective_hours=1, accepted=True)
    for user, root in ((waiting.manager, waiting.h1), (waiting.admin, waiting.root)):
        with connection.cursor() as cursor:
            cursor.execute(
                f"WITH {', '.join(_UNDER)} SELECT DISTINCT kind, id FROM below", {"root": root.pk, "today": TODAY}
            )
            found = set(cursor.fetchall())
        said = {
            (kind.name, pk)
            for kind in subject_kinds()
            for pk in _live(kind).visible_to(user).values_list("pk", flat=True)
        }
        assert found == said


def _live(kind: Any) -> Any:
    return kind.model.objects.live() if kind.name == "assignment" else kind.model.objects.all()


def test_the_gravest_comes_first_then_what_is_wrong_longest_then_what_comes_next(waiting: Clinic) -> None:
    items = items_of(waiting.admin)
    assert [item.rank for item in items] == sorted(item.rank for item in items)
    warnings = [item.day.isoformat() if item.day else "" for item in items if item.rank == 1]
    assert warnings == sorted(warnings)
    assert items[0].key.kind == RULE and items[0].rank == 0


def test_pages_follow_each_other_without_a_gap_or_a_repetition(waiting: Clinic) -> None:
    from apps.inbox.items import find
    from apps.inbox.reading import asked_by, subscription_of

    for user in (waiting.admin, waiting.manager):
        asked = asked_by(user, subscription_of(user))
        whole = [item.key for item in find(asked, limit=100).items]
        paged = [key for start in range(0, 20, 2) for key in
                 (item.key for item in find(asked, limit=2, offset=start).items)]  # fmt: skip
        assert paged == whole
        assert len(whole) == len(set(whole))


def test_an_unscoped_inbox_and_one_narrowed_to_the_root_hold_the_same(waiting: Clinic) -> None:
    """Two ways through the statement: rule by rule from the index, and by subject."""
    whole, narrowed = inbox_of(waiting.admin), inbox_of(waiting.admin, root=waiting.root.pk)
    assert [item.key for item in whole.items] == [item.key for item in narrowed.items]
    assert whole.counts == narrowed.counts


def test_informative_violations_are_no_item_unless_a_contract_ends(waiting: Clinic) -> None:
    waiting.nurse.tags.update(valid_until=TODAY + DAY * 40)
    from apps.business_rules.services import sweep

    sweep(actor=None)
    assert RuleViolation.objects.open().filter(rule__code="CONTRACT_ENDING").exists()
    assert RuleViolation.objects.open().filter(severity="INFO").exclude(rule__code="CONTRACT_ENDING").exists()
    informative = [item for item in items_of(waiting.admin) if item.rank == 2]
    assert [item.key.kind for item in informative] == [EXPIRY]


def test_an_expiring_tag_is_dated_by_the_day_it_ends(waiting: Clinic) -> None:
    assert one(waiting.manager, EXPIRY).day == TODAY + DAY * 12


def test_a_resolved_or_waived_violation_is_gone(waiting: Clinic) -> None:
    RuleViolation.objects.filter(rule__code="POSITION_VACANT").update(state="RESOLVED", resolved_at=timezone.now())
    RuleViolation.objects.filter(rule__code="REQUIRED_TAG_EXPIRING").update(state="WAIVED")
    assert {VACANT, EXPIRY} & {item.key.kind for item in items_of(waiting.manager)} == set()


class TestProposals:
    def test_a_fresh_one_is_not_told(self, waiting: Clinic) -> None:
        Assignment.objects.filter(pk=waiting.proposal.pk).update(created_at=timezone.now())
        assert items_of(waiting.manager, kinds=[PROPOSAL]) == []

    @pytest.mark.parametrize(("days", "told"), [(3, True), (4, False)])
    def test_one_about_to_expire_is(self, waiting: Clinic, days: int, told: bool) -> None:
        Assignment.objects.filter(pk=waiting.proposal.pk).update(
            created_at=timezone.now(), expires_on=TODAY + DAY * days
        )
        assert bool(items_of(waiting.manager, kinds=[PROPOSAL])) is told

    def test_a_decided_one_is_gone(self, waiting: Clinic) -> None:
        from apps.fsm.services import apply_transition

        apply_transition(waiting.proposal, "reject", actor=None, reason="no")
        assert items_of(waiting.manager, kinds=[PROPOSAL]) == []


class TestLeads:
    def test_the_installation_says_how_far_ahead_for_whoever_says_nothing(self, waiting: Clinic, settings: Any) -> None:
        settings.COVERIS_CLIFF_LEAD_DAYS = 20
        assert items_of(waiting.manager, kinds=[CLIFF]) == []
        settings.COVERIS_CLIFF_LEAD_DAYS = 21
        assert items_of(waiting.manager, kinds=[CLIFF])

    def test_a_cliff_beyond_the_persons_lead_is_not_told(self, waiting: Clinic) -> None:
        from apps.inbox.services import save_subscription

        assert one(waiting.manager, CLIFF).day == TODAY + DAY * 21
        saved = {"by_mail": False, "kinds": [], "only_mine": False, "coverage_lead_days": 91}
        save_subscription(cliff_lead_days=20, **saved, actor=waiting.manager)
        assert items_of(waiting.manager, kinds=[CLIFF]) == []
        assert items_of(waiting.supervisor, kinds=[CLIFF])
        save_subscription(cliff_lead_days=21, **saved, actor=waiting.manager)
        assert items_of(waiting.manager, kinds=[CLIFF])

    def test_a_unit_short_only_later_than_the_persons_lead_is_not_told(self, waiting: Clinic) -> None:
        from apps.inbox.services import save_subscription

        [row] = RuleViolation.objects.filter(rule__code="UNIT_UNDER_COVERED", subject_code="H1")
        row.facts["week"] = (TODAY + DAY * 40).isoformat()
        row.save()
        saved = {"by_mail": False, "kinds": [], "only_mine": False, "cliff_lead_days": 30}
        for days, told in ((39, False), (40, True)):
            save_subscription(coverage_lead_days=days, **saved, actor=waiting.manager)
            assert bool(items_of(waiting.manager, kinds=[UNDER])) is told, days


class TestHousekeeping:
    @pytest.fixture
    def broken(self, clinic: Clinic) -> Clinic:
        DeadLetter.objects.create(kind="unit", subject_id=1, reason="boom")
        Mark.objects.all().delete()
        Mark.objects.create(kind="unit", subject_id=1)
        Mark.objects.update(created_at=timezone.now() - timedelta(minutes=5))
        EvaluationRun.objects.create(trigger="nightly", finished_at=timezone.now(), failure="a rule broke")
        Digest.objects.create(user=clinic.viewer, day=TODAY, claimed_at=timezone.now(), outcome="FAILED", failure="x")
        return clinic

    def test_an_administrator_is_told_what_failed(self, broken: Clinic) -> None:
        assert inbox_of(broken.admin).counts == {FIGURES: 2, FAILURE: 2}
        assert len(items_of(broken.admin)) == 4

    @pytest.mark.parametrize("who", ["manager", "supervisor", "viewer"])
    def test_nobody_else_is(self, broken: Clinic, who: str) -> None:
        assert items_of(getattr(broken, who)) == []

    def test_marks_that_have_just_come_are_no_matter(self, broken: Clinic) -> None:
        Mark.objects.update(created_at=timezone.now())
        assert inbox_of(broken.admin).counts[FIGURES] == 1

    def test_a_later_evaluation_that_went_well_ends_it(self, broken: Clinic) -> None:
        EvaluationRun.objects.create(trigger="nightly", finished_at=timezone.now())
        assert inbox_of(broken.admin).counts[FAILURE] == 1


class TestSearching:
    @pytest.mark.parametrize(
        ("words", "kinds"),
        [
            ("echeverría", {CLIFF, EXPIRY, PROPOSAL}),
            ("marta eche", {CLIFF, EXPIRY, PROPOSAL}),
            ("P3", {CLIFF, EXPIRY}),
            ("triage", {VACANT, PROPOSAL}),
            ("urgencias", {UNDER}),
            ("nobody of that name", set()),
            ("100%", set()),
        ],
    )
    def test_it_finds_by_names_and_codes_of_people_positions_and_units(
        self, waiting: Clinic, words: str, kinds: set[AlertKind]
    ) -> None:
        for user in (waiting.manager, waiting.admin):
            assert {item.key.kind for item in items_of(user, words=words)} == kinds

    def test_it_finds_nothing_out_of_sight(self, waiting: Clinic) -> None:
        assert items_of(waiting.admin, words="Díaz")
        assert items_of(waiting.manager, words="Díaz") == []

    def test_a_unit_narrows_within_ones_part(self, waiting: Clinic) -> None:
        ward = type(waiting.h1).objects.create(code="W", name="Sala", kind="UNIT", parent=waiting.h1)
        assert items_of(waiting.admin, root=ward.pk) == []
        position = PositionFactory(org_unit=ward, code="PW")
        type(waiting.ending).objects.filter(pk=waiting.proposal.pk).update(position=position)
        assert [item.key.kind for item in items_of(waiting.admin, root=ward.pk, kinds=[PROPOSAL])] == [PROPOSAL]


@pytest.mark.parametrize(
    "token",
    ["", "RULE", "RULE...employee.5", "CLIFF.3.LEAVE.assignment.5", "NONE...unit.1", "RULE.1..nothing.1",
     "RULE.1..unit.99999999999999999999", "RULE.1..unit.1.1", "RULE.1..unit.-1"],
)  # fmt: skip
def test_a_text_that_names_no_item_is_none(token: str) -> None:
    assert Key.read(token) is None


def test_a_key_is_read_as_it_is_written(waiting: Clinic) -> None:
    for item in items_of(waiting.admin):
        assert Key.read(item.key.token) == item.key


def test_nobodys_items_are_those_not_assigned(waiting: Clinic) -> None:
    from apps.inbox.services import assign

    item = one(waiting.supervisor, VACANT)
    assign(key=item.key, to=waiting.manager, actor=waiting.supervisor)
    for user in (waiting.admin, waiting.supervisor):
        unassigned = items_of(user, whose=Whose.NOBODY)
        assert item.key not in {each.key for each in unassigned}
        assert len(unassigned) == len(items_of(user)) - 1
    assert [each.key for each in items_of(waiting.manager, whose=Whose.MINE)] == [item.key]
    assert inbox_of(waiting.manager, whose=Whose.MINE).counts == {VACANT: 1}
    assert items_of(waiting.supervisor, whose=Whose.MINE) == []
