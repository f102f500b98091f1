"""From the outboxes to the broker: `python -m worker.relay`.

Listens for the marks' notification, looks some times after each and once a second besides, and rings a worker: for
marks to be worked off, and for webhooks that are due.
Everything that can be lost here is only a bell: the marks stay in the database until a worker has worked them off. No
request ever waits for a broker.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from typing import Any

import django
import psycopg

logger = logging.getLogger("worker.relay")

QUEUE, TASK = "recompute", "changes.drain"
POST_QUEUE, POST_TASK = "webhooks", "webhooks.send"
POLL_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 0.06  # after a bell, then twice as long each time: marks made just after another do not notify
BEAT_SECONDS = 5.0
REST_SECONDS = 1.0  # after trouble
BELLS = 2  # so many unheard messages are enough; more would only pile up while no worker listens


class Bell:
    """A connection to the broker that is made anew after every trouble."""

    def __init__(self) -> None:
        self._connection: Any = None
        self._producer: Any = None

    def ring(self, queue: str = QUEUE, task: str = TASK) -> bool:
        """Send one message unless enough are unheard; return whether one was sent. Raises what the broker raises."""
        from worker.celery import app

        if self._connection is None:
            self._connection = app.connection_for_write()
            self._producer = app.amqp.Producer(self._connection)
        if self._producer.channel.client.llen(queue) >= BELLS:
            return False
        app.send_task(task, queue=queue, producer=self._producer, retry=False, ignore_result=True, expires=60)
        return True

    def hang_up(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            try:
                connection.close()
            except Exception as error:
                logger.debug("closing the broken connection: %s", error)


class Relay:
    """The loop; `stop` ends it within a second."""

    def __init__(self) -> None:
        self.bell = Bell()
        self.stopping = False
        self._beat_due = 0.0
        self._broker_down = self._database_down = False

    def stop(self, *_: object) -> None:
        self.stopping = True

    def run(self) -> None:
        from django.db import Error, connection

        while not self.stopping:
            try:
                self._listen()
            except (Error, psycopg.Error) as error:
                if not self._database_down:
                    logger.warning("the database is away, trying again every second: %s", error)
                self._database_down = True
                connection.close()
                time.sleep(REST_SECONDS)
        self.bell.hang_up()
        connection.close()

    def _listen(self) -> None:
        from django.db import connection

        from apps.changes.triggers import CHANNEL

        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        session = connection.connection
        logger.info("the database is back" if self._database_down else "listening for changes")
        self._database_down = False
        pause = POLL_SECONDS
        while not self.stopping:
            self.turn()
            heard = list(session.notifies(timeout=pause, stop_after=1))
            pause = LOOK_AGAIN_SECONDS if heard else min(2 * pause, POLL_SECONDS)

    def turn(self) -> None:
        """Ring if something waits; note that we are alive."""
        from django.db import connection

        from apps.changes.freshness import beat
        from apps.webhooks.sending import is_due

        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT 1 FROM changes_mark WHERE attempts = 0)")
            (waiting,) = cursor.fetchone()
        if waiting:
            self._ring(QUEUE, TASK)
        if is_due():
            self._ring(POST_QUEUE, POST_TASK)
        if time.monotonic() >= self._beat_due:
            beat("relay")
            self._beat_due = time.monotonic() + BEAT_SECONDS

    def _ring(self, queue: str, task: str) -> None:
        try:
            self.bell.ring(queue, task)
        except Exception as error:
            # Whatever a broker and its client can raise: what waits stays there, the next turn tries again.
            if not self._broker_down:
                logger.warning("the broker is away, changes wait in the database: %s", error)
            self._broker_down = True
            self.bell.hang_up()
        else:
            if self._broker_down:
                logger.info("the broker is back")
            self._broker_down = False


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings.local")
    django.setup()
    relay = Relay()
    signal.signal(signal.SIGTERM, relay.stop)
    signal.signal(signal.SIGINT, relay.stop)
    relay.run()


if __name__ == "__main__":
    main()
