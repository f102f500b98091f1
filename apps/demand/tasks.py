"""Coverage as scheduled work; each is safe to run twice, or twice at once."""

from celery import shared_task


@shared_task(name="demand.compare_waiting")
def compare_waiting() -> int:
    """Every few seconds: compare the weeks asked for, take up what a killed worker left; return how many.

    Twice: held by a lock.
    """
    from .waterfall.carrying_out import compare_waiting as run

    return run()


@shared_task(name="demand.look_for_dependence")
def look_for_dependence() -> int:
    """Every few seconds: look for positions that hang on one person, if asked; return how often.

    Twice: held by a lock.
    """
    from .dependence import look_if_asked

    return look_if_asked()
