"""What can be done with sheets: bring one in, look at what it would do, confirm it, take it back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.errors import ConfirmationNeeded, Reason, Refusal

from .bringing_in import Incoming, Tell, bring_in, is_written, refuse_forbidden
from .bringing_in import resource_of as resource_of
from .choosing import choices_of, chosen, kept_choices
from .corrections import Correction, correct_sheet
from .enums import JobState, Mode, Stage
from .looking import OPTIONAL, look_at
from .models import ImportFile, ImportJob, ImportPart, ImportProgress
from .parts import alone, faults_of, put_in_turn, sheet_count, sheets_of, take_apart
from .reading import COMMAND, UPLOAD, Limits, Options, Unreadable
from .remembering import forget_habit
from .reports import SEVERAL, Report
from .undoing import undo_import as undo_import

if TYPE_CHECKING:
    from apps.users.models import User

PREVIEW_LIFE = timedelta(minutes=60)
REFUSED_LIFE = timedelta(days=7)
KEPT_ERRORS = 2_000
# What of a sheet's options does not follow from how it is read.
LASTING = ("open", "language", "sheet", "kind")
UNDER_WAY = (JobState.READING, JobState.APPLYING)
# What is no larger is looked at and brought in while the person waits: some five hundred rows.
AT_ONCE = 64 * 1024
FEW_SHEETS = 8


def _nobody(stage: str, rows: int, part: int = 0, parts: int = 0) -> None:
    """Tell nobody how far an import is."""


class NotConfirmed(ConfirmationNeeded):
    """The sheet raises warnings that nobody confirmed; `report` has them."""

    def __init__(self, report: Report):
        self.report = report
        super().__init__([Reason(warning["message"], code=warning["rule"]) for warning in report.warnings])


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
    refuse_forbidden(kind, actor)
    deed = uuid4()

    def keep(report: Report, state: str = JobState.APPLIED) -> None:
        with acting(actor, origin="import"):
            job = ImportJob(kind=kind, file_name=file_name[:255], mode=mode, user=actor, state=state, deed=deed)
            _note_job(job, report, content)
            job.decided_at = timezone.now()
            job.save()
            report.job = job.pk

    report = bring_in(
        [Incoming(kind, file_name, lambda: content, options or Options())], mode, actor, limits, dry_run=dry_run,
        in_the_end=keep, with_impact=with_impact, deed=deed, tell=_nobody,
    )  # fmt: skip
    if not dry_run and report.job is None:
        keep(report, JobState.REFUSED)
    return report


def upload(
    *,
    file: Any,
    kind: str,
    actor: User,
    options: Options | None = None,
    mode: str = Mode.ALL_OR_NOTHING,
    open_options: Sequence[str] = (),
) -> ImportJob:
    """Keep an uploaded sheet until it is decided; its content lies in the row, in no folder.

    `open_options` are those nobody picked: they begin as the last time such a sheet was corrected, if ever.
    """
    refuse_forbidden(kind, actor)
    _refuse_too_big([file])
    content = file.read()
    with acting(actor, origin="import"):
        return ImportJob.objects.create(
            kind=kind,
            file_name=str(file.name)[:255],
            content=content,
            digest=hashlib.sha256(content).hexdigest(),
            options=_how(options, open_options),
            mode=mode,
            user=actor,
            deed=uuid4(),
        )


def upload_several(
    *,
    files: Sequence[Any],
    actor: User,
    kind: str = "",
    options: Options | None = None,
    mode: str = Mode.ALL_OR_NOTHING,
    open_options: Sequence[str] = (),
) -> ImportJob:
    """Keep files whose sheets are to come in together; which sheets they are is found out when they are looked at.

    Without a `kind` each sheet is told by its name or its headers.
    """
    if kind:
        refuse_forbidden(kind, actor)
    _refuse_too_big(files)
    names = ", ".join(str(file.name) for file in files)
    with acting(actor, origin="import"):
        job: ImportJob = ImportJob.objects.create(
            kind=kind or SEVERAL,
            file_name=names if len(names) <= 255 else f"{names[:254]}…",
            options=_how(options, open_options) | {"kind": kind},
            mode=mode,
            user=actor,
            deed=uuid4(),
        )
        digests = []
        for file in files:
            content = file.read()
            digests.append(hashlib.sha256(content).hexdigest())
            ImportFile.objects.create(job=job, name=str(file.name)[:255], size=len(content), content=content)
        job.digest = hashlib.sha256("".join(digests).encode()).hexdigest()
        job.save(update_fields=["digest", "updated_at"])
    return job


def _how(options: Options | None, open_options: Sequence[str]) -> dict[str, Any]:
    return {
        "picked": (options or Options()).as_dict(),
        "open": [name for name in OPTIONAL if name in open_options],
        "language": get_language(),
    }


def _refuse_too_big(files: Iterable[Any]) -> None:
    if sum(file.size for file in files) > UPLOAD.file:
        raise Unreadable("too_big", _("This is more than %(size)s MB: split it.") % {"size": UPLOAD.file >> 20})


def correct(*, job: ImportJob, actor: User, corrections: Sequence[Correction]) -> ImportJob:
    """Have the sheets of an import read as somebody says: `corrections` are one for each, in their turn.

    The preview is to be looked at again. The next upload of the same columns by the same person begins like this.
    """
    _refuse_stranger(job, actor)
    with acting(actor, origin="import"):
        job = _at_rest(job)
        sheets = sheets_of(job)
        if len(sheets) != len(corrections):
            raise Refusal(Reason(_("The import has changed meanwhile: look at its page again."), code="changed"))
        for sheet, correction in zip(sheets, corrections, strict=True):
            if correction.kind:
                refuse_forbidden(correction.kind, actor)
            correct_sheet(sheet, correction)
        if sheets[0] is not job:
            put_in_turn(job, sheets, turns=[correction.turn for correction in corrections])
        job.state = JobState.UPLOADED
        job.save()
    return job


def forget_reading(*, job: ImportJob, actor: User) -> ImportJob:
    """Forget how sheets with these columns were read the last time, and read these as is usual."""
    _refuse_stranger(job, actor)
    with acting(actor, origin="import"):
        job = ImportJob.objects.select_for_update().get(pk=job.pk)
        _refuse_decided(job)
        for sheet in sheets_of(job):
            if (habit := sheet.options.pop("habit", None)) is None:
                continue
            forget_habit(actor=actor, habit=habit["id"])
            kept = {name: sheet.options[name] for name in LASTING if name in sheet.options}
            sheet.options = kept | {"picked": habit["otherwise"], "corrected": True}
            sheet.save()
    return ImportJob.objects.get(pk=job.pk)


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


def choose(*, job: ImportJob, actor: User, sides: Mapping[int, Mapping[str, str]], part: int = 0) -> ImportJob:
    """Keep what is chosen of rows that somebody else changed meanwhile: line → column → "stored" or "sheet".

    `part` is the turn of the sheet among several. The preview is to be looked at again with it. A choice holds for the
    record as it was seen. Raise Refusal for a line that is no such row, or a cell that is left open.
    """
    _refuse_stranger(job, actor)
    with transaction.atomic():
        job = ImportJob.objects.select_for_update().get(pk=job.pk)
        _refuse_decided(job)
        conflicts = {
            error["line"]: error["conflict"]
            for error in job.errors
            if "conflict" in error and error.get("part", 0) == part
        }
        if not conflicts or set(sides) - set(conflicts):
            raise Refusal(Reason(_("Look at the preview again: it has changed meanwhile."), code="not_a_conflict"))
        (sheet,) = [sheet for sheet in sheets_of(job) if sheet.place == part] if part else [job]
        only_with = {column.name for column in resource_of(sheet.kind).columns().values() if column.only_with}
        choices = choices_of(sheet.options) | {
            line: chosen(conflicts[line], columns, only_with) for line, columns in sides.items()
        }
        with acting(actor, origin="import"):
            sheet.options = sheet.options | {"choices": kept_choices(choices)}
            sheet.save()
    return job


def pick_mode(*, job: ImportJob, actor: User, mode: str) -> ImportJob:
    """Have a sheet come in all or nothing, or its good rows alone; the preview is to be looked at again with it."""
    _refuse_stranger(job, actor)
    with acting(actor, origin="import"):
        job = _at_rest(job)
        job.mode = Mode(mode)
        job.save(update_fields=["mode", "updated_at"])
    return job


def preview(*, job: ImportJob, actor: User, tell: Tell = _nobody) -> Report:
    """Tell what uploaded sheets would do: everything is done for real in a transaction, and taken back.

    Before, it is found out how they are written; where that leaves something open for a person to say (what a sheet
    is, what a column is), of several sheets nothing else is looked at.
    """
    _refuse_stranger(job, actor)
    _refuse_decided(job)
    sheets = _looked_at(job, actor, tell)
    report = faults_of(sheets) if sheets[0] is not job else None
    report = report or _run_job(job, sheets, actor, dry_run=True, tell=tell)
    with acting(actor, origin="import"):
        _note(job, sheets, report)
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

        sheets = sheets_of(job)
        if sheets[0] is not job and faults_of(sheets) is not None:
            raise Refusal(Reason(_("Say first what each sheet and each of its columns is."), code="undecided"))
        report = _run_job(job, sheets, actor, dry_run=False, agree=agree, tell=tell)
        with acting(actor, origin="import"):
            _note(job, sheets, report)
            _let_go(job, sheets)
            job.state = JobState.APPLIED if is_written(report, job.mode) else JobState.REFUSED
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
    _delete_files(job.files.all())


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
        stale = ImportJob.objects.stale(timezone.now() - PREVIEW_LIFE)
        _delete_files(ImportFile.objects.filter(job__in=stale))
        return stale.update(**_forgotten())


def _delete_files(files: QuerySet[ImportFile]) -> None:
    """Delete files with their sheets, without reading what they hold."""
    ImportPart.objects.filter(file__in=files).delete()
    files.defer("content").delete()


def digest_of(warnings: list[dict[str, Any]]) -> str:
    """Name exactly these warnings."""
    text = json.dumps(sorted(json.dumps(warning, sort_keys=True) for warning in warnings))
    return hashlib.sha256(text.encode()).hexdigest()


def size_of(job: ImportJob) -> int:
    """Return how many bytes of files an import holds."""
    return len(job.content) if job.content is not None else sum(job.files.values_list("size", flat=True))


def is_small(job: ImportJob) -> bool:
    """Say whether an import is looked at and brought in while the person waits."""
    return size_of(job) <= AT_ONCE and sheet_count(job) <= FEW_SHEETS


def _has_content(job: ImportJob) -> bool:
    return job.content is not None or job.files.filter(content__isnull=False).exists()


def _looked_at(job: ImportJob, actor: User, tell: Tell) -> list[Any]:
    """Return the sheets of a job once it is found out how each is written."""
    tell(Stage.LOOKING, 0)
    if job.content is None and not job.parts.exists():
        with acting(actor, origin="import"):
            take_apart(job, actor)
    if job.content is None:
        with acting(actor, origin="import"):
            alone(job, actor)
    sheets = sheets_of(job)
    for number, sheet in enumerate(sheets, start=1):
        if sheet is job:
            look_at(job, bytes(job.content or b""), actor=actor, name=job.options.get("sheet", ""))
        elif sheet.kind and not sheet.is_left_aside and "head" not in sheet.options:
            tell(Stage.LOOKING, 0, number, len(sheets))
            look_at(sheet, bytes(sheet.content or b""), actor=actor, name=sheet.sheet)
            sheet.save()
    if sheets[0] is not job:
        sheets = put_in_turn(job, sheets)
    return sheets


def _run_job(
    job: ImportJob,
    sheets: Sequence[Any],
    actor: User,
    *,
    dry_run: bool,
    agree: Callable[[Report], None] | None = None,
    tell: Tell,
) -> Report:
    incoming = [_incoming(sheet, job) for sheet in sheets if sheet is job or not sheet.is_left_aside]
    return bring_in(
        incoming, job.mode, actor, UPLOAD, dry_run=dry_run, in_the_end=agree, with_impact=dry_run, deed=job.deed,
        tell=tell,
    )  # fmt: skip


def _incoming(sheet: Any, job: ImportJob) -> Incoming:
    alone = sheet is job
    return Incoming(
        sheet.kind,
        sheet.file_name,
        lambda: bytes(sheet.content or b""),
        Options(**sheet.options["picked"]),
        sheet.options.get("mapping", {}),
        sheet=sheet.options.get("sheet", "") if alone else sheet.sheet,
        part=0 if alone else sheet.place,
        choices=choices_of(sheet.options),
    )


def _note(job: ImportJob, sheets: Sequence[Any], report: Report) -> None:
    """Keep on the job, and of several sheets on each, what came of them."""
    _note_job(job, report)
    if sheets[0] is job:
        return
    by_turn = {part.part: part for part in report.parts}
    for sheet in sheets:
        found = by_turn.get(sheet.place)
        counts = found.good if found is not None and found.good else {}
        for name in ("created", "updated", "unchanged"):
            setattr(sheet, name, counts.get(name, 0))
        sheet.refused = found.refused if found is not None else 0
        sheet.options = sheet.options | {"read_as": found.read_as if found is not None else {}}
        sheet.save()


def _note_job(job: ImportJob, report: Report, content: bytes | None = None) -> None:
    if not job.digest and content is not None:
        job.digest = hashlib.sha256(content).hexdigest()
    job.created, job.updated = report.created, report.updated
    job.unchanged, job.refused = report.unchanged, report.refused
    job.errors = report.errors[:KEPT_ERRORS]
    job.refused_rows = report.refused_rows
    # What a preview found about coverage stays: to confirm is to have seen it.
    if report.impact.get("coverage") or not job.impact:
        job.impact = report.impact
    job.options = job.options | {
        "read_as": {} if report.is_unreadable and report.parts else report.read_as,
        "good": report.good,
        "warnings": report.warnings[:KEPT_ERRORS],
        "confirmation": digest_of(report.warnings),
        "changes": report.changes,
    }


def _let_go(job: ImportJob, sheets: Sequence[Any]) -> None:
    """Keep nothing of the files of a job that is decided, nor of their cells."""
    job.content = None
    job.files.update(content=None)
    for sheet in sheets:
        if "head" in sheet.options:
            sheet.options = sheet.options | {"head": {**sheet.options["head"], "sample": [], "hints": {}}}
            sheet.save()


def _refuse_stranger(job: ImportJob, actor: User) -> None:
    if job.user_id is None or job.user_id != actor.pk:
        raise Refusal(Reason(_("Only whoever uploaded the file may decide about it."), code="forbidden"))


def _at_rest(job: ImportJob) -> ImportJob:
    """Return an import locked that is not decided and that no worker is at."""
    locked: ImportJob = ImportJob.objects.select_for_update().get(pk=job.pk)
    _refuse_decided(locked)
    if locked.state in UNDER_WAY:
        raise Refusal(Reason(_("It is being worked on: wait for it, or stop it."), code="under_way"))
    return locked


def _refuse_decided(job: ImportJob) -> None:
    if job.state not in (JobState.UPLOADED, JobState.PREVIEWED, *UNDER_WAY) or not _has_content(job):
        raise Refusal(Reason(_("This import is decided already: upload the file again."), code="decided"))
    if job.created_at < timezone.now() - PREVIEW_LIFE:
        raise Refusal(Reason(_("This preview is older than an hour: upload the file again."), code="stale"))
