"""Where a post may go: public addresses, and the private networks this installation names. Nowhere else.

A name is looked up once, every address it has is judged, and the connection is made to one of those very addresses:
a name that answers otherwise the next time changes nothing.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

PORTS = {"https": 443, "http": 80}
Address = IPv4Address | IPv6Address
# Public by their number, and not by where they lead: NAT64, 6to4, Teredo and ISATAP-like forms carry another address
# inside, and Azure's host answers each machine at a public one.
LEADS_INSIDE = tuple(
    ip_network(text)
    for text in (
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
        "::/96",
        "fec0::/10",
        "192.88.99.0/24",
        "168.63.129.16/32",
    )
)
MAPPED = IPv6Network("::ffff:0:0/96")


class TargetRefused(Exception):
    """Nothing is posted there; the sentence says why, and what would help."""


@dataclass(frozen=True)
class Parts:
    """An address taken apart: `host` as it is looked up and as the certificate names it, `path` with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Return what the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def parts_of(url: str) -> Parts:
    """Return the parts of an address. Raise TargetRefused for one that is no https://host/…, without looking it up."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
        host = parts.hostname or ""
        host = host.encode("ascii" if ":" in host else "idna").decode()
    except ValueError as error:
        raise TargetRefused(_("This is no address: write it like https://receiver.example.org/coveris.")) from error
    allowed = ("https", "http") if settings.COVERIS_WEBHOOK_HTTP else ("https",)
    if parts.scheme not in allowed:
        raise TargetRefused(_("The address must begin with https://, so that nobody on the way reads what is told."))
    if not host or port == 0:
        raise TargetRefused(_("This is no address: write it like https://receiver.example.org/coveris."))
    if parts.username is not None or parts.password is not None:
        raise TargetRefused(_("An address with a name or password in it is not taken: the signature says who we are."))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any(character <= " " or character > "~" for character in path):
        raise TargetRefused(_("This is no address: write blanks and accents in its path percent-encoded."))
    return Parts(parts.scheme, host, port or PORTS[parts.scheme], path)


def addresses_of(parts: Parts) -> list[Address]:
    """Look a host up and return its addresses. Raise TargetRefused if it has none, or one that is not allowed."""
    try:
        found = socket.getaddrinfo(parts.host, parts.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        raise TargetRefused(_("No host is called “%(host)s”: look at the address.") % {"host": parts.host}) from error
    addresses = list(dict.fromkeys(ip_address(str(info[4][0])) for info in found))
    for address in addresses:
        if not is_allowed(address):
            raise TargetRefused(
                _(
                    "“%(host)s” is at %(address)s, which is not a public address. Only addresses of the networks in "
                    "COVERIS_WEBHOOK_NETWORKS may be private."
                )
                % {"host": parts.host, "address": address}
            )
    return addresses


def is_allowed(address: Address) -> bool:
    """Say whether a post may go to an address."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        if address in MAPPED:
            address = IPv4Address(int(address) & 0xFFFFFFFF)
    if address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255":
        return False
    if any(address in network for network in settings.COVERIS_WEBHOOK_NETWORKS):
        return True
    if any(address in network for network in LEADS_INSIDE):
        return False
    return address.is_global and not address.is_reserved
