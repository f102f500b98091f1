"""`./run bench marking`: what marks cost those who write, and when what they changed is seen."""

from __future__ import annotations

import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection

from apps.changes.drain import drain
from tests.worker.processes import Broker, relay, wait_until, worker

from . import stage
from .figures import changed
from .harness import Figure, Report, percentile
from .rules import judged

CLIENTS = (1, 2, 8)
SECONDS = 1.0
OWN = 400  # assignments each client writes to
LOOKS, WARM_UP = 60, 10
PATIENCE = 30.0
UPDATE = "UPDATE assignments_assignment SET effective_hours = %s WHERE id = %s"


def connected() -> psycopg.Connection[Any]:
    values = settings.DATABASES["default"]
    return psycopg.connect(
        host=values["HOST"], port=values["PORT"] or None, user=values["USER"], password=values["PASSWORD"],
        dbname=connection.settings_dict["NAME"], autocommit=True,
    )  # fmt: skip


def marking(on: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'assignments_assignment'::regclass AND tgname ~ '_mark_'"
        )
        names = [row[0] for row in cursor.fetchall()]
        if not names:
            raise AssertionError("assignments leave no marks: there is nothing to measure")
        for name in names:
            cursor.execute(f'ALTER TABLE assignments_assignment {"ENABLE" if on else "DISABLE"} TRIGGER "{name}"')


def written(clients: Sequence[tuple[psycopg.Connection[Any], Sequence[tuple[int, Any]]]], off: int) -> float:
    """Let all write single rows, each a transaction, for a while; return how many rows a second they wrote."""
    counts = [0] * len(clients)
    start = threading.Barrier(len(clients) + 1)
    deadline = [0.0]

    def write(number: int) -> None:
        session, rows = clients[number]
        start.wait()
        for pk, hours in itertools.cycle(rows):
            if time.perf_counter() > deadline[0]:
                return
            counts[number] += 1
            # Never the hours it had: a change that is none leaves no mark.
            session.execute(UPDATE, [hours + (off + counts[number]) % 97 + 1, pk])

    threads = [threading.Thread(target=write, args=[number]) for number in range(len(clients))]
    for thread in threads:
        thread.start()
    begun = time.perf_counter()
    deadline[0] = begun + SECONDS
    start.wait()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - begun)


def throughput(size: str, rounds: int, report: Report) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, effective_hours FROM assignments_assignment WHERE status = 'ACTIVE' ORDER BY id LIMIT %s",
            [OWN * max(CLIENTS)],
        )
        rows = cursor.fetchall()
    try:
        for number in CLIENTS:
            clients = [(connected(), rows[OWN * each : OWN * (each + 1)]) for each in range(number)]
            costs = []
            for turn in range(rounds + 1):
                rate = {}
                for on in (True, False) if turn % 2 else (False, True):
                    marking(on)
                    rate[on] = written(clients, turn)
                    with connection.cursor() as cursor:
                        cursor.execute("DELETE FROM changes_mark")
                if turn:
                    costs.append(1 - rate[True] / rate[False])
            for session, _rows in clients:
                session.close()
            report.add(
                Figure(f"marks, {number} writing: share of throughput", size, statistics.median(costs), min(costs),
                       max(costs), goal=0.15)
            )  # fmt: skip
    finally:
        marking(True)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE assignments_assignment a SET effective_hours = r.hours"
                " FROM unnest(%s::bigint[], %s::numeric[]) AS r (id, hours) WHERE r.id = a.id",
                [[row[0] for row in rows], [row[1] for row in rows]],
            )
        drain()


@contextmanager
def at_work() -> Iterator[None]:
    """Have a broker, a relay and a worker as the launcher starts them, on this database."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder)
        broker.start()
        children = [worker(broker, folder), relay(broker, folder)]
        try:
            for child in children:
                child.start()
            wait_until(lambda: " ready." in children[0].output(), 60)
            wait_until(lambda: "listening for changes" in children[1].output(), 60)
            yield
        finally:
            for child in reversed(children):
                child.kill()
            broker.kill()


def seen_after(employee: int, by: int) -> float:
    """Change an assignment of somebody; return the seconds from the commit until everybody sees the new figure."""
    look = "SELECT assigned FROM offer_ledgerweek WHERE employee_id = %s"
    with connection.cursor() as cursor:
        cursor.execute(look, [employee])
        before = cursor.fetchone()
        cursor.execute(
            "UPDATE assignments_assignment SET effective_hours = effective_hours + %s WHERE id = ("
            " SELECT min(id) FROM assignments_assignment WHERE status = 'ACTIVE' AND employee_id = %s)",
            [by, employee],
        )
        begun = time.perf_counter()
        while time.perf_counter() < begun + PATIENCE:
            cursor.execute(look, [employee])
            if cursor.fetchone() != before:
                return time.perf_counter() - begun
            time.sleep(0.001)
    raise AssertionError(f"the figures of employee {employee} did not follow in {PATIENCE:.0f} s")


def visibility(size: str, report: Report) -> None:
    with connection.cursor() as cursor:
        # Whoever is there all the time: else a change of hours may change no figure.
        cursor.execute(
            "SELECT a.employee_id FROM assignments_assignment a JOIN offer_ledgerweek w USING (employee_id)"
            " WHERE a.status = 'ACTIVE' AND a.ends_on IS NULL AND NOT (0 = ANY (w.assigned))"
            " GROUP BY a.employee_id HAVING count(*) = 1 ORDER BY a.employee_id LIMIT %s",
            [LOOKS + WARM_UP],
        )
        some = [row[0] for row in cursor.fetchall()]
    with at_work():
        seconds = []
        for employee in some:
            seconds.append(seen_after(employee, 1))
            time.sleep(0.1)  # the queue is idle again
    changed(some, -1)
    told = seconds[WARM_UP:]
    report.add(
        Figure("last change until seen, worker idle, p50 ms", size, percentile(told, 0.5) * 1e3, min(told) * 1e3,
               max(told) * 1e3, goal=50.0, note=f"p95 {percentile(told, 0.95) * 1e3:.0f} ms")
    )  # fmt: skip


def run(sizes: Sequence[str], rounds: int, report: Report) -> None:
    for size in sizes:
        stage.enter(size, report)
        judged(report)
        drain()
        throughput(size, rounds, report)
        visibility(size, report)
