"""How somebody had a sheet read, kept for their next one: the same person, kind and set of headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils import timezone

from apps.common.acting import acting

from .mapping import Given, fingerprint_of
from .models import ReadingHabit
from .reading import Options

if TYPE_CHECKING:
    from apps.users.models import User


def recall(*, user: User, kind: str, header: Sequence[Any]) -> ReadingHabit | None:
    """Return how the user last had a sheet of this kind with these headers read, if they ever corrected one."""
    mark = fingerprint_of(header)
    found: ReadingHabit | None = (
        ReadingHabit.objects.visible_to(user)
        .filter(Q(headers=mark) | Q(first_seen=mark), kind=kind)
        .order_by("-corrected_at")
        .first()
    )
    return found


def remember(
    *, actor: User, kind: str, header: Sequence[Any], first_seen: str, options: Options, mapping: Given
) -> ReadingHabit:
    """Keep how a sheet is read; a later correction of the same headers takes its place."""
    with acting(actor, origin="import"):
        habit, _is_new = ReadingHabit.objects.update_or_create(
            user=actor,
            kind=kind,
            headers=fingerprint_of(header),
            defaults={
                "first_seen": first_seen,
                "options": options.as_dict(),
                "mapping": dict(mapping),
                "corrected_at": timezone.now(),
            },
        )
    return habit


def forget_habit(*, actor: User, habit: int) -> bool:
    """Forget one's own way of reading; say whether there was one."""
    with acting(actor, origin="import"):
        gone, _by_model = ReadingHabit.objects.editable_by(actor).filter(pk=habit).delete()
    return gone > 0
