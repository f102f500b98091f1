"""Sweeps are killed in the middle of their work: whoever takes them up finds, writes and counts the same."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from django.db import connection
from django.db.models import Sum

from apps.business_rules.models import EvaluationRun, RuleViolation
from apps.business_rules.services import evaluate_rules, run_waiting_sweeps, sweep
from apps.business_rules.services.sweeps import ATTEMPTS, request_judging
from apps.changes.drain import drain
from apps.changes.models import DeadLetter, Mark
from tests.changes.conftest import in_background
from tests.chaos.test_kills import build
from tests.factories import BusinessRuleFactory
from tests.rules.catalogue import install_rules
from tests.worker.processes import CHECKOUT, environment, wait_until

# Minutes of killing: with `./run test -m slow`, before a release.
pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]

KILLS = 20
# Of them, so many hit one and the same run; the attempt after them has to end.
ON_ONE_RUN = ATTEMPTS - 1
History = RuleViolation.history


class Sweeping:
    """A process that stands ready to take up waiting sweeps."""

    started: ClassVar[list[Sweeping]] = []

    def __init__(self, *argv: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.sweeping", *argv], cwd=CHECKOUT, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=environment("redis://127.0.0.1:1/0"),
        )  # fmt: skip
        assert self.process.stdin is not None and self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self.started.append(self)

    def go(self) -> None:
        assert self.stdout.readline() == b"ready\n"
        self.stdin.write(b"go\n")
        self.stdin.flush()

    def end(self, seconds: float | None = None) -> int:
        """Wait for its end, or kill it after so many seconds; return how it ended."""
        try:
            return self.process.wait(120 if seconds is None else seconds)
        except subprocess.TimeoutExpired:
            if seconds is None:
                raise
            self.process.kill()
            return self.process.wait(30)
        finally:
            self.stdin.close()
            self.stdout.close()


@pytest.fixture(autouse=True)
def nobody_is_left() -> Iterator[None]:
    yield
    while Sweeping.started:
        Sweeping.started.pop().end(0)


@pytest.fixture
def clinic(db: Any) -> None:
    """A clinic with some hundred violations, found by the rules of the product and two that staff wrote."""
    build()
    drain()
    run_waiting_sweeps()
    EvaluationRun.objects.all().delete()
    # Only now, so that it is the sweeps that find all there is.
    install_rules()
    own = {"severity": "INFO", "threshold": 20}
    BusinessRuleFactory(
        code="OWN_BALANCE", subject_kind="employee", condition="balance > threshold", measure="balance",
        message="{who}: {balance} h", **own,
    )  # fmt: skip
    BusinessRuleFactory(
        code="OWN_BUSY", subject_kind="assignment", condition="employee.balance <= threshold",
        measure="employee.balance", message="{who}: {employee.balance} h", **own,
    )  # fmt: skip


def change_some(chance: random.Random) -> None:
    """Give a handful of assignments other hours, as people do all day."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE assignments_assignment SET effective_hours = 1 + (id * %s) %% 23 WHERE id %% 7 = %s",
            [chance.randrange(1, 23), chance.randrange(7)],
        )


def as_written() -> Counter[Any]:
    rows = RuleViolation.objects.unresolved()
    return Counter(rows.values_list("rule__code", "subject_kind", "subject_id", "severity", "observed", "limit"))


def as_found() -> Counter[Any]:
    return Counter(
        (one.rule, one.subject_kind, one.subject_id, one.severity, one.observed, one.limit) for one in evaluate_rules()
    )


def assert_books_balance() -> None:
    """Whatever was opened or resolved, exactly one run tells of it; no step of it is in the history twice."""
    told = EvaluationRun.objects.aggregate(opened=Sum("opened"), resolved=Sum("resolved"))
    resolved = History.filter(state="RESOLVED").count()
    assert (told["opened"], told["resolved"]) == (RuleViolation.objects.count(), resolved)
    assert_history_has_no_doubles()


def assert_history_has_no_doubles() -> None:
    assert History.filter(history_type="+").count() == RuleViolation.objects.count()
    last: dict[int, Any] = {}
    columns = ("state", "severity", "observed", "limit", "facts", "subject_code", "rule_version")
    for row in History.order_by("history_id").values("id", "history_type", *columns):
        content = tuple(str(row[name]) for name in columns)
        assert last.get(row["id"]) != content, row
        last[row["id"]] = content


def test_a_sweep_killed_at_random_moments_comes_out_as_if_it_had_not_been(clinic: None) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    begun = time.monotonic()
    sweep(actor=None)
    lasts = time.monotonic() - begun
    assert sum(as_written().values()) > 200
    ends: Counter[int] = Counter()
    stopped = False

    def people() -> int:
        edits = 0
        while not stopped:
            change_some(random.Random(seed + edits))
            edits += 1
            time.sleep(0.05)
        return edits

    busy = in_background(people)
    victim = Sweeping()
    try:
        while ends[-signal.SIGKILL] < KILLS:
            request_judging()
            for _number in range(min(ON_ONE_RUN, KILLS - ends[-signal.SIGKILL])):
                victim.go()
                following = Sweeping()
                ends[victim.end(chance.uniform(0, lasts))] += 1
                victim = following
            # Its session is gone a moment after it, and with it the hold on the run.
            wait_until(lambda: run_waiting_sweeps() or not EvaluationRun.objects.filter(finished_at=None).exists(), 60)
            assert_books_balance()
    finally:
        stopped = True
    assert busy.finish() > 5

    # Some of them did die in the middle of a run.
    interrupted = EvaluationRun.objects.filter(attempts__gt=1)
    assert interrupted.count() >= 3
    for run in EvaluationRun.objects.all():
        assert (run.failure, run.finished_at is not None) == ("", True)
        assert run.attempts <= ATTEMPTS
        assert set(run.results) >= {"OWN_BALANCE", "OWN_BUSY", "HOURS_OVER_POOL"}
        assert run.opened == sum(result["opened"] for result in run.results.values())

    drain()
    assert (Mark.objects.count(), DeadLetter.objects.count()) == (0, 0)
    written = as_written()
    assert written == as_found()
    assert set(written.values()) == {1}
    assert_history_has_no_doubles()
    # A sweep nobody disturbs has nothing to add.
    run = sweep(actor=None)
    assert {name: sum(result[name] for result in run.results.values()) for name in ("opened", "updated", "resolved")} \
        == {"opened": 0, "updated": 0, "resolved": 0}  # fmt: skip


def test_a_worker_that_forgets_what_was_done_is_found_out_by_the_same_comparison(clinic: None) -> None:
    """The canary: if a run were begun anew each time, its books would not balance."""
    request_judging()
    # The tenth rule has found much.
    dies, ends = Sweeping("10"), Sweeping("0")
    dies.go()
    assert dies.end() == -signal.SIGKILL
    assert RuleViolation.objects.count() > 0
    ends.go()
    assert ends.end() == 0
    assert EvaluationRun.objects.get().finished_at is not None
    with pytest.raises(AssertionError):
        assert_books_balance()


def test_a_violation_written_twice_is_found_out_by_the_same_comparison(clinic: None) -> None:
    """The canary of the other half: without the unique index the second writer would double what the first wrote."""
    sweep(actor=None)
    assert_books_balance()
    with connection.cursor() as cursor:
        index = "rules_one_unresolved_violation"
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [index])
        definition = cursor.fetchone()[0]
        cursor.execute(f'DROP INDEX "{index}"')
        try:
            twice = RuleViolation.objects.order_by("pk").first()
            assert twice is not None
            twice.pk = None
            twice.save()
            assert as_written() != as_found()
            with pytest.raises(AssertionError):
                assert_books_balance()
            twice.delete()
        finally:
            cursor.execute(definition)


def test_a_run_that_never_ends_is_given_up_and_tells_what_it_did(clinic: None) -> None:
    run = request_judging()
    for _number in range(ATTEMPTS):
        EvaluationRun.objects.filter(pk=run.pk).update(results={})
        dies = Sweeping("1")
        dies.go()
        assert dies.end() == -signal.SIGKILL
    wait_until(run_waiting_sweeps, 60)
    run.refresh_from_db()
    assert run.finished_at is not None
    assert (run.attempts, bool(run.failure)) == (ATTEMPTS + 1, True)
    assert run.opened == sum(result["opened"] for result in run.results.values())
