"""The sweep as scheduled work. Each is safe to run twice, beside itself and beside edits."""

from celery import shared_task


@shared_task(name="business_rules.sweep")
def sweep() -> int:
    """Every night: judge everyone by every rule; return the number of the run."""
    from .services import sweep as run

    return run(actor=None, trigger="nightly").pk


@shared_task(name="business_rules.reopen_expired")
def reopen_expired() -> int:
    """Every morning: reopen what waivers covered that ran out; return how many did. Twice finds nothing left."""
    from .services import reopen_expired as run

    return run()


@shared_task(name="business_rules.run_waiting_sweeps")
def run_waiting_sweeps() -> int:
    """Every few seconds: carry out the evaluations asked for, take up interrupted ones; return how many."""
    from .services import run_waiting_sweeps as run

    return len(run())
