"""Questions about assignments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db import models
from django.db.models import OuterRef, Q

from apps.common.clock import today
from apps.common.walking import OneByOne
from apps.org.querysets import holds_many, in_units_of, is_walked_for, scope_of, sees_the_house

from .assignment_fsm import LIVE, AssignmentStatus

if TYPE_CHECKING:
    from apps.users.models import User


class AssignmentQuerySet(models.QuerySet[Any]):
    def locked(self, pks: Iterable[int]) -> Self:
        """Return these assignments locked for a change, their employees first (docs/locking.md)."""
        pks = list(pks)
        employee = apps.get_model("org", "Employee")
        owners = list(self.model._base_manager.filter(pk__in=pks).values_list("employee_id", flat=True).distinct())
        employee.objects.lock(owners)
        return (
            self.select_for_update(of=("self",), no_key=True)
            .filter(pk__in=pks)
            .select_related("employee", "position")
            .order_by("pk")
        )

    def visible_to(self, user: User) -> Self:
        """Return assignments with either end in the user's scope; one's own for an EMPLOYEE."""
        if not sees_the_house(user):
            return self.filter(employee__user_id=user.pk) if user.is_active else self.none()
        unit = scope_of(user)
        if unit is None:
            return self.all()
        ends = (Q(position__org_unit__path__contains=[unit]), Q(employee__home_unit__path__contains=[unit]))
        if holds_many(unit):
            return self.filter(ends[0] | ends[1])
        here, of_people = (self.model._base_manager.filter(end).order_by().values("pk") for end in ends)
        return self.filter(pk__in=here.union(of_people))

    def editable_by(self, user: User) -> Self:
        """Return assignments whose position is in scope."""
        return self.filter(in_units_of(user, "position__org_unit"))

    def live(self, on: date | None = None) -> Self:
        """Return proposed and active ones that are not past their end."""
        day = on or today()
        return self.filter(Q(ends_on__isnull=True) | Q(ends_on__gte=day), status__in=LIVE)

    def proposed(self) -> Self:
        return self.filter(status=AssignmentStatus.PROPOSED)

    def active(self) -> Self:
        return self.filter(status=AssignmentStatus.ACTIVE)

    def counted(self) -> Self:
        """Return those that were accepted and never voided: in force on their days."""
        return self.filter(accepted_at__isnull=False, voided=False)

    def expired_by(self, day: date) -> Self:
        return self.proposed().filter(expires_on__lt=day)

    def ended_before(self, day: date) -> Self:
        return self.active().filter(ends_on__lt=day)


class OfVisibleAssignments(models.QuerySet[Any]):
    """Rows that hang on an assignment are visible with it; of one an undo took away, to who sees all of them."""

    def visible_to(self, user: User) -> Self:
        visible = apps.get_model("assignments", "Assignment").objects.visible_to(user).order_by()
        if sees_the_house(user) and is_walked_for(user):
            return self.filter(OneByOne(visible.filter(pk=OuterRef("subject"))))
        return self.filter(subject__in=visible) if visible.query.has_filters() else self.all()

    def editable_by(self, user: User) -> Self:
        return self.none()
