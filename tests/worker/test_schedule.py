"""Everything that runs by itself is in one table and in the scheduler, where staff have the last word."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.tags.models import TagCatalog
from tests.factories import TagFactory
from worker.celery import app
from worker.schedule import JOBS, install
from worker.task import signed_by_the_system

pytestmark = pytest.mark.django_db


def test_every_job_is_installed_once() -> None:
    assert install() == len(JOBS)
    assert install() == 0
    assert set(PeriodicTask.objects.values_list("task", flat=True)) == {job.task for job in JOBS}


def test_what_staff_changed_stays() -> None:
    install()
    drain = PeriodicTask.objects.get(task="changes.drain")
    drain.name = "Barrido"
    drain.enabled = False
    drain.interval = IntervalSchedule.objects.create(every=9, period=IntervalSchedule.SECONDS)
    drain.save()
    install()
    again = PeriodicTask.objects.get(task="changes.drain")
    assert (again.name, again.enabled, again.interval.every) == ("Barrido", False, 9)


def test_the_week_closes_on_monday_at_five_past_midnight_local_time() -> None:
    install()
    crontab = PeriodicTask.objects.get(task="changes.close_weeks").crontab
    assert str(crontab.timezone) == settings.TIME_ZONE
    schedule = crontab.schedule
    zone = ZoneInfo(settings.TIME_ZONE)
    schedule.nowfun = lambda: datetime(2026, 12, 12, 12, tzinfo=zone)
    due = schedule.nowfun() + schedule.remaining_estimate(schedule.nowfun())
    assert due.astimezone(zone).replace(tzinfo=None) == datetime(2026, 12, 14, 0, 5)


@pytest.mark.parametrize("task", [job.task for job in JOBS])
def test_every_job_names_a_task_there_is(task: str) -> None:
    app.loader.import_default_modules()
    assert task in app.tasks


@pytest.mark.parametrize("name", ["changes.drain", "changes.turn_day", "changes.close_weeks", "changes.prove"])
def test_our_tasks_do_the_same_once_or_many_times(name: str) -> None:
    app.loader.import_default_modules()
    for _number in range(3):
        app.tasks[name].apply(throw=True)


def test_what_a_task_writes_is_signed_as_a_task() -> None:
    with signed_by_the_system():
        tag = TagFactory()
    history: Any = TagCatalog.history.get(id=tag.pk)
    assert (history.origin, history.history_user_id) == ("task", None)
    TagCatalog.objects.filter(pk=tag.pk).update(name="after")
    assert TagCatalog.history.filter(id=tag.pk).latest("history_id").origin == "sql"
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('coveris.origin')")
        assert cursor.fetchone() == ("",)
