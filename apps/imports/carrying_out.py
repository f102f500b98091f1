"""Large sheets are looked at and brought in by a worker: the wish is the job's row, which it finds within seconds.

A session's lock holds the job, so that a killed worker leaves it to the next. All rows and what becomes of the job are
one transaction; how far it is, and whether somebody wants it to stop, goes over a connection of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.common.errors import Refusal
from apps.common.holding import held, noting, patient

from .enums import JobState, Stage
from .models import ImportJob, ImportProgress
from .services import NotConfirmed, Tell, confirm, forget, preview

if TYPE_CHECKING:
    from apps.users.models import User

logger = logging.getLogger("coveris.imports")

RUNNING = 7_340  # the class of the advisory locks that hold a job
MOST_ATTEMPTS = 3
GO_ON_SECONDS = 60.0
NOTE = """
    INSERT INTO imports_importprogress (job_id, stage, rows, part, parts, cancelled, updated_at)
    VALUES (%s, %s, %s, %s, %s, false, clock_timestamp())
    ON CONFLICT (job_id) DO UPDATE SET stage = excluded.stage, rows = excluded.rows, part = excluded.part,
        parts = excluded.parts, updated_at = clock_timestamp()
    RETURNING cancelled
"""


class Cancelled(Exception):
    """Somebody wants the import to stop; nothing of it is kept."""


def run_waiting_imports() -> int:
    """Carry out what was asked for, and take up what a killed worker left; return how many came to an end."""
    waiting = ImportJob.objects.filter(state__in=[JobState.READING, JobState.APPLYING]).order_by("pk")
    count, until = 0, time.monotonic() + GO_ON_SECONDS
    for pk in waiting.values_list("pk", flat=True):
        count += carry_out(pk)
        if time.monotonic() > until:
            break  # the next one has a task of its own, with all of its time
    return count


def carry_out(pk: int) -> bool:
    """Look at, or bring in, what a job holds; say whether it came to an end. Safe to run twice, and twice at once."""
    with held(RUNNING, pk) as is_held:
        job = ImportJob.objects.filter(pk=pk, state__in=[JobState.READING, JobState.APPLYING]).first()
        if not is_held or job is None:
            return False
        actor = job.user
        if job.attempts >= MOST_ATTEMPTS or actor is None:
            _give_up(job, _("It was begun %(times)s times and never came to an end.") % {"times": job.attempts})
            return True
        ImportJob.objects.filter(pk=pk).update(attempts=job.attempts + 1)
        with override(job.options.get("language")), _telling(pk) as tell, patient(settings.COVERIS_IMPORT_SECONDS):
            try:
                _carry_out(job, actor, tell)
            except Cancelled:
                _end(job, JobState.ABANDONED)
            except Refusal as refusal:
                _give_up(job, " ".join(refusal.explain()))
            except SoftTimeLimitExceeded:
                connection.close()  # nobody knows what it was in the middle of
                minutes = settings.COVERIS_IMPORT_SECONDS // 60
                _give_up(job, _("It took longer than %(minutes)s minutes: split the file.") % {"minutes": minutes})
        ImportProgress.objects.filter(job_id=pk).delete()
    return True


def _carry_out(job: ImportJob, actor: User, tell: Tell) -> None:
    if job.state == JobState.READING:
        preview(job=job, actor=actor, tell=tell)
        return
    try:
        confirm(job=job, actor=actor, confirmed_warnings=job.options.get("confirmed", ""), tell=tell)
    except NotConfirmed:
        # Others came up meanwhile: they are to be looked at before anything is kept.
        preview(job=job, actor=actor, tell=tell)


def _give_up(job: ImportJob, why: str) -> None:
    logger.warning("import %s was given up: %s", job.pk, why)
    ImportJob.objects.filter(pk=job.pk).update(options={**job.options, "failure": why})
    _end(job, JobState.REFUSED)


def _end(job: ImportJob, state: str) -> None:
    forget(job_id=job.pk, state=state)


@contextmanager
def _telling(pk: int) -> Iterator[Tell]:
    """Yield what notes how far a job has come and raises Cancelled where somebody asked for that.

    It looks at the clock too: the exception that ends a task may be raised where it is swallowed.
    """
    until = time.monotonic() + settings.COVERIS_IMPORT_SECONDS
    with noting(f"import {pk}") as note:
        # Whoever asks for a stop holds the row for a moment; nobody is to wait long for a note.
        note("SET lock_timeout = '500ms'", ())

        def tell(stage: str, rows: int, part: int = 0, parts: int = 0) -> None:
            (cancelled,) = note(NOTE, [pk, stage, rows, part, parts]) or (False,)
            # Once rows are being written it is nearly over: what is asked then comes too late.
            if cancelled and stage != Stage.WRITING:
                raise Cancelled
            if time.monotonic() > until:
                raise SoftTimeLimitExceeded

        yield tell
