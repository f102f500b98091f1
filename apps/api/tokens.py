"""Signing in and staying signed in: an access token for minutes, and a refresh token that is good once.

Both are signed and live in cookies no script reads. What a person may do is never in a token: roles and scopes are read
from the database on every request. An access token names its family, so that signing out ends it at once.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from .models import TokenFamily

if TYPE_CHECKING:
    from apps.users.models import User

FAMILY, PASSWORD = "fam", "pwd"


class NotSignedIn(Exception):
    """A token is not good: forged, too old, ended, or its person may not log in any more."""


@dataclass(frozen=True)
class Pair:
    """The two tokens of a moment, as they go into cookies."""

    access: str
    refresh: str


def sign_in(*, user: User) -> Pair:
    """Open a family of tokens for a person who proved who they are."""
    lasts: timedelta = api_settings.REFRESH_TOKEN_LIFETIME
    return _pair(TokenFamily.objects.create(user=user, expires_at=timezone.now() + lasts))


def refresh(*, token: str) -> Pair:
    """Give a new pair for the refresh token in force; one that was used before ends its whole family.

    Raise NotSignedIn. What it ends stays ended: call it outside of a transaction that an error takes back.
    """
    claims = _read(RefreshToken, token)
    reused = False
    with transaction.atomic():
        found = TokenFamily.objects.select_for_update(of=("self",)).select_related("user").filter(pk=claims[0]).first()
        family = _checked(found, claims)
        if str(family.current) == claims[2]:
            family.current, family.refreshed_at = uuid4(), timezone.now()
            family.save(update_fields=["current", "refreshed_at"])
        else:
            # Somebody has a copy. Nobody can tell which of the two is the person.
            reused = True
            _end(family, TokenFamily.Ended.REUSED)
    if reused:
        raise NotSignedIn
    return _pair(family)


def sign_out(*, family: UUID) -> None:
    """End a sign-in: none of its tokens is good from now on."""
    with transaction.atomic():
        found = TokenFamily.objects.select_for_update(of=("self",)).filter(pk=family, ended_at__isnull=True).first()
        if found is not None:
            _end(found, TokenFamily.Ended.SIGNED_OUT)


def sign_out_everywhere(*, user: User) -> int:
    """End every sign-in of a person whose password changed; return how many there were."""
    found = TokenFamily.objects.filter(user=user, ended_at__isnull=True)
    return found.update(ended_at=timezone.now(), ended=TokenFamily.Ended.PASSWORD)


def family_of(token: str, *, renewing: bool = False) -> TokenFamily:
    """Return the sign-in a token belongs to, with its person; raise NotSignedIn if it is not good.

    `renewing`: it is a refresh token, and need not be the last one.
    """
    claims = _read(RefreshToken if renewing else AccessToken, token)
    return _checked(TokenFamily.objects.select_related("user").filter(pk=claims[0]).first(), claims)


def forget_old(*, kept: timedelta = timedelta(days=30)) -> int:
    """Remove sign-ins that are over for so long. Safe to run twice."""
    return TokenFamily.objects.over(timezone.now() - kept).delete()[0]


def _end(family: TokenFamily, why: str) -> None:
    family.ended_at, family.ended = timezone.now(), why
    family.save(update_fields=["ended_at", "ended"])


def _pair(family: TokenFamily) -> Pair:
    access, renewing = AccessToken(), RefreshToken()
    for token in (access, renewing):
        token[FAMILY], token[PASSWORD] = str(family.pk), _fingerprint(family.user)
    renewing["jti"] = str(family.current)
    # However often it is refreshed, a sign-in ends when it was said to.
    renewing.payload["exp"] = int(family.expires_at.timestamp())
    return Pair(str(access), str(renewing))


def _read(kind: Any, token: str) -> tuple[UUID, str, str]:
    """Return (family, fingerprint of the password, id) of a token of this kind, its signature and time checked."""
    try:
        read = kind(token)
        return UUID(read[FAMILY]), str(read[PASSWORD]), str(read["jti"])
    except (TokenError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise NotSignedIn from error


def _checked(family: TokenFamily | None, claims: tuple[UUID, str, str]) -> TokenFamily:
    if family is None or family.ended_at is not None or family.expires_at <= timezone.now():
        raise NotSignedIn
    if not family.user.is_active or not hmac.compare_digest(_fingerprint(family.user), claims[1]):
        raise NotSignedIn
    return family


def _fingerprint(user: User) -> str:
    """Return what changes with a person's password and tells nothing of it."""
    return salted_hmac("coveris.api.tokens", user.password, algorithm="sha256").hexdigest()[:32]
