"""Daily jobs over assignments; each is safe to run twice, and a day missed is caught up by the next run."""

from celery import shared_task


@shared_task(name="assignments.expire_proposals")
def expire_proposals() -> int:
    """Every morning: close proposals past their expiry. A second run finds none."""
    from .services import expire_proposals as run

    return run(actor=None)


@shared_task(name="assignments.close_ended")
def close_ended() -> int:
    """Every morning: close assignments past their last day. A second run finds none."""
    from .services import close_ended as run

    return run(actor=None)
