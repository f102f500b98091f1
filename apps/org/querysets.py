"""Questions about units, positions and employees; and the scope every other app builds on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db import models
from django.db.models import Exists, F, Func, OuterRef, Q, Subquery

from apps.common import paginator
from apps.common.paginator import Counting
from apps.common.walking import OneByOne
from apps.fsm.employee_fsm import EmployeeStatus
from apps.users.enums import Role

if TYPE_CHECKING:
    from apps.users.models import User


_read: ContextVar[dict[Any, int | None] | None] = ContextVar("scopes read", default=None)


@contextmanager
def scope_read_once() -> Iterator[None]:
    """Read each user's scope once inside the block: for a page that asks for many kinds of records at one moment."""
    token = _read.set({})
    try:
        yield
    finally:
        _read.reset(token)


def scope_of(user: User) -> int | None:
    """Return the id of the unit a user's sight is limited to; None = the whole tree. Read on every request."""
    known = _read.get()
    if known is not None and user.pk in known:
        return known[user.pk]
    scope = apps.get_model("org", "UnitScope")
    unit = scope.objects.filter(user_id=user.pk).values_list("org_unit_id", flat=True).first()
    if known is not None:
        known[user.pk] = unit
    return unit


# Of a scope with more units than this whoever reads a list walks it and looks at each row; a smaller one is read from
# what lies in it. At a million employees the one takes seconds for a small scope, the other for a large one.
MANY_UNITS = 500
REMEMBERED_SECONDS = 60.0
_sizes: dict[int, tuple[bool, float]] = {}


def holds_many(unit: int) -> bool:
    """Say whether a unit holds so many others that a list is better walked than put together from what lies in it.

    A hint about speed, never about what is seen, and so remembered for a minute.
    """
    known, until = _sizes.get(unit, (False, 0.0))
    if time.monotonic() < until:
        return known
    below = apps.get_model("org", "OrgUnit").objects.under(unit).order_by()
    known = below[: MANY_UNITS + 1].count() > MANY_UNITS
    _sizes[unit] = (known, time.monotonic() + REMEMBERED_SECONDS)
    return known


def sees_the_house(user: User) -> bool:
    """Say whether the user takes part in the back office at all; EMPLOYEE has only the API about oneself."""
    return bool(user.is_active and user.role != Role.EMPLOYEE)


# Of a walked list so many rows are counted and can be paged to.
COUNTED_WALKING = 1_000


def counting_of(user: Any) -> Counting:
    """Return how far a person's lists are counted. The planner's estimate would tell of what lies outside a scope."""
    if not user.is_authenticated or scope_of(user) is None:
        return Counting(paginator.COUNTED_EXACTLY, estimates=True)
    return Counting(COUNTED_WALKING if is_walked_for(user) else paginator.COUNTED_EXACTLY, estimates=False)


def is_walked_for(user: User) -> bool:
    """Say whether lists are walked for this user: read in their own order, each row looked at by itself."""
    unit = scope_of(user)
    return unit is not None and holds_many(unit)


class OrgUnitQuerySet(models.QuerySet[Any]):
    def under(self, unit_id: int) -> Self:
        """Return the unit and everything below it."""
        return self.filter(path__contains=[unit_id])

    def inhabited(self) -> Self:
        """Return units in which, or below which, somebody works or a position stands."""
        home = Q(employees__isnull=False) | Q(positions__isnull=False)
        lived_in = self.model._base_manager.filter(home).annotate(up=Func(F("path"), function="unnest"))
        return self.filter(pk__in=lived_in.values("up"))

    def visible_to(self, user: User) -> Self:
        if not sees_the_house(user):
            return self.none()
        unit = scope_of(user)
        return self.all() if unit is None else self.under(unit)

    def editable_by(self, user: User) -> Self:
        """Structure is the ADMIN's alone."""
        return self.visible_to(user) if user.role == Role.ADMIN else self.none()

    def offered(self) -> Self:
        return self.filter(is_active=True)


def in_units_of(user: User, path: str) -> Q:
    """Return the condition that the unit at a lookup path is in the user's scope."""
    if not sees_the_house(user):
        return Q(pk__in=[])
    unit = scope_of(user)
    return Q() if unit is None else Q(**{f"{path}__path__contains": [unit]})


def inside(path: str) -> str:
    """Return SQL that a path lies under the unit asked for (%(root)s) and in the scope (%(scope)s); NULL is all."""
    return (
        f"(%(root)s::bigint IS NULL OR {path} @> ARRAY[%(root)s::bigint])"
        f" AND (%(scope)s::bigint IS NULL OR {path} @> ARRAY[%(scope)s::bigint])"
    )


class OfVisibleUnitFigures(models.QuerySet[Any]):
    """Figures that hang on a unit are visible with it; nobody writes them."""

    def visible_to(self, user: User) -> Self:
        return self.filter(in_units_of(user, "org_unit"))

    def editable_by(self, user: User) -> Self:
        return self.none()


class PositionQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        return self.filter(in_units_of(user, "org_unit"))

    def editable_by(self, user: User) -> Self:
        return self.visible_to(user)

    def under(self, unit_id: int) -> Self:
        return self.filter(org_unit__path__contains=[unit_id])

    def open_on(self, day: date) -> Self:
        return self.filter(
            Q(opens_on__isnull=True) | Q(opens_on__lte=day), Q(closes_on__isnull=True) | Q(closes_on__gte=day)
        )


class EmployeeQuerySet(models.QuerySet[Any]):
    def locked(self, pks: Iterable[int]) -> Self:
        """Return these employees locked for a change, in the house order (docs/locking.md)."""
        return self.select_for_update(of=("self",), no_key=True).filter(pk__in=list(pks)).order_by("pk")

    def lock(self, pks: Iterable[int]) -> None:
        """Take the locks of these employees, and read no more of them than their keys."""
        for _row in self.locked(pks).values_list("pk"):
            pass

    def visible_to(self, user: User) -> Self:
        """Return who has the home unit, or a live assignment, in the user's scope; oneself for an EMPLOYEE."""
        if not sees_the_house(user):
            return self.filter(user_id=user.pk) if user.is_active else self.none()
        unit = scope_of(user)
        if unit is None:
            return self.all()
        at_home = Q(home_unit__path__contains=[unit])
        working = apps.get_model("assignments", "Assignment").objects.live()
        working_here = working.filter(position__org_unit__path__contains=[unit]).order_by()
        if holds_many(unit):
            return self.filter(at_home | OneByOne(working_here.filter(employee=OuterRef("pk"))))
        those_at_home = self.model._base_manager.filter(at_home).order_by().values("pk")
        return self.filter(pk__in=those_at_home.union(working_here.values("employee_id")))

    def seen_at(self, path: str, user: User) -> Q:
        """Return the condition that the user may see the employee at a lookup path of another row."""
        visible = self.visible_to(user).order_by()
        if sees_the_house(user) and is_walked_for(user):
            return Q(OneByOne(visible.filter(pk=OuterRef(path))))
        # Who sees everybody also sees what a log tells of employees an undo took away.
        return Q(**{f"{path}__in": visible}) if visible.query.has_filters() else Q()

    def editable_by(self, user: User) -> Self:
        if not sees_the_house(user):
            return self.none()
        return self.filter(in_units_of(user, "home_unit"))

    def giving_hours_now(self) -> Self:
        return self.filter(status__in=[EmployeeStatus.ACTIVE, EmployeeStatus.NOTICE, EmployeeStatus.ON_LEAVE])

    def on_leave_on(self, day: date) -> Self:
        """Return who has a leave that covers the day."""
        leave = apps.get_model("org", "Leave")
        covering = leave.objects.filter(
            Q(ends_on__isnull=True) | Q(ends_on__gte=day), employee=OuterRef("pk"), starts_on__lte=day
        )
        return self.filter(Exists(covering))

    def with_running_leave(self, day: date) -> Self:
        """Annotate `running_leave_id`: the leave that covers the day."""
        leave = apps.get_model("org", "Leave")
        covering = leave.objects.filter(
            Q(ends_on__isnull=True) | Q(ends_on__gte=day), employee=OuterRef("pk"), starts_on__lte=day
        )
        return self.annotate(running_leave_id=Subquery(covering.values("pk")[:1]))
