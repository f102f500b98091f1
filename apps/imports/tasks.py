"""Jobs over imports; safe to run twice."""

from celery import shared_task


@shared_task(name="imports.run_waiting")
def run_waiting() -> int:
    """Every few seconds: look at and bring in the large sheets that wait. A second run finds what is left."""
    from .carrying_out import run_waiting_imports as run

    return run()


@shared_task(name="imports.drop_stale")
def drop_stale() -> int:
    """Every ten minutes: forget uploads nobody confirmed within the hour. A second run finds none."""
    from .services import drop_stale as run

    return run(actor=None)
