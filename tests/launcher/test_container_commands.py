"""The commands of docker-compose.yml, run as the containers run them, without containers."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from project.devstack.children import free_port, kill_group
from project.devstack.home import CHECKOUT, Home
from project.devstack.processes import STACK
from project.devstack.servers import Postgres, Valkey
from tests.launcher.test_deployment_files import compose

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Containers:
    """Starts a service's command with its environment, PATH as in the image, and a port of our own for the web's."""

    def __init__(self, postgres: Postgres, valkey: Valkey, folder: Path) -> None:
        self.folder = folder
        self.port = str(free_port())
        self.values = {
            "DJANGO_SECRET_KEY": "for-this-test-only-" + "x" * 50,
            "ALLOWED_HOSTS": "coveris.example",
            "DATABASE_URL": postgres.url,
            "REDIS_URL": valkey.url,
        }

    def environment(self, name: str) -> dict[str, str]:
        service = compose()["services"][name]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        own = {key: value for key, value in service["environment"].items() if key not in self.values}
        return own | self.values | {"PATH": path, "PYTHON_DOTENV_DISABLED": "1", "COVERIS_MEDIA": str(self.folder)}

    def argv(self, command: list[str]) -> list[str]:
        return [self.port if part == "8000" else part for part in command]

    def start(self, name: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                self.argv(compose()["services"][name]["command"]),
                cwd=CHECKOUT,
                env=self.environment(name),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def healthy(self, name: str) -> bool:
        test: list[str] = compose()["services"][name]["healthcheck"]["test"]
        asked = subprocess.run(
            self.argv(test[1:]), cwd=CHECKOUT, env=self.environment(name), capture_output=True, text=True
        )
        (self.folder / f"{name}.health").write_text(asked.stdout + asked.stderr)
        return asked.returncode == 0

    def log(self, name: str) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob(f"{name}.*")))


@pytest.fixture
def containers(home: Home, tmp_path: Path) -> Iterator[Containers]:
    postgres, valkey = Postgres(home), Valkey(home)
    try:
        postgres.start()
        valkey.start()
        yield Containers(postgres, valkey, tmp_path)
    finally:
        valkey.stop()
        postgres.stop()


def test_every_service_runs_under_production_settings_and_is_healthy(containers: Containers) -> None:
    assert not containers.healthy("web"), "a check that cannot fail proves nothing"
    assert containers.start("prepare").wait(120) == 0, containers.log("prepare")
    running: dict[str, Any] = {}
    try:
        for process in STACK:
            running[process.name] = containers.start(process.name)
        for process in STACK:
            deadline = time.monotonic() + 60
            while not containers.healthy(process.name):
                assert running[process.name].poll() is None, containers.log(process.name)
                assert time.monotonic() < deadline, containers.log(process.name)
                time.sleep(0.5)
        for process in STACK:
            running[process.name].terminate()
        for process in STACK:
            running[process.name].wait(40)
    finally:
        for process in running.values():
            kill_group(process)
