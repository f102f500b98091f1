"""Keeps the servers and processes of one stack alive, shows their errors, and stops them in order."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from project.devstack.children import LOG_BYTES, MARK, kill_group, spawn, tail
from project.devstack.console import Console, Refusal
from project.devstack.home import CHECKOUT, Home
from project.devstack.processes import Process
from project.devstack.servers import Server

RESTART_SECONDS = 2.0
SETTLED_SECONDS = 10.0  # a child that lived this long once is restarted for ever
EARLY_DEATHS = 3
SHOWN_LINES = 40  # of errors on the terminal in 10 s; the logs have all
_ERROR = re.compile(r"\b(ERROR|CRITICAL)\b|^Traceback ")
_FRAME = re.compile(r"^(\s|Traceback |During handling of|The above exception)")
_RECORD = re.compile(r"^(\[?\d{4}-\d\d-\d\d[ T]|(DEBUG|INFO|WARNING):)")


class Program:
    """A process of the table, run as a child of the launcher."""

    stop_signal = signal.SIGTERM

    def __init__(self, process: Process, home: Home, env: dict[str, str], port: int) -> None:
        self.name = self.label = process.name
        self.stop_seconds = process.stop_seconds
        self.log = home.logs / f"{process.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.port = port
        self._spec = process
        self._written = 0
        self._env = env | process.environment

    def launch(self) -> None:
        self._written = self.log.stat().st_size if self.log.exists() else 0
        self.process = spawn(self._spec.local_argv(port=self.port), log=self.log, env=self._env, cwd=CHECKOUT)

    def has_said(self, words: str) -> bool:
        """Return whether the log has these words since the last launch."""
        try:
            with self.log.open("rb") as file:
                file.seek(self._written if self._written <= self.log.stat().st_size else 0)
                return words.encode() in file.read(1_000_000)
        except FileNotFoundError:
            return False


class LogWatch:
    """Finds the errors that were added to a log, and keeps the file from growing for ever."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = path.stat().st_size if path.exists() else 0
        self._inside = False

    def errors(self) -> list[str]:
        """Return the new lines that name an error; the frames of a traceback stay in the log."""
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return []
        if size < self._offset:
            self._offset = 0
        if size == self._offset:
            return []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            chunk = file.read(1_000_000)
        whole = chunk[: chunk.rfind(b"\n") + 1]
        self._offset += len(whole)
        found = []
        for line in whole.decode(errors="replace").splitlines():
            if _ERROR.search(line) or _RECORD.match(line):
                self._inside = bool(_ERROR.search(line))
            if self._inside and line.strip() and not _FRAME.match(line):
                found.append(line)
        if size > LOG_BYTES and self._offset >= size:
            shutil.copyfile(self.path, self.path.with_suffix(".log.1"))
            os.truncate(self.path, 0)  # its writers append, so they go on at the new end
            self._offset = 0
        return found


class Child:
    """A supervised server or process."""

    def __init__(self, runner: Server | Program) -> None:
        self.runner = runner
        self.watch = LogWatch(runner.log)
        self.started = time.monotonic()
        self.settled = isinstance(runner, Server)  # a server is handed over once it answers
        self.early_deaths = 0
        self.restart_at: float | None = None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        return self.runner.process


class Supervisor:
    """The children of one stack, in the order they were started."""

    def __init__(self, home: Home, console: Console) -> None:
        self.home = home
        self.console = console
        self.children: list[Child] = []
        # Asked about a program that ended by itself; True: its cause was removed, start it again at once.
        self.on_end: Callable[[Program], bool] = lambda program: False
        self._shown: list[float] = []
        self._hushed = 0.0

    def adopt(self, server: Server) -> None:
        """Take over a server that was started and answers."""
        self.children.append(Child(server))

    def launch(self, process: Process, env: dict[str, str], port: int = 0) -> Program:
        program = Program(process, self.home, env | {MARK: str(self.home.path)}, port)
        child = Child(program)
        program.launch()
        self.children.append(child)
        return program

    def tick(self) -> None:
        """Show new errors, notice deaths, restart what is due; Refusal when a child cannot live at all."""
        for child in self.children:
            self._show(child)
            now = time.monotonic()
            if child.restart_at is not None:
                if now >= child.restart_at:
                    child.restart_at, child.started = None, now
                    child.runner.launch()
            elif child.process is not None and child.process.poll() is not None:
                self._bury(child, now)
            elif now - child.started >= SETTLED_SECONDS:
                child.settled = True

    def _bury(self, child: Child, now: float) -> None:
        process, runner = child.process, child.runner
        assert process is not None  # noqa: S101
        kill_group(process)  # the pool of a killed worker must not work on beside the next one
        status = process.returncode
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        if status > 0 and isinstance(runner, Program) and self.on_end(runner):
            child.restart_at = now
            return
        if not child.settled and status not in {-signal.SIGKILL, -signal.SIGTERM}:
            child.early_deaths += 1
            if child.early_deaths >= EARLY_DEATHS:
                raise Refusal(
                    f"{runner.label} {how} {EARLY_DEATHS} times while starting; everything is stopped. "
                    f"The end of {runner.log}:\n{tail(runner.log)}"
                )
        self.console.step(f"{runner.label} {how}; starting it again in {RESTART_SECONDS:.0f} s (log: {runner.log})")
        child.restart_at = now + RESTART_SECONDS

    def _show(self, child: Child) -> None:
        errors = child.watch.errors()
        if not errors or isinstance(child.runner, Server):
            return
        now = time.monotonic()
        self._shown = [moment for moment in self._shown if now - moment < 10]
        room = max(0, SHOWN_LINES - len(self._shown))
        for line in errors[:room]:
            self._shown.append(now)
            self.console.say(f"  {child.runner.label:<14}| {line}")
        if len(errors) > room and now - self._hushed >= 10:
            self._hushed = now
            self.console.say(f"  {child.runner.label:<14}| ... more in {child.runner.log}")

    def stop_programs(self) -> None:
        """End the processes, all at once, and those that do not end by force."""
        self._stop([child for child in self.children if isinstance(child.runner, Program)])

    def stop(self) -> None:
        """End the processes, then the servers in the reverse of their start."""
        self.stop_programs()
        for child in reversed(self.children):
            self._stop([child])
        self.children.clear()

    def _stop(self, children: list[Child]) -> None:
        running = [(child.runner, child.process) for child in children if child.process is not None]
        for runner, process in running:
            if process.poll() is None:
                process.send_signal(runner.stop_signal)
        begun = time.monotonic()
        for runner, process in running:
            while process.poll() is None and time.monotonic() - begun < runner.stop_seconds:
                if time.monotonic() - begun > 2:
                    self.console.still(f"waiting for {runner.label} to end")
                time.sleep(0.05)
            kill_group(process)
            runner.process = None
        for child in children:
            child.restart_at = None
