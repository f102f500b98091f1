"""The Celery process: the app, the schedule, the relay."""

from worker.celery import app as app
