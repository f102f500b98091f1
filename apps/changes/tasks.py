"""Thin entries for the workers; each may be run twice, or twice at once, without a second effect."""

from celery import shared_task

from . import drain as draining
from . import proof, turning


@shared_task(name="changes.drain", queue="recompute")
def drain() -> None:
    """Work off the marks that wait."""
    draining.drain(patient=True)


@shared_task(name="changes.turn_day", queue="recompute")
def turn_day() -> None:
    """Mark whose figures change because a new day came."""
    turning.turn_day()


@shared_task(name="changes.close_weeks", queue="recompute")
def close_weeks() -> None:
    """Close the weeks that are over."""
    turning.close_weeks()


@shared_task(name="changes.prove", queue="recompute")
def prove() -> None:
    """Compare everything stored with everything computed anew."""
    proof.prove()


@shared_task(name="changes.run_waiting_proofs", queue="recompute")
def run_waiting_proofs() -> None:
    """Carry out the proofs asked for, and take up those a killed worker left."""
    proof.run_waiting_proofs()
