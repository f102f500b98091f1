"""The inbox as scheduled work; each is safe to run twice, or twice at once."""

from celery import shared_task


@shared_task(name="inbox.refresh_alerts")
def refresh_alerts() -> int:
    """Every night, after the sweep: look for cliffs ahead, forget what is over; return how many. Twice: the same."""
    from .services import forget_gone
    from .services import refresh_alerts as run

    found = run(actor=None)
    forget_gone(actor=None)
    return found


@shared_task(name="inbox.refresh_if_asked")
def refresh_if_asked() -> int:
    """Every few seconds: look for cliffs ahead if somebody asked or nobody ever did. Twice: nothing is asked."""
    from .services import refresh_if_asked as run

    return run(actor=None)


@shared_task(name="inbox.send_digests")
def send_digests() -> int:
    """Every few minutes from the hour on: send the digests of the day; return how many. Twice: the day is claimed."""
    from .services import send_due_digests as run

    return run(actor=None)
