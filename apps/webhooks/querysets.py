"""Questions about endpoints and deliveries: they are the administrators' alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from apps.org.querysets import in_units_of, scope_of
from apps.users.enums import Role

from .enums import DeliveryState, Topic

if TYPE_CHECKING:
    from apps.users.models import User


class AdministratorsRows(models.QuerySet[Any]):
    """Rows of an endpoint. An administrator of a part of the organisation has those that tell of this part alone."""

    unit_path = ""

    def visible_to(self, user: User) -> Self:
        if not user.is_active or user.role != Role.ADMIN:
            return self.none()
        return self.all() if scope_of(user) is None else self.filter(in_units_of(user, self.unit_path))

    def editable_by(self, user: User) -> Self:
        return self.visible_to(user)


class EndpointQuerySet(AdministratorsRows):
    unit_path = "org_unit"

    def with_letters(self) -> Self:
        """Add how many deliveries wait and how many were given up, counted for all endpoints in one statement."""
        deliveries = self.model._meta.get_field("deliveries").related_model._base_manager
        own = deliveries.filter(endpoint=OuterRef("pk")).exclude(topic=Topic.TRIAL).order_by().values("endpoint")
        dead = own.filter(state=DeliveryState.DEAD).annotate(number=Count("pk")).values("number")
        waiting = own.filter(state=DeliveryState.WAITING).annotate(number=Count("pk")).values("number")
        return self.annotate(dead=Coalesce(Subquery(dead), 0), waiting=Coalesce(Subquery(waiting), 0))


class DeliveryQuerySet(AdministratorsRows):
    unit_path = "endpoint__org_unit"
