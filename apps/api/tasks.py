"""Jobs over sign-ins and kept answers; safe to run twice."""

from celery import shared_task


@shared_task(name="api.forget_old")
def forget_old() -> int:
    """Every night: forget sign-ins that are long over, and answers nobody repeats. A second run finds none."""
    from . import repeating, tokens

    return tokens.forget_old() + repeating.forget_old()
