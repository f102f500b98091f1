"""Lists too long to be written while somebody waits are written by a worker: the wish is a row, found within seconds.

It asks the same screen with the same address as the same person, so that nothing is taken out that the list would not
show. A session's lock holds a wish, so that a killed worker leaves it to the next. All pieces of a file come to be in
one transaction that reads everything as of one moment, and the file is ready in the next one: there is no half file.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth import get_user_model
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from psycopg.errors import QueryCanceled

from apps.audit_log.services import record_export
from apps.common.acting import acting
from apps.common.errors import Reason, Refusal
from apps.common.holding import held, noting
from apps.org.querysets import scope_of

from .export_job import ExportJob, ExportPiece, ExportState
from .lists import Out, format_of
from .workbooks import MOST_ROWS as MOST_IN_A_WORKBOOK

if TYPE_CHECKING:
    from apps.users.models import User

logger = logging.getLogger("coveris.exports")

AT_ONCE = 20_000  # so many rows are written while the person waits
FILE_LIFE = timedelta(minutes=60)
MOST_AT_A_TIME = 5  # of one person, files that are being made or wait to be fetched
MOST_ATTEMPTS = 3
GO_ON_SECONDS = 60.0
PIECE_BYTES = 2 * 1024 * 1024
ONE_AT_A_TIME, RUNNING = 7_341, 7_342  # classes of advisory locks
NOTE = """
    UPDATE imports_exportjob SET total = %s, rows = %s, updated_at = clock_timestamp() WHERE id = %s RETURNING state
"""


class Stopped(Exception):
    """Somebody wants no file any more."""


def most_rows(shape: str) -> int:
    """Return how many rows one file may have."""
    most: int = settings.COVERIS_EXPORT_ROWS
    return min(most, MOST_IN_A_WORKBOOK - 1) if format_of(shape) == "xlsx" else most


def request_export(*, listed: Any, kind: str, query: str, shape: str, actor: User) -> ExportJob:
    """Have a worker write the list of a model as the address filters it; the job's page tells how far it is."""
    with acting(actor, origin="admin"):
        # One after the other for each person: two at once would not see each other.
        get_user_model()._base_manager.select_for_update(of=("self",), no_key=True).get(pk=actor.pk)
        kept = ExportJob.objects.filter(user=actor)
        if (kept.unfinished() | kept.filter(state=ExportState.READY)).count() >= MOST_AT_A_TIME:
            sentence = _("You have %(number)s files already: fetch or drop one of them first.")
            raise Refusal(Reason(sentence % {"number": MOST_AT_A_TIME}, code="too_many_files"))
        return ExportJob.objects.create(
            listed=listed._meta.label_lower, kind=kind, query=query, shape=shape, language=get_language() or "en",
            user=actor,
        )  # fmt: skip


def drop_export(*, job: ExportJob, actor: User) -> ExportJob:
    """Stop a file that is being made, or drop one that is ready."""
    with acting(actor, origin="admin"):
        job = _own(job, actor)
        if job.state not in (ExportState.WAITING, ExportState.MAKING, ExportState.READY):
            raise Refusal(Reason(_("There is no file any more: take the list out again."), code="decided"))
        ready = job.state == ExportState.READY
        return _end(job, ExportState.GONE if ready else ExportState.CANCELLED)


def hand_out(*, job: ExportJob, actor: User, page: str = "") -> tuple[ExportJob, Iterator[bytes]]:
    """Return a file that is ready, piece by piece, on record with who took it and how many rows.

    Raise Refusal if it is no longer kept, or if the person may by now see less than when it was written: then nobody
    gets it.
    """
    with acting(actor, origin="admin"):
        job = _own(job, actor)
        if job.state != ExportState.READY or is_over(job):
            raise Refusal(Reason(_("There is no file any more: take the list out again."), code="gone"))
        screen = _screen_of(job)
        if screen is None or not screen.may_export(AskedAgain(job, actor)) or job.sight != sight_of(actor):
            _end(job, ExportState.GONE)
        else:
            note_taken_out(
                actor=actor, kind=job.kind, format=job.format, rows=job.rows, page=page or _address_of(job),
                filters=job.query,
            )  # fmt: skip
            return job, _pieces_of(job)
    sentence = _("Your rights have changed since this file was written, so it was dropped: take the list out again.")
    raise Refusal(Reason(sentence, code="rights_changed"))


def is_over(job: ExportJob) -> bool:
    """Say whether a file has been kept as long as files are kept."""
    return job.made_at is None or job.made_at < timezone.now() - FILE_LIFE


def drop_old_exports(*, actor: User | None) -> int:
    """Forget files an hour after they were ready. Safe to run twice."""
    with acting(actor, origin="task"):
        old = ExportJob.objects.filter(state=ExportState.READY, made_at__lt=timezone.now() - FILE_LIFE)
        gone = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True))
        ExportJob.objects.filter(pk__in=gone).update(state=ExportState.GONE)
        held_by = ExportJob.objects.filter(state__in=[ExportState.MAKING, ExportState.READY]).values("pk")
        ExportPiece.objects.exclude(job_id__in=held_by).delete()
    return len(gone)


def come_to_an_end(pks: Iterable[int], user: User) -> list[ExportJob]:
    """Return which of a person's files are ready, or will never be."""
    ended = [ExportState.READY, ExportState.FAILED]
    return list(ExportJob.objects.visible_to(user).filter(pk__in=list(pks), state__in=ended).order_by("pk"))


def note_taken_out(*, actor: User, kind: str, format: str, rows: int, page: str, filters: str) -> None:
    """Put on record that somebody takes rows out."""
    record_export(actor=actor, what=kind, format=format, rows=rows, page=page, filters=filters)
    logger.info("export kind=%s user=%s rows=%s filter=%s", kind, actor.pk, rows, sorted(QueryDict(filters)))


def sight_of(user: User) -> dict[str, Any]:
    """Return what decides which rows and columns a person sees."""
    return {"role": user.role, "unit": scope_of(user)}


# In the worker


def run_waiting_exports() -> int:
    """Write the files that are asked for, one at a time in the whole house; return how many came to an end."""
    count, until = 0, time.monotonic() + GO_ON_SECONDS
    with held(ONE_AT_A_TIME, 0) as is_ours:
        while is_ours and (job := ExportJob.objects.unfinished().order_by("attempts", "pk").first()):
            if not write_out(job.pk):
                break
            count += 1
            if time.monotonic() > until:
                break  # the next one has a task of its own, with all of its time
    return count


def write_out(pk: int) -> bool:
    """Write one file; say whether it came to an end. Safe to run twice, and twice at once."""
    with held(RUNNING, pk) as is_held:
        job = ExportJob.objects.unfinished().select_related("user").filter(pk=pk).first()
        if not is_held or job is None:
            return False
        with override(job.language):
            if job.user is None or job.attempts >= MOST_ATTEMPTS:
                _fail(job, _("It was begun %(times)s times and never came to an end.") % {"times": job.attempts})
                return True
            begun = ExportJob.objects.unfinished().filter(pk=pk)
            begun.update(state=ExportState.MAKING, attempts=job.attempts + 1, rows=0, total=None)
            try:
                rows, size, sight = _write(job, job.user)
            except Stopped:
                ExportPiece.objects.filter(job=job).delete()
            except Refusal as refusal:
                _fail(job, " ".join(refusal.explain()))
            except DatabaseError as error:
                if not isinstance(error.__cause__, QueryCanceled):
                    raise
                _fail(job, _("It takes too long to read this list: filter it first."))
            else:
                _ready(pk, rows, size, sight)
    return True


class AskedAgain(HttpRequest):
    """The request for a list as a worker makes it for somebody: the same address, the same person."""

    def __init__(self, job: ExportJob, user: User):
        super().__init__()
        self.method = "GET"
        self.GET = QueryDict(job.query)
        self.user = user
        self.path = self.path_info = _address_of(job)
        self.META = {"SERVER_NAME": "worker", "SERVER_PORT": "80", "QUERY_STRING": job.query}


def _write(job: ExportJob, user: User) -> tuple[int, int, dict[str, Any]]:
    """Write all pieces of a file; return how many rows and bytes it has, and what its owner could see."""
    until = time.monotonic() + settings.COVERIS_EXPORT_SECONDS
    size = rows = 0
    with noting(f"export {job.pk}") as note, transaction.atomic():
        _see_one_moment()
        note("SET lock_timeout = '500ms'", ())
        ExportPiece.objects.filter(job=job).delete()
        sight = sight_of(user)
        out = _allowed(job, user)
        most = most_rows(job.shape)
        total = out.rows.order_by()[: most + 1].count()
        if total > most:
            sentence = _("One file holds %(rows)s rows at most: filter the list first.")
            raise Refusal(Reason(sentence % {"rows": number_format(most, force_grouping=True)}, code="too_many_rows"))

        def tell(count: int) -> None:
            nonlocal rows
            rows = count
            (state,) = note(NOTE, [total, count, job.pk]) or (None,)
            if state == ExportState.CANCELLED:
                raise Stopped
            if time.monotonic() > until:
                sentence = _("It takes too long to write this list: filter it first.")
                raise Refusal(Reason(sentence, code="too_long"))

        tell(0)
        for number, piece in enumerate(_gathered(out.pieces(job.shape, tell))):
            ExportPiece.objects.create(job=job, number=number, content=piece)
            size += len(piece)
    return rows, size, sight


def _see_one_moment() -> None:
    """Have everything read as of now, and each statement take its time; inside another transaction as that one does."""
    with connection.cursor() as cursor:
        if len(connection.savepoint_ids) == 0:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        seconds = settings.COVERIS_EXPORT_STATEMENT_SECONDS
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds}s"])


def _allowed(job: ExportJob, user: User) -> Out:
    """Return what the list gives the person now; raise Refusal where that is nothing any more."""
    screen = _screen_of(job)
    sentence = _("You may not take this list out.")
    if screen is None or not user.is_active:
        raise Refusal(Reason(sentence, code="forbidden"))
    try:
        return cast("Out", screen.exported(AskedAgain(job, user)))
    except PermissionDenied as error:
        raise Refusal(Reason(sentence, code="forbidden")) from error
    except (IncorrectLookupParameters, SuspiciousOperation, BadRequest) as error:
        raise Refusal(
            Reason(_("The filters of this list mean nothing any more: filter it anew."), code="filters")
        ) from error


def _screen_of(job: ExportJob) -> Any:
    try:
        return admin.site._registry.get(apps.get_model(job.listed))
    except LookupError:
        return None


def _address_of(job: ExportJob) -> str:
    return reverse(f"admin:{job.listed.replace('.', '_')}_changelist")


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in pieces of one size."""
    held_back = bytearray()
    for piece in pieces:
        held_back += piece
        if len(held_back) >= PIECE_BYTES:
            yield bytes(held_back)
            held_back.clear()
    if held_back:
        yield bytes(held_back)


def _ready(pk: int, rows: int, size: int, sight: dict[str, Any]) -> None:
    with acting(None, origin="task"):
        job = ExportJob.objects.select_for_update().get(pk=pk)
        if job.state != ExportState.MAKING:
            ExportPiece.objects.filter(job=job).delete()
            return
        job.state, job.rows, job.total, job.size, job.sight = ExportState.READY, rows, rows, size, sight
        job.made_at = timezone.now()
        job.save()


def _fail(job: ExportJob, why: str) -> None:
    logger.warning("export %s was not made: %s", job.pk, why)
    with acting(None, origin="task"):
        locked = ExportJob.objects.select_for_update().get(pk=job.pk)
        locked.failure = why
        _end(locked, ExportState.FAILED)


def _end(job: ExportJob, state: str) -> ExportJob:
    job.state = state
    job.save()
    ExportPiece.objects.filter(job=job).delete()
    return job


def _own(job: ExportJob, actor: User) -> ExportJob:
    """Return the job, locked; raise Refusal where it is somebody else's."""
    if job.user_id is None or job.user_id != actor.pk:
        raise Refusal(Reason(_("Only whoever asked for a file may fetch or drop it."), code="forbidden"))
    locked: ExportJob = ExportJob.objects.select_for_update(of=("self",)).get(pk=job.pk)
    return locked


def _pieces_of(job: ExportJob) -> Iterator[bytes]:
    """Yield the pieces, each read by itself."""
    number = 0
    while (content := job.pieces.filter(number=number).values_list("content", flat=True).first()) is not None:
        yield bytes(content)
        number += 1
