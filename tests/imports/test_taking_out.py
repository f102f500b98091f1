"""Long lists are written by a worker, which may die, be slow or be stopped; what it leaves is never half a file."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from apps.audit_log.models import ExportRecord
from apps.common.errors import Refusal
from apps.imports import exporting, taking_out, writing
from apps.imports.export_job import ExportJob, ExportPiece, ExportState
from apps.imports.exporting import PieceByPiece
from apps.imports.taking_out import (
    MOST_ATTEMPTS,
    drop_export,
    drop_old_exports,
    hand_out,
    request_export,
    run_waiting_exports,
    write_out,
)
from apps.imports.tasks import drop_stale
from apps.imports.tasks import run_waiting_exports as task
from apps.org.models import Employee, UnitScope
from apps.users.groups import sync_groups
from apps.users.models import User
from tests.factories import AssignmentFactory, EmployeeFactory

from .support import bring, counts

EXPORT = "admin:org_employee_export"


@pytest.fixture
def house(clinic: Any) -> Any:
    sync_groups()
    User.objects.update(language="en")
    for number in range(2):
        EmployeeFactory(employee_number=f"M{number}", home_unit=clinic.h1)
    return clinic


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows are many here."""
    monkeypatch.setattr(exporting, "AT_ONCE", 1)


def asked_for(
    house: Any, *, user: Any = None, query: str = "", shape: str = "csv", listed: Any = Employee
) -> ExportJob:
    return request_export(listed=listed, kind="employees", query=query, shape=shape, actor=user or house.manager)


def made(house: Any, **options: Any) -> ExportJob:
    job = asked_for(house, **options)
    assert write_out(job.pk)
    job.refresh_from_db()
    return job


def content_of(job: ExportJob, actor: Any) -> bytes:
    return b"".join(hand_out(job=job, actor=actor)[1])


def numbers(content: bytes) -> set[str]:
    return {row["employee_number"] for row in csv.DictReader(io.StringIO(content.decode()))}


def test_a_long_list_is_written_by_a_worker_and_fetched_by_its_owner(house: Any, as_user: Any) -> None:
    EmployeeFactory(employee_number="FAR1", home_unit=house.h2)
    client = as_user(house.manager)
    url = f"{reverse(EXPORT)}?o=2"
    assert 'id="made-by-a-worker"' in client.get(url).content.decode()
    answer = client.post(url, {"shape": "csv"})
    job = ExportJob.objects.get()
    page = reverse("admin:imports_exportjob_change", args=[job.pk])
    assert (answer.status_code, answer["Location"], job.state) == (302, page, ExportState.WAITING)
    assert not ExportRecord.objects.exists()
    waiting = client.get(page).content.decode()
    assert 'http-equiv="refresh"' in waiting and 'id="cancel"' in waiting and 'id="fetch"' not in waiting
    assert client.get(reverse("admin:imports_exportjob_file", args=[job.pk])).status_code == 302
    assert task() == 1
    told = client.get(reverse("admin:index")).content.decode()
    assert "Your file is ready" in told and page in told
    assert "Your file is ready" not in client.get(reverse("admin:index")).content.decode()
    ready = client.get(page).content.decode()
    assert 'id="fetch"' in ready and 'http-equiv="refresh"' not in ready
    fetched = client.get(reverse("admin:imports_exportjob_file", args=[job.pk]))
    content = fetched.getvalue()
    assert int(fetched["Content-Length"]) == len(content) and "employees_" in fetched["Content-Disposition"]
    assert "no-store" in fetched["Cache-Control"]
    assert {"E1", "M0", "M1"} <= numbers(content) and "FAR1" not in numbers(content)
    record = ExportRecord.objects.get()
    assert (record.actor, record.what, record.format, record.rows) == (
        house.manager,
        "employees",
        "csv",
        len(numbers(content)),
    )
    assert record.filters == "o=2" and "/employee/" in record.page


@pytest.mark.parametrize("shape", ["csv", "xlsx", "csv-excel"])
def test_what_a_worker_writes_comes_back_as_it_went(house: Any, shape: str) -> None:
    job = made(house, shape=shape)
    content = content_of(job, house.manager)
    reading = {"dates": "dmy", "decimal": "comma"} if shape == "csv-excel" else {}
    report = bring("employees", content, actor=house.manager, reading=reading)
    assert counts(report) == (0, 0, job.rows, 0) and job.rows > 0
    assert (b"row_version" in content) or shape != "csv"


def test_the_file_has_the_rows_the_list_shows_and_no_others(house: Any) -> None:
    EmployeeFactory(employee_number="FAR1", home_unit=house.h2)
    assert "FAR1" not in numbers(content_of(made(house), house.manager))
    assert "FAR1" in numbers(content_of(made(house, user=house.admin), house.admin))
    assert numbers(content_of(made(house, query="q=Luna"), house.manager)) == {"E3"}


def test_documents_stay_hidden_from_whoever_may_not_see_them(house: Any) -> None:
    Employee.objects.filter(employee_number="E1").update(national_id="27111222")
    assert b"27111222" in content_of(made(house), house.manager)
    seen = content_of(made(house, user=house.viewer), house.viewer)
    assert b"27111222" not in seen and "•••".encode() in seen


def test_nobody_else_sees_fetches_or_drops_it(house: Any, as_user: Any) -> None:
    job = made(house)
    for stranger in (house.admin, house.viewer):
        for name in ("change", "file"):
            assert as_user(stranger).get(reverse(f"admin:imports_exportjob_{name}", args=[job.pk])).status_code == 404
        assert as_user(stranger).post(reverse("admin:imports_exportjob_drop", args=[job.pk])).status_code == 404
        for deed in (hand_out, drop_export):
            with pytest.raises(Refusal):
                deed(job=job, actor=stranger)
    assert not ExportRecord.objects.exists()


@pytest.mark.parametrize("when", ["before it is written", "before it is fetched"])
@pytest.mark.parametrize("what", ["role", "unit", "login"])
def test_whoever_lost_the_right_gets_nothing(house: Any, what: str, when: str) -> None:
    job = asked_for(house)
    if when == "before it is fetched":
        write_out(job.pk)
    if what == "role":
        User.objects.filter(pk=house.manager.pk).update(role="EMPLOYEE")
    elif what == "login":
        User.objects.filter(pk=house.manager.pk).update(is_active=False)
    else:
        UnitScope.objects.filter(user=house.manager).update(org_unit=house.h2)
    person = User.objects.get(pk=house.manager.pk)
    if when == "before it is written":
        write_out(job.pk)
        job.refresh_from_db()
        if what == "unit":  # who sees another part gets that part
            assert "E1" not in numbers(content_of(job, person))
        else:
            assert (job.state, bool(job.failure)) == (ExportState.FAILED, True)
            assert not ExportPiece.objects.exists()
        return
    with pytest.raises(Refusal):
        hand_out(job=job, actor=person)
    job.refresh_from_db()
    assert job.state == ExportState.GONE
    assert not ExportPiece.objects.exists() and not ExportRecord.objects.exists()


def test_canary_whoever_kept_the_right_gets_it(house: Any) -> None:
    assert content_of(made(house), User.objects.get(pk=house.manager.pk))


def test_files_are_gone_after_an_hour(house: Any) -> None:
    old, new = made(house), made(house)
    ExportJob.objects.filter(pk=old.pk).update(made_at=timezone.now() - timedelta(minutes=61))
    old.refresh_from_db()
    with pytest.raises(Refusal):
        hand_out(job=old, actor=house.manager)
    assert drop_stale() == 1
    assert drop_old_exports(actor=None) == 0
    old.refresh_from_db()
    assert old.state == ExportState.GONE
    assert set(ExportPiece.objects.values_list("job_id", flat=True)) == {new.pk}
    assert content_of(new, house.manager)


def test_a_worker_that_died_leaves_nothing_and_the_next_writes_it_whole(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_out, "PIECE_BYTES", 64)
    monkeypatch.setattr(writing, "LINES_AT_ONCE", 1)
    job, dies = asked_for(house), RuntimeError("killed")

    def killed(pieces: Any) -> Any:
        yield next(iter(pieces))
        raise dies

    with monkeypatch.context() as patched:
        patched.setattr(taking_out, "_gathered", killed)
        with pytest.raises(RuntimeError):
            write_out(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts) == (ExportState.MAKING, 1)
    assert not ExportPiece.objects.exists()
    with pytest.raises(Refusal):
        hand_out(job=job, actor=house.manager)
    assert run_waiting_exports() == 1
    job.refresh_from_db()
    assert (job.state, job.attempts) == (ExportState.READY, 2)
    assert ExportPiece.objects.count() > 1
    assert len(content_of(job, house.manager)) == job.size


def test_one_that_never_ends_is_given_up_and_says_so(house: Any, as_user: Any) -> None:
    job = asked_for(house)
    ExportJob.objects.filter(pk=job.pk).update(attempts=MOST_ATTEMPTS)
    assert run_waiting_exports() == 1
    page = as_user(house.manager).get(reverse("admin:imports_exportjob_change", args=[job.pk])).content.decode()
    assert "The file could not be made" in page and "never came to an end" in page


def test_what_is_asked_to_stop_leaves_no_file(house: Any, as_user: Any) -> None:
    job = asked_for(house)
    as_user(house.manager).post(reverse("admin:imports_exportjob_drop", args=[job.pk]))
    assert run_waiting_exports() == 0
    job.refresh_from_db()
    assert job.state == ExportState.CANCELLED and not ExportPiece.objects.exists()


def test_one_stopped_while_it_was_written_is_not_ready_after_all(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job = asked_for(house)
    written = taking_out._write

    def stopped_meanwhile(*arguments: Any) -> Any:
        answer = written(*arguments)
        drop_export(job=job, actor=house.manager)
        return answer

    monkeypatch.setattr(taking_out, "_write", stopped_meanwhile)
    write_out(job.pk)
    job.refresh_from_db()
    assert job.state == ExportState.CANCELLED and not ExportPiece.objects.exists()


def test_too_many_rows_are_refused_with_the_number(house: Any, settings: Any) -> None:
    settings.COVERIS_EXPORT_ROWS = 2
    job = made(house)
    assert job.state == ExportState.FAILED and "2" in job.failure


def test_a_person_has_few_files_at_a_time(house: Any) -> None:
    jobs = [asked_for(house) for _each in range(taking_out.MOST_AT_A_TIME)]
    with pytest.raises(Refusal):
        asked_for(house)
    asked_for(house, user=house.admin)
    drop_export(job=jobs[0], actor=house.manager)
    asked_for(house)


def test_filters_that_mean_nothing_any_more_are_told(house: Any) -> None:
    job = made(house, query="status__exact__nonsense=1")
    assert job.state == ExportState.FAILED and "filter" in job.failure


def test_two_workers_at_once_write_it_once(house: Any) -> None:
    job = asked_for(house)
    assert [write_out(job.pk), write_out(job.pk)] == [True, False]


def test_pieces_are_handed_out_one_by_one_where_the_server_is_asynchronous() -> None:
    written: list[int] = []

    def pieces() -> Any:
        for number in range(3):
            written.append(number)
            yield b"x"

    async def first() -> int:
        answer = aiter(PieceByPiece(pieces()))
        await anext(answer)
        return len(written)

    assert asyncio.run(first()) == 1


# Every list


def screens() -> list[Any]:
    admin.autodiscover()
    return sorted(admin.site._registry.values(), key=lambda screen: screen.model._meta.label)


OWN_WAY = {"demand.UnitCoverage"}  # the board has files of its own


@pytest.mark.parametrize("shape", ["csv", "xlsx"])
def test_every_list_goes_out_with_its_filters(house: Any, as_user: Any, shape: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 20_000)
    AssignmentFactory(employee=house.nurse, position=house.p1)
    client = as_user(house.admin)
    without = []
    for screen in screens():
        opts = screen.model._meta
        if opts.label in OWN_WAY:
            continue
        if not isinstance(screen, exporting.ListExportMixin):
            without.append(opts.label)
            continue
        address = reverse(f"admin:{opts.app_label}_{opts.model_name}_{screen.export_name}")
        assert address in client.get(reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")).content.decode()
        before = ExportRecord.objects.count()
        assert client.get(address).status_code == 200, opts.label
        answer = client.post(address, {"shape": shape})
        assert answer.status_code == 200, opts.label
        content = answer.getvalue()
        if shape == "xlsx":
            rows = list(load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True))
        else:
            rows = list(csv.reader(io.StringIO(content.decode())))
        assert rows and all(rows[0]), opts.label
        record = ExportRecord.objects.order_by("-pk").first()
        assert ExportRecord.objects.count() == before + 1, opts.label
        # The timeline tells of this file too.
        more = opts.label == "audit_log.AuditEntry"
        assert record is not None and len(rows) - 1 - more == record.rows, opts.label
        assert not any("<" in str(cell) and "span" in str(cell) for row in rows for cell in row), opts.label
    assert without == []


def test_no_list_goes_out_to_whoever_may_not_see_it(house: Any, as_user: Any) -> None:
    client = as_user(house.viewer)
    open_to_all = []
    for screen in screens():
        opts = screen.model._meta
        if opts.label in OWN_WAY:
            continue
        seen = client.get(reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")).status_code == 200
        address = reverse(f"admin:{opts.app_label}_{opts.model_name}_{screen.export_name}")
        if not seen and client.post(address, {"shape": "csv"}).status_code != 403:
            open_to_all.append(opts.label)
    assert open_to_all == []


LONG = ("assignments_assignmenttransitionlog", "audit_log_auditentry", "users_user", "fsm_employeestatusperiod",
        "offer_ledgerweek", "business_rules_ruleviolation")  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_a_list_costs_as_many_queries_with_many_rows(house: Any, as_user: Any, name: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 20_000)
    client = as_user(house.admin)

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            client.post(reverse(f"admin:{name}_export"), {"shape": "csv"}).getvalue()
        return len(found)

    AssignmentFactory(employee=house.nurse, position=house.p1)
    queries()
    few = queries()
    for _each in range(12):
        AssignmentFactory(employee=EmployeeFactory(home_unit=house.h1), position=house.p1)
    assert queries() <= few + 2
