"""Pages of other origins: those that are named, exactly, and at the interface alone."""

from __future__ import annotations

from typing import Any

import pytest

OURS = "https://people.example.org"


def asked(client: Any, origin: str, path: str = "/api/v1/positions/") -> Any:
    return client.options(
        path, headers={"Origin": origin, "Access-Control-Request-Method": "PATCH",
                       "Access-Control-Request-Headers": "x-csrftoken, if-match, idempotency-key"},
    )  # fmt: skip


def test_a_named_origin_may_ask_with_the_cookies_of_a_person(client: Any, settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [OURS]
    answer = asked(client, OURS)
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    allowed = answer.headers["Access-Control-Allow-Headers"]
    assert all(name in allowed for name in ("x-csrftoken", "if-match", "idempotency-key"))


@pytest.mark.parametrize(
    "origin", ["https://people.example.org.evil.net", "http://people.example.org", "https://evil.net", "null"]
)
def test_no_other_origin_may(client: Any, settings: Any, origin: str) -> None:
    settings.CORS_ALLOWED_ORIGINS = [OURS]
    assert "Access-Control-Allow-Origin" not in asked(client, origin).headers


def test_nothing_but_the_interface_is_open_to_it(client: Any, settings: Any, db: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = [OURS]
    assert "Access-Control-Allow-Origin" not in asked(client, OURS, "/admin/login/").headers
