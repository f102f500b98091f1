"""What can be done with sheets: bring one in, look at what it would do, confirm it, take it back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.errors import ConfirmationNeeded, Reason, Refusal
from apps.common.resources import SheetResource, resources

from .applying import apply_row_by_row, apply_whole
from .enums import JobState, Mode
from .models import ImportJob
from .plan import make_plan
from .reading import COMMAND, UPLOAD, Limits, Options, Table, Unreadable, read_file
from .reports import Report, report_on
from .rights import may
from .undoing import undo_import as undo_import

if TYPE_CHECKING:
    from apps.users.models import User

PREVIEW_LIFE = timedelta(minutes=60)
KEPT_ERRORS = 2_000


class _TakeBack(Exception):
    """Leaves a transaction that was only to be looked at."""


class NotConfirmed(ConfirmationNeeded):
    """The sheet raises warnings that nobody confirmed; `report` has them."""

    def __init__(self, report: Report):
        self.report = report
        super().__init__([Reason(warning["message"], code=warning["rule"]) for warning in report.warnings])


def resource_of(kind: str) -> SheetResource:
    """Return the declaration of a kind of sheet; raise Refusal if there is none."""
    found = resources().get(kind)
    if found is None:
        raise Refusal(
            Reason(
                _("There is no kind of sheet “%(kind)s”. There are: %(kinds)s.")
                % {"kind": kind, "kinds": ", ".join(resources())},
                code="unknown_kind",
            )
        )
    return found()


def import_sheet(
    *,
    kind: str,
    content: bytes,
    file_name: str,
    actor: User | None,
    options: Options | None = None,
    mode: str = Mode.ALL_OR_NOTHING,
    dry_run: bool = False,
    limits: Limits = COMMAND,
) -> Report:
    """Bring a sheet in, or only tell what it would do; warnings count as confirmed and are listed in the report.

    A job keeps what came of it. Raise Refusal if the actor may not import this kind; everything else that is wrong
    with the file or its rows is in the report.
    """
    _refuse_forbidden(kind, actor)
    deed = uuid4()
    report, table = _run(
        kind, content, options or Options(), mode, actor, limits, file_name, dry_run=dry_run, deed=deed
    )
    if not dry_run:
        with acting(actor, origin="import"):
            job = ImportJob(kind=kind, file_name=file_name[:255], mode=mode, user=actor, deed=deed)
            _note(job, report, table, content)
            job.state = JobState.APPLIED if _written(report, mode) else JobState.REFUSED
            job.touched = report.touched
            job.decided_at = timezone.now()
            job.save()
            report.job = job.pk
    return report


def upload(
    *, file: Any, kind: str, actor: User, options: Options | None = None, mode: str = Mode.ALL_OR_NOTHING
) -> ImportJob:
    """Keep an uploaded file until it is decided; its content lies in the row, in no folder."""
    _refuse_forbidden(kind, actor)
    if file.size > UPLOAD.file:
        raise Unreadable("too_big", _("The file is larger than %(size)s MB: split it.") % {"size": UPLOAD.file >> 20})
    content = file.read()
    with acting(actor, origin="import"):
        return ImportJob.objects.create(
            kind=kind,
            file_name=str(file.name)[:255],
            content=content,
            digest=hashlib.sha256(content).hexdigest(),
            options={"picked": (options or Options()).as_dict()},
            mode=mode,
            user=actor,
            deed=uuid4(),
        )


def preview(*, job: ImportJob, actor: User) -> Report:
    """Tell what an uploaded sheet would do: everything is done for real in a transaction, and taken back."""
    _refuse_stranger(job, actor)
    _refuse_decided(job)
    report, table = _run_job(job, actor, dry_run=True)
    with acting(actor, origin="import"):
        _note(job, report, table, _content(job))
        job.state = JobState.PREVIEWED
        job.save()
    report.job = job.pk
    return report


def confirm(*, job: ImportJob, actor: User, confirmed_warnings: str = "") -> Report:
    """Apply a previewed sheet; `confirmed_warnings` names exactly the warnings that were seen (`digest_of`).

    Raise NotConfirmed if others came up meanwhile: nothing is written, and the preview must be looked at again.
    """
    _refuse_stranger(job, actor)
    with transaction.atomic():
        job = ImportJob.objects.select_for_update().get(pk=job.pk)
        _refuse_decided(job)
        if job.state != JobState.PREVIEWED:
            raise Refusal(Reason(_("Look at the preview first."), code="not_previewed"))

        def agree(report: Report) -> None:
            if report.warnings and digest_of(report.warnings) != confirmed_warnings:
                raise NotConfirmed(report)

        report, table = _run_job(job, actor, dry_run=False, agree=agree)
        with acting(actor, origin="import"):
            content = _content(job)
            job.content = None
            _note(job, report, table, content)
            job.state = JobState.APPLIED if _written(report, job.mode) else JobState.REFUSED
            job.touched = report.touched
            job.decided_at = timezone.now()
            job.save()
    report.job = job.pk
    return report


def abandon(*, job: ImportJob, actor: User) -> ImportJob:
    """Drop an uploaded sheet without applying it."""
    _refuse_stranger(job, actor)
    with acting(actor, origin="import"):
        job = ImportJob.objects.select_for_update().get(pk=job.pk)
        _refuse_decided(job)
        for name, value in _forgotten().items():
            setattr(job, name, value)
        job.save()
    return job


def _forgotten() -> dict[str, Any]:
    """Return what is left of an import that was never made: that there was one."""
    return {
        "state": JobState.ABANDONED, "content": None, "errors": [], "impact": {}, "options": {},
        "decided_at": timezone.now(),
    }  # fmt: skip


def drop_stale(*, actor: User | None) -> int:
    """Forget the content of uploads that nobody confirmed within the hour. Safe to run twice."""
    with acting(actor, origin="task"):
        return ImportJob.objects.stale(timezone.now() - PREVIEW_LIFE).update(**_forgotten())


def digest_of(warnings: list[dict[str, Any]]) -> str:
    """Name exactly these warnings."""
    text = json.dumps(sorted(json.dumps(warning, sort_keys=True) for warning in warnings))
    return hashlib.sha256(text.encode()).hexdigest()


def _content(job: ImportJob) -> bytes:
    return bytes(job.content or b"")


def _run_job(
    job: ImportJob, actor: User, *, dry_run: bool, agree: Callable[[Report], None] | None = None
) -> tuple[Report, Table | None]:
    return _run(
        job.kind, _content(job), Options(**job.options["picked"]), job.mode, actor, UPLOAD, job.file_name,
        dry_run=dry_run, agree=agree, deed=job.deed,
    )  # fmt: skip


def _run(
    kind: str,
    content: bytes,
    options: Options,
    mode: str,
    actor: User | None,
    limits: Limits,
    file_name: str,
    *,
    dry_run: bool,
    agree: Callable[[Report], None] | None = None,
    deed: UUID | None = None,
) -> tuple[Report, Table | None]:
    """Read, plan and apply inside one transaction; take it back if it is a dry run or, as a whole, refused."""
    _refuse_forbidden(kind, actor)
    resource = resource_of(kind)
    try:
        table = read_file(
            content, options=options, headers=resource.headers(), names=(kind, resource.spanish), limits=limits
        )
    except Unreadable as error:
        return Report(kind=kind, dry_run=dry_run, errors=[error.error]), None
    whole = mode == Mode.ALL_OR_NOTHING
    reason = _("sheet %(file)s") % {"file": file_name}
    report: Report | None = None
    try:
        with acting(actor, reason=reason[:200], origin="import", deed=deed):
            plan = make_plan(resource, table, actor=actor, as_a_whole=whole)
            outcome = None
            if not plan.errors and not (whole and plan.refusals):
                outcome = apply_whole(plan) if whole else apply_row_by_row(plan)
            report = report_on(plan, outcome, whole=whole, dry_run=dry_run)
            if dry_run or (whole and plan.refusals):
                raise _TakeBack
            if agree is not None:
                agree(report)
    except _TakeBack:
        pass
    if report is None:
        raise AssertionError("unreachable")
    report.read_as = {
        "format": table.format, "sheet": table.sheet, "sheets": table.sheets, "rows": len(table.rows),
        **table.options.as_dict(),
    }  # fmt: skip
    return report, table


def _note(job: ImportJob, report: Report, table: Table | None, content: bytes) -> None:
    job.digest = job.digest or hashlib.sha256(content).hexdigest()
    job.created, job.updated = report.created, report.updated
    job.unchanged, job.refused = report.unchanged, report.refused
    job.errors = report.errors[:KEPT_ERRORS]
    job.impact = report.impact
    job.options = job.options | {
        "read_as": report.read_as,
        "good": report.good,
        "warnings": report.warnings[:KEPT_ERRORS],
        "confirmation": digest_of(report.warnings),
        "changes": report.changes,
    }


def _written(report: Report, mode: str) -> bool:
    return report.ok or (mode == Mode.GOOD_ROWS and bool(report.read_as) and report.created + report.updated > 0)


def _refuse_forbidden(kind: str, actor: User | None) -> None:
    resource = resource_of(kind)
    if not may(actor, "import", type(resource)):
        raise Refusal(
            Reason(_("You may not bring in sheets of this kind: %(kind)s.") % {"kind": kind}, code="forbidden")
        )


def _refuse_stranger(job: ImportJob, actor: User) -> None:
    if job.user_id is None or job.user_id != actor.pk:
        raise Refusal(Reason(_("Only whoever uploaded the file may decide about it."), code="forbidden"))


def _refuse_decided(job: ImportJob) -> None:
    if job.state not in (JobState.UPLOADED, JobState.PREVIEWED) or job.content is None:
        raise Refusal(Reason(_("This import is decided already: upload the file again."), code="decided"))
    if job.created_at < timezone.now() - PREVIEW_LIFE:
        raise Refusal(Reason(_("This preview is older than an hour: upload the file again."), code="stale"))
