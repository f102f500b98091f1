"""An import is killed at any moment, by hand or in the worker: there are all of its rows and one record, or none."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from apps.imports.enums import JobState
from apps.imports.models import ImportJob, ImportProgress
from apps.imports.services import request_confirm, request_preview, upload
from apps.org.models import Employee, OrgUnit, Position
from tests.factories import Clinic
from tests.worker.processes import CHECKOUT, Broker, Child, environment, ring, wait_until, worker

from .support import sheet
from .whole_way import FULL

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3_000)]
BY_HAND, IN_THE_WORKER = (50, 25) if FULL else (2, 1)
ROWS = 1_500 if FULL else 500
RUN_WAITING = ("imports.run_waiting", "import")
HEADER = "employee_number,given_name,family_name,email,home_unit_code,hired_on"


def people(prefix: str, name: str = "Ana", rows: int = ROWS) -> bytes:
    return sheet(HEADER, *(f"{prefix}{n:05d},{name},Paz,{prefix}{n}@example.org,H1,2026-01-05" for n in range(rows)))


@pytest.fixture
def house(db: Any) -> Clinic:
    return Clinic()


class Importing:
    """A process that is ready to bring a file in, and is killed some time after it began."""

    def __init__(self, kind: str, path: Path, *how: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.imports.importing", kind, str(path), *how], cwd=CHECKOUT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment("redis://127.0.0.1:1/0"),
        )  # fmt: skip
        assert self.process.stdin is not None and self.process.stdout is not None
        self.session = int(self.process.stdout.readline())

    def go(self, seconds: float | None) -> int:
        """Let it run, for so long at most; return how it ended, once its session is gone too."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()
        try:
            status = self.process.wait(120 if seconds is None else seconds)
        except subprocess.TimeoutExpired:
            assert seconds is not None
            self.process.kill()
            status = self.process.wait(30)
        self.took = float(self.process.stdout.readline() or 0)
        self.process.stdin.close()
        self.process.stdout.close()
        wait_until(lambda: not _is_there(self.session), 120)
        return status


def _is_there(session: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)", [session])
        return bool(cursor.fetchone()[0])


def moment_of(dice: random.Random, number: int, all_of_them: int) -> float:
    """Return when to kill, as a part of the whole: once at its start, then spread over it by chance; in the second
    half often near the end.

    The whole is as long as the first one took, which on a machine that has since become idle is long: only the start
    is sure to come before the end.
    """
    if number == 0:
        return dice.uniform(0, 0.1)
    if number > all_of_them // 2 and number % 2:
        return dice.uniform(0.85, 1.1)
    return (number + dice.random()) / all_of_them


def left(prefix: str, file: str) -> tuple[int, int, int]:
    """Return how many people there are, what the history tells of them, and how many records of the import."""
    return (
        Employee.objects.filter(employee_number__startswith=prefix).count(),
        Employee.history.filter(employee_number__startswith=prefix, history_type="+").count(),
        ImportJob.objects.filter(file_name=file).count(),
    )


ALL_OF_IT, NOTHING = (ROWS, ROWS, 1), (0, 0, 0)


def test_killed_by_hand_there_is_all_of_it_or_nothing(house: Clinic, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    path = tmp_path / "K.csv"
    path.write_bytes(people("K"))
    importing = Importing("employees", path)
    assert importing.go(None) == 0
    lasts = importing.took
    assert left("K", "K.csv") == ALL_OF_IT
    met: Counter[str] = Counter()
    for number in range(BY_HAND):
        prefix = f"K{number}x"
        path = tmp_path / f"{prefix}.csv"
        path.write_bytes(people(prefix))
        moment = lasts * moment_of(dice, number, BY_HAND)
        Importing("employees", path).go(moment)
        found = left(prefix, path.name)
        assert found in (ALL_OF_IT, NOTHING), (number, moment, found)
        met["all" if found == ALL_OF_IT else "nothing"] += 1
        if found == NOTHING:
            assert Importing("employees", path).go(None) == 0
        else:
            assert Importing("employees", path).go(None) == 0
            assert ImportJob.objects.filter(file_name=path.name, created=0, unchanged=ROWS).count() == 1
        assert left(prefix, path.name)[:2] == ALL_OF_IT[:2]
    print(dict(met), f"{lasts:.1f} s each")
    assert met["nothing"], met


def test_killed_while_it_changes_what_is_there_all_is_old_or_new(house: Clinic, tmp_path: Path) -> None:
    dice = random.Random(seed := random.randrange(2**32))
    print("seed", seed)
    Position.objects.bulk_create(
        Position(code=f"S{n}", title="before", org_unit=house.h1, required_weekly_hours=10) for n in range(ROWS)
    )
    lasts = 0.0
    for number in range(1 + BY_HAND // 2):
        path = tmp_path / f"S{number}.csv"
        path.write_bytes(
            sheet("code,title,required_weekly_hours", *(f"S{n},t{number},{number + 1}" for n in range(ROWS)))
        )
        importing = Importing("positions", path)
        importing.go(None if not number else lasts * moment_of(dice, number - 1, BY_HAND // 2))
        lasts = lasts or importing.took
        rows = Position.objects.filter(code__startswith="S").values_list("title", "required_weekly_hours")
        [(title, hours)] = set(rows)
        written = title == f"t{number}"
        assert ImportJob.objects.filter(file_name=path.name).count() == written
        assert Position.history.filter(title=f"t{number}").count() == (ROWS if written else 0)
        assert hours == (number + 1 if written else hours)


def test_the_canary_two_imports_in_a_row_leave_half_of_it(house: Clinic, tmp_path: Path) -> None:
    path = tmp_path / "H.csv"
    path.write_bytes(people("H9"))
    assert Importing("employees", path, "halves").go(None) == -9
    assert left("H9", "H.csv") not in (ALL_OF_IT, NOTHING)


@pytest.fixture
def workers(broker: Broker, tmp_path: Path) -> Iterator[list[Child]]:
    """The workers of a test, which end with it."""
    started: list[Child] = []
    yield started
    for one in started:
        one.kill()


def carried_out(job: ImportJob, broker: Broker, until: tuple[str, ...], seconds: float = 120) -> None:
    """Ring until a worker has brought the job there."""
    last = 0.0

    def there() -> bool:
        nonlocal last
        if time.monotonic() - last > 2:
            ring(broker, *RUN_WAITING)
            last = time.monotonic()
        job.refresh_from_db()
        return job.state in until

    wait_until(there, seconds)


def test_killed_in_the_worker_the_next_one_takes_it_up_and_ends_it_once(
    house: Clinic, broker: Broker, workers: list[Child], tmp_path: Path
) -> None:
    dice = random.Random(seed := random.randrange(2**32))
    print("seed", seed)
    met: Counter[str] = Counter()

    def new_worker() -> Child:
        one = worker(broker, tmp_path, f"worker{len(workers)}")
        workers.append(one)
        one.start()
        return one

    def begins(job: ImportJob, attempts: int = 0) -> float:
        """Ring, and return the moment at which a worker has begun."""
        ring(broker, *RUN_WAITING)
        wait_until(lambda: ImportJob.objects.get(pk=job.pk).attempts > attempts, 60, every=0.01)
        return time.monotonic()

    def uploaded(prefix: str) -> ImportJob:
        job = upload(file=SimpleUploadedFile(f"{prefix}.csv", people(prefix)), kind="employees", actor=house.admin)
        return request_preview(job=job, actor=house.admin)

    at_work = new_worker()
    job = uploaded("W")
    begun = begins(job)
    wait_until(lambda: ImportJob.objects.get(pk=job.pk).state == JobState.PREVIEWED, 60, every=0.01)
    lasts = time.monotonic() - begun
    for number in range(IN_THE_WORKER):
        prefix = f"W{number}x"
        job = uploaded(prefix)
        killed_while = JobState.READING if number % 3 == 0 else JobState.APPLYING
        if killed_while == JobState.APPLYING:
            carried_out(job, broker, (JobState.PREVIEWED,))
            request_confirm(job=job, actor=house.admin, confirmed_warnings=job.options["confirmation"])
        begins(job)
        time.sleep(lasts * moment_of(dice, number, IN_THE_WORKER))
        at_work.kill()
        wait_until(_no_session_at_work, 120)
        job.refresh_from_db()
        people_there = left(prefix, job.file_name)[0]
        ended = job.state in (JobState.PREVIEWED, JobState.APPLIED)
        met[f"{killed_while}, {'ended' if ended else 'under way'}"] += 1
        assert people_there == (ROWS if job.state == JobState.APPLIED else 0), (number, job.state, people_there)
        at_work = new_worker()
        if job.state == JobState.READING:
            carried_out(job, broker, (JobState.PREVIEWED,))
        if job.state == JobState.PREVIEWED:
            request_confirm(job=job, actor=house.admin, confirmed_warnings=job.options["confirmation"])
        carried_out(job, broker, (JobState.APPLIED,))
        assert (job.created, job.content) == (ROWS, None)
        assert left(prefix, job.file_name) == ALL_OF_IT
        assert not ImportProgress.objects.filter(job_id=job.pk).exists()
        ring(broker, *RUN_WAITING)
        time.sleep(0.2)
        assert left(prefix, job.file_name) == ALL_OF_IT
    print(dict(met))
    assert any("under way" in name for name in met), met
    assert OrgUnit.objects.count() == 3


def _no_session_at_work() -> bool:
    """Say whether no import holds its job any more."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 7340)")
        return bool(cursor.fetchone()[0])
