"""Homes of their own for the tests of the launcher: nothing here touches the servers this run uses itself."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from project.devstack.home import CHECKOUT, Home
from project.devstack.testing import INSTALLATION

OURS = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PYTHON_DOTENV_DISABLED", "ALLOWED_HOSTS")


def plain_environment(**more: str) -> dict[str, str]:
    """Return the environment of a person's shell: nothing of this test run, nothing of an installation."""
    kept = {name: value for name, value in os.environ.items() if name not in OURS and not name.startswith(INSTALLATION)}
    return kept | more


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A fresh home; as root its servers' data is outside of it, and goes too."""
    made = Home(tmp_path / "a home, señor").open()
    yield made
    if made.account is not None:
        shutil.rmtree(made.servers_path, ignore_errors=True)
        shutil.rmtree(made.servers_path.with_name(f"{made.servers_path.name}.old"), ignore_errors=True)


def lives(pid: int) -> bool:
    """Return whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def run_python(code: str, **more: str) -> subprocess.Popen[str]:
    """Start a piece of Python in the checkout; use it in a `with`."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        env=plain_environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
