"""The daily digest: what changed for each subscriber since the one before."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone, translation

from apps.common.clock import today
from apps.users.enums import Role

from ..enums import DigestOutcome
from ..items import Item, Key, Sleep, Whose, find
from ..letter import letter_of
from ..models import Digest, Subscription
from ..reading import asked_by, told_kinds

if TYPE_CHECKING:
    from apps.users.models import User

log = logging.getLogger(__name__)
# So many items are compared, the worst and most urgent first; whoever has more is told to narrow it.
MOST_COMPARED = 5_000
# A run that took so long leaves the rest to the next one, minutes later.
SECONDS = 180.0
TOLD = (DigestOutcome.SENT, DigestOutcome.NOTHING)


@dataclass(frozen=True)
class Changes:
    """What changed since the digest before: items that are new (or awake again), worse, and keys of those gone."""

    new: Sequence[Item]
    worse: Sequence[Item]
    gone: Sequence[Key]
    is_cut: bool = False

    @property
    def number(self) -> int:
        return len(self.new) + len(self.worse) + len(self.gone)


def send_due_digests(*, actor: User | None) -> int:
    """Send today's digests from the installation's hour on (COVERIS_DIGEST_HOUR); a missed hour is made up for."""
    if timezone.localtime().hour < settings.COVERIS_DIGEST_HOUR:
        return 0
    return send_digests(actor=actor)


def send_digests(*, actor: User | None) -> int:
    """Send today's digest to every subscriber who may still log in and has none yet; return how many mails went out.

    Run twice, or twice at once, nobody gets a second one: the day is claimed first. What fails for one person is
    kept on their digest and stops nobody else's.
    """
    if not settings.COVERIS_SENDS_MAIL:
        return 0
    day, sent, began = today(), 0, time.monotonic()
    waiting = (
        Subscription.objects.filter(by_mail=True, user__is_active=True)
        .exclude(user__role=Role.EMPLOYEE)
        .exclude(user_id__in=Digest.objects.filter(day=day).values("user_id"))
        .select_related("user")
        .order_by("user_id")
    )
    for subscription in waiting:
        if time.monotonic() - began > SECONDS:
            break
        if (claimed := _claim(subscription.user, day)) is None:
            continue
        try:
            with translation.override(subscription.user.language):
                sent += _send(Digest.objects.get(pk=claimed), subscription)
        except Exception as error:  # one recipient's trouble is not the others'
            log.exception("The digest of user %s was not sent.", subscription.user_id)
            failure = f"{type(error).__name__}: {error}"[:2_000]
            Digest.objects.filter(pk=claimed).update(outcome=DigestOutcome.FAILED, failure=failure)
    return sent


def _claim(user: User, day: Any) -> int | None:
    """Begin the digest of a user and day, committed at once; None where somebody else has begun it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inbox_digest (user_id, day, claimed_at, outcome, told, snapshot, is_cut, failure) "
            "VALUES (%s, %s, %s, 'CLAIMED', 0, '{}', FALSE, '') ON CONFLICT (user_id, day) DO NOTHING RETURNING id",
            [user.pk, day, timezone.now()],
        )
        row = cursor.fetchone()
    return int(row[0]) if row else None


def _send(digest: Digest, subscription: Subscription) -> int:
    with transaction.atomic():
        changes, snapshot = changes_for(subscription, before=_last_told(digest))
        letter = letter_of(changes, subscription.user) if changes.number else None
    if letter is not None:
        letter.send()
    digest.outcome = DigestOutcome.SENT if letter is not None else DigestOutcome.NOTHING
    digest.told, digest.snapshot, digest.is_cut = changes.number, snapshot, changes.is_cut
    digest.save()
    return int(letter is not None)


def _last_told(digest: Digest) -> Digest | None:
    """Return the last digest after which the person knew how things stood."""
    return Digest.objects.filter(user_id=digest.user_id, outcome__in=TOLD, day__lt=digest.day).order_by("-day").first()


def changes_for(subscription: Subscription, *, before: Digest | None) -> tuple[Changes, dict[str, Any]]:
    """Return what changed for a subscriber since a digest (None: never told anything), and what is known after it.

    The scope is the user's now. What sleeps is neither told nor gone; awake again it is told as new.
    """
    user = subscription.user
    kinds = told_kinds(user, subscription.kinds)
    items: list[Item] = []
    if kinds:
        whose = Whose.MINE if subscription.only_mine else Whose.ALL
        asked = asked_by(user, subscription, kinds=kinds, whose=whose, sleep=Sleep.BOTH)
        items = list(find(asked, limit=MOST_COMPARED + 1, counted=False).items)
    is_cut, items = len(items) > MOST_COMPARED, items[:MOST_COMPARED]
    known: dict[str, Any] = before.snapshot if before else {}
    awake = [item for item in items if not item.is_asleep]
    there = {item.key.token for item in items}
    new, worse = [], []
    for item in awake:
        told = known.get(item.key.token)
        if told is None:
            # Of more than is compared some were there before and only moved up.
            if before is None or not before.is_cut or item.since > before.claimed_at:
                new.append(item)
        elif item.rank < told[0] or item.value > Decimal(told[1]):
            worse.append(item)
    gone = [] if is_cut else [key for token in sorted(set(known) - there) if (key := Key.read(token)) is not None]
    snapshot = {item.key.token: [item.rank, str(item.value)] for item in awake}
    return Changes(new, worse, gone, is_cut), snapshot
