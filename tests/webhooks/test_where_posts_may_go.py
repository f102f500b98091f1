"""Nothing is posted into the network Coveris stands in, whatever name, number or name server leads there."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from apps.common.errors import Refusal
from apps.webhooks.enums import Topic
from apps.webhooks.models import WebhookEndpoint
from apps.webhooks.posting import post
from apps.webhooks.services import save_endpoint
from apps.webhooks.targets import TargetRefused, addresses_of, is_allowed, parts_of

from .conftest import Make
from .receivers import Receiver, receiver

REFUSED = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.255"),
    *("240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::1"),
    *("2001:0:7f00:1::", "2001:db8::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254"),
    *("ff02::1", "100::1"),
]
ALLOWED = ["93.184.216.34", "1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001:800::200e", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("text", REFUSED)
def test_an_address_inside_is_refused(text: str) -> None:
    assert not is_allowed(ip_address(text))


@pytest.mark.parametrize("text", ALLOWED)
def test_canary_a_public_address_is_allowed(text: str) -> None:
    assert is_allowed(ip_address(text))


def test_a_network_that_is_named_is_allowed_and_nothing_beside_it(settings: Any) -> None:
    settings.COVERIS_WEBHOOK_NETWORKS = [ip_network("10.20.0.0/16"), ip_network("0.0.0.0/8"), ip_network("fd12::/16")]
    assert is_allowed(ip_address("10.20.3.4"))
    assert is_allowed(ip_address("::ffff:10.20.3.4"))
    assert is_allowed(ip_address("fd12::5"))
    for text in ("10.21.3.4", "127.0.0.1", "0.0.0.0", "::", "fd13::5"):
        assert not is_allowed(ip_address(text)), text


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost.", "LOCALHOST", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]"),
        *("[::ffff:7f00:1]", "0", "①②⑦.0.0.1", "127。0。0。1"),
    ],
)
def test_every_way_to_write_the_loopback_is_refused(host: str) -> None:
    with pytest.raises(TargetRefused):
        addresses_of(parts_of(f"https://{host}/"))


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://receiver.example.org/",
            "ftp://receiver.example.org/",
            "file:///etc/passwd",
            "gopher://x.example.org/",
        ),
        *("https://", "https:///x", "", "receiver.example.org", "//receiver.example.org", "javascript:alert(1)"),
        *("https://user:secret@receiver.example.org/", "https://user@receiver.example.org/"),
        *("https://receiver.example.org:0/", "https://receiver.example.org:99999/", "https://receiver.example.org:x/"),
        *("https://receiver.example.org/a b", "https://[::1", "https://receiver.example.org/\r\nX: y", "https://..:1/"),
    ],
)
def test_what_is_no_address_of_a_receiver_is_refused(url: str) -> None:
    with pytest.raises(TargetRefused):
        parts_of(url)


def test_an_address_is_taken_apart() -> None:
    parts = parts_of("https://Receiver.example.org:8443/hooks/1?of=coveris")
    assert (parts.host, parts.port, parts.path) == ("receiver.example.org", 8443, "/hooks/1?of=coveris")
    assert parts.authority == "receiver.example.org:8443"
    assert parts_of("https://[2606:4700::1]/").authority == "[2606:4700::1]"
    assert parts_of("https://clínica.example.org").host == "xn--clnica-4va.example.org"


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["https://localhost/", "https://169.254.169.254/latest/meta-data", "http://1.1.1.1/"])
def test_a_forbidden_address_is_not_saved(url: str) -> None:
    endpoint = WebhookEndpoint(name="x", url=url, topics=[Topic.EMPLOYEE_STATUS])
    with pytest.raises(Refusal) as refusal:
        save_endpoint(endpoint=endpoint, actor=None)
    assert [reason.field for reason in refusal.value.reasons] == ["url"]
    assert not WebhookEndpoint.objects.exists()


def answers(monkeypatch: pytest.MonkeyPatch, *in_turn: list[str]) -> list[str]:
    """Have the name server answer so, one list after the other, the last one for good; return what was asked."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *more: Any, **named: Any) -> Any:
        if not str(host).endswith(".example.org"):
            return real(host, port, *more, **named)
        asked.append(host)
        addresses = in_turn[min(len(asked), len(in_turn)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def test_a_name_with_one_address_inside_is_refused_altogether(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, ["93.184.216.34", "10.0.0.5"])
    with pytest.raises(TargetRefused, match=r"10\.0\.0\.5"):
        addresses_of(parts_of("https://receiver.example.org/"))


@pytest.fixture
def inside() -> Iterator[Receiver]:
    """Something inside that must not be reached."""
    with receiver() as running:
        yield running


def test_a_name_that_moves_inside_after_it_was_saved_is_refused_when_it_is_posted_to(
    inside: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COVERIS_WEBHOOK_HTTP = True
    asked = answers(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    url = f"http://receiver.example.org:{inside.port}/"
    addresses_of(parts_of(url))
    answer = post(url, {}, b"{}")
    assert "127.0.0.1" in answer.error
    assert (inside.heard, len(asked)) == ([], 2)


def test_a_name_is_looked_up_once_and_the_address_that_was_judged_is_used(
    settings: Any, monkeypatch: pytest.MonkeyPatch, inside: Receiver
) -> None:
    """The classic rebinding: public when judged, inside a moment later. Here 127.0.0.9 is the allowed one."""
    settings.COVERIS_WEBHOOK_HTTP = True
    settings.COVERIS_WEBHOOK_NETWORKS = [ip_network("127.0.0.9/32")]
    asked = answers(monkeypatch, ["127.0.0.9"], ["127.0.0.1"])
    answer = post(f"http://receiver.example.org:{inside.port}/", {}, b"{}", seconds=1.0)
    assert answer.error  # nobody listens at 127.0.0.9
    assert (inside.heard, len(asked)) == ([], 1)


def test_canary_a_client_that_connects_by_name_is_led_inside(inside: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    import http.client

    answers(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    [judged] = socket.getaddrinfo("receiver.example.org", inside.port)
    assert is_allowed(ip_address(judged[4][0]))
    connection = http.client.HTTPConnection("receiver.example.org", inside.port, timeout=2)
    connection.request("POST", "/", b"{}")
    assert connection.getresponse().status == 204
    connection.close()
    assert len(inside.heard) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate that signs itself, for receiver.example.org."""
    folder: Path = tmp_path_factory.mktemp("certificate")
    files = str(folder / "certificate.pem"), str(folder / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=receiver.example.org", "-addext", "subjectAltName=DNS:receiver.example.org",
         "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    return files


def test_tls_is_checked_for_the_name_though_the_connection_goes_to_the_number(
    certificate: tuple[str, str], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COVERIS_WEBHOOK_NETWORKS = [ip_network("127.0.0.0/8")]
    answers(monkeypatch, ["127.0.0.1"])
    with receiver(certificate=certificate) as trusted:
        url = f"https://receiver.example.org:{trusted.port}/"
        unknown = post(url, {}, b"{}")
        assert unknown.error
        settings.COVERIS_WEBHOOK_CA_FILE = certificate[0]
        assert post(url, {}, b"{}").status == 204
        assert trusted.heard[0].headers["Host"] == f"receiver.example.org:{trusted.port}"
        other = post(f"https://other.example.org:{trusted.port}/", {}, b"{}")
        assert other.error
    assert len(trusted.heard) == 1


@pytest.mark.django_db
def test_by_default_neither_private_networks_nor_http_are_allowed(settings: Any, endpoint_at: Make) -> None:
    from django.test import override_settings

    from project.settings import base

    assert base.COVERIS_WEBHOOK_NETWORKS == []
    assert base.COVERIS_WEBHOOK_HTTP is False
    endpoint, _secret = endpoint_at("http://localhost:9/")
    with (
        override_settings(COVERIS_WEBHOOK_NETWORKS=[], COVERIS_WEBHOOK_HTTP=False),
        pytest.raises(Refusal),
    ):
        save_endpoint(endpoint=endpoint, actor=None)
