"""Secrets at rest: kept so that they can sign, and so that a copy of the database alone cannot."""

from __future__ import annotations

import base64
import secrets

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.encoding import force_bytes
from django.utils.translation import gettext as _

PREFIX = "whsec_"


class Unsealable(Exception):
    """A secret was sealed by a key this installation no longer has."""


def new_secret() -> str:
    """Return a secret nobody can guess: 256 random bits, with a prefix that tells what it is for."""
    return PREFIX + secrets.token_urlsafe(32)


def seal(secret: str) -> str:
    """Return a secret sealed by the key of this installation (DJANGO_SECRET_KEY)."""
    return _keys().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """Return the secret. Raise Unsealable if it was sealed by a key that is neither ours nor a former one of ours."""
    try:
        return _keys().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        sentence = _("The secret cannot be read: DJANGO_SECRET_KEY was changed. Make a new secret.")
        raise Unsealable(sentence) from error


def _keys() -> MultiFernet:
    return MultiFernet([_key(text) for text in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _key(text: str | bytes) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"coveris webhooks").derive(force_bytes(text))
    return Fernet(base64.urlsafe_b64encode(derived))
