"""Daily jobs over employees; each is safe to run twice, and a day missed is caught up by the next run."""

from celery import shared_task


@shared_task(name="org.run_leaves")
def run_leaves() -> dict[str, int]:
    """Every morning: start leaves that cover today, end those that are over. A second run finds nothing to do."""
    from .services.leaves import run_leaves as run

    return run(actor=None)


@shared_task(name="org.complete_notices")
def complete_notices() -> int:
    """Every morning: terminate who is past the last day of the notice. A second run finds nobody."""
    from .services.notices import complete_notices as run

    return run(actor=None)
