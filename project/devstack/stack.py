"""One stack of one home: its servers (embedded or named by the environment), its database prepared, its processes."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from project.devstack.children import MARK, end_leftovers, tail, tied
from project.devstack.console import Console, Refusal, uninterrupted
from project.devstack.home import CHECKOUT, Home
from project.devstack.servers import Postgres, Valkey
from project.devstack.supervisor import Supervisor

SHARED = ("DATABASE_URL", "REDIS_URL", "POSTGRES_", "PGSSLMODE", "DJANGO_SETTINGS_MODULE", "COVERIS_")


class Stack:
    """What `./run up` and `./run manage` bring up; use it under the home's “stack” lock, and stop it in the end."""

    def __init__(self, home: Home, values: dict[str, str], console: Console) -> None:
        self.home = home
        self.console = console
        self.supervisor = Supervisor(home, console)
        self.env = child_environment(home, values)

    def clear(self) -> None:
        """End what a killed run of this home left behind, if anything."""
        if end_leftovers(self.home.path):
            self.console.step("ended processes that an earlier run of this folder had left behind")

    def start_servers(self) -> None:
        """Start the servers that the environment does not name."""
        if "DATABASE_URL" in self.env or "POSTGRES_HOST" in self.env:
            self.console.step("PostgreSQL: the one named by the environment")
        else:
            postgres = Postgres(self.home)
            fresh = not postgres.data.exists()
            postgres.start(lambda: self.console.still("waiting for PostgreSQL"))
            self.supervisor.adopt(postgres)
            self.env |= postgres.environment
            where = f"new data in {postgres.data}" if fresh else f"data in {postgres.data}"
            self.console.step(f"PostgreSQL {postgres.release} on port {postgres.port}, {where}")
        if "REDIS_URL" in self.env:
            self.console.step("Redis: the one named by the environment")
        else:
            valkey = Valkey(self.home)
            valkey.start(lambda: self.console.still("waiting for Valkey"))
            self.supervisor.adopt(valkey)
            self.env["REDIS_URL"] = valkey.url
            self.console.step(f"Valkey on port {valkey.port}")

    def prepare(self, *options: str) -> str:
        """Bring the database into step with the code (`manage.py prepare`); return its standard output."""
        log = self.home.logs / "prepare.log"
        argv = [sys.executable, str(CHECKOUT / "manage.py"), "prepare", *options]
        with log.open("wb") as file:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self.env | {"COVERIS_PROCESS": "coveris-prepare", MARK: str(self.home.path)},
                cwd=CHECKOUT,
                start_new_session=True,
                preexec_fn=tied(),
            )
            try:
                return self._follow(process, file, log)
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()

    def _follow(self, process: subprocess.Popen[bytes], file: object, log: Path) -> str:
        assert process.stdout is not None and process.stderr is not None  # noqa: S101
        streams = {process.stdout.fileno(): b"", process.stderr.fileno(): b""}
        out, err = streams
        output = b""
        waiting = set(streams)
        while waiting:
            readable, _, _ = select.select(list(waiting), [], [], 0.5)
            if not readable:
                self.console.still("preparing the database")
            for stream in readable:
                chunk = os.read(stream, 65_536)
                if not chunk:
                    waiting.discard(stream)
                    continue
                if stream == out:
                    output += chunk
                    continue
                file.write(chunk)  # type: ignore[attr-defined]
                *lines, streams[err] = (streams[err] + chunk).split(b"\n")
                for line in lines:
                    if line.startswith(b"prepare: "):
                        self.console.step(line.removeprefix(b"prepare: ").decode(errors="replace"))
        file.flush()  # type: ignore[attr-defined]
        if process.wait():
            raise Refusal(_why(log))
        return output.decode(errors="replace")

    def wait_for_figures(self, seconds: float = 60) -> None:
        """Wait until the workers have worked off every change mark, or say that they have not."""
        deadline = time.monotonic() + seconds
        with psycopg.connect(_address(self.env), sslmode=self.env.get("PGSSLMODE"), autocommit=True) as connection:
            if connection.execute("SELECT to_regclass('changes_mark')").fetchone() == (None,):
                return
            while (left := connection.execute("SELECT count(*) FROM changes_mark").fetchone()) != (0,):
                self.supervisor.tick()
                if time.monotonic() > deadline:
                    self.console.step(
                        f"{left[0] if left else 'some'} changes have not reached the figures after {seconds:.0f} s; "
                        f"the next start goes on with them (log: {self.home.logs / 'worker.log'})"
                    )
                    return
                self.console.still("waiting for the figures to be computed")
                time.sleep(0.1)

    @property
    def shared_env(self) -> dict[str, str]:
        """Return what another command of this home must know to work with this stack."""
        return {name: value for name, value in self.env.items() if name.startswith(SHARED)}

    def stop(self) -> None:
        with uninterrupted():
            self.supervisor.stop()


def _address(env: dict[str, str]) -> str:
    """Return the database's address as libpq reads it."""
    if url := env.get("DATABASE_URL"):
        return url
    names = {"host": "HOST", "port": "PORT", "dbname": "DB", "user": "USER", "password": "PASSWORD"}
    parts = {word: env[f"POSTGRES_{name}"] for word, name in names.items() if f"POSTGRES_{name}" in env}
    return make_conninfo(**({"dbname": "coveris", "user": "coveris"} | parts))


def _why(log: Path) -> str:
    """Return the sentence a failed preparation ended with, or the end of its log when it is no sentence for people."""
    last = next((line for line in reversed(log.read_text(errors="replace").splitlines()) if line.strip()), "")
    for kind in ("CommandError: ", "django.core.exceptions.ImproperlyConfigured: "):
        if last.startswith(kind):
            return f"{last.removeprefix(kind)} (all of it: {log})"
    return f"The database could not be prepared. The end of {log}:\n{tail(log, 25)}"


def child_environment(home: Home, values: dict[str, str]) -> dict[str, str]:
    """Return the environment of everything that belongs to a home, without its servers' addresses."""
    return {
        "DJANGO_SETTINGS_MODULE": "project.settings.local",
        "COVERIS_MEDIA": str(home.media),
        **values,
        "COVERIS_HOME": str(home.path),
        "PYTHONUNBUFFERED": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{values.get('PATH', os.defpath)}",
    }
