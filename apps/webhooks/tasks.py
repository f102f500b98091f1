"""Thin entries for the workers; each may be run twice, or twice at once, without a second effect."""

from celery import shared_task


@shared_task(name="webhooks.send", queue="webhooks")
def send() -> None:
    """Every few seconds, and when the relay rings: post what is due. A second one at once leaves it to the first."""
    from .sending import send_alone

    send_alone()


@shared_task(name="webhooks.forget_old")
def forget_old() -> int:
    """Every night: forget old deliveries, give up what nobody takes. Twice: the same."""
    from .services import forget_old as run

    return run(actor=None)
