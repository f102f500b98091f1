"""How often somebody may ask. Counted in the broker's store, so that all processes count together."""

from __future__ import annotations

import logging
from typing import Any

from django.core.cache import caches
from redis.exceptions import RedisError
from rest_framework.throttling import SimpleRateThrottle

logger = logging.getLogger("coveris.api")


class Counted(SimpleRateThrottle):
    """Requests of one person or address in a span of time. While the store is away nobody is kept out by it."""

    cache = caches["throttles"]

    def allow_request(self, request: Any, view: Any) -> bool:
        try:
            return bool(super().allow_request(request, view))
        except (OSError, RedisError) as error:
            logger.warning("requests are not counted: %s", error)
            return True

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return str(self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)})


class Anonymous(Counted):
    """Of an address, whoever is not signed in."""

    scope = "anon"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return None if request.user and request.user.is_authenticated else super().get_cache_key(request, view)


class SignedIn(Counted):
    """Of a person, from wherever they ask."""

    scope = "user"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        if not request.user or not request.user.is_authenticated:
            return None
        return str(self.cache_format % {"scope": self.scope, "ident": request.user.pk})


class Login(Counted):
    """Of an address; who is locked out by account is axes' business."""

    scope = "login"


class TokenRefresh(Counted):
    scope = "token_refresh"


class Logout(Counted):
    scope = "logout"
