"""`./run test` and `./run bench`: pytest and the benchmarks on servers of their own."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from project.devstack.children import tied
from project.devstack.console import Console, Refusal, Stopped, uninterrupted
from project.devstack.home import CHECKOUT, Home, Lock
from project.devstack.servers import Postgres, Valkey

# What a developer's shell or .env says about an installation must not reach the tests.
INSTALLATION = ("COVERIS_", "COGNITO_", "SUPERUSER_", "POSTGRES_", "SENTRY_", "OTEL_", "CORS_", "SECURE_", "LOGIN_")


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return ""


def _take_slot(home: Home, kind: str) -> tuple[str, Lock]:
    """Return a folder name no other run uses now, so that several people can test at once."""
    for number in range(1, 100):
        name = f"{kind}-{number}"
        lock = home.lock(name)
        if lock.take():
            return name, lock
    raise Refusal(f"99 runs of ./run {kind} are under way in {home.path}.")


@contextmanager
def private_servers(home: Home, kind: str, *, hasty: bool) -> Iterator[dict[str, str]]:
    """Yield the environment of servers that serve this run alone and end with it; their files are used again."""
    slot, _lock = _take_slot(home, kind)
    folder = home.open_servers() / slot
    mark = home.logs / slot / "boot"
    if hasty and folder.exists() and (not mark.exists() or mark.read_text() != _boot()):
        shutil.rmtree(folder)  # the machine went down with unwritten data in it
    # What is measured at a million rows is measured with as much memory as an installation of that size has.
    postgres = Postgres(home, folder=slot, hasty=hasty, roomy=kind == "bench")
    valkey = Valkey(home, folder=slot, hasty=hasty)
    mark.write_text(_boot())
    try:
        try:
            postgres.start()
        except Refusal:
            if not hasty:
                raise
            postgres.stop()
            shutil.rmtree(postgres.data, ignore_errors=True)
            postgres.start()
        valkey.start()
        yield {**postgres.environment, "REDIS_URL": valkey.url}
    finally:
        with uninterrupted():
            valkey.stop()
            postgres.stop()


def hermetic(values: dict[str, str]) -> dict[str, str]:
    """Return an environment without anything that configures an installation."""
    kept = {name: value for name, value in values.items() if not name.startswith(INSTALLATION)}
    for name in ("DATABASE_URL", "REDIS_URL", "ALLOWED_HOSTS", "DJANGO_SECRET_KEY", "EMAIL_URL", "EMAIL_FROM", "LOCAL"):
        kept.pop(name, None)
    return kept | {"PYTHON_DOTENV_DISABLED": "1", "DJANGO_SETTINGS_MODULE": "project.settings.test"}


def in_foreground(argv: list[str], *, env: dict[str, str], cwd: Path | None = None) -> int:
    """Run a program on our terminal and return its status; Ctrl-C is its to answer, SIGTERM reaches it through us."""
    process = subprocess.Popen(argv, env=env, cwd=cwd, preexec_fn=tied())
    # A Python handler, not SIG_IGN: an ignored signal would stay ignored in the child.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return _status(process.wait())
    except Stopped:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def _status(returncode: int) -> int:
    return returncode if returncode >= 0 else 128 - returncode


# The whole suite on all cores, each worker with a database of its own; a run of some tests is pytest's plain one.
WHOLE = ["-n", "auto", "--maxprocesses", "8", "--dist", "worksteal"]


def test(home: Home, arguments: list[str], values: dict[str, str]) -> int:
    """Run pytest on servers of this run alone: everything without arguments, else what they say."""
    console = Console(sys.stderr)
    arguments = arguments or WHOLE
    with _servers(home, "test", values, console, hasty=True) as urls:
        return in_foreground(
            [sys.executable, "-m", "pytest", *arguments],
            env=hermetic(os.environ | {}) | urls,
            cwd=CHECKOUT,
        )


def bench(home: Home, arguments: list[str], values: dict[str, str]) -> int:
    """Run the benchmarks on servers as durable as those of an installation, so that the figures are fair."""
    if not (CHECKOUT / "tests" / "bench" / "__main__.py").exists():
        raise Refusal("There are no benchmarks in this checkout: tests/bench/__main__.py is missing.")
    console = Console(sys.stderr)
    with _servers(home, "bench", values, console, hasty=False) as urls:
        return in_foreground(
            [sys.executable, "-m", "tests.bench", *arguments], env=hermetic(os.environ | {}) | urls, cwd=CHECKOUT
        )


@contextmanager
def _servers(
    home: Home, kind: str, values: dict[str, str], console: Console, *, hasty: bool
) -> Iterator[dict[str, str]]:
    media = home.path / "scratch" / str(os.getpid())
    extra = {"COVERIS_MEDIA": str(media), "PATH": f"{Path(sys.executable).parent}:{values.get('PATH', '')}"}
    try:
        if "DATABASE_URL" in values and "REDIS_URL" in values:
            yield extra | {name: values[name] for name in ("DATABASE_URL", "REDIS_URL")}
            return
        with private_servers(home, kind, hasty=hasty) as urls:
            console.step("PostgreSQL and Valkey of this run are up")
            yield extra | urls
    finally:
        shutil.rmtree(media, ignore_errors=True)
