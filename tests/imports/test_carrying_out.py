"""Large sheets are looked at and brought in by a worker, which may die, be slow, or be asked to stop."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.common.errors import Refusal
from apps.imports import carrying_out
from apps.imports.carrying_out import MOST_ATTEMPTS, Cancelled, carry_out, run_waiting_imports
from apps.imports.enums import JobState, Stage
from apps.imports.models import ImportJob, ImportProgress
from apps.imports.services import (
    AT_ONCE,
    cancel,
    confirm,
    preview,
    request_confirm,
    request_preview,
    upload,
)
from apps.org.models import Employee

from .support import sheet

HEADER = "employee_number,given_name,family_name,email,home_unit_code,hired_on"


def people(count: int) -> bytes:
    return sheet(HEADER, *(f"N{n:05d},Ana,Paz,n{n}@example.org,H1,2026-01-05" for n in range(count)))


LARGE = people(2_000)


@pytest.fixture
def job(clinic: Any) -> ImportJob:
    """A large sheet that waits for a worker to look at it."""
    assert len(LARGE) > AT_ONCE
    uploaded = upload(file=SimpleUploadedFile("people.csv", LARGE), kind="employees", actor=clinic.manager)
    return request_preview(job=uploaded, actor=clinic.manager)


def state_of(job: ImportJob) -> str:
    return str(ImportJob.objects.values_list("state", flat=True).get(pk=job.pk))


def test_a_worker_looks_at_it_then_brings_it_in(job: ImportJob, clinic: Any) -> None:
    assert run_waiting_imports() == 1
    job.refresh_from_db()
    assert (job.state, job.created) == (JobState.PREVIEWED, 2_000)
    assert job.impact["coverage"] is not None
    assert not Employee.objects.filter(employee_number="N00001").exists()
    request_confirm(job=job, actor=clinic.manager, confirmed_warnings=job.options["confirmation"])
    assert run_waiting_imports() == 1
    job.refresh_from_db()
    assert (job.state, job.created, job.content) == (JobState.APPLIED, 2_000, None)
    assert job.impact["coverage"] is not None
    assert Employee.objects.filter(employee_number__startswith="N").count() == 2_000
    assert not ImportProgress.objects.filter(job_id=job.pk).exists()
    assert run_waiting_imports() == 0


def test_carried_out_twice_it_has_one_effect(job: ImportJob, clinic: Any) -> None:
    run_waiting_imports()
    job.refresh_from_db()
    request_confirm(job=job, actor=clinic.manager, confirmed_warnings=job.options["confirmation"])
    assert [carry_out(job.pk), carry_out(job.pk)] == [True, False]
    assert Employee.objects.filter(employee_number__startswith="N").count() == 2_000


def test_what_is_asked_to_stop_leaves_nothing(job: ImportJob, clinic: Any) -> None:
    ImportProgress.objects.create(job_id=job.pk, stage=Stage.READING)
    cancel(job=job, actor=clinic.manager)
    assert ImportProgress.objects.get(job_id=job.pk).cancelled


def test_a_stop_is_heard_between_two_pieces(job: ImportJob, clinic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection of its own cannot see a test's transaction: what it hears is said for it."""

    def hears(stage: str, rows: int) -> None:
        if rows:
            raise Cancelled

    class Told:
        def __enter__(self) -> Any:
            return hears

        def __exit__(self, *_: object) -> None:
            return None

    monkeypatch.setattr(carrying_out, "_telling", lambda pk: Told())
    assert carry_out(job.pk)
    job.refresh_from_db()
    assert (job.state, job.content, job.errors) == (JobState.ABANDONED, None, [])
    assert not Employee.objects.filter(employee_number="N00001").exists()


def test_one_that_never_ends_is_given_up_and_says_so(job: ImportJob, clinic: Any, as_user: Any) -> None:
    ImportJob.objects.filter(pk=job.pk).update(attempts=MOST_ATTEMPTS)
    assert carry_out(job.pk)
    job.refresh_from_db()
    assert (job.state, job.content) == (JobState.REFUSED, None)
    page = as_user(clinic.manager).get(reverse("admin:imports_importjob_change", args=[job.pk])).content.decode()
    assert "It could not be carried out" in page


def test_only_the_owner_asks_and_stops(job: ImportJob, clinic: Any, as_user: Any) -> None:
    for deed in (request_preview, cancel):
        with pytest.raises(Refusal):
            deed(job=job, actor=clinic.admin)
    address = reverse("admin:imports_importjob_cancel", args=[job.pk])
    assert as_user(clinic.admin).post(address).status_code == 403
    assert as_user(clinic.manager).get(address).status_code == 403
    assert as_user(clinic.manager).post(address).status_code == 302


def test_the_page_sends_large_files_to_a_worker_and_tells_how_far_it_is(clinic: Any, as_user: Any) -> None:
    client = as_user(clinic.manager)
    values = {"kind": "employees", "mode": "all-or-nothing", "dates": "iso", "decimal": "point", "separator": "auto",
              "encoding": "auto"}  # fmt: skip
    posted = client.post(
        reverse("admin:imports_importjob_add"), {**values, "file": SimpleUploadedFile("people.csv", LARGE)}
    )
    job = ImportJob.objects.get()
    assert (posted.status_code, job.state) == (302, JobState.READING)
    ImportProgress.objects.create(job_id=job.pk, stage=Stage.CHECKING, rows=2_000)
    page = client.get(posted["Location"]).content.decode()
    assert 'http-equiv="refresh"' in page and "2000 rows read" in page.replace(",", "") and 'id="cancel"' in page
    run_waiting_imports()
    page = client.get(posted["Location"]).content.decode()
    assert 'http-equiv="refresh"' not in page and 'id="confirm"' in page
    job.refresh_from_db()
    client.post(reverse("admin:imports_importjob_confirm", args=[job.pk]),
                {"confirmation": job.options["confirmation"]})  # fmt: skip
    assert state_of(job) == JobState.APPLYING
    run_waiting_imports()
    assert state_of(job) == JobState.APPLIED


def test_small_files_are_looked_at_at_once(clinic: Any, as_user: Any) -> None:
    values = {"kind": "employees", "mode": "all-or-nothing", "dates": "iso", "decimal": "point", "separator": "auto",
              "encoding": "auto"}  # fmt: skip
    small = SimpleUploadedFile("people.csv", people(400))
    as_user(clinic.manager).post(reverse("admin:imports_importjob_add"), {**values, "file": small})
    assert ImportJob.objects.get().state == JobState.PREVIEWED


def test_warnings_that_came_up_meanwhile_are_looked_at_first(job: ImportJob, clinic: Any) -> None:
    preview(job=job, actor=clinic.manager)
    request_confirm(job=job, actor=clinic.manager, confirmed_warnings="others")
    job.refresh_from_db()
    with_warnings = {**job.options, "warnings": [{"rule": "X", "message": "Y"}]}
    ImportJob.objects.filter(pk=job.pk).update(options=with_warnings)
    run_waiting_imports()
    # This sheet raises none, so it is brought in; one that does goes back to its preview (test_pages).
    assert state_of(job) == JobState.APPLIED


def test_what_is_decided_is_not_begun_again(job: ImportJob, clinic: Any) -> None:
    run_waiting_imports()
    job.refresh_from_db()
    confirm(job=job, actor=clinic.manager, confirmed_warnings=job.options["confirmation"])
    job.refresh_from_db()
    for deed in (request_preview, request_confirm, cancel):
        with pytest.raises(Refusal):
            deed(job=job, actor=clinic.manager)
