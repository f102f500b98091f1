"""Everything that runs by itself: one table, put into the scheduler where staff edit it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from celery.schedules import crontab, schedule
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask


@dataclass(frozen=True)
class Job:
    """A sentence for people, the task, when it runs (local time), and why then."""

    sentence: Any
    task: str
    when: crontab | schedule
    why: Any


def daily(hour: int, minute: int, **more: Any) -> crontab:
    return crontab(hour=str(hour), minute=str(minute), **more)


# What comes every few seconds or minutes, then the night in the order of the clock.
# All of them may run twice, or twice at once, without a second effect.
JOBS = (
    Job(
        _("Work off what a lost message left"), "changes.drain", schedule(5),
        _("Changes reach the figures by a message; this finds those whose message was lost."),
    ),
    Job(
        _("Carry out the evaluations asked for"), "business_rules.run_waiting_sweeps", schedule(5),
        _("Somebody is waiting for them; one whose worker died is taken up where it stopped."),
    ),
    Job(
        _("Carry out the proofs asked for"), "changes.run_waiting_proofs", schedule(5),
        _("Somebody is waiting for them; one whose worker died is taken up again."),
    ),
    Job(
        _("Compare the weeks asked for"), "demand.compare_waiting", schedule(5),
        _("Somebody is waiting for what changed in a large part of the house; it is kept for whoever looks next."),
    ),
    Job(
        _("Look for positions that hang on one person"), "demand.look_for_dependence", schedule(5),
        _("Somebody is waiting for it in a large house; it is kept for whoever looks next."),
    ),
    Job(
        _("Look at and bring in large sheets"), "imports.run_waiting", schedule(2),
        _("Somebody is waiting for them; one whose worker died is taken up again."),
    ),
    Job(
        _("Write the files asked for"), "imports.run_waiting_exports", schedule(2),
        _("Somebody is waiting for them; one whose worker died is written again."),
    ),
    Job(
        _("Look again for coverage running out"), "inbox.refresh_if_asked", schedule(10),
        _("Somebody asked for it on the inbox."),
    ),
    Job(
        _("Post what webhooks are to tell"), "webhooks.send", schedule(5),
        _("Events are posted by a message; this finds those whose message was lost, and those to be tried again."),
    ),
    Job(
        _("Send the digests of the day"), "inbox.send_digests", schedule(300),
        _("From COVERIS_DIGEST_HOUR on, one mail to whoever asked for it, with what changed since the last one."),
    ),
    Job(
        _("Forget files nobody confirmed or fetched"), "imports.drop_stale", schedule(600),
        _("An abandoned file holds personal data."),
    ),
    Job(
        _("Let the new day into the figures"), "changes.turn_day", daily(0, 1),
        _("A day to come counts with the status of today; once it has come, with its own."),
    ),
    Job(
        _("Close the week that is over"), "changes.close_weeks", daily(0, 5, day_of_week="1"),
        _("A closed week keeps its figures and its tree for good."),
    ),
    Job(
        _("Expire proposals"), "assignments.expire_proposals", daily(0, 10),
        _("A proposal stands until the end of its last day."),
    ),
    Job(
        _("Start and end leaves"), "org.run_leaves", daily(0, 15),
        _("A leave begins in the morning of its first day, and ends the day after its last one."),
    ),
    Job(
        _("Complete notices"), "org.complete_notices", daily(0, 20),
        _("Employment ends the day after the last day."),
    ),
    Job(
        _("Close assignments that have ended"), "assignments.close_ended", daily(0, 25),
        _("An assignment is over the day after its last one."),
    ),
    Job(
        _("Reopen what waivers covered until yesterday"), "business_rules.reopen_expired", daily(0, 30),
        _("A waiver that ran out excuses nothing any more."),
    ),
    Job(
        _("Prove the figures"), "changes.prove", daily(2, 30),
        _("Everything is computed anew and compared with what is stored, while nobody works."),
    ),
    Job(
        _("Evaluate the rules for everyone"), "business_rules.sweep", daily(3, 0),
        _("Tags and contracts run out by themselves; the violations are there in the morning."),
    ),
    Job(
        _("Look for coverage running out"), "inbox.refresh_alerts", daily(4, 0),
        _("The inbox tells which hours stop in the days to come; what is over is forgotten."),
    ),
    Job(
        _("Forget old deliveries of webhooks"), "webhooks.forget_old", daily(4, 15),
        _("Sent ones are kept for a week, dead ones for three months; what waited for three days is given up."),
    ),
    Job(
        _("Forget old sign-ins of the interface"), "api.forget_old", daily(4, 30),
        _("Sign-ins that are over are kept for a month, answers to repeated requests for a day."),
    ),
)  # fmt: skip


def install() -> int:
    """Add the jobs that are not there yet and return how many; what staff changed stays as it is."""
    known = set(PeriodicTask.objects.filter(task__in=[job.task for job in JOBS]).values_list("task", flat=True))
    new = [job for job in JOBS if job.task not in known]
    with transaction.atomic():
        for job in new:
            PeriodicTask.objects.create(
                name=gettext(job.sentence), task=job.task, description=gettext(job.why), **_when(job.when)
            )
    return len(new)


def _when(when: Any) -> dict[str, Any]:
    """Return the fields of a PeriodicTask for a time; a crontab keeps what it was written with in private names."""
    if isinstance(when, crontab):
        written: Any = when
        cron, _made = CrontabSchedule.objects.get_or_create(
            minute=written._orig_minute,
            hour=written._orig_hour,
            day_of_week=written._orig_day_of_week,
            day_of_month="*",
            month_of_year="*",
            timezone=settings.TIME_ZONE,
        )
        return {"crontab": cron}
    interval, _made = IntervalSchedule.objects.get_or_create(
        every=int(when.run_every.total_seconds()), period=IntervalSchedule.SECONDS
    )
    # A bell nobody heard in this time is of no use any more.
    return {"interval": interval, "expire_seconds": 60}
