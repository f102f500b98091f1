"""A socket whose other end is closed is found out, and reported once."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from redis.exceptions import ConnectionError as BrokerLost

from worker.celery import app
from worker.hearing import OWN_FILES, Hearing, half_closed_to

pytestmark = pytest.mark.skipif(not OWN_FILES.is_dir(), reason="this system does not show a process its own files")


@pytest.fixture
def pair() -> Iterator[tuple[int, socket.socket, socket.socket]]:
    """A connection to a server of our own: its port, our end, the server's end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as ours:
            theirs, _address = server.accept()
            with theirs:
                yield port, ours, theirs


def look(hearing: Hearing, port: int) -> None:
    hearing.look(f"redis://:secret@127.0.0.1:{port}/0")


def test_a_living_connection_is_left_alone(pair: tuple[int, socket.socket, socket.socket]) -> None:
    hearing = Hearing(app)
    for _number in range(3):
        look(hearing, pair[0])


def test_what_is_still_to_be_read_is_no_end(pair: tuple[int, socket.socket, socket.socket]) -> None:
    port, _ours, theirs = pair
    theirs.sendall(b"+PONG")
    theirs.close()
    assert list(half_closed_to(port)) == []


def test_a_half_closed_one_is_reported_at_the_second_look_and_once(
    pair: tuple[int, socket.socket, socket.socket],
) -> None:
    port, _ours, theirs = pair
    theirs.close()
    hearing = Hearing(app)
    look(hearing, port)
    with pytest.raises(BrokerLost):
        look(hearing, port)
    look(hearing, port)


def test_the_worker_takes_the_step() -> None:
    assert Hearing in app.steps["consumer"]
