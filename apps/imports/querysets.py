"""Questions about imports."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import models

from apps.users.enums import Role

from .enums import JobState

if TYPE_CHECKING:
    from apps.users.models import User


class ImportJobQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        """Return all imports for an ADMIN, one's own for anybody else."""
        if not user.is_active:
            return self.none()
        return self.all() if user.role == Role.ADMIN else self.filter(user_id=user.pk)

    def editable_by(self, user: User) -> Self:
        """Only who uploaded a file may confirm it."""
        return self.filter(user_id=user.pk) if user.is_active else self.none()

    def stale(self, before: datetime) -> Self:
        """Return uploads from before a moment that nobody decided about, or no worker came to look at."""
        return self.filter(state__in=[JobState.UPLOADED, JobState.READING, JobState.PREVIEWED], created_at__lt=before)


class ReadingHabitQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        """Return one's own: nobody else's sheets are read the same way."""
        return self.filter(user_id=user.pk) if user.is_active else self.none()

    def editable_by(self, user: User) -> Self:
        """Only whose habit it is may change or forget it."""
        return self.visible_to(user)
