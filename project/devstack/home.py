"""The private folder of the local data (COVERIS_HOME), and who may touch it."""

import fcntl
import hashlib
import json
import os
import pwd
import secrets
import shutil
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from project.devstack.console import Refusal

CHECKOUT = Path(__file__).resolve().parents[2]


def environment() -> dict[str, str]:
    """Return the process environment over what `.env` says; empty values count as missing."""
    if os.environ.get("PYTHON_DOTENV_DISABLED", "").lower() in {"1", "true", "yes", "on"}:
        return {name: value for name, value in os.environ.items() if value.strip()}
    filed = dotenv_values(CHECKOUT / ".env")
    merged = {**filed, **os.environ}
    if filed.get("COVERIS_HOME") and not os.environ.get("COVERIS_HOME"):
        merged["COVERIS_HOME"] = str(CHECKOUT / str(filed["COVERIS_HOME"]))
    return {name: value for name, value in merged.items() if value and value.strip()}


@dataclass(frozen=True)
class Account:
    """The unprivileged user that runs the servers when the launcher is started by root."""

    uid: int
    gid: int


def run_as(account: Account | None) -> dict[str, Any]:
    """Return the arguments of `subprocess` that run a program as that account and none of our groups."""
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def server_account() -> Account | None:
    """Return `nobody` for root, whom PostgreSQL refuses to serve; None for everyone else."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return Account(65534, 65534)
    return Account(entry.pw_uid, entry.pw_gid)


class Lock:
    """A file lock that goes with the process that holds it, however it ends."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def take(self, *, shared: bool = False, wait: bool = False) -> bool:
        """Take the lock; False when another process holds it and `wait` is off."""
        how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
        try:
            fcntl.flock(self._file, how)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)


class Home:
    """One COVERIS_HOME: logs, secrets, uploads, and the servers' data (elsewhere when root runs them)."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.logs = self.path / "logs"
        self.media = self.path / "media"
        self.state_file = self.path / "stack.json"
        self.account = server_account()

    @classmethod
    def from_environment(cls, values: dict[str, str]) -> "Home":
        return cls(Path(values.get("COVERIS_HOME") or CHECKOUT / ".local"))

    def open(self) -> "Home":
        """Create the folders that are missing, readable by their owner alone."""
        try:
            for folder in (self.path, self.logs, self.media):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(self.path, os.W_OK | os.X_OK):
                raise PermissionError(13, "no permission to write")
        except OSError as error:
            raise Refusal(
                f"{self.path} cannot be used for the local data: {error.strerror or error}. "
                "Set COVERIS_HOME to a folder of your own."
            ) from error
        return self

    def lock(self, name: str) -> Lock:
        return Lock(self.path / "locks" / f"{name}.lock")

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Return the passwords of the embedded servers and the id of this home, made at random the first time."""
        path = self.path / "secrets.json"
        if path.exists():
            return json.loads(path.read_text())
        values = {name: secrets.token_hex(24) for name in ("id", "superuser", "database", "valkey")}
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(values, file)
        try:
            os.link(draft, path)  # the first of two launchers wins
        except FileExistsError:
            return json.loads(path.read_text())
        finally:
            draft.unlink()
        return values

    @property
    def servers_path(self) -> Path:
        """Return where the servers' data is: inside the home, or where `nobody` can reach it."""
        if self.account is None:
            return self.path / "servers"
        return Path("/var/tmp") / f"coveris-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]}"  # noqa: S108

    def open_servers(self) -> Path:
        """Create the folder of the servers' data, 0700 and owned by whoever runs them.

        A folder left by a home that has been deleted since is set aside, never mixed with this one.
        """
        folder, account = self.servers_path, self.account
        if account is None:
            folder.mkdir(mode=0o700, exist_ok=True)
            return folder
        with self._servers_lock():
            if folder.is_symlink() or (folder.exists() and folder.lstat().st_uid not in {account.uid, 0}):
                raise Refusal(f"{folder} belongs to someone else: look at it, remove it, and start again.")
            mark = folder / "home-id"
            if folder.exists() and (not mark.exists() or mark.read_text() != self.secrets["id"]):
                aside = folder.with_name(f"{folder.name}.old")
                shutil.rmtree(aside, ignore_errors=True)
                folder.rename(aside)
            if not folder.exists():
                folder.mkdir(mode=0o700)
                mark.write_text(self.secrets["id"])
                mark.chmod(0o600)
                os.chown(folder, account.uid, account.gid)
        return folder

    def _servers_lock(self) -> "_Held":
        return _Held(self.lock("servers"))

    def give(self, path: Path) -> None:
        """Hand a file or folder to the account that runs the servers."""
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)

    # What a running stack tells other commands of the same home.
    def write_state(self, **facts: Any) -> None:
        draft = self.state_file.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"pid": os.getpid(), "written": time.time(), **facts}, file, indent=1)
        draft.replace(self.state_file)

    def read_state(self) -> dict[str, Any]:
        """Return what the stack wrote, or nothing when its process is gone."""
        try:
            state: dict[str, Any] = json.loads(self.state_file.read_text())
            os.kill(state["pid"], 0)
        except (FileNotFoundError, json.JSONDecodeError, ProcessLookupError):
            return {}
        return state

    def clear_state(self) -> None:
        self.state_file.unlink(missing_ok=True)


class _Held:
    def __init__(self, lock: Lock) -> None:
        self.lock = lock

    def __enter__(self) -> None:
        self.lock.take(wait=True)

    def __exit__(self, *exc: object) -> None:
        self.lock.release()
