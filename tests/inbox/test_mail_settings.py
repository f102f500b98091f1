"""Where mails go is said in the environment; a wrong value stops the start and gives no password away."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from project.settings.environment import address, mail


@pytest.mark.parametrize(
    ("value", "host", "port", "user", "secure"),
    [
        ("console:", "localhost", 25, "", (False, False)),
        ("smtp://mail.example.org", "mail.example.org", 25, "", (False, False)),
        (
            "smtp+tls://me%40example.org:p%3Aw@mail.example.org",
            "mail.example.org",
            587,
            "me@example.org",
            (False, True),
        ),
        ("smtps://me:secret@mail.example.org:2465", "mail.example.org", 2465, "me", (True, False)),
    ],
)
def test_an_address_says_where_mails_go(value: str, host: str, port: int, user: str, secure: tuple[bool, bool]) -> None:
    read = mail("EMAIL_URL", value)
    assert (read["host"], read["port"], read["user"], (read["ssl"], read["tls"])) == (host, port, user, secure)
    assert read["backend"].rpartition(".")[0].endswith("console" if value == "console:" else "smtp")


def test_what_is_escaped_in_a_password_is_read() -> None:
    assert mail("EMAIL_URL", "smtp://me:p%3Aw%40@mail.example.org")["password"] == "p:w@"


@pytest.mark.parametrize("value", ["mail.example.org", "http://x:secret@y", "smtp://", "smtp://h:secret", "smtp://[x"])
def test_a_wrong_one_stops_the_start_without_telling_the_password(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL") as refused:
        mail("EMAIL_URL", value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("value", ["coveris.example.org", "ftp://x", "https://", "https://x/?a=1"])
def test_a_wrong_address_of_the_site_stops_the_start(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERIS_SITE_URL", value)
    with pytest.raises(ImproperlyConfigured, match="COVERIS_SITE_URL"):
        address("COVERIS_SITE_URL", "")


def test_the_address_of_the_site_ends_without_a_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERIS_SITE_URL", "https://coveris.example.org/")
    assert address("COVERIS_SITE_URL", "") == "https://coveris.example.org"
