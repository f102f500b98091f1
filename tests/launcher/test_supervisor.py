"""What happens to the children of a stack."""

import io
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from project.devstack import children, supervisor
from project.devstack.console import Console, Refusal
from project.devstack.home import Home
from project.devstack.processes import Process
from project.devstack.supervisor import LogWatch, Program, Supervisor
from tests.launcher.conftest import lives, plain_environment, run_python


class Stack:
    """A supervisor of small programs, with what it said."""

    def __init__(self, home: Home) -> None:
        self.output = io.StringIO()
        self.supervisor = Supervisor(home, Console(self.output))

    def launch(self, code: str, name: str = "web", **more: str) -> Program:
        process = Process(name, ("python", "-c", code), stop_seconds=3)
        return self.supervisor.launch(process, plain_environment(**more))

    def until(self, happened: Callable[[], object], seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < deadline, self.said
            self.supervisor.tick()
            time.sleep(0.02)

    @property
    def said(self) -> str:
        return self.output.getvalue()


@pytest.fixture
def stack(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.setattr(supervisor, "RESTART_SECONDS", 0.2)
    monkeypatch.setattr(supervisor, "SETTLED_SECONDS", 0.5)
    made = Stack(home)
    yield made
    made.supervisor.stop()


SLEEP = "import time; time.sleep(60)"


def test_a_child_that_dies_is_started_again_and_it_is_said(stack: Stack) -> None:
    program = stack.launch(SLEEP)
    assert program.process is not None
    first = program.process.pid
    stack.until(lambda: stack.supervisor.children[0].settled)
    for _ in range(4):  # for ever, once it has lived
        dead = program.process
        os.kill(dead.pid, signal.SIGTERM)
        stack.until(lambda dead=dead: program.process is not dead)
    assert program.process.pid != first
    assert len(re.findall(r"web was ended by signal 15; starting it again", stack.said)) == 4


def test_a_child_that_cannot_start_stops_everything_with_the_end_of_its_log(stack: Stack) -> None:
    stack.launch("raise SystemExit('DJANGO_SECRET_KEY is missing')")
    with pytest.raises(Refusal, match=r"web ended with status 1 3 times while starting(.|\n)*SECRET_KEY is missing"):
        stack.until(lambda: False)


def test_a_child_that_is_killed_from_outside_while_starting_is_no_failure(stack: Stack) -> None:
    program = stack.launch(SLEEP)
    for _ in range(5):
        assert program.process is not None
        dead = program.process
        os.kill(dead.pid, signal.SIGKILL)
        stack.until(lambda dead=dead: program.process is not dead)


def test_what_a_killed_child_had_started_is_ended_with_it(stack: Stack, tmp_path: Path) -> None:
    note = tmp_path / "grandchild"
    program = stack.launch(
        f"import subprocess, pathlib, time; child = subprocess.Popen(['sleep', '60']);"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid)); time.sleep(60)"
    )
    stack.until(lambda: note.exists() and note.read_text())
    assert program.process is not None
    grandchild, dead = int(note.read_text()), program.process
    os.kill(dead.pid, signal.SIGKILL)
    stack.until(lambda: program.process is not dead)
    assert not lives(grandchild)


def test_a_child_that_ignores_the_request_to_end_is_ended_by_force(stack: Stack, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    program = stack.launch(
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    )
    stack.until(ready.exists)
    assert program.process is not None
    pid, begun = program.process.pid, time.monotonic()
    stack.supervisor.stop()
    assert not lives(pid)
    assert 2.5 < time.monotonic() - begun < 10


def test_errors_of_a_child_are_shown_without_their_frames(stack: Stack) -> None:
    stack.launch(
        "import logging, time\n"
        "logging.basicConfig(format='%(asctime)s %(levelname)s %(name)s %(message)s', level='INFO')\n"
        "logging.info('all is well')\n"
        "try:\n"
        "    1 / 0\n"
        "except ZeroDivisionError:\n"
        "    logging.exception('the drain failed')\n"
        "logging.info('all is well again')\n"
        "time.sleep(60)"
    )
    stack.until(lambda: "ZeroDivisionError" in stack.said)
    assert "ERROR root the drain failed" in stack.said
    assert "all is well" not in stack.said
    assert "Traceback" not in stack.said
    assert "1 / 0" not in stack.said


def test_a_flood_of_errors_is_cut_on_the_terminal_and_whole_in_the_log(stack: Stack) -> None:
    stack.launch("import time\nfor number in range(500): print('ERROR', number, flush=True)\ntime.sleep(60)")
    log = stack.supervisor.home.logs / "web.log"
    stack.until(lambda: log.exists() and "ERROR 499" in log.read_text())
    stack.until(lambda: "more in" in stack.said)
    assert stack.said.count("ERROR") <= supervisor.SHOWN_LINES


def test_a_log_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LOG_BYTES", 1_000)
    log = tmp_path / "web.log"
    log.touch()
    watch = LogWatch(log)
    with log.open("a") as file:
        for number in range(200):
            print(f"2026-12-09 10:00:00 INFO line {number}", file=file, flush=True)
            watch.errors()
        print("2026-12-09 10:00:00 ERROR the last one", file=file, flush=True)
    assert watch.errors() == ["2026-12-09 10:00:00 ERROR the last one"]
    assert log.stat().st_size < 2_000
    assert (tmp_path / "web.log.1").exists()


KILLED_LAUNCHER = """
import os, signal, time
from pathlib import Path
from project.devstack import children
{untied}
from project.devstack.console import Console
from project.devstack.home import Home
from project.devstack.processes import Process
from project.devstack.supervisor import Supervisor
supervisor = Supervisor(Home(Path({home!r})), Console())
code = "import signal, time; signal.signal(signal.SIGTERM, {on_term}); time.sleep(60)"
program = supervisor.launch(Process("web", ("python", "-c", code)), dict(os.environ))
time.sleep(0.5)
print(program.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_children_end_with_a_launcher_that_is_killed(home: Home) -> None:
    code = KILLED_LAUNCHER.format(home=str(home.path), untied="", on_term="signal.SIG_DFL")
    with run_python(code) as launcher:
        assert launcher.stdout is not None
        left = int(launcher.stdout.readline())
    deadline = time.monotonic() + 5
    while lives(left) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not lives(left)


@pytest.mark.parametrize("on_term", ["signal.SIG_DFL", "signal.SIG_IGN"])
def test_children_that_outlived_a_killed_launcher_are_ended_by_the_next_start(home: Home, on_term: str) -> None:
    code = KILLED_LAUNCHER.format(home=str(home.path), untied="children._libc = None", on_term=on_term)
    with run_python(code) as launcher:
        assert launcher.stdout is not None
        left = int(launcher.stdout.readline())
    assert lives(left), "else this test proves nothing"
    stranger = children.spawn(["sleep", "60"], log=home.logs / "x.log", env=plain_environment(), cwd=home.path)
    try:
        assert children.end_leftovers(home.path, seconds=1) == 1
        # Killed, it has no memory any more that names its home, and is a process for a moment longer.
        deadline = time.monotonic() + 10
        while lives(left) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not lives(left)
        assert stranger.poll() is None, "what belongs to nobody here was left alone"
    finally:
        children.end(stranger, signal.SIGKILL, 1)


def test_a_program_whose_cause_of_death_was_removed_is_started_again_at_once(stack: Stack) -> None:
    asked = []

    def removed(program: Program) -> bool:
        asked.append(program.name)
        return len(asked) <= 5

    stack.supervisor.on_end = removed
    stack.launch("import sys, time; time.sleep(0.1); sys.exit(3)")
    with pytest.raises(Refusal):  # after the five that were no failures, three that were
        stack.until(lambda: False)
    assert asked == ["web"] * 8


def test_what_a_program_said_in_an_earlier_life_does_not_count(stack: Stack, tmp_path: Path) -> None:
    quiet = tmp_path / "quiet"
    program = stack.launch(
        f"import pathlib, time; print('' if pathlib.Path({str(quiet)!r}).exists() else 'running on 1', flush=True);"
        "time.sleep(60)"
    )
    stack.until(lambda: program.has_said("running on 1"))
    quiet.touch()
    assert program.process is not None
    dead = program.process
    dead.kill()
    stack.until(lambda: program.process is not dead)
    stack.until(lambda: stack.supervisor.children[0].settled)
    assert not program.has_said("running on 1")
