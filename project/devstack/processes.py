"""The processes of Coveris and their commands, said once.

The launcher runs them; `docker-compose.yml`, `apprunner.yaml` and the `Dockerfile` repeat them, and a test compares.
"""

import sys
from dataclasses import dataclass

# No statement of a page may wait for ever; a worker stays below its task's time limit.
PATIENT = "-c statement_timeout=240s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"
PROMPT = "-c statement_timeout=15s -c lock_timeout=3s -c idle_in_transaction_session_timeout=30s"


@dataclass(frozen=True)
class Process:
    """One long-running process: its name, its command with `{host}` and `{port}` open, its database limits."""

    name: str
    command: tuple[str, ...]
    database_options: str = PATIENT
    stop_seconds: float = 25.0

    def argv(self, *, host: str = "127.0.0.1", port: int = 8000) -> list[str]:
        """Return the command as a container runs it, with `.venv/bin` on PATH."""
        return [part.format(host=host, port=port) for part in self.command]

    def local_argv(self, *, host: str = "127.0.0.1", port: int = 8000) -> list[str]:
        """Return the same command for this interpreter, whatever PATH says."""
        program, *arguments = self.argv(host=host, port=port)
        return [sys.executable, *([] if program == "python" else ["-m", program]), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """Return what this process alone is told: its name in `pg_stat_activity`, its limits there."""
        return {"COVERIS_PROCESS": f"coveris-{self.name}", "PGOPTIONS": self.database_options}


def _worker(name: str, queues: str, *more: str) -> tuple[str, ...]:
    quiet = ("--without-gossip", "--without-mingle")
    return ("celery", "-A", "worker", "worker", "-n", f"{name}@%h", "-Q", queues, *more, *quiet, "-l", "INFO")


WEB = Process(
    "web",
    (
        *("uvicorn", "project.asgi:application", "--host", "{host}", "--port", "{port}", "--lifespan", "off"),
        # Addresses carry what people search for; who did what is in the audit log.
        *("--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "10"),
    ),
    PROMPT,
    stop_seconds=15.0,
)
RELAY = Process("relay", ("python", "-m", "worker.relay"))
WORKER = Process("worker", _worker("worker", "default,recompute,webhooks"))
IMPORT_WORKER = Process("import-worker", _worker("import", "import", "-c", "2"))
BEAT = Process("beat", ("celery", "-A", "worker", "beat", "-l", "INFO"))
PREPARE = ("python", "manage.py", "prepare")

STACK = (WEB, RELAY, WORKER, IMPORT_WORKER, BEAT)
# What a single command needs beside it: figures drain, and imports are worked off by the same worker.
ONE_WORKER = Process("worker", _worker("worker", "default,recompute,webhooks,import"))
FOR_A_COMMAND = (RELAY, ONE_WORKER)
