"""Several clients at once over HTTP, against the product's own server, while relay and worker keep the figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection

from apps.api.authentication import ACCESS
from apps.api.tokens import sign_in
from apps.changes.models import Mark
from apps.org.models import OrgUnit, Position
from apps.org.querysets import scope_of
from apps.users.models import User
from project.devstack.children import free_port
from project.devstack.processes import WEB
from tests.worker.processes import CHECKOUT, Broker, Child, environment, relay, wait_until, worker

from .harness import Figure, Report, percentile

if TYPE_CHECKING:
    from .api import Asking

CLIENTS = (1, 4, 8)
SECONDS = 20.0
# Of so many requests one changes something.
EVERY = 10
OWN = 40  # positions each client writes to
CSRF = "c" * 32
PATIENCE = 120.0


@contextmanager
def served() -> Iterator[tuple[int, Broker]]:
    """Have a broker, web, relay and worker as the launcher starts them, on this database; yield the web's port."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder)
        broker.start()
        port = free_port()
        told = {"DJANGO_SETTINGS_MODULE": "tests.bench.served", "DJANGO_SECRET_KEY": settings.SECRET_KEY}
        web = Child(WEB.local_argv(port=port), environment(broker.url) | WEB.environment | told, folder / "web.log")
        children = [web, worker(broker, folder), relay(broker, folder)]
        try:
            for child in children:
                child.start()
            wait_until(lambda: _answers(port), 60)
            wait_until(lambda: " ready." in children[1].output(), 60)
            wait_until(lambda: "listening for changes" in children[2].output(), 60)
            yield port, broker
        finally:
            for child in reversed(children):
                child.kill()
            broker.kill()


def _answers(port: int) -> bool:
    with suppress(OSError):
        asked = HTTPConnection("127.0.0.1", port, timeout=5)
        asked.request("GET", "/api/health/")
        return asked.getresponse().status == 200
    return False


def changes(user: User, number: int) -> list[tuple[str, str, Any]]:
    """Return what a client writes: hours of positions of its own, each a change that figures follow."""
    unit = scope_of(user)
    inside = OrgUnit.objects.all() if unit is None else OrgUnit.objects.under(unit)
    found = Position.objects.filter(org_unit__in=inside, closes_on=None).order_by("pk")
    own = list(found.values_list("pk", "required_weekly_hours")[: OWN * max(CLIENTS)])[number :: max(CLIENTS)]
    return [
        ("PATCH", f"/api/v1/positions/{pk}/", {"required_weekly_hours": str(hours + 1 + turn)})
        for turn in range(50)
        for pk, hours in own
    ]


def reads(asking: Asking) -> list[str]:
    """Return what was answered in every way, in an order in which lists, records, filters and searches take turns."""
    addresses = [way.address for ways_of in asking.told.values() for way in ways_of.values() if way.status == 200]
    return [address for first in range(7) for address in addresses[first::7]]


def asked_by(people: Sequence[tuple[User, list[str]]], port: int) -> tuple[float, dict[str, list[float]], Counter[str]]:
    """Let all of them ask at once for a while; return the seconds it took, those of each request, what went wrong."""
    env = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    argv = [sys.executable, str(Path(__file__).with_name("asking.py"))]
    clients = [
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) for _each in people
    ]
    taken: dict[str, list[float]] = {"reads": [], "writes": []}
    wrong: Counter[str] = Counter()
    try:
        for number, (client, (user, addresses)) in enumerate(zip(clients, people, strict=True)):
            assert client.stdin is not None and client.stdout is not None
            cut = len(addresses) * number // len(people)
            cookies = {ACCESS: sign_in(user=user).access, settings.CSRF_COOKIE_NAME: CSRF}
            told = {
                "port": port, "cookies": cookies, "seconds": SECONDS, "reads": addresses[cut:] + addresses[:cut],
                "writes": changes(user, number), "every": EVERY,
            }  # fmt: skip
            client.stdin.write(json.dumps(told) + "\n")
            client.stdin.flush()
            client.stdout.readline()
        begun = time.perf_counter()
        for client in clients:
            assert client.stdin is not None
            client.stdin.write("go\n")
            client.stdin.flush()
        for client in clients:
            assert client.stdout is not None
            if not (line := client.stdout.readline()):
                raise AssertionError("a client of the load generator died: its traceback is above")
            told = json.loads(line)
            for kind in taken:
                taken[kind] += told[kind]
            wrong.update(told["wrong"])
        return time.perf_counter() - begun, taken, wrong
    finally:
        for client in clients:
            client.kill()
            client.wait()


def until_seen() -> float:
    """Return how long it takes from now until every change is in the figures."""
    begun = time.perf_counter()
    while Mark.objects.exists():
        if time.perf_counter() - begun > PATIENCE:
            raise AssertionError(f"changes did not reach the figures in {PATIENCE:.0f} s")
        time.sleep(0.02)
    return time.perf_counter() - begun


def load(size: str, askings: Sequence[Asking], report: Report) -> None:
    """Report requests a second, how long they took and what failed, for one client and for several at once."""
    people = [(asking.user, reads(asking)) for asking in askings[:2]] * (max(CLIENTS) // 2)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM changes_mark")
    with served() as (port, _broker):
        asked_by(people[:2], port)  # what processes and connections learn once
        for clients in CLIENTS:
            seconds, taken, wrong = asked_by(people[:clients], port)
            seen = until_seen()
            number = sum(map(len, taken.values()))
            name = f"{clients} clients" if clients > 1 else "1 client"
            report.add(
                Figure(f"{name}: requests/s", size, number / seconds, number / seconds, number / seconds,
                       note=f"{number} in {seconds:.0f} s, {len(taken['writes'])} of them changes; "
                            f"figures followed {seen:.2f} s after the last")
            )  # fmt: skip
            for kind, values in taken.items():
                report.add(
                    Figure(f"{name}: {kind}, p95 s", size, percentile(values, 0.95), percentile(values, 0.5),
                           max(values), note=f"p50 {percentile(values, 0.5) * 1e3:.0f} ms")
                )  # fmt: skip
            errors = sum(wrong.values())
            report.add(
                Figure(f"{name}: errors", size, *[float(errors)] * 3, goal=0,
                       note="; ".join(f"{what} ×{times}" for what, times in wrong.most_common(3)))
            )  # fmt: skip
