"""An import that takes too long is ended by the worker's clock, says so, and leaves nothing behind."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from apps.common.holding import patient
from apps.imports.carrying_out import carry_out
from apps.imports.enums import JobState
from apps.imports.models import ImportJob, ImportProgress
from apps.imports.services import request_confirm, request_preview, upload
from apps.org.models import Employee
from tests.factories import Clinic

from .test_killed import people

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = 1_500


@contextmanager
def out_of_time_after(seconds: float) -> Iterator[None]:
    """Do what the pool does when a task's time is over: a signal whose handler raises, wherever the process is."""

    def over(*_: object) -> None:
        raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGUSR1, over)
    clock = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGUSR1))
    clock.start()
    try:
        yield
    finally:
        clock.cancel()
        clock.join()
        signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def house(db: Any) -> Clinic:
    return Clinic()


def asked_for(house: Clinic, prefix: str) -> ImportJob:
    file = SimpleUploadedFile(f"{prefix}.csv", people(prefix, rows=ROWS))
    return request_preview(job=upload(file=file, kind="employees", actor=house.admin), actor=house.admin)


def ended_by_the_clock(house: Clinic, prefix: str, seconds: float, *, brought_in: bool) -> tuple[ImportJob, str]:
    """Return a job that its clock ended, and what its numbers begin with; one that was quicker is no example."""
    for attempt in range(8):
        job = asked_for(house, own := f"{prefix}{attempt}y")
        if brought_in:
            assert carry_out(job.pk)
            job.refresh_from_db()
            request_confirm(job=job, actor=house.admin, confirmed_warnings=job.options["confirmation"])
        # Struck when all is done, it ends nothing.
        with suppress(SoftTimeLimitExceeded), out_of_time_after(seconds / 2**attempt):
            assert carry_out(job.pk)
        job.refresh_from_db()
        if job.state == JobState.REFUSED:
            return job, own
        assert job.state == (JobState.APPLIED if brought_in else JobState.PREVIEWED)
    raise AssertionError("no clock was short enough")


def test_it_says_so_and_nothing_is_kept_and_the_next_one_is_brought_in(house: Clinic) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    job = asked_for(house, "T")
    begun = time.monotonic()
    assert carry_out(job.pk)
    lasts = time.monotonic() - begun
    for number, part in enumerate((0.1, dice.uniform(0.1, 0.5), dice.uniform(0.1, 0.5))):
        job, prefix = ended_by_the_clock(house, f"T{number}x", lasts * part, brought_in=number > 0)
        assert "split the file" in job.options["failure"] or "divida el archivo" in job.options["failure"]
        assert not Employee.objects.filter(employee_number__startswith=prefix).exists()
        assert not Employee.history.filter(employee_number__startswith=prefix).exists()
        assert not ImportProgress.objects.filter(job_id=job.pk).exists()
    job = asked_for(house, "U")
    assert carry_out(job.pk)
    job.refresh_from_db()
    request_confirm(job=job, actor=house.admin, confirmed_warnings=job.options["confirmation"])
    assert carry_out(job.pk)
    assert Employee.objects.filter(employee_number__startswith="U").count() == ROWS


def test_where_nobody_ends_it_the_job_looks_at_the_clock_itself(house: Clinic, settings: Any) -> None:
    job = asked_for(house, "C")
    settings.COVERIS_IMPORT_SECONDS = 0  # for the database that is as long as it takes
    assert carry_out(job.pk)
    job.refresh_from_db()
    assert (job.state, Employee.objects.filter(employee_number__startswith="C").count()) == (JobState.REFUSED, 0)


def test_the_server_is_silent_meanwhile_and_talks_again_afterwards(house: Clinic) -> None:
    def heard() -> list[str]:
        with connection.cursor() as cursor:
            said: list[str] = []
            cursor.connection.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
            cursor.execute("DROP TABLE IF EXISTS nobody_made_this")
            return said

    with patient(60):
        assert heard() == []
    assert len(heard()) == 1  # the canary
