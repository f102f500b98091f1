"""Rules that two people publish, wishes that come while one is carried out, sweeps beside drains."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet

from apps.business_rules.models import BusinessRule, EvaluationRun, RuleDraft, RuleViolation
from apps.business_rules.services import drafts, run_waiting_sweeps, sweep
from apps.business_rules.services.sweeps import request_judging
from apps.changes.drain import drain
from apps.changes.models import DeadLetter, Mark
from apps.common.errors import Refusal
from tests.changes.conftest import in_background
from tests.chaos.test_sweeps_killed import as_found, as_written
from tests.factories import AssignmentFactory, BusinessRuleFactory, Clinic
from tests.rules.catalogue import install_rules
from tests.worker.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 50


@pytest.fixture
def busy(db: Any) -> Clinic:
    """The nurse gives 50 hours, found by no rule while the cap is 60."""
    clinic = Clinic()
    AssignmentFactory(employee=clinic.nurse, position=clinic.p1, effective_hours=50, accepted=True)
    BusinessRuleFactory(code="MAX_WEEKLY_HOURS", severity="BLOCKING", threshold=60)
    drain()
    run_waiting_sweeps()
    return clinic


def at_once(*calls: Any) -> list[str]:
    """Let all begin in the same moment; return what became of each."""
    together = threading.Barrier(len(calls))

    def one(call: Any) -> str:
        together.wait(20)
        try:
            call()
        except Refusal as refusal:
            return str(refusal.reasons[0].code)
        return "done"

    return sorted(thread.finish() for thread in [in_background(lambda call=call: one(call)) for call in calls])


def simulated(clinic: Clinic, threshold: int) -> RuleDraft:
    draft = drafts.draft_rule(rule=BusinessRule.objects.get(code="MAX_WEEKLY_HOURS"), actor=clinic.admin)
    draft.threshold = Decimal(threshold)
    drafts.save_draft(draft=draft, actor=clinic.admin)
    drafts.simulate_draft(draft=draft, actor=clinic.admin)
    return draft


def publish_both(clinic: Clinic, both: list[RuleDraft]) -> list[str]:
    return at_once(*(lambda one=one: drafts.publish_draft(draft=one, actor=clinic.admin) for one in both))


def test_of_two_drafts_published_at_once_exactly_one_wins(busy: Clinic) -> None:
    for turn in range(5):
        both = [simulated(busy, 30 + turn), simulated(busy, 40 + turn)]
        version = BusinessRule.objects.get(code="MAX_WEEKLY_HOURS").version
        assert publish_both(busy, both) == ["done", "stale"]
        rule = BusinessRule.objects.get(code="MAX_WEEKLY_HOURS")
        [winner] = RuleDraft.objects.filter(pk__in=[one.pk for one in both], state="PUBLISHED")
        assert (rule.version, rule.threshold) == (version + 1, winner.threshold)


def test_without_the_lock_both_would_win(busy: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary: both have read the version before either has written."""
    read = threading.Barrier(2)

    def unlocked(draft: RuleDraft) -> BusinessRule:
        rule = BusinessRule.objects.get(pk=draft.rule_id)
        read.wait(20)
        return rule

    monkeypatch.setattr(drafts, "_locked", unlocked)
    assert publish_both(busy, [simulated(busy, 30), simulated(busy, 40)]) == ["done", "done"]


def test_one_draft_published_twice_at_once_is_published_once(busy: Clinic) -> None:
    draft = simulated(busy, 45)
    assert publish_both(busy, [draft, RuleDraft.objects.get(pk=draft.pk)]) == ["done", "wrong_state"]
    assert BusinessRule.objects.get(code="MAX_WEEKLY_HOURS").version == 2


def test_of_two_new_rules_of_one_code_one_comes_to_be(busy: Clinic) -> None:
    both = []
    for threshold in (1, 2):
        draft = RuleDraft(
            code="NEW", name="New", subject_kind="employee", severity="INFO", threshold=threshold,
            condition="balance < threshold", message="{who}",
        )  # fmt: skip
        drafts.save_draft(draft=draft, actor=busy.admin)
        drafts.simulate_draft(draft=draft, actor=busy.admin)
        both.append(draft)
    outcome = publish_both(busy, both)
    assert outcome.count("done") == 1, outcome
    assert BusinessRule.objects.filter(code="NEW").count() == 1
    assert RuleDraft.objects.filter(code="NEW", state="PUBLISHED").count() == 1


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        # Not pg_stat_activity, which stays what it was for as long as a transaction lasts. Who waits for a row waits
        # for a transaction, which belongs to no database: the other locks of the waiting tell in which one they are.
        cursor.execute(
            """SELECT EXISTS (
                SELECT FROM pg_locks waiting JOIN pg_locks other ON other.pid = waiting.pid
                    JOIN pg_database d ON d.oid = other.database
                WHERE NOT waiting.granted AND d.datname = current_database()
            )"""
        )
        waits: bool = cursor.fetchone()[0]
        return waits


def lower_while_a_worker_begins() -> None:
    """Lower the cap and ask for a judging that waits already, while a worker takes that very one up."""
    request_judging(rules=["MAX_WEEKLY_HOURS"])
    with transaction.atomic():
        BusinessRule.objects.filter(code="MAX_WEEKLY_HOURS").update(threshold=20)
        request_judging(rules=["MAX_WEEKLY_HOURS"])
        worker = in_background(run_waiting_sweeps)
        # It waits for us, or it has been and gone.
        wait_until(lambda: not worker.is_alive() or somebody_waits(), 60)
    worker.finish()
    run_waiting_sweeps()


def test_a_wish_that_is_joined_is_not_carried_out_before_the_change_is_there(busy: Clinic) -> None:
    lower_while_a_worker_begins()
    assert [row.limit for row in RuleViolation.objects.unresolved()] == [Decimal(20)]
    assert EvaluationRun.objects.filter(rules=["MAX_WEEKLY_HOURS"]).count() == 1


def test_a_wish_joined_without_holding_it_would_be_lost(busy: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **kwargs: self.all())
    lower_while_a_worker_begins()
    assert not RuleViolation.objects.unresolved().exists()


def test_many_wishes_at_once_are_all_granted_and_one_more_adds_nothing(busy: Clinic) -> None:
    assert at_once(*[request_judging] * 8) == ["done"] * 8
    waiting = EvaluationRun.objects.filter(started_at__isnull=True)
    assert 1 <= waiting.count() <= 8
    before = waiting.count()
    request_judging()
    assert waiting.count() == before
    assert all(run.failure == "" for run in run_waiting_sweeps())
    assert not waiting.exists()


def test_drains_and_sweeps_about_the_same_subjects_never_block_one_another_for_good(db: Any) -> None:
    clinic = Clinic()
    for employee, position in ((clinic.nurse, clinic.p1), (clinic.surgeon, clinic.p2), (clinic.nurse, clinic.p2)):
        AssignmentFactory(employee=employee, position=position, effective_hours=30, accepted=True)
    install_rules()
    BusinessRuleFactory(
        code="OWN", subject_kind="employee", severity="INFO", condition="balance < threshold", message="{who}",
        threshold=0, measure="balance",
    )  # fmt: skip
    drain()

    def edit(turn: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE assignments_assignment SET effective_hours = 1 + (id * 7 + %s * 11) %% 60", [turn])

    for turn in range(ROUNDS):
        edit(turn)
        outcome = at_once(drain, drain, lambda: sweep(actor=None), lambda turn=turn: edit(turn + 1))
        assert outcome == ["done"] * 4, turn
    drain()
    run_waiting_sweeps()
    assert (Mark.objects.count(), DeadLetter.objects.count()) == (0, 0)
    assert not EvaluationRun.objects.exclude(failure="").exists()
    assert as_written() == as_found()
    assert set(as_written().values()) == {1}
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert cursor.fetchone()[0] == 0
