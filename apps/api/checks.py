"""What must hold before the interface goes on the air."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.checks import Error, register
from rest_framework_simplejwt.settings import api_settings

LONGEST = timedelta(hours=1)


@register()
def tokens_are_short_and_ours(**options: Any) -> list[Error]:
    """Refuse to start where an access token would live too long, or be signed by something else."""
    errors = []
    if api_settings.ACCESS_TOKEN_LIFETIME > LONGEST:
        errors.append(Error("An access token may live for an hour at most.", id="api.E001"))
    if api_settings.ALGORITHM != "HS256":
        errors.append(Error("Our own tokens are signed by HS256 and nothing else.", id="api.E002"))
    return errors
