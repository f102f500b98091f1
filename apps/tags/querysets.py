"""Questions about tags."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q

from apps.fsm.querysets import OfVisibleEmployees
from apps.org.querysets import in_units_of, sees_the_house
from apps.users.enums import Role

from .enums import Level, TagType

if TYPE_CHECKING:
    from apps.users.models import User


class TagCatalogQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        return self.all() if user.is_active else self.none()

    def editable_by(self, user: User) -> Self:
        return self.all() if user.is_active and user.role == Role.ADMIN else self.none()

    def offered(self) -> Self:
        return self.filter(is_active=True)

    def contracts(self) -> Self:
        return self.filter(type=TagType.CONTRACT)


class EmployeeTagQuerySet(OfVisibleEmployees):
    def in_force_on(self, day: date) -> Self:
        return self.filter(Q(valid_until__isnull=True) | Q(valid_until__gte=day), valid_from__lte=day)

    def contracts(self) -> Self:
        return self.filter(tag__type=TagType.CONTRACT)


class PositionTagQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        return self.filter(in_units_of(user, "position__org_unit"))

    def editable_by(self, user: User) -> Self:
        return self.visible_to(user) if sees_the_house(user) else self.none()

    def required(self) -> Self:
        return self.filter(level=Level.REQUIRED)
