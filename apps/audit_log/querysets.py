"""Questions about the timeline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db import models
from django.db.models import OuterRef, Q

from apps.common.walking import OneByOne
from apps.org.querysets import is_walked_for, scope_of, sees_the_house

from .sources import SOURCES, SUBJECT

if TYPE_CHECKING:
    from apps.users.models import User

NEWEST_FIRST = ("-at", "-key", "-source")
VIOLATIONS = "business_rules.ruleviolation"
OWN_UNITS = (
    "org.orgunit",
    "business_rules.ruleoverride",
    VIOLATIONS,
    "business_rules.waiver",
    "inbox.attention",
    "changes.correction:correction",
)
CORRECTIONS, EXPORTS = "changes.correction:correction", "audit_log.exportrecord:export"


class AuditEntryQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User) -> Self:
        """Return what happened to records the user may see, of kinds the user may look at at all.

        The removal of a position is visible with the unit it was in; of what else is gone, only to whoever sees
        the whole tree or what it hung on.
        """
        if not sees_the_house(user):
            return self.none()
        names = [source.name for source in SOURCES if user.has_perm(_view(source.label))]
        rows = self.filter(source__in=names)
        unit = scope_of(user)
        if unit is None:
            return rows

        walked = is_walked_for(user)

        def seen(anchor: str, label: str) -> Q:
            visible = apps.get_model(label).objects.visible_to(user).order_by()
            if walked:
                return Q(**{f"{anchor}__isnull": False}) & Q(OneByOne(visible.filter(pk=OuterRef(anchor))))
            return Q(**{f"{anchor}__in": visible.values("pk")})

        public = [source.name for source in SOURCES if source.is_public]
        of_unit = seen("unit_id", "org.orgunit")
        above = apps.get_model("org.OrgUnit").objects.filter(pk=unit).values_list("path", flat=True).first() or []
        return rows.filter(
            Q(source__in=public)
            # A correction of everything, of what is above or of what is below changed what the reader sees.
            | Q(source=CORRECTIONS, unit_id__isnull=True)
            | Q(source=CORRECTIONS, unit_id__in=above)
            | Q(source=EXPORTS, actor_id=user.pk)
            # An assignment's employee may be in sight for another assignment alone.
            | Q(assignment_id__isnull=True) & seen("employee_id", "org.employee")
            | Q(assignment_id__isnull=True) & seen("position_id", "org.position")
            | seen("assignment_id", "assignments.assignment")
            | (Q(source__in=OWN_UNITS) | Q(source="org.position", deed="-")) & of_unit
        )

    def editable_by(self, user: User) -> Self:
        return self.none()

    def newest_first(self) -> Self:
        return self.order_by(*NEWEST_FIRST)

    def before(self, at: datetime, key: int, source: str) -> Self:
        """Return what comes after this entry in the order of the page; the first condition is the index's."""
        return self.filter(at__lte=at).filter(
            Q(at__lt=at) | Q(at=at, key__lt=key) | Q(at=at, key=key, source__lt=source)
        )

    def after(self, at: datetime, key: int, source: str) -> Self:
        return self.filter(at__gte=at).filter(
            Q(at__gt=at) | Q(at=at, key__gt=key) | Q(at=at, key=key, source__gt=source)
        )

    def about(self, label: str, pk: Any) -> Self:
        """Return what happened to a record and to what hangs on it: an employee's tags, leaves and assignments too."""
        if label == "users.user":
            return self.filter(source=label, record_uuid=pk)
        if label == "org.employee":
            return self.filter(Q(employee_id=pk) | Q(assignment_id__in=_assignments(employee=pk))).exclude(
                source=VIOLATIONS
            )
        if label == "org.position":
            return self.filter(Q(position_id=pk) | Q(assignment_id__in=_assignments(position=pk))).exclude(
                source=VIOLATIONS
            )
        if label == "assignments.assignment":
            return self.filter(assignment_id=pk).exclude(source=VIOLATIONS)
        if label == "org.orgunit":
            return self.filter(unit_id=pk).exclude(source=VIOLATIONS)
        return self.filter(source=label, record_id=pk)

    def hanging_on(self, anchor: str, pk: int) -> Self:
        """Return what happened to what hangs on a record, as `employee_id` and the other anchors tell.

        Whom a violation is about stands in two columns, which no index of its long history finds. Violations are never
        taken away, so theirs are found by the index of those that there are.
        """
        about = apps.get_model(VIOLATIONS).objects.filter(subject_kind=SUBJECT[anchor], subject_id=pk).order_by()
        told = ~Q(source=VIOLATIONS) | Q(record_id__in=list(about.values_list("pk", flat=True)))
        return self.filter(told, **{anchor: pk})

    def by(self, actors: Sequence[Any] | None) -> Self:
        """Return what these users did; None = the system by itself."""
        return self.filter(actor_id__isnull=True) if actors is None else self.filter(actor_id__in=list(actors))


def _assignments(**of: Any) -> list[int]:
    """Return ids, not a subquery: so the planner sees how few they are and asks the index for them."""
    return list(apps.get_model("assignments.Assignment").objects.filter(**of).values_list("pk", flat=True))


def _view(label: str) -> str:
    app, model = label.split(".")
    return f"{app}.view_{model}"
