"""Tokens of a user pool: forty that are no good sign nobody in, and keys outlive their server."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

from apps.api import cognito
from apps.api.cognito import CognitoJWTAuthentication, KeyRing
from apps.org.api import PositionViewSet

from .conftest import Person

CLIENT = "client-of-ours"
KEY, OTHER_KEY = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _number in range(2))


def published(key: Any, kid: str) -> dict[str, Any]:
    return json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": kid, "use": "sig", "alg": "RS256"}


class KeyServer:
    """Publishes keys as a user pool does; counts who asks; redirects or dies when told to."""

    def __init__(self) -> None:
        self.keys, self.asked, self.redirects = [published(KEY, "k1")], 0, False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                if outer.redirects and not self.path.startswith("/elsewhere"):
                    self.send_response(302)
                    self.send_header("Location", f"{outer.url}/elsewhere/jwks.json")
                    self.end_headers()
                    return
                body = json.dumps({"keys": outer.keys}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def pool(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyServer]:
    server = KeyServer()
    settings.COGNITO_ISSUER = "https://cognito-idp.test.amazonaws.com/pool"
    settings.COGNITO_JWKS_URL = f"{server.url}/.well-known/jwks.json"
    settings.COGNITO_CLIENT_ID = CLIENT
    monkeypatch.setattr(PositionViewSet, "authentication_classes", [CognitoJWTAuthentication])
    monkeypatch.setattr(cognito, "_rings", {})
    yield server
    server.stop()


def claims(user: Any, **others: Any) -> dict[str, Any]:
    now = int(time.time())
    told = {
        "sub": str(user.sub), "iss": "https://cognito-idp.test.amazonaws.com/pool", "client_id": CLIENT, "iat": now,
        "exp": now + 300, "token_use": "access", "scope": "openid", "username": str(user.sub),
    } | others  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


def token(said: dict[str, Any], key: Any = KEY, algorithm: str = "RS256", **header: Any) -> str:
    return jwt.encode(said, key, algorithm=algorithm, headers={"kid": "k1"} | header)


def status(signed: str, scheme: str = "Bearer") -> int:
    return int(Person().get("positions/", Authorization=f"{scheme} {signed}").status_code)


def test_a_token_of_the_pool_signs_in_without_a_cookie_and_without_csrf(pool: KeyServer, house: Any) -> None:
    assert status(token(claims(house.manager))) == 200
    body = {"code": "N1", "title": "Nuevo", "unit_code": "H1", "required_weekly_hours": "10"}
    signed = f"Bearer {token(claims(house.manager))}"
    assert Person().post("positions/", body, Authorization=signed).status_code == 201


def raw(header: dict[str, Any], body: dict[str, Any], signature: bytes = b"") -> str:
    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    return ".".join([part(json.dumps(header).encode()), part(json.dumps(body).encode()), part(signature)])


def _public_pem() -> bytes:
    return KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip


def _confused(said: dict[str, Any]) -> str:
    """Return a token signed by HMAC with the public key, which everybody has."""
    import hashlib
    import hmac

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    signed = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'k1'})}.{part(said)}"
    made = hmac.new(_public_pem(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


NOW = int(time.time())
FORGED: dict[str, Any] = {
    "signed by another key": lambda u: token(claims(u), OTHER_KEY),
    "signed by nobody": lambda u: raw({"alg": "none", "kid": "k1"}, claims(u)),
    "signed by None": lambda u: raw({"alg": "None", "kid": "k1"}, claims(u)),
    "signed by nOnE": lambda u: raw({"alg": "nOnE", "kid": "k1"}, claims(u)),
    "without an algorithm": lambda u: raw({"kid": "k1"}, claims(u)),
    "signed by HMAC with the public key": lambda u: _confused(claims(u)),
    "of RS384": lambda u: token(claims(u), algorithm="RS384"),
    "of RS512": lambda u: token(claims(u), algorithm="RS512"),
    "of PS256": lambda u: token(claims(u), algorithm="PS256"),
    "its key inside": lambda u: token(claims(u), OTHER_KEY, jwk=published(OTHER_KEY, "k1")),
    "its key inside, rightly signed": lambda u: token(claims(u), jwk=published(KEY, "k1")),
    "its keys elsewhere": lambda u: token(claims(u), OTHER_KEY, jku="http://127.0.0.1/keys"),
    "a certificate elsewhere": lambda u: token(claims(u), OTHER_KEY, x5u="http://127.0.0.1/cert"),
    "a certificate inside": lambda u: token(claims(u), OTHER_KEY, x5c=["MII"]),
    "what must be understood": lambda u: raw({"alg": "RS256", "kid": "k1", "crit": ["x"], "x": 1}, claims(u)),
    "an unknown key": lambda u: token(claims(u), kid="k2"),
    "a key id of another kind": lambda u: raw({"alg": "RS256", "kid": 1}, claims(u)),
    "a key id that is a path": lambda u: token(claims(u), kid="../../k1"),
    "no key id": lambda u: raw({"alg": "RS256"}, claims(u)),
    "over": lambda u: token(claims(u, exp=NOW - 3_600)),
    "over for longer than the leeway": lambda u: token(claims(u, exp=NOW - 90)),
    "to come": lambda u: token(claims(u, nbf=NOW + 3_600)),
    "issued tomorrow": lambda u: token(claims(u, iat=NOW + 86_400)),
    "without an end": lambda u: token(claims(u, exp=None)),
    "an end that is a text": lambda u: token(claims(u, exp="tomorrow")),
    "without a beginning": lambda u: token(claims(u, iat=None)),
    "of another pool": lambda u: token(claims(u, iss="https://cognito-idp.test.amazonaws.com/other")),
    "of a pool with more to its name": lambda u: token(claims(u, iss="https://cognito-idp.test.amazonaws.com/pool2")),
    "of no pool": lambda u: token(claims(u, iss=None)),
    "of a list of pools": lambda u: raw(
        {"alg": "RS256", "kid": "k1"}, claims(u, iss=["https://cognito-idp.test.amazonaws.com/pool"])
    ),
    "of another client": lambda u: token(claims(u, client_id="other")),
    "of no client": lambda u: token(claims(u, client_id=None)),
    "an audience instead of a client": lambda u: token(claims(u, client_id=None, aud=CLIENT)),
    "an id token": lambda u: token(claims(u, token_use="id", aud=CLIENT)),
    "a refresh token": lambda u: token(claims(u, token_use="refresh")),
    "of no use": lambda u: token(claims(u, token_use=None)),
    "of nobody": lambda u: token(claims(u, sub=None)),
    "of somebody unknown": lambda u: token(claims(u, sub=str(uuid4()))),
    "of what is no person": lambda u: token(claims(u, sub="admin")),
    "of somebody's primary key": lambda u: token(claims(u, sub=str(u.pk))),
    "huge": lambda u: token(claims(u, more="x" * 20_000)),
    "deep": lambda u: ".".join(["e" * 3_000] * 2 + ["e"]),
    "cut": lambda u: token(claims(u))[:-10],
    "with a part more": lambda u: token(claims(u)) + ".x",
    "no token": lambda u: "x",
    "empty": lambda u: "",
    "of another alphabet": lambda u: "é.é.é",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_token_that_is_no_good_signs_nobody_in(forge: Any, pool: KeyServer, house: Any) -> None:
    assert status(forge(house.manager)) == 401


def test_there_are_forty_of_them() -> None:
    assert len(FORGED) >= 40


def test_somebody_who_may_not_log_in_is_refused_with_the_next_request(pool: KeyServer, house: Any) -> None:
    signed = token(claims(house.manager))
    assert status(signed) == 200
    house.manager.is_active = False
    house.manager.save()
    assert status(signed) == 401


def test_a_flood_of_unknown_keys_asks_the_pool_once(pool: KeyServer, house: Any) -> None:
    assert status(token(claims(house.manager))) == 200
    asked = pool.asked
    for number in range(50):
        assert status(token(claims(house.manager), kid=f"flood{number}")) == 401
    assert pool.asked == asked == 1


def test_known_keys_go_on_while_the_pool_is_away_and_new_ones_come_with_it() -> None:
    clock, answers = [0.0], [[published(KEY, "k1")]]

    def fetch(url: str) -> list[dict[str, Any]]:
        if not answers:
            raise OSError("away")
        return answers[0]

    ring = KeyRing("https://pool", fetch=fetch, clock=lambda: clock[0])
    assert ring.key("k1") is not None
    answers.clear()
    clock[0] = 10 * cognito.KEYS_LAST
    assert ring.key("k1") is not None and ring.key("k2") is None
    answers.append([published(OTHER_KEY, "k2")])
    assert ring.key("k2") is None  # asked a moment ago
    clock[0] += cognito.BETWEEN_FETCHES
    assert ring.key("k2") is not None and ring.key("k1") is None


def test_keys_are_not_taken_from_where_their_address_points_to(pool: KeyServer, house: Any) -> None:
    pool.redirects = True
    assert status(token(claims(house.manager))) == 401
    pool.redirects = False
    cognito._rings.clear()
    assert status(token(claims(house.manager))) == 200  # the canary


def test_a_pool_that_does_not_answer_keeps_nobody_waiting_long(settings: Any) -> None:
    import socket

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        begun = time.monotonic()
        assert KeyRing(f"http://127.0.0.1:{deaf.getsockname()[1]}/").key("k1") is None
        assert time.monotonic() - begun < 3 * cognito.FETCH_SECONDS


ASKED_WITH_A_POOL = """
import django, json
django.setup()
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
paths = [f"/api/v1/auth/{name}/" for name in ("login", "logout", "token/refresh", "me")]
described = SchemaGenerator(api_version="1").get_schema(request=None, public=True)
print(json.dumps({
    "statuses": [Client().post(path, {}, content_type="application/json").status_code for path in paths],
    "described": [path in described["paths"] for path in paths],
    "signed": list(described["components"]["securitySchemes"]),
}))
"""


@pytest.mark.parametrize(
    ("pool", "statuses", "described", "signed"),
    [
        ("eu-west-1_pool", [404, 404, 404, 401], [False, False, False, True], ["bearer"]),
        ("", [400, 204, 401, 401], [True, True, True, True], ["cookie"]),  # the canary: without one they are there
    ],
)
def test_with_a_pool_nobody_is_given_cookies_that_would_sign_nothing(
    pool: str, statuses: list[int], described: list[bool], signed: list[str]
) -> None:
    names = ("COGNITO_USER_POOL_ID", "COGNITO_REGION", "COGNITO_CLIENT_ID")
    run = subprocess.run(
        [sys.executable, "-c", ASKED_WITH_A_POOL], capture_output=True, text=True, check=True, cwd=settings.BASE_DIR,
        env=os.environ | dict.fromkeys(names, pool),
    )  # fmt: skip
    assert json.loads(run.stdout.splitlines()[-1]) == {
        "statuses": statuses, "described": described, "signed": signed,
    }  # fmt: skip
