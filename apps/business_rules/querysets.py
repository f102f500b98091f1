"""Questions about rules, violations and waivers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import OuterRef, Q
from django.db.models.expressions import RawSQL

from apps.common.walking import OneByOne
from apps.org.querysets import holds_many, in_units_of, scope_of, sees_the_house
from apps.users.enums import Role

from .enums import UNRESOLVED, ViolationState

if TYPE_CHECKING:
    from apps.users.models import User

    from .subjects import Kind


class CatalogueQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        return self.all() if sees_the_house(user) else self.none()

    def editable_by(self, user: User) -> Self:
        return self.all() if user.is_active and user.role == Role.ADMIN else self.none()

    def in_effect_on(self, day: date) -> Self:
        return self.filter(
            Q(effective_from__isnull=True) | Q(effective_from__lte=day),
            Q(effective_until__isnull=True) | Q(effective_until__gte=day),
            enabled=True,
        )


class CatalogueRows(models.QuerySet[Any]):
    """Rows about the making of rules are for who makes them."""

    def visible_to(self, user: User) -> Self:
        return self.all() if user.is_active and user.role == Role.ADMIN else self.none()

    def editable_by(self, user: User) -> Self:
        return self.visible_to(user)


class OfVisibleUnits(models.QuerySet[Any]):
    """Rows that hang on a unit are visible with it."""

    def visible_to(self, user: User) -> Self:
        return self.filter(in_units_of(user, "org_unit"))

    def editable_by(self, user: User) -> Self:
        return self.visible_to(user) if user.role == Role.ADMIN else self.none()


class OfSubjects(models.QuerySet[Any]):
    """Rows about a subject (kind and id) are visible with the subject."""

    def visible_to(self, user: User) -> Self:
        if not sees_the_house(user):
            return self.none()
        scope = scope_of(user)
        if scope is None:
            return self.all()
        if holds_many(scope):
            return self.filter(self._of_each_subject(user) | self._of_visible_units(user))
        return self.filter(Q(pk__in=self._of_subjects(user)) | self._of_visible_units(user))

    def _of_each_subject(self, user: User) -> Q:
        """Return the condition that a row's subject is visible, asked of each row by itself."""
        from .subjects import kinds

        seen = Q(pk__in=[])
        for kind in kinds():
            seen |= self._of_each(kind, user)
        return seen

    def _of_each(self, kind: Kind, user: User) -> Q:
        mine = kind.model.objects.visible_to(user).order_by().filter(pk=OuterRef("subject_id"))
        # The kind first: what stands after it is asked of rows of that kind alone.
        return Q(subject_kind=kind.name) & Q(OneByOne(mine))

    def _of_subjects(self, user: User) -> RawSQL:
        """Return the ids of the rows about visible subjects, found from these."""
        from .subjects import kinds

        parts, params = [], []
        for kind in kinds():
            sql, values = kind.model.objects.visible_to(user).order_by().values("pk").query.sql_with_params()
            parts.append(f"SELECT '{kind.name}', seen.id FROM ({sql}) AS seen (id)")
            params += values
        table = self.model._meta.db_table
        return RawSQL(  # noqa: S611
            f"SELECT mine.id FROM {table} mine JOIN ({' UNION ALL '.join(parts)}) AS seen (kind, id)"
            " ON mine.subject_kind = seen.kind AND mine.subject_id = seen.id",
            params,
        )

    def _of_visible_units(self, user: User) -> Q:
        """Return the condition for rows about a unit as a whole; most are about one subject."""
        return Q(pk__in=[])

    def editable_by(self, user: User) -> Self:
        return self.visible_to(user)

    def under(self, unit_id: int) -> Self:
        """Return rows whose subject hangs on the unit or one below it."""
        from .subjects import kinds

        below = Q(pk__in=[])
        for kind in kinds():
            below |= Q(subject_kind=kind.name, subject_id__in=RawSQL(kind.ids_under, [unit_id]))  # noqa: S611
        return self.filter(below)


class ViolationQuerySet(OfSubjects):
    def walked(self, kind: Kind, user: User) -> Self:
        """Return the visible ones about one kind of subject, each row looked at by itself: to be read up to a limit."""
        return self.filter(self._of_each(kind, user)) if sees_the_house(user) else self.none()

    def unresolved(self) -> Self:
        return self.filter(state__in=UNRESOLVED)

    def open(self) -> Self:
        return self.filter(state__in=[ViolationState.OPEN, ViolationState.ACKNOWLEDGED])


class WaiverQuerySet(OfSubjects):
    def _of_visible_units(self, user: User) -> Q:
        return Q(org_unit__isnull=False) & in_units_of(user, "org_unit")

    def in_force_on(self, day: date) -> Self:
        return self.filter(expires_on__gte=day)

    def about(self, rule: Any, kind: str, pk: int, units: Sequence[int]) -> Self:
        """Return the waivers of a rule for a subject, or for one of these units (those above it and its own)."""
        return self.filter(Q(subject_kind=kind, subject_id=pk) | Q(org_unit__in=units), rule=rule)
