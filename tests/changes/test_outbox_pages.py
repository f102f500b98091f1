"""The outbox and the schedule on screen: the administrator's, read only but for sending again and the times."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.urls import reverse
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from apps.changes.models import DeadLetter, Mark
from apps.common.admin import BaseAdmin

LETTERS = "admin:changes_deadletter_changelist"


def resend(letter: DeadLetter) -> dict[str, Any]:
    return {"action": "send_again", "_selected_action": [letter.pk]}


def test_a_dead_letter_is_sent_again_by_post_and_becomes_a_mark(clinic: Any, as_user: Any) -> None:
    Mark.objects.all().delete()
    letter = DeadLetter.objects.create(
        kind="employee", subject_id=clinic.nurse.pk, reason="Traceback\nZeroDivisionError: x"
    )
    client = as_user(clinic.admin)
    html = client.get(reverse(LETTERS)).content.decode()
    assert "ZeroDivisionError" in html and DeadLetter.objects.count() == 1
    assert client.post(reverse(LETTERS), resend(letter)).status_code == 302
    assert not DeadLetter.objects.exists()
    assert Mark.objects.filter(kind="employee", subject_id=clinic.nurse.pk).exists()


@pytest.mark.parametrize("who", ["manager", "supervisor", "viewer"])
def test_nobody_else_sees_or_sends_dead_letters(clinic: Any, as_user: Any, who: str) -> None:
    letter = DeadLetter.objects.create(kind="employee", subject_id=1, reason="x")
    client = as_user(getattr(clinic, who))
    assert client.get(reverse(LETTERS)).status_code == 403
    assert client.post(reverse(LETTERS), resend(letter)).status_code == 403
    assert DeadLetter.objects.exists()


@pytest.mark.parametrize("model", ["deadletter", "mark"])
def test_the_outbox_cannot_be_written_by_hand(clinic: Any, as_user: Any, model: str) -> None:
    row = {"deadletter": DeadLetter, "mark": Mark}[model].objects.create(kind="unit", subject_id=clinic.h1.pk)
    client = as_user(clinic.admin)
    for page, args in (("add", ()), ("change", (row.pk,)), ("delete", (row.pk,))):
        path = reverse(f"admin:changes_{model}_{page}", args=args)
        assert client.post(path, {"kind": "unit", "subject_id": 1, "post": "yes"}).status_code == 403
    row.refresh_from_db()
    assert row.subject_id == clinic.h1.pk


def test_an_administrator_changes_when_a_job_runs_and_not_what_it_is(clinic: Any, as_user: Any) -> None:
    five = IntervalSchedule.objects.create(every=5, period="seconds")
    nine = IntervalSchedule.objects.create(every=9, period="minutes")
    task = PeriodicTask.objects.create(name="Drain", task="changes.drain", interval=five)
    path = reverse("admin:django_celery_beat_periodictask_change", args=(task.pk,))
    change = {"name": "Other", "task": "os.system", "enabled": "on", "interval": nine.pk, "crontab": ""}
    assert as_user(clinic.manager).post(path, change).status_code == 403
    assert as_user(clinic.admin).get(path).status_code == 200
    assert as_user(clinic.admin).post(path, change).status_code == 302
    task.refresh_from_db()
    assert (task.name, task.task, task.interval) == ("Drain", "changes.drain", nine)


def test_a_job_without_any_time_is_refused_in_words(clinic: Any, as_user: Any) -> None:
    five = IntervalSchedule.objects.create(every=5, period="seconds")
    task = PeriodicTask.objects.create(name="Drain", task="changes.drain", interval=five)
    path = reverse("admin:django_celery_beat_periodictask_change", args=(task.pk,))
    assert as_user(clinic.admin).post(path, {"enabled": "on", "interval": "", "crontab": ""}).status_code == 200
    task.refresh_from_db()
    assert task.interval == five


def test_the_scheduler_has_the_screens_it_needs_and_no_others() -> None:
    for model in (PeriodicTask, IntervalSchedule, CrontabSchedule):
        assert isinstance(admin.site._registry[model], BaseAdmin)
    assert not {SolarSchedule, ClockedSchedule} & set(admin.site._registry)


@pytest.mark.parametrize("model", ["periodictask", "intervalschedule", "crontabschedule"])
def test_the_schedules_pages_open(clinic: Any, as_user: Any, model: str) -> None:
    client = as_user(clinic.admin)
    assert client.get(reverse(f"admin:django_celery_beat_{model}_changelist")).status_code == 200
    expected = 403 if model == "periodictask" else 200
    assert client.get(reverse(f"admin:django_celery_beat_{model}_add")).status_code == expected
