"""What can be done with sheets: bring one in, look at what it would do, confirm it, take it back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.business_rules.services.what_if import latest_mark
from apps.common.acting import acting
from apps.common.errors import ConfirmationNeeded, Reason, Refusal
from apps.common.resources import SheetResource, resources
from apps.common.staging import EFFECTIVE, StagedSheet

from .applying import apply_row_by_row, apply_whole
from .checking import check, refuse_overlaps
from .choosing import Choices, choices_of, chosen, kept_choices, stage_choices
from .cleaning import Cells
from .differences import changes
from .enums import JobState, Mode, Stage
from .impact import impact_since
from .matching import match
from .models import ImportJob, ImportProgress
from .reading import COMMAND, UPLOAD, Limits, Options, Table, Unreadable, read_file
from .reports import SHOWN_CHANGES, Report, report_on
from .returning import refused_xlsx
from .rights import may
from .undoing import undo_import as undo_import

if TYPE_CHECKING:
    from apps.users.models import User

PREVIEW_LIFE = timedelta(minutes=60)
REFUSED_LIFE = timedelta(days=7)
KEPT_ERRORS = 2_000
UNDER_WAY = (JobState.READING, JobState.APPLYING)
# What is no larger is looked at and brought in while the person waits: some five hundred rows.
AT_ONCE = 64 * 1024
Tell = Callable[[str, int], None]


def _nobody(stage: str, rows: int) -> None:
    """Tell nobody how far an import is."""


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
    with_impact: bool = True,
) -> Report:
    """Bring a sheet in, or only tell what it would do; warnings count as confirmed and are listed in the report.

    A job keeps what came of it, in the same transaction. Raise Refusal if the actor may not import this kind;
    everything else that is wrong with the file or its rows is in the report. `with_impact` also asks what it does to
    coverage and rules.
    """
    _refuse_forbidden(kind, actor)
    deed = uuid4()

    def keep(report: Report, state: str = JobState.APPLIED) -> None:
        with acting(actor, origin="import"):
            job = ImportJob(kind=kind, file_name=file_name[:255], mode=mode, user=actor, state=state, deed=deed)
            _note(job, report, content)
            job.decided_at = timezone.now()
            job.save()
            report.job = job.pk

    report = _run(
        kind, content, options or Options(), mode, actor, limits, file_name, dry_run=dry_run, in_the_end=keep,
        with_impact=with_impact, deed=deed,
    )  # fmt: skip
    if not dry_run and report.job is None:
        keep(report, JobState.REFUSED)
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
            options={"picked": (options or Options()).as_dict(), "language": get_language()},
            mode=mode,
            user=actor,
            deed=uuid4(),
        )


def request_preview(*, job: ImportJob, actor: User) -> ImportJob:
    """Have a worker look at an uploaded sheet; its page tells how far it is."""
    _refuse_stranger(job, actor)
    _refuse_decided(job)
    return _ask_for(job, actor, JobState.READING, job.options)


def request_confirm(*, job: ImportJob, actor: User, confirmed_warnings: str = "") -> ImportJob:
    """Have a worker bring a previewed sheet in; `confirmed_warnings` as for `confirm`."""
    _refuse_stranger(job, actor)
    _refuse_decided(job)
    if job.state != JobState.PREVIEWED:
        raise Refusal(Reason(_("Look at the preview first."), code="not_previewed"))
    return _ask_for(job, actor, JobState.APPLYING, {**job.options, "confirmed": confirmed_warnings})


def _ask_for(job: ImportJob, actor: User, state: str, options: dict[str, Any]) -> ImportJob:
    with acting(actor, origin="import"):
        job.state, job.options, job.attempts = state, options, 0
        job.save(update_fields=["state", "options", "attempts", "updated_at"])
    return job


def cancel(*, job: ImportJob, actor: User) -> None:
    """Have a worker stop with an import before it writes; one no worker has begun is dropped by the next."""
    _refuse_stranger(job, actor)
    if job.state not in UNDER_WAY:
        raise Refusal(Reason(_("This import is decided already: upload the file again."), code="decided"))
    with acting(actor, origin="import"):
        ImportProgress.objects.update_or_create(
            job_id=job.pk, defaults={"cancelled": True}, create_defaults={"cancelled": True, "stage": Stage.READING}
        )


def choose(*, job: ImportJob, actor: User, sides: Mapping[int, Mapping[str, str]]) -> ImportJob:
    """Keep what is chosen of rows that somebody else changed meanwhile: line → column → "stored" or "sheet".

    The preview is to be looked at again with it. A choice holds for the record as it was seen. Raise Refusal for a
    line that is no such row, or a cell that is left open.
    """
    _refuse_stranger(job, actor)
    with transaction.atomic():
        job = ImportJob.objects.select_for_update().get(pk=job.pk)
        _refuse_decided(job)
        conflicts = {error["line"]: error["conflict"] for error in job.errors if "conflict" in error}
        if set(sides) - set(conflicts):
            raise Refusal(Reason(_("Look at the preview again: it has changed meanwhile."), code="not_a_conflict"))
        only_with = {column.name for column in resource_of(job.kind).columns().values() if column.only_with}
        choices = choices_of(job.options) | {
            line: chosen(conflicts[line], columns, only_with) for line, columns in sides.items()
        }
        with acting(actor, origin="import"):
            job.options = job.options | {"choices": kept_choices(choices)}
            job.save(update_fields=["options", "updated_at"])
    return job


def preview(*, job: ImportJob, actor: User, tell: Tell = _nobody) -> Report:
    """Tell what an uploaded sheet would do: everything is done for real in a transaction, and taken back."""
    _refuse_stranger(job, actor)
    _refuse_decided(job)
    report = _run_job(job, actor, dry_run=True, tell=tell)
    with acting(actor, origin="import"):
        _note(job, report, _content(job))
        job.state = JobState.PREVIEWED
        job.save()
    report.job = job.pk
    return report


def confirm(*, job: ImportJob, actor: User, confirmed_warnings: str = "", tell: Tell = _nobody) -> Report:
    """Apply a previewed sheet; `confirmed_warnings` names exactly the warnings that were seen (`digest_of`).

    Raise NotConfirmed if others came up meanwhile: nothing is written, and the preview must be looked at again.
    """
    _refuse_stranger(job, actor)
    with transaction.atomic():
        job = ImportJob.objects.select_for_update().get(pk=job.pk)
        _refuse_decided(job)
        if job.state not in (JobState.PREVIEWED, JobState.APPLYING):
            raise Refusal(Reason(_("Look at the preview first."), code="not_previewed"))

        def agree(report: Report) -> None:
            if report.warnings and digest_of(report.warnings) != confirmed_warnings:
                raise NotConfirmed(report)

        report = _run_job(job, actor, dry_run=False, agree=agree, tell=tell)
        with acting(actor, origin="import"):
            content = _content(job)
            job.content = None
            _note(job, report, content)
            job.state = JobState.APPLIED if _written(report, job.mode) else JobState.REFUSED
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
        _forget(job)
    return job


def forget(*, job_id: int, state: str) -> None:
    """End a job a worker was at, with nothing of its file kept but why."""
    with acting(None, origin="task"):
        job = ImportJob.objects.select_for_update().get(pk=job_id)
        failure = job.options.get("failure", "")
        _forget(job, state=state, options={"failure": failure} if failure else {})


def _forget(job: ImportJob, **otherwise: Any) -> None:
    for name, value in {**_forgotten(), **otherwise}.items():
        setattr(job, name, value)
    job.save()


def _forgotten() -> dict[str, Any]:
    """Return what is left of an import that was never made: that there was one."""
    return {
        "state": JobState.ABANDONED, "content": None, "refused_rows": None, "errors": [], "impact": {}, "options": {},
        "decided_at": timezone.now(),
    }  # fmt: skip


def drop_stale(*, actor: User | None) -> int:
    """Forget the content of uploads that nobody confirmed within the hour, and refused rows nobody mended in a week.

    Safe to run twice.
    """
    with acting(actor, origin="task"):
        ImportJob.objects.filter(refused_rows__isnull=False, decided_at__lt=timezone.now() - REFUSED_LIFE).update(
            refused_rows=None
        )
        return ImportJob.objects.stale(timezone.now() - PREVIEW_LIFE).update(**_forgotten())


def digest_of(warnings: list[dict[str, Any]]) -> str:
    """Name exactly these warnings."""
    text = json.dumps(sorted(json.dumps(warning, sort_keys=True) for warning in warnings))
    return hashlib.sha256(text.encode()).hexdigest()


def _content(job: ImportJob) -> bytes:
    return bytes(job.content or b"")


def _run_job(
    job: ImportJob, actor: User, *, dry_run: bool, agree: Callable[[Report], None] | None = None, tell: Tell
) -> Report:
    return _run(
        job.kind, _content(job), Options(**job.options["picked"]), job.mode, actor, UPLOAD, job.file_name,
        dry_run=dry_run, in_the_end=agree, with_impact=dry_run, deed=job.deed, tell=tell,
        choices=choices_of(job.options),
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
    in_the_end: Callable[[Report], None] | None = None,
    with_impact: bool,
    deed: UUID | None,
    tell: Tell = _nobody,
    choices: Choices | None = None,
) -> Report:
    """Read, check and write inside one transaction; take it back if it is a dry run or nothing may come of it.

    `in_the_end` is called where it stays, before it is committed.
    """
    _refuse_forbidden(kind, actor)
    resource = resource_of(kind)
    whole = mode == Mode.ALL_OR_NOTHING
    reason = _("sheet %(file)s") % {"file": file_name}
    report: Report | None = None
    try:
        table = read_file(
            content, options=options, headers=resource.headers(), names=(kind, resource.spanish), limits=limits
        )
        with acting(actor, reason=reason[:200], origin="import", deed=deed):
            report, rows = _bring_in(
                resource, table, actor, whole=whole, dry_run=dry_run, with_impact=with_impact, tell=tell,
                choices=choices or {},
            )  # fmt: skip
            report.read_as = {
                "format": table.format, "sheet": table.sheet, "sheets": table.sheets, "rows": rows,
                **table.options.as_dict(),
            }  # fmt: skip
            if dry_run or not _written(report, mode):
                raise _TakeBack
            if in_the_end is not None:
                in_the_end(report)
    except Unreadable as error:
        return Report(kind=kind, dry_run=dry_run, errors=[error.error])
    except _TakeBack:
        pass
    if report is None:
        raise AssertionError("unreachable")
    return report


def _bring_in(
    resource: SheetResource,
    table: Table,
    actor: User | None,
    *,
    whole: bool,
    dry_run: bool,
    with_impact: bool,
    tell: Tell,
    choices: Choices,
) -> tuple[Report, int]:
    """Read, match, check and write a sheet in the transaction under way; return the report and how many rows it has."""
    begun = latest_mark()
    cells = Cells(resource, table)
    cells.load(tell)
    if cells.errors:
        return report_on(cells, None, None, shown=[], whole=whole, dry_run=dry_run), cells.rows
    tell(Stage.CHECKING, cells.rows)
    if choices:
        stage_choices(choices)
    sheet = match(cells, actor, with_choices=bool(choices))
    check(sheet, cells)
    if whole:
        refuse_overlaps(sheet)
    shown = changes(sheet, 2 * SHOWN_CHANGES)
    outcome = None
    tell(Stage.WRITING, cells.rows)
    if not whole:
        outcome = apply_row_by_row(sheet)
    elif _has_only_good_rows(sheet):
        outcome = apply_whole(sheet)
    report = report_on(cells, sheet, outcome, shown=shown, whole=whole, dry_run=dry_run)
    if with_impact and outcome is not None and report.created + report.updated:
        tell(Stage.IMPACT, cells.rows)
        told = impact_since(begun, actor)
        report.impact = {"rules": {**report.impact["rules"], **told["rules"]}, "coverage": told["coverage"]}
    if report.refused:
        report.refused_rows = refused_xlsx(cells, sheet, report.errors)
    sheet.execute("DROP TABLE IF EXISTS sheet_cells, sheet_rows, sheet_problems, sheet_choices")
    return report, cells.rows


def _has_only_good_rows(sheet: StagedSheet) -> bool:
    """Say whether some rows change something, and nothing is wrong with any."""
    sql = f"SELECT count(*) FILTER (WHERE {EFFECTIVE}) > 0 AND NOT bool_or(s.refused) FROM sheet_rows s"
    return bool(sheet.fetch(sql)[0][0])


def _note(job: ImportJob, report: Report, content: bytes) -> None:
    job.digest = job.digest or hashlib.sha256(content).hexdigest()
    job.created, job.updated = report.created, report.updated
    job.unchanged, job.refused = report.unchanged, report.refused
    job.errors = report.errors[:KEPT_ERRORS]
    job.refused_rows = report.refused_rows
    # What a preview found about coverage stays: to confirm is to have seen it.
    if report.impact.get("coverage") or not job.impact:
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
    if job.state not in (JobState.UPLOADED, JobState.PREVIEWED, *UNDER_WAY) or job.content is None:
        raise Refusal(Reason(_("This import is decided already: upload the file again."), code="decided"))
    if job.created_at < timezone.now() - PREVIEW_LIFE:
        raise Refusal(Reason(_("This preview is older than an hour: upload the file again."), code="stale"))
