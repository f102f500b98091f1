"""Questions about demand and coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models

from apps.org.querysets import in_units_of, scope_of, sees_the_house

if TYPE_CHECKING:
    from apps.users.models import User


class OfVisiblePositions(models.QuerySet[Any]):
    """Rows that hang on a position are visible with it."""

    def visible_to(self, user: User) -> Self:
        return self.filter(in_units_of(user, "position__org_unit"))

    def editable_by(self, user: User) -> Self:
        return self.visible_to(user)


class ClosedWeekQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        """Return weeks of what was in the user's unit then."""
        if not sees_the_house(user):
            return self.none()
        unit = scope_of(user)
        return self.all() if unit is None else self.filter(path__contains=[unit])

    def editable_by(self, user: User) -> Self:
        return self.none()
