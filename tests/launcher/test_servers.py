"""The embedded PostgreSQL and Valkey, started for real."""

import signal
import subprocess
import time
from collections.abc import Iterator

import psycopg
import pytest
import redis

from project.devstack.console import Refusal
from project.devstack.home import Home
from project.devstack.servers import Postgres, Valkey
from tests.launcher.conftest import lives, run_python


@pytest.fixture
def postgres(home: Home) -> Iterator[Postgres]:
    server = Postgres(home)
    server.start()
    yield server
    server.stop()


def test_the_database_speaks_utf8_and_its_role_is_no_superuser(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url) as connection:
        facts = connection.execute(
            "SELECT current_database(), current_setting('server_encoding'), rolsuper, rolcreatedb, lower('ÁÉÑ'),"
            " 'García' ILIKE 'GARCÍA' FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert facts == ("coveris", "UTF8", False, True, "áéñ", True)


def test_the_database_is_on_the_loopback_alone_and_asks_for_the_password(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url.replace(postgres.home.secrets["database"], "guessed"))
    assert "unix_socket_directories=" in postgres.argv()
    assert postgres.home.secrets["superuser"] not in " ".join(postgres.argv())


def test_the_data_is_there_after_a_stop_and_after_a_kill(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS value")
    for how in (signal.SIGINT, signal.SIGKILL):
        assert postgres.process is not None
        postgres.process.send_signal(how)
        postgres.process.wait(20)
        postgres.start()
        with psycopg.connect(postgres.url) as connection:
            assert connection.execute("SELECT value FROM kept").fetchone() == (1,)


def test_a_pid_file_whose_number_lives_again_as_another_program_is_no_obstacle(home: Home) -> None:
    server = Postgres(home)
    server.start()
    assert server.process is not None
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    recorded = server.data / "postmaster.pid"
    account = home.account
    identity = {} if account is None else {"user": account.uid, "group": account.gid}
    with subprocess.Popen(["sleep", "60"], **identity) as stranger:
        recorded.write_text(recorded.read_text().replace(str(server.process.pid), str(stranger.pid), 1))
        try:
            server.start()
            assert stranger.poll() is None, "the stranger was left alone"
        finally:
            server.stop()
            stranger.kill()


def test_a_postmaster_left_by_a_killed_launcher_is_ended_by_the_next(home: Home) -> None:
    code = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from project.devstack import children\n"
        "children._libc = None  # as where the kernel does not end children with their parent\n"
        "from project.devstack.home import Home\n"
        "from project.devstack.servers import Postgres\n"
        f"server = Postgres(Home(Path({str(home.path)!r})))\n"
        "server.start(); print(server.process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    with run_python(code) as launcher:
        assert launcher.stdout is not None
        left = int(launcher.stdout.readline())
    assert lives(left), "else this test proves nothing"
    server = Postgres(home)
    server.start()
    try:
        assert not lives(left)
    finally:
        server.stop()


def test_the_servers_end_with_a_launcher_that_is_killed(home: Home) -> None:
    code = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from project.devstack.home import Home\n"
        "from project.devstack.servers import Postgres, Valkey\n"
        f"home = Home(Path({str(home.path)!r}))\n"
        "for kind in (Postgres, Valkey):\n"
        "    server = kind(home); server.start(); print(server.process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    with run_python(code) as launcher:
        assert launcher.stdout is not None
        left = [int(launcher.stdout.readline()) for _ in range(2)]
    deadline = time.monotonic() + 15
    while left and time.monotonic() < deadline:
        left = [pid for pid in left if lives(pid)]
        time.sleep(0.05)
    assert left == []


def test_a_creation_that_was_interrupted_is_begun_again(home: Home) -> None:
    server = Postgres(home)
    draft = server.data.with_name("postgres.new")
    draft.mkdir()
    (draft / "half").write_text("")
    server.start()
    server.stop()
    assert not draft.exists()


def test_data_of_another_release_is_refused_with_what_to_do(home: Home) -> None:
    server = Postgres(home)
    server.data.mkdir(mode=0o700)
    (server.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(Refusal, match=r"written by PostgreSQL 9, .* ./run reset"):
        server.start()


def test_the_broker_asks_for_the_password_and_keeps_its_data(home: Home) -> None:
    server = Valkey(home)
    server.start()
    try:
        client = redis.Redis.from_url(server.url)
        client.set("kept", "1")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=server.port).ping()
        assert server.process is not None
        assert home.secrets["valkey"] not in " ".join(server.argv())
        server.stop()
        server.start()
        assert redis.Redis.from_url(server.url).get("kept") == b"1"
    finally:
        server.stop()


def test_a_port_that_someone_takes_between_look_and_start_is_changed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    from project.devstack import servers

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        ports = iter([taken])
        real = servers.free_port
        monkeypatch.setattr(servers, "free_port", lambda: next(ports, None) or real())
        server = Valkey(home)
        server.start()
        try:
            assert server.port != taken
        finally:
            server.stop()
