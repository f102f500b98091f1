"""Taking note, snoozing and assigning: who may, with what, and what becomes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.assignments.models import Assignment
from apps.business_rules.models import RuleViolation
from apps.common.errors import Refusal
from apps.inbox.enums import AlertKind
from apps.inbox.items import Key, Sleep, count_mine
from apps.inbox.models import Attention, CliffAlert
from apps.inbox.services import acknowledge, assign, forget_gone, snooze, unassign, wake
from apps.users.enums import Role
from apps.users.models import User
from tests.factories import Clinic, UserFactory
from tests.today import TODAY

from .conftest import DAY, items_of, one

pytestmark = pytest.mark.django_db
WEEK = TODAY + DAY * 7
VACANT, CLIFF, RULE = AlertKind.VACANT, AlertKind.CLIFF, AlertKind.RULE


def refused(deed: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        deed()
    return refusal.value.reasons[0].code


def key_elsewhere(clinic: Any) -> Key:
    """The surgeon's hours in H2."""
    row = RuleViolation.objects.get(rule__code="HOURS_OVER_POOL", subject_code="E2")
    return next(item.key for item in items_of(clinic.admin, kinds=[RULE]) if item.record_id == row.pk)


DEEDS = {
    "acknowledge": lambda key, actor: acknowledge(key=key, actor=actor),
    "snooze": lambda key, actor: snooze(key=key, until=WEEK, actor=actor),
    "assign": lambda key, actor: assign(key=key, to=actor, actor=actor),
}


@pytest.mark.parametrize("deed", DEEDS)
class TestWhoMay:
    @pytest.mark.parametrize("who", ["supervisor", "manager", "admin"])
    def test_a_supervisor_and_above_act_in_scope(self, waiting: Clinic, deed: str, who: str) -> None:
        DEEDS[deed](one(waiting.manager, CLIFF).key, getattr(waiting, who))
        assert Attention.objects.count() == 1

    def test_a_viewer_only_reads(self, waiting: Clinic, deed: str) -> None:
        key = one(waiting.viewer, CLIFF).key
        assert refused(lambda: DEEDS[deed](key, waiting.viewer)) == "forbidden"
        assert not Attention.objects.exists()

    def test_nobody_acts_out_of_scope(self, waiting: Clinic, deed: str) -> None:
        assert refused(lambda: DEEDS[deed](key_elsewhere(waiting), waiting.manager)) == "out_of_scope"
        assert not Attention.objects.exists()

    def test_an_employee_login_and_a_blocked_one_do_nothing(self, waiting: Clinic, deed: str) -> None:
        key = one(waiting.manager, CLIFF).key
        for actor in (UserFactory(role=Role.EMPLOYEE), UserFactory(role=Role.ADMIN, is_active=False)):
            assert refused(lambda actor=actor: DEEDS[deed](key, actor)) == "out_of_scope"

    def test_what_is_over_is_no_item_any_more(self, waiting: Clinic, deed: str) -> None:
        key = one(waiting.manager, CLIFF).key
        CliffAlert.objects.all().delete()
        assert refused(lambda: DEEDS[deed](key, waiting.manager)) == "out_of_scope"


class TestTakingNote:
    def test_of_a_violation_it_is_the_violation_that_is_acknowledged(self, waiting: Clinic) -> None:
        item = one(waiting.supervisor, VACANT)
        acknowledge(key=item.key, actor=waiting.supervisor, note="seen")
        row = RuleViolation.objects.get(pk=item.record_id)
        assert row.state == "ACKNOWLEDGED"
        assert not Attention.objects.exists()
        last = RuleViolation.history.filter(id=row.pk).first()
        assert (last.history_user_id, last.history_change_reason) == (waiting.supervisor.pk, "seen")
        assert one(waiting.viewer, VACANT).is_noted
        assert refused(lambda: acknowledge(key=item.key, actor=waiting.manager)) == "wrong_state"

    def test_of_anything_else_it_is_kept_with_who_and_why(self, waiting: Clinic) -> None:
        item = one(waiting.supervisor, CLIFF)
        acknowledge(key=item.key, actor=waiting.supervisor, note="talked to her")
        row = Attention.objects.get()
        assert (row.acknowledged_by, row.note, row.cause) == (waiting.supervisor, "talked to her", "ASSIGNMENT")
        told = one(waiting.viewer, CLIFF)
        assert (told.is_noted, told.note) == (True, "talked to her")
        last = Attention.history.filter(id=row.pk).latest("history_id")
        assert (last.history_user_id, last.history_change_reason) == (waiting.supervisor.pk, "talked to her")
        assert refused(lambda: acknowledge(key=item.key, actor=waiting.manager)) == "wrong_state"

    def test_the_database_knows_no_second_truth_about_a_violation(self, waiting: Clinic) -> None:
        row = snooze(key=one(waiting.manager, VACANT).key, until=WEEK, actor=waiting.manager)
        with pytest.raises(IntegrityError, match="inbox_attention_violation_noted_on_itself"), transaction.atomic():
            Attention.objects.filter(pk=row.pk).update(acknowledged_at=timezone.now())


class TestSnoozing:
    def test_it_leaves_everybodys_inbox_and_comes_back_on_the_day(self, waiting: Clinic, settings: Any) -> None:
        item = one(waiting.manager, VACANT)
        snooze(key=item.key, until=WEEK, actor=waiting.manager)
        assert items_of(waiting.viewer, kinds=[VACANT]) == []
        [asleep] = items_of(waiting.viewer, sleep=Sleep.ASLEEP)
        assert (asleep.key, asleep.is_asleep, asleep.snoozed_until) == (item.key, True, WEEK)
        settings.COVERIS_TODAY = WEEK - DAY
        assert items_of(waiting.viewer, kinds=[VACANT]) == []
        settings.COVERIS_TODAY = WEEK
        assert one(waiting.viewer, VACANT).key == item.key
        assert items_of(waiting.viewer, sleep=Sleep.ASLEEP) == []

    def test_a_worse_severity_wakes_it(self, waiting: Clinic) -> None:
        item = one(waiting.manager, VACANT)
        snooze(key=item.key, until=WEEK, actor=waiting.manager)
        RuleViolation.objects.filter(pk=item.record_id).update(severity="BLOCKING")
        assert not one(waiting.manager, VACANT).is_asleep

    def test_more_missing_hours_wake_a_cliff_and_fewer_do_not(self, waiting: Clinic) -> None:
        item = one(waiting.manager, CLIFF)
        snooze(key=item.key, until=WEEK, actor=waiting.manager)
        CliffAlert.objects.update(missing=3599)
        assert items_of(waiting.manager, kinds=[CLIFF]) == []
        CliffAlert.objects.update(missing=3601)
        assert not one(waiting.manager, CLIFF).is_asleep

    def test_a_lower_coverage_is_worse_and_a_higher_one_is_not(self, waiting: Clinic) -> None:
        row = RuleViolation.objects.get(rule__code="UNIT_UNDER_COVERED", subject_code="H1")
        [item] = items_of(waiting.manager, kinds=[AlertKind.UNDER_COVERED])
        snooze(key=item.key, until=WEEK, actor=waiting.manager)
        RuleViolation.objects.filter(pk=row.pk).update(observed=row.observed + 1)
        assert items_of(waiting.manager, kinds=[AlertKind.UNDER_COVERED]) == []
        RuleViolation.objects.filter(pk=row.pk).update(observed=row.observed - 1)
        assert items_of(waiting.manager, kinds=[AlertKind.UNDER_COVERED])

    def test_another_day_empty_or_nearer_to_the_end_is_no_news(self, waiting: Clinic) -> None:
        """What counts days grows every night by itself; nothing could sleep otherwise."""
        for kind in (VACANT, AlertKind.EXPIRY):
            item = one(waiting.manager, kind)
            snooze(key=item.key, until=WEEK, actor=waiting.manager)
            row = RuleViolation.objects.get(pk=item.record_id)
            RuleViolation.objects.filter(pk=row.pk).update(
                observed=None if row.observed is None else row.observed + (1 if kind == VACANT else -1)
            )
            assert items_of(waiting.manager, kinds=[kind]) == [], kind

    def test_an_end_that_moved_nearer_is(self, waiting: Clinic) -> None:
        item = one(waiting.manager, AlertKind.EXPIRY)
        snooze(key=item.key, until=WEEK, actor=waiting.manager)
        row = RuleViolation.objects.get(pk=item.record_id)
        row.facts["ends_on"] = (TODAY + DAY).isoformat()
        row.save()
        assert one(waiting.manager, AlertKind.EXPIRY).key == item.key

    def test_somebody_wakes_it_before(self, waiting: Clinic) -> None:
        item = one(waiting.manager, CLIFF)
        assert refused(lambda: wake(key=item.key, actor=waiting.manager)) == "wrong_state"
        snooze(key=item.key, until=WEEK, actor=waiting.manager)
        wake(key=item.key, actor=waiting.supervisor)
        assert one(waiting.manager, CLIFF).snoozed_until is None

    @pytest.mark.parametrize(("days", "code"), [(0, "past"), (-1, "past"), (366, "too_long")])
    def test_only_a_day_to_come_within_a_year_is_taken(self, waiting: Clinic, days: int, code: str) -> None:
        key = one(waiting.manager, CLIFF).key
        assert refused(lambda: snooze(key=key, until=TODAY + timedelta(days=days), actor=waiting.manager)) == code

    def test_the_database_keeps_what_was_seen_with_it(self, waiting: Clinic) -> None:
        row = snooze(key=one(waiting.manager, CLIFF).key, until=WEEK, actor=waiting.manager)
        with pytest.raises(IntegrityError, match="inbox_attention_sleeps_with_what_was_seen"), transaction.atomic():
            Attention.objects.filter(pk=row.pk).update(seen_value=None)


class TestAssigning:
    def test_it_is_theirs_until_it_is_taken_back(self, waiting: Clinic) -> None:
        key = one(waiting.manager, CLIFF).key
        assign(key=key, to=waiting.supervisor, actor=waiting.manager, note="please")
        assert one(waiting.admin, CLIFF).assigned_to == str(waiting.supervisor)
        assert count_mine(waiting.supervisor.pk, TODAY) == 1
        assert count_mine(waiting.manager.pk, TODAY) == 0
        unassign(key=key, actor=waiting.manager)
        assert one(waiting.admin, CLIFF).assigned_to_id is None
        assert refused(lambda: unassign(key=key, actor=waiting.manager)) == "wrong_state"

    def test_only_to_somebody_who_sees_it(self, waiting: Clinic) -> None:
        key = key_elsewhere(waiting)
        blocked = UserFactory(role=Role.MANAGER, is_active=False)
        for nobody in (waiting.manager, blocked, UserFactory(role=Role.EMPLOYEE)):
            assert refused(lambda to=nobody: assign(key=key, to=to, actor=waiting.admin)) == "assignee"
        assert not Attention.objects.exists()

    def test_the_menu_counts_what_is_there_and_awake(self, waiting: Clinic) -> None:
        me: User = waiting.manager
        for kind in (CLIFF, VACANT, AlertKind.PROPOSAL):
            assign(key=one(me, kind).key, to=me, actor=me)
        assert count_mine(me.pk, TODAY) == 3
        snooze(key=one(me, VACANT).key, until=WEEK, actor=me)
        Assignment.objects.filter(pk=waiting.proposal.pk).update(status="CLOSED")
        assert count_mine(me.pk, TODAY) == 1


def test_two_people_who_act_at_once_make_one_row(waiting: Clinic) -> None:
    key = one(waiting.manager, CLIFF).key
    snooze(key=key, until=WEEK, actor=waiting.manager)
    assign(key=key, to=waiting.manager, actor=waiting.supervisor)
    row = Attention.objects.get()
    with pytest.raises(IntegrityError, match="inbox_attention_one_an_item"), transaction.atomic():
        row.pk = None
        row.save(force_insert=True)


def test_what_is_over_is_forgotten_and_begins_afresh(waiting: Clinic) -> None:
    for kind in (CLIFF, VACANT, AlertKind.PROPOSAL, AlertKind.EXPIRY):
        snooze(key=one(waiting.manager, kind).key, until=WEEK, actor=waiting.manager)
    assert forget_gone(actor=None) == 0
    CliffAlert.objects.all().delete()
    RuleViolation.objects.filter(rule__code="POSITION_VACANT").update(state="RESOLVED", resolved_at=timezone.now())
    Assignment.objects.filter(pk=waiting.proposal.pk).update(status="CLOSED")
    assert forget_gone(actor=None) == 3
    assert [row.kind for row in Attention.objects.all()] == [AlertKind.EXPIRY]
    assert forget_gone(actor=None) == 0
