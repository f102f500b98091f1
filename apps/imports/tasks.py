"""Jobs over imports and exports; safe to run twice."""

from celery import shared_task
from django.conf import settings

# A sheet of the largest upload is looked at, or brought in, by one of them; others end after minutes (CELERY_TASK_…).
IMPORT_SECONDS = settings.COVERIS_IMPORT_SECONDS
# A file gives up by itself first, and says so.
EXPORT_SECONDS = settings.COVERIS_EXPORT_SECONDS + 300


@shared_task(name="imports.run_waiting", soft_time_limit=IMPORT_SECONDS, time_limit=IMPORT_SECONDS + 60)
def run_waiting() -> int:
    """Every few seconds: look at and bring in the large sheets that wait. A second run finds what is left."""
    from .carrying_out import run_waiting_imports as run

    return run()


@shared_task(name="imports.run_waiting_exports", soft_time_limit=EXPORT_SECONDS, time_limit=EXPORT_SECONDS + 60)
def run_waiting_exports() -> int:
    """Every few seconds: write the files that are asked for. A second run finds what is left."""
    from .taking_out import run_waiting_exports as run

    return run()


@shared_task(name="imports.drop_stale")
def drop_stale() -> int:
    """Every ten minutes: forget uploads nobody confirmed, and files nobody fetched, within the hour."""
    from .services import drop_stale as run
    from .taking_out import drop_old_exports

    return run(actor=None) + drop_old_exports(actor=None)
