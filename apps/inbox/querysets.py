"""Questions about what people decided and asked to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db import models
from django.db.models import OuterRef, Q

from apps.common.walking import OneByOne
from apps.org.querysets import is_walked_for, scope_of, sees_the_house
from apps.users.enums import Role

from .enums import SubjectKind

if TYPE_CHECKING:
    from apps.users.models import User

SUBJECTS = {
    SubjectKind.EMPLOYEE: "org.Employee",
    SubjectKind.POSITION: "org.Position",
    SubjectKind.UNIT: "org.OrgUnit",
    SubjectKind.ASSIGNMENT: "assignments.Assignment",
}


class AttentionQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        """Return rows whose subject the user may see; those about the installation are the ADMIN's."""
        if not sees_the_house(user):
            return self.none()
        if scope_of(user) is None:
            return self if user.role == Role.ADMIN else self.filter(subject_kind__in=SUBJECTS)
        seen, walked = Q(pk__in=[]), is_walked_for(user)
        for kind, label in SUBJECTS.items():
            rows = apps.get_model(label).objects.visible_to(user).order_by()
            if walked:
                seen |= Q(subject_kind=kind) & Q(OneByOne(rows.filter(pk=OuterRef("subject_id"))))
            else:
                seen |= Q(subject_kind=kind, subject_id__in=rows.values("pk"))
        return self.filter(seen)

    def editable_by(self, user: User) -> Self:
        return self.visible_to(user)


class SubscriptionQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        """Return one's own."""
        return self.filter(user_id=user.pk)

    def editable_by(self, user: User) -> Self:
        return self.visible_to(user)
