"""Who is asking, as Amazon Cognito says: by an access token of one user pool and client, in the Authorization header.

Everything that a token could talk its reader into is pinned: the algorithm, where keys come from, who issued it, whom
for, and that it is an access token. What a person may do is read from our own database, never from the token.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import jwt
from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.users.models import User

logger = logging.getLogger("coveris.api")

ALGORITHM = "RS256"
LONGEST_TOKEN = 8_192
LEEWAY_SECONDS = 30
FETCH_SECONDS = 2.0
BETWEEN_FETCHES = 60.0  # whoever sends unknown keys has us ask no more often
KEYS_LAST = 24 * 3_600.0  # after that they are asked for again; the old ones hold until there are new ones
MOST_BYTES = 65_536
# Headers by which a token would bring its own key, or ask for rules nobody here knows.
NOT_TAKEN = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"})


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Keys come from the address that is pinned, and from nowhere it points to."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def fetched(url: str) -> list[dict[str, Any]]:
    """Return the keys an address publishes; raise OSError or ValueError for anything else."""
    opener = urllib.request.build_opener(NoRedirects)
    with opener.open(url, timeout=FETCH_SECONDS) as answer:
        content = answer.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError("more than a set of keys")
    keys = json.loads(content)["keys"]
    if not isinstance(keys, list):
        raise ValueError("no set of keys")
    return keys


@dataclass
class KeyRing:
    """The keys of an address: asked for when they are old or one is unknown, kept while it does not answer."""

    url: str
    fetch: Callable[[str], list[dict[str, Any]]] = fetched
    clock: Callable[[], float] = time.monotonic
    keys: dict[str, Any] = field(default_factory=dict)
    _got: float = float("-inf")
    _tried: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def key(self, kid: str) -> Any:
        """Return the public key of an id, None for one that is not among them."""
        now = self.clock()
        if (kid not in self.keys or now - self._got > KEYS_LAST) and now - self._tried >= BETWEEN_FETCHES:
            with self._lock:
                if now - self._tried >= BETWEEN_FETCHES:
                    self._tried = now
                    self._renew(now)
        return self.keys.get(kid)

    def _renew(self, now: float) -> None:
        try:
            published = self.fetch(self.url)
            keys = {
                str(one["kid"]): jwt.PyJWK(one, algorithm=ALGORITHM).key
                for one in published
                if one.get("kty") == "RSA" and one.get("use", "sig") == "sig" and one.get("alg", ALGORITHM) == ALGORITHM
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
            logger.warning("the keys of %s could not be read, those known go on: %s", self.url, error)
            return
        if keys:
            self.keys, self._got = keys, now


_rings: dict[str, KeyRing] = {}


def ring_of(url: str) -> KeyRing:
    """Return the keys of an address, one ring a process."""
    return _rings.setdefault(url, KeyRing(url))


def claims_of(token: str, *, ring: KeyRing, issuer: str, client: str) -> dict[str, Any]:
    """Return the claims of an access token that is good; raise jwt.PyJWTError for any other."""
    if len(token) > LONGEST_TOKEN:
        raise jwt.InvalidTokenError("too long")
    header = jwt.get_unverified_header(token)
    kid = header.get("kid")
    if header.get("alg") != ALGORITHM or NOT_TAKEN & set(header) or not isinstance(kid, str):
        raise jwt.InvalidTokenError("not a header of ours")
    key = ring.key(kid)
    if key is None:
        raise jwt.InvalidTokenError("no key of ours")
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=[ALGORITHM], issuer=issuer, leeway=LEEWAY_SECONDS,
        options={"require": ["exp", "iat", "iss", "sub"], "verify_aud": False},
    )  # fmt: skip
    if claims.get("token_use") != "access" or claims.get("client_id") != client:
        raise jwt.InvalidTokenError("not an access token for us")
    return claims


class CognitoJWTAuthentication(BaseAuthentication):
    """Sign a request by the access token in its Authorization header: no cookie, and so no CSRF token either."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        word, _space, token = get_authorization_header(request).partition(b" ")
        if word.lower() != b"bearer":
            return None
        try:
            claims = claims_of(
                token.decode("ascii"),
                ring=ring_of(settings.COGNITO_JWKS_URL),
                issuer=settings.COGNITO_ISSUER,
                client=settings.COGNITO_CLIENT_ID,
            )
            user = User.objects.filter(sub=UUID(str(claims["sub"])), is_active=True).first()
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise self._failed() from error
        if user is None:
            raise self._failed()
        return user, claims

    def authenticate_header(self, request: Request) -> str:
        """Return what makes the answer a 401."""
        return "Bearer"

    def _failed(self) -> AuthenticationFailed:
        return AuthenticationFailed(_("You are not signed in, or no longer."), code="not_signed_in")
