"""Who is asking: the access token in a cookie that no script reads."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, CSRFCheck
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from .tokens import NotSignedIn, Pair, family_of

ACCESS, REFRESH = "coveris_access", "coveris_refresh"
ACCESS_PATH, REFRESH_PATH = "/api/", "/api/v1/auth/"


class CookieJWTAuthentication(BaseAuthentication):
    """Sign a request by its cookie. As any site can make a browser send cookies, the CSRF token is asked for too."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        token = request.COOKIES.get(ACCESS)
        if not token:
            return None
        try:
            family = family_of(token)
        except NotSignedIn as error:
            raise AuthenticationFailed(_("You are not signed in, or no longer."), code="not_signed_in") from error
        enforce_csrf(request)
        return family.user, family

    def authenticate_header(self, request: Request) -> str:
        """Return what makes the answer a 401."""
        return "Cookie"


def enforce_csrf(request: Request) -> None:
    """Refuse an unsafe request without the CSRF token of its cookie; DRF's views leave Django's own check out."""
    check = CSRFCheck(lambda _request: HttpResponse())
    check.process_request(request._request)
    if check.process_view(request._request, lambda *_: HttpResponse(), (), {}):
        raise PermissionDenied(_("The CSRF token is missing or wrong: send the cookie's in X-CSRFToken."), code="csrf")


def put_cookies(response: Any, pair: Pair) -> None:
    """Have the browser keep the tokens."""
    lasts: dict[str, Any] = settings.SIMPLE_JWT
    for name, value, path, seconds in (
        (ACCESS, pair.access, ACCESS_PATH, lasts["ACCESS_TOKEN_LIFETIME"]),
        (REFRESH, pair.refresh, REFRESH_PATH, lasts["REFRESH_TOKEN_LIFETIME"]),
    ):
        response.set_cookie(
            name, value, max_age=int(seconds.total_seconds()), path=path, httponly=True, samesite="Strict",
            secure=settings.SESSION_COOKIE_SECURE,
        )  # fmt: skip


def drop_cookies(response: Any) -> None:
    """Have the browser forget the tokens."""
    response.delete_cookie(ACCESS, path=ACCESS_PATH, samesite="Strict")
    response.delete_cookie(REFRESH, path=REFRESH_PATH, samesite="Strict")


def access_token_of(request: HttpRequest | Request) -> str:
    return request.COOKIES.get(ACCESS, "")


def refresh_token_of(request: HttpRequest | Request) -> str:
    return request.COOKIES.get(REFRESH, "")
