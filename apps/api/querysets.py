"""Questions about sign-ins."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.db import models


class TokenFamilyQuerySet(models.QuerySet[Any]):
    def in_force(self, now: datetime) -> Self:
        return self.filter(ended_at__isnull=True, expires_at__gt=now)

    def over(self, since: datetime) -> Self:
        """Return those that ended, or ran out, before a moment."""
        return self.filter(models.Q(ended_at__lt=since) | models.Q(expires_at__lt=since))
