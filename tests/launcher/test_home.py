"""The private folder of the local data."""

import os
import stat
from pathlib import Path

import pytest

from project.devstack import home as home_module
from project.devstack.console import Refusal
from project.devstack.home import Home, environment
from tests.launcher.conftest import run_python

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps the servers' data outside of the home")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_its_owner_can_look_into_a_home(home: Home) -> None:
    _ = home.secrets
    home.open_servers()
    assert {mode(path) for path in (home.path, home.logs, home.media, home.servers_path)} == {0o700}
    assert mode(home.path / "secrets.json") == 0o600


def test_the_passwords_are_made_once_and_differ_between_homes(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other").open()
    assert Home(home.path).secrets == home.secrets
    assert not set(home.secrets.values()) & set(other.secrets.values())


def test_a_home_that_cannot_be_written_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match="COVERIS_HOME"):
        Home(tmp_path / "file").open()


def test_a_folder_of_the_env_file_is_beside_that_file_and_one_of_the_shell_beside_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / ".env").write_text("COVERIS_HOME=data\nCOVERIS_PORT=9001\nREDIS_URL=\n")
    monkeypatch.setattr(home_module, "CHECKOUT", checkout)
    monkeypatch.chdir(tmp_path)
    for name in ("COVERIS_HOME", "COVERIS_PORT", "REDIS_URL", "PYTHON_DOTENV_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    values = environment()
    assert Home.from_environment(values).path == checkout / "data"
    assert values["COVERIS_PORT"] == "9001"
    assert "REDIS_URL" not in values, "an empty value counts as missing"
    monkeypatch.setenv("COVERIS_HOME", "mine")
    assert Home.from_environment(environment()).path == tmp_path / "mine"


def test_a_lock_goes_with_the_process_that_held_it(home: Home) -> None:
    code = (
        "import time; from pathlib import Path; from project.devstack.home import Home\n"
        f"lock = Home(Path({str(home.path)!r})).lock('stack'); print(lock.take(), flush=True); time.sleep(60)"
    )
    with run_python(code) as holder:
        try:
            assert holder.stdout is not None and holder.stdout.readline() == "True\n"
            assert not home.lock("stack").take()
        finally:
            holder.kill()
    assert home.lock("stack").take()


def test_what_a_dead_stack_wrote_is_not_believed(home: Home) -> None:
    home.write_state(kind="up", address="http://127.0.0.1:1/")
    assert home.read_state()["kind"] == "up"
    with run_python("pass") as dead:
        dead.wait()
    home.state_file.write_text(f'{{"pid": {dead.pid}, "kind": "up"}}')
    assert home.read_state() == {}


@as_root
def test_the_data_of_a_home_that_was_deleted_is_not_mixed_with_the_next_one(home: Home) -> None:
    (home.open_servers() / "postgres").mkdir()
    (home.path / "secrets.json").unlink()
    again = Home(home.path).open()
    assert not (again.open_servers() / "postgres").exists()
    aside = again.servers_path.with_name(f"{again.servers_path.name}.old")
    assert (aside / "postgres").exists()


@as_root
def test_a_servers_folder_that_someone_else_put_there_is_refused(home: Home) -> None:
    home.servers_path.mkdir()
    os.chown(home.servers_path, 12345, 12345)
    with pytest.raises(Refusal, match="belongs to someone else"):
        home.open_servers()
