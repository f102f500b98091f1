"""Starting and ending child processes so that none outlives its stack."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from project.devstack.home import Account, run_as

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
LOG_BYTES = 20_000_000
MARK = "COVERIS_STACK"  # in the environment of every child: the home it belongs to


def tied(death_signal: int = signal.SIGTERM) -> Callable[[], None] | None:
    """Return the `preexec_fn` of a child that is to get `death_signal` when we are killed (Linux)."""
    if _libc is None:
        return None
    parent = os.getpid()

    def tie() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:  # we were killed before prctl
            os._exit(1)

    return tie


def spawn(
    argv: list[str],
    *,
    log: Path,
    env: dict[str, str],
    cwd: Path,
    account: Account | None = None,
    death_signal: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, with its output in `log`.

    Call it from the main thread: the kernel ends the child with the *thread* that started it.
    """
    if log.exists() and log.stat().st_size > LOG_BYTES // 4:
        log.replace(log.with_suffix(".log.1"))
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=env,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=tied(death_signal),
            **run_as(account),
        )
    finally:
        os.close(file)


def end(process: subprocess.Popen[bytes], how: int, seconds: float) -> None:
    """Send a signal, wait, and after `seconds` kill what is left of the process group."""
    if process.poll() is None:
        process.send_signal(how)
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a child and whatever it started; also right after its own death, for the children it left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """Return a port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, indented."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_000))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def leftovers(home: Path) -> Iterator[int]:
    """Yield the processes that a killed stack of this home left behind (Linux; the caller holds its lock)."""
    wanted = f"{MARK}={home}".encode()
    ourselves = {os.getpid(), os.getppid()}  # a launcher started by a command of this home carries its mark too
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int(entry.name) not in ourselves and wanted in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)
        except (OSError, ValueError):
            continue


def end_leftovers(home: Path, seconds: float = 10) -> int:
    """End what a killed stack of this home left behind; return how many processes that were."""
    found = list(leftovers(home))
    for how, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + patience
        for pid in list(leftovers(home)):
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                continue
        while next(leftovers(home), None) is not None and time.monotonic() < deadline:
            time.sleep(0.1)
    return len(found)
