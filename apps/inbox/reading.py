"""What one person's inbox is: their part of the organisation, how far ahead they look, what they may see at all."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings

from apps.common.clock import today
from apps.org.querysets import holds_many, scope_of, sees_the_house
from apps.users.enums import Role
from apps.users.permissions import rights_of

from .enums import HOUSEKEEPING, AlertKind, SubjectKind
from .items import COUNTED, Asked, Item, Key, Sleep, count_by_rank, find, find_one
from .models import Subscription
from .models.subscription import CLIFF_DAYS, COVERAGE_DAYS
from .querysets import SUBJECTS

if TYPE_CHECKING:
    from apps.users.models import User


def may(user: User, verb: str) -> bool:
    """Say whether the permission table lets the user read (view) or act on (change) items."""
    return user.is_active and verb in rights_of(Role(user.role)).get("inbox.attention", ())


def keeps_house(user: User) -> bool:
    """Say whether the user looks after the installation itself: its figures, evaluations and digests."""
    return user.is_active and user.role == Role.ADMIN


def kinds_of(user: User) -> list[AlertKind]:
    """Return the kinds a user can meet."""
    return [kind for kind in AlertKind if kind not in HOUSEKEEPING or keeps_house(user)]


def subscription_of(user: User) -> Subscription:
    """Return what the user asked to be told, or what holds for whoever said nothing (not saved)."""
    saved = Subscription.objects.filter(user_id=user.pk).first()
    return saved or Subscription(user=user, cliff_lead_days=settings.COVERIS_CLIFF_LEAD_DAYS)


def asked_by(user: User, subscription: Subscription, *, root: int | None = None, **more: Any) -> Asked:
    """Return the question for a user's items. `root`, a unit the user sees, narrows it; never beyond the scope."""
    under = root if root is not None else scope_of(user)
    return Asked(
        today=today(),
        user_id=user.pk,
        root=under,
        walked=under is not None and holds_many(under),
        housekeeping=keeps_house(user),
        cliff_lead=subscription.cliff_lead_days,
        coverage_lead=subscription.coverage_lead_days,
        **more,
    )


def item_for(user: User, key: Key) -> Item | None:
    """Return an item as it is now, if the user may see what it is about; None otherwise, and if it is over."""
    if not sees_the_house(user) or not may(user, "view") or key.kind not in kinds_of(user):
        return None
    label = SUBJECTS.get(key.subject_kind)
    if label is not None and not apps.get_model(label).objects.visible_to(user).filter(pk=key.subject_id).exists():
        return None
    return find_one(key, Asked(today=today(), user_id=user.pk, housekeeping=keeps_house(user)))


def items_for(user: User, keys: Collection[Key]) -> dict[Key, Item]:
    """Return those of some items that are there and that the user may see, as `item_for` does one. A few queries."""
    met = kinds_of(user) if sees_the_house(user) and may(user, "view") else ()
    seen = _seen_subjects(user, {(key.subject_kind, key.subject_id) for key in keys if key.kind in met})
    if not seen:
        return {}
    asked = Asked(
        today=today(), user_id=user.pk, housekeeping=keeps_house(user), sleep=Sleep.BOTH, cliff_lead=CLIFF_DAYS,
        coverage_lead=COVERAGE_DAYS, chosen=seen,
    )  # fmt: skip
    # No limit that means anything: a subject has no more items than there are rules and causes.
    found = find(asked, limit=COUNTED, counted=False).items
    wanted = set(keys)
    return {item.key: item for item in found if item.key in wanted and item.key.kind in met}


def _seen_subjects(user: User, subjects: Collection[tuple[SubjectKind, int]]) -> set[tuple[SubjectKind, int]]:
    seen = {(kind, pk) for kind, pk in subjects if kind not in SUBJECTS}
    for kind, label in SUBJECTS.items():
        if ids := [pk for each, pk in subjects if each == kind]:
            rows = apps.get_model(label).objects.visible_to(user).filter(pk__in=ids).order_by()
            seen |= {(kind, pk) for pk in rows.values_list("pk", flat=True)}
    return seen


def waiting_by_rank(user: User, most: int) -> dict[int, int]:
    """Return how many of the user's first `most` items are how grave (by rank), the gravest counted first."""
    return count_by_rank(asked_by(user, subscription_of(user)), most)


def told_kinds(user: User, kinds: Collection[str]) -> list[AlertKind]:
    """Return those of some kinds that the user can meet."""
    return [kind for kind in kinds_of(user) if kind in kinds]
