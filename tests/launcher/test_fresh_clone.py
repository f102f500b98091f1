"""A clone in an empty folder, brought up, used, stopped, killed and brought up again."""

import json
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from project.devstack.children import leftovers
from project.devstack.home import CHECKOUT, Home
from tests.launcher.conftest import plain_environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

READY = re.compile(r"^ready in \d+ s$", re.MULTILINE)
QUIET_SECONDS = 6.0  # the most a person may look at a silent terminal, with room for a busy machine


class Clone:
    """A checkout of its own with its own home, and the stack that runs in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        subprocess.run(["git", "clone", "--quiet", str(CHECKOUT), str(path)], check=True)
        self.home = Home(path / ".local")
        self.process: subprocess.Popen[str] | None = None
        self.output = path.parent / f"{path.name}.out"

    def up(self, *arguments: str, seconds: float = 300, **more: str) -> str:
        """Start the stack, wait until it says that it is ready, return what it said."""
        with self.output.open("w") as file:
            self.process = subprocess.Popen(
                ["./run", "up", *arguments], cwd=self.path, env=plain_environment(**more), stdout=file, stderr=file
            )
        deadline, spoke, size = time.monotonic() + seconds, time.monotonic(), 0
        self.longest_silence = 0.0
        while not READY.search(said := self.output.read_text()):
            assert self.process.poll() is None, said
            assert time.monotonic() < deadline, said
            if len(said) > size:
                size, spoke = len(said), time.monotonic()
            self.longest_silence = max(self.longest_silence, time.monotonic() - spoke)
            time.sleep(0.1)
        return said

    @property
    def address(self) -> str:
        return re.findall(r"^Coveris is at (\S+)$", self.output.read_text(), re.MULTILINE)[0]

    def stop(self, how: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(90)

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["./run", *arguments], cwd=self.path, env=plain_environment(**more), capture_output=True, text=True
        )

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()
        if self.home.account is not None:
            shutil.rmtree(self.home.servers_path, ignore_errors=True)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    made = Clone(tmp_path_factory.mktemp("fresh") / "coveris")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def ready(clone: Clone) -> str:
    """The clone's first start, kept up for the tests below; they run in the order of the file."""
    return clone.up()


def get(address: str) -> tuple[int, str]:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.status, answer.read().decode()


def test_a_fresh_clone_becomes_ready_and_is_never_silent_for_long(clone: Clone, ready: str) -> None:
    assert get(f"{clone.address}api/health/") == (200, '{"status": "ok", "database": "up", "unjudged_rules": 0}')
    assert get(f"{clone.address}admin/login/")[0] == 200
    assert clone.longest_silence < QUIET_SECONDS, ready


def test_the_demo_people_are_printed_a_line_each(ready: str) -> None:
    block = ready.split("Demo people (role, e-mail, password):\n")[1].split("\n\n")[0]
    lines = [line.split() for line in block.splitlines()]
    assert {line[0] for line in lines} >= {"ADMIN", "MANAGER", "SUPERVISOR", "VIEWER"}
    assert all("@" in line[1] and len(line) >= 3 for line in lines)


def test_a_second_start_in_the_same_folder_says_where_the_first_is(clone: Clone, ready: str) -> None:
    second = clone.run("up")
    assert second.returncode == 1
    assert clone.address in second.stderr


def test_a_command_uses_the_running_stack_and_prints_nothing_of_its_own(clone: Clone, ready: str) -> None:
    done = clone.run("manage", "coverage", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["units"], "the demo clinic is there"
    assert "starting one" not in done.stderr


def test_exit_codes_of_commands_pass_through(clone: Clone, ready: str) -> None:
    assert clone.run("manage", "coverage", "--week", "nonsense").returncode == 2
    assert clone.run("manage", "shell", "-c", "raise SystemExit(7)").returncode == 7


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    made = Clone(tmp_path_factory.mktemp("beside") / "coveris")
    yield made
    made.remove()


def test_a_clone_beside_it_takes_other_ports(clone: Clone, ready: str, beside: Clone) -> None:
    beside.up("--empty")
    assert beside.address != clone.address
    assert get(f"{beside.address}api/health/")[0] == 200
    done = beside.run("manage", "coverage", "--json")
    assert json.loads(done.stdout)["units"] == [], "an empty one has no clinic, and not its neighbour's"
    assert beside.stop(signal.SIGINT) == 0
    assert get(f"{clone.address}api/health/")[0] == 200


def test_a_stop_ends_every_process_and_a_second_start_keeps_the_data(clone: Clone, ready: str, beside: Clone) -> None:
    note = "from apps.org.models import OrgUnit; OrgUnit.objects.filter(parent=None).update(name='Kept')"
    assert clone.run("manage", "shell", "-c", note).returncode == 0
    assert clone.stop() == 0
    assert list(leftovers(clone.home.path)) == []
    assert clone.output.read_text().rstrip().endswith("stopped")
    # Both at the same moment: both find port 8000 free when they look.
    with ThreadPoolExecutor() as pool:
        for start in [pool.submit(clone.up), pool.submit(beside.up, "--empty")]:
            start.result()
    look = "from apps.org.models import OrgUnit; print(OrgUnit.objects.get(parent=None).name)"
    assert "Kept" in clone.run("manage", "shell", "-c", look).stdout
    assert clone.address != beside.address
    for one in (clone, beside):
        assert get(f"{one.address}api/health/")[0] == 200
        assert one.home.read_state()["address"] == one.address
    assert beside.stop() == 0


def test_after_a_kill_the_next_start_finds_a_way(clone: Clone, ready: str) -> None:
    assert clone.process is not None
    address = clone.address
    clone.process.kill()
    clone.process.wait()
    port = address.rsplit(":", 1)[1].strip("/")
    clone.up(COVERIS_PORT=port)  # the very port the killed one's web may still hold
    assert clone.address == address
    assert clone.stop() == 0


def test_a_command_without_a_stack_starts_one_and_stops_it(clone: Clone, ready: str) -> None:
    done = clone.run("manage", "shell", "-c", "from apps.org.models import OrgUnit; print(OrgUnit.objects.count())")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 0
    assert "starting one for this command" in done.stderr
    assert list(leftovers(clone.home.path)) == []
    assert not clone.home.state_file.exists()


def test_a_wrong_value_stops_the_start_with_a_sentence_that_names_it(clone: Clone, ready: str) -> None:
    wrong = clone.run("up", COVERIS_TIME_ZONE="Mars/Olympus")
    assert wrong.returncode == 1
    assert "COVERIS_TIME_ZONE names no time zone" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    missing = clone.run("up", DJANGO_SETTINGS_MODULE="project.settings.production")
    assert missing.returncode == 1
    assert "DJANGO_SECRET_KEY is missing" in missing.stderr


def test_a_reset_drops_the_data_only_when_told_to(clone: Clone, ready: str) -> None:
    asked = subprocess.run(
        ["./run", "reset"], cwd=clone.path, env=plain_environment(), capture_output=True, text=True, input="n\n"
    )
    assert asked.returncode == 1
    assert clone.home.servers_path.exists()
    assert clone.run("reset", "--yes").returncode == 0
    assert not clone.home.servers_path.exists()
    assert not (clone.home.path / "secrets.json").exists()
