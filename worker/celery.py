"""The Celery application: `celery -A worker worker`, `celery -A worker beat`."""

import os

from celery import Celery

from worker.hearing import Hearing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings.local")
app = Celery("coveris", task_cls="worker.task:Task")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["consumer"].add(Hearing)
