"""Which port the web takes."""

import socket
from collections.abc import Iterator

import pytest

from project.devstack import up
from project.devstack.children import free_port, port_is_free
from project.devstack.console import Refusal


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_the_next_free_port_is_taken_when_nobody_asked_for_one(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "PORT", taken)
    port, asked = up.choose_port({})
    assert port > taken
    assert not asked
    assert port_is_free(port)


def test_a_port_somebody_asked_for_is_taken_or_refused(taken: int) -> None:
    free = free_port()
    assert up.choose_port({"COVERIS_PORT": str(free)}) == (free, True)
    with pytest.raises(Refusal, match=f"Port {taken} .* is taken"):
        up.choose_port({"COVERIS_PORT": str(taken)})


@pytest.mark.parametrize("wish", ["http", "0", "65536", "-1", "80 80", "٨٠"])
def test_what_is_no_port_is_named_as_such(wish: str) -> None:
    with pytest.raises(Refusal, match="COVERIS_PORT") as refusal:
        up.choose_port({"COVERIS_PORT": wish})
    assert refusal.value.code == 2
