"""Jobs over imports; safe to run twice."""

from celery import shared_task


@shared_task(name="imports.drop_stale")
def drop_stale() -> int:
    """Every ten minutes: forget uploads nobody confirmed within the hour. A second run finds none."""
    from .services import drop_stale as run

    return run(actor=None)
