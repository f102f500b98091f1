"""One post: to the address that was judged, within a few seconds, reading little of the answer.

The standard library's client, because of what it does not do: no proxies of the environment, no redirects, no
retries, no pool that would connect again by name.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from .targets import Address, Parts, TargetRefused, addresses_of, parts_of

SECONDS = 5.0
MOST_BYTES = 4_096  # of an answer; the rest is not read
GONE = 410


@dataclass(frozen=True)
class Answer:
    """What became of a post: a status, or why there is none. `text` is the beginning of what the receiver said."""

    status: int | None = None
    text: str = ""
    error: str = ""
    seconds: float = 0.0

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def post(url: str, headers: Mapping[str, str], body: bytes, *, seconds: float = SECONDS) -> Answer:
    """Post a body and return the answer; whatever goes wrong is an answer too, and nothing is raised.

    Connecting, sending and reading together take no longer than `seconds`; looking the name up is the resolver's.
    """
    begun = time.monotonic()
    try:
        parts = parts_of(url)
        addresses = addresses_of(parts)
    except TargetRefused as refusal:
        return Answer(error=str(refusal), seconds=time.monotonic() - begun)
    until = time.monotonic() + seconds
    try:
        status, text = _exchange(parts, addresses, headers, body, until)
    except TimeoutError:
        error = _("No answer within %(seconds)g seconds.") % {"seconds": seconds}
    except ssl.SSLError as trouble:
        error = _("The connection is not trusted: %(trouble)s.") % {"trouble": trouble.reason or trouble}
    except (OSError, http.client.HTTPException) as trouble:
        error = _("No answer: %(trouble)s.") % {"trouble": str(trouble) or type(trouble).__name__}
    else:
        return Answer(status=status, text=text, seconds=time.monotonic() - begun)
    return Answer(error=error, seconds=time.monotonic() - begun)


def _exchange(
    parts: Parts, addresses: list[Address], headers: Mapping[str, str], body: bytes, until: float
) -> tuple[int, str]:
    connection = _Connection(parts, addresses, until)
    try:
        connection.putrequest("POST", parts.path, skip_host=True, skip_accept_encoding=True)
        own = {"Host": parts.authority, "Content-Length": str(len(body)), "Connection": "close"}
        for name, value in {**own, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        text = response.read(MOST_BYTES).decode("utf-8", "replace").replace("\x00", "")
        return response.status, text
    finally:
        connection.hang_up()


class _Connection(http.client.HTTPConnection):
    """A connection to one of the addresses, every step of which ends at one moment."""

    def __init__(self, parts: Parts, addresses: list[Address], until: float):
        super().__init__(parts.host, parts.port)
        self.parts, self.addresses, self.until = parts, addresses, until
        self.plain: socket.socket | None = None

    def connect(self) -> None:
        trouble: OSError | None = None
        for address in self.addresses:
            try:
                plain = socket.create_connection((str(address), self.port), timeout=_left(self.until))
            except OSError as error:
                trouble = error
                continue
            self.plain = plain
            self.plain = self._trusted(plain)
            self.sock: Any = _Timed(self.plain, self.until)
            return
        raise trouble if trouble is not None else OSError(_("the host has no address"))

    def _trusted(self, plain: socket.socket) -> socket.socket:
        if self.parts.scheme != "https":
            return plain
        context = ssl.create_default_context()
        if settings.COVERIS_WEBHOOK_CA_FILE:
            context.load_verify_locations(settings.COVERIS_WEBHOOK_CA_FILE)
        plain.settimeout(_left(self.until))
        return context.wrap_socket(plain, server_hostname=self.parts.host)

    def hang_up(self) -> None:
        """Close for good: `close` is also called by the library while the answer is still being read."""
        self.close()
        if self.plain is not None:
            self.plain.close()


def _left(until: float) -> float:
    if (left := until - time.monotonic()) <= 0:
        raise TimeoutError
    return left


class _Timed:
    """A socket as http.client uses one. A timeout of the socket alone begins anew with every byte that drips in."""

    def __init__(self, plain: socket.socket, until: float):
        self._plain, self._until = plain, until

    def sendall(self, data: Any) -> None:
        self._plain.settimeout(_left(self._until))
        self._plain.sendall(data)

    def makefile(self, mode: str, *more: Any) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._plain, self._until))

    def close(self) -> None:
        """Do nothing: the connection hangs up when the answer is read."""


class _Reader(io.RawIOBase):
    def __init__(self, plain: socket.socket, until: float):
        self._plain, self._until = plain, until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._plain.settimeout(_left(self._until))
        return self._plain.recv_into(buffer)
