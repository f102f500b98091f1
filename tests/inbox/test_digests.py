"""The daily digest: what changed, once a day, to whom, in which language, and what a failure stops."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.business_rules.models import RuleViolation
from apps.inbox.enums import AlertKind
from apps.inbox.models import CliffAlert, Digest, Subscription
from apps.inbox.services import assign, digests, save_subscription, send_digests, send_due_digests, snooze
from apps.org.models import UnitScope
from apps.users.models import User
from tests.factories import Clinic, UserFactory
from tests.today import TODAY
from worker.celery import app

from .conftest import DAY, one, waiting_clinic

pytestmark = pytest.mark.django_db
ALL = list(AlertKind)
CLIFF, VACANT, RULE = AlertKind.CLIFF, AlertKind.VACANT, AlertKind.RULE


def subscribe(user: User, kinds: Any = ALL, only_mine: bool = False) -> None:
    save_subscription(
        by_mail=True, kinds=kinds, only_mine=only_mine, cliff_lead_days=30, coverage_lead_days=91, actor=user
    )


def letters() -> list[Any]:
    """Return the mails since the last look."""
    found = list(mail.outbox)
    mail.outbox.clear()
    return found


@pytest.fixture
def told(waiting: Clinic) -> Any:
    """A manager who reads English was told how things stand yesterday."""
    User.objects.update(language="en")
    subscribe(waiting.manager)
    return waiting


@pytest.fixture
def next_day(told: Clinic, settings: Any) -> Any:
    assert send_digests(actor=None) == 1
    letters()
    settings.COVERIS_TODAY = TODAY + DAY
    return told


def test_the_first_one_tells_how_things_stand_with_links_that_lead_here(told: Clinic) -> None:
    assert send_digests(actor=None) == 1
    [letter] = letters()
    assert letter.to == ["manager@example.org"]
    [(html, kind)] = letter.alternatives
    assert kind == "text/html"
    for body in (letter.body, html):
        for said in ("Hello Sam", "Echeverría, Marta", "Triage (EMPTY)", "36 h a week are missing", "by 30 Dec 2026"):
            assert said in body, said
    cliff = CliffAlert.objects.get()
    assert f"https://coveris.test/admin/assignments/assignment/{cliff.assignment_id}/change/" in letter.body
    assert 'href="https://coveris.test/admin/inbox/attention/inbox/"' in html
    assert Digest.objects.get().told == int(letter.subject.removeprefix("Coveris: ").split()[0])


def test_nothing_goes_out_when_nothing_changed(next_day: Clinic) -> None:
    assert send_digests(actor=None) == 0
    assert letters() == []
    assert list(Digest.objects.order_by("day").values_list("outcome", flat=True)) == ["SENT", "NOTHING"]


def test_only_what_changed_is_told(next_day: Clinic, settings: Any) -> None:
    RuleViolation.objects.filter(rule__code="POSITION_VACANT").update(state="RESOLVED", resolved_at=timezone.now())
    CliffAlert.objects.update(missing=3700)
    row = RuleViolation.objects.get(rule__code="HOURS_OVER_POOL", subject_code="E1")
    RuleViolation.objects.filter(rule__code="NO_CONTRACT").delete()
    new = RuleViolation.objects.create(
        rule=row.rule, subject_kind="employee", subject_id=next_day.newcomer.pk, subject_code="E3", severity="WARNING",
        observed=3, limit=0, facts=row.facts, first_seen=timezone.now(), last_seen=timezone.now(),
    )  # fmt: skip
    assert send_digests(actor=None) == 1
    [letter] = letters()
    assert letter.subject == "Coveris: 1 new, 1 worse, 1 gone"
    assert "Luna, Eva" in letter.body and "37 h a week" in letter.body and "Triage (EMPTY)" in letter.body
    assert "Gómez" not in letter.body
    settings.COVERIS_TODAY = TODAY + DAY * 2
    new.delete()
    assert send_digests(actor=None) == 1
    assert letters()[0].subject == "Coveris: 1 gone"


def test_what_sleeps_is_neither_told_nor_gone_and_awake_again_it_is_new(next_day: Clinic, settings: Any) -> None:
    snooze(key=one(next_day.manager, VACANT).key, until=TODAY + DAY * 3, actor=next_day.manager)
    assert send_digests(actor=None) == 0
    settings.COVERIS_TODAY = TODAY + DAY * 2
    assert send_digests(actor=None) == 0
    settings.COVERIS_TODAY = TODAY + DAY * 3
    assert send_digests(actor=None) == 1
    [letter] = letters()
    assert letter.subject == "Coveris: 1 new"
    assert "Triage (EMPTY)" in letter.body


def test_only_mine_and_only_the_kinds_asked_for(told: Clinic) -> None:
    subscribe(told.manager, kinds=[VACANT])
    subscribe(told.supervisor, only_mine=True)
    assign(key=one(told.manager, CLIFF).key, to=told.supervisor, actor=told.manager)
    assert send_digests(actor=None) == 2
    bodies = {letter.to[0]: letter for letter in letters()}
    assert bodies["manager@example.org"].subject == "Coveris: 1 new"
    assert "Vacancy" in bodies["manager@example.org"].body
    assert bodies["supervisor@example.org"].subject == "Coveris: 1 new"
    assert "36 h a week" in bodies["supervisor@example.org"].body


def test_a_second_run_on_the_day_sends_nothing_even_after_a_change(told: Clinic) -> None:
    assert send_digests(actor=None) == 1
    CliffAlert.objects.update(missing=3700)
    assert send_digests(actor=None) == 0
    assert len(letters()) == 1


def test_it_goes_out_from_the_installations_hour_on(told: Clinic, settings: Any) -> None:
    settings.COVERIS_DIGEST_HOUR = 24
    assert send_due_digests(actor=None) == 0
    settings.COVERIS_DIGEST_HOUR = 0
    assert send_due_digests(actor=None) == 1


def test_a_run_that_takes_long_leaves_the_rest_to_the_next(told: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    subscribe(told.supervisor)
    monkeypatch.setattr(digests, "SECONDS", -1.0)
    assert send_digests(actor=None) == 0
    monkeypatch.undo()
    assert send_digests(actor=None) == 2


@pytest.mark.parametrize("name", ["inbox.send_digests", "inbox.refresh_alerts", "inbox.refresh_if_asked"])
def test_a_task_run_twice_does_what_it_does_once(told: Clinic, settings: Any, name: str) -> None:
    settings.COVERIS_DIGEST_HOUR = 0
    app.loader.import_default_modules()
    kept = []
    for _each in range(2):
        app.tasks[name].apply(throw=True)
        kept.append((len(mail.outbox), list(Digest.objects.values()), list(CliffAlert.objects.values())))
    assert kept[0] == kept[1]


def test_the_database_knows_one_digest_a_person_and_day(told: Clinic) -> None:
    send_digests(actor=None)
    row = Digest.objects.get()
    row.pk = None
    with pytest.raises(IntegrityError, match="inbox_digest_one_a_day"), transaction.atomic():
        row.save(force_insert=True)


def test_each_reads_it_in_their_own_language(told: Clinic) -> None:
    spanish = UserFactory(role="MANAGER", unit=told.h1, language="es", given_name="Nora")
    subscribe(spanish)
    assert send_digests(actor=None) == 2
    bodies = {letter.to[0]: letter.body for letter in letters()}
    assert "Hello Sam" in bodies["manager@example.org"]
    assert "Hola Nora" in bodies[spanish.email]
    assert "Vacante" in bodies[spanish.email]


class TestWhoGetsOne:
    def test_who_asked_for_none_or_may_not_log_in_gets_none(self, told: Clinic) -> None:
        subscribe(told.supervisor)
        Subscription.objects.filter(user=told.supervisor).update(by_mail=False)
        subscribe(told.admin)
        User.objects.filter(pk=told.admin.pk).update(is_active=False)
        subscribe(told.viewer)
        User.objects.filter(pk=told.viewer.pk).update(role="EMPLOYEE")
        assert send_digests(actor=None) == 1
        assert [letter.to for letter in letters()] == [["manager@example.org"]]

    def test_the_scope_is_the_one_at_the_time_of_sending(self, next_day: Clinic) -> None:
        """What left a person's sight is counted as gone, and not named any more."""
        UnitScope.objects.filter(user=next_day.manager).update(org_unit=next_day.h2)
        assert send_digests(actor=None) == 1
        [letter] = letters()
        assert "Díaz" in letter.body
        for name in ("Gómez", "Echeverría", "Triage", "Urgencias"):
            assert name not in letter.body
            assert name not in letter.alternatives[0][0]

    def test_nobody_is_told_what_is_out_of_scope(self, told: Clinic) -> None:
        send_digests(actor=None)
        assert "Díaz" not in letters()[0].body

    def test_who_is_no_administrator_any_more_is_told_nothing_of_the_installation(self, told: Clinic) -> None:
        from apps.changes.models import DeadLetter

        Subscription.objects.all().delete()
        DeadLetter.objects.create(kind="unit", subject_id=1, reason="boom")
        subscribe(told.admin, kinds=[AlertKind.FIGURES])
        User.objects.filter(pk=told.admin.pk).update(role="MANAGER")
        assert send_digests(actor=None) == 0

    def test_an_installation_without_mail_sends_none(self, told: Clinic, settings: Any) -> None:
        settings.COVERIS_SENDS_MAIL = False
        assert send_digests(actor=None) == 0
        assert not Digest.objects.exists()


class TestFailures:
    @pytest.fixture
    def broken(self, told: Clinic, monkeypatch: pytest.MonkeyPatch) -> Any:
        subscribe(told.supervisor)
        deliver = EmailBackend.send_messages

        def sometimes(backend: Any, messages: Any) -> Any:
            if any("manager@example.org" in message.to for message in messages):
                raise OSError("mailbox on fire")
            return deliver(backend, messages)

        monkeypatch.setattr(EmailBackend, "send_messages", sometimes)
        return told

    def test_of_one_recipient_do_not_stop_the_others_and_are_visible(self, broken: Clinic) -> None:
        assert send_digests(actor=None) == 1
        assert [letter.to for letter in letters()] == [["supervisor@example.org"]]
        row = Digest.objects.get(outcome="FAILED")
        assert (row.user, row.failure) == (broken.manager, "OSError: mailbox on fire")
        assert one(broken.admin, AlertKind.FAILURE).record_id == row.pk

    def test_what_was_not_told_is_told_the_next_day(
        self, broken: Clinic, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        send_digests(actor=None)
        letters()
        monkeypatch.undo()
        settings.COVERIS_TODAY = TODAY + DAY
        assert send_digests(actor=None) == 1
        [letter] = letters()
        assert letter.to == ["manager@example.org"]
        assert "Echeverría" in letter.body


class TestMoreThanIsCompared:
    def test_it_is_said_and_nothing_is_told_as_gone_that_only_moved_down(
        self, told: Clinic, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(digests, "MOST_COMPARED", 2)
        assert send_digests(actor=None) == 1
        assert "more than a digest compares" in letters()[0].body
        settings.COVERIS_TODAY = TODAY + DAY
        RuleViolation.objects.filter(rule__code="MAX_WEEKLY_HOURS").delete()
        assert send_digests(actor=None) == 0, "what moves up was there before, what is gone cannot be told apart"


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    @pytest.fixture
    def both(self, clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Return what runs two senders that meet before either has claimed the day."""
        waiting_clinic(clinic)
        subscribe(clinic.manager)
        meeting, claim = threading.Barrier(2, timeout=20), digests._claim

        def together(user: User, day: Any) -> int | None:
            meeting.wait()
            return digests.claimed_by(user, day)  # type: ignore[attr-defined,no-any-return]

        monkeypatch.setattr(digests, "claimed_by", claim, raising=False)
        monkeypatch.setattr(digests, "_claim", together)

        def run() -> int:
            sent: list[int] = []

            def one_run() -> None:
                try:
                    sent.append(send_digests(actor=None))
                finally:
                    connection.close()

            threads = [threading.Thread(target=one_run) for _each in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert len(sent) == 2
            return len(letters())

        return run

    def test_send_one_mail(self, both: Any) -> None:
        assert both() == 1

    def test_canary_without_the_claim_two_go_out(self, both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def always(user: User, day: Any) -> int:
            Digest.objects.bulk_create([Digest(user=user, day=day, claimed_at=timezone.now())], ignore_conflicts=True)
            return Digest.objects.get(user=user, day=day).pk

        monkeypatch.setattr(digests, "claimed_by", always)
        assert both() == 2
