"""How fresh the figures are: what every screen that shows one says beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

LATE = timedelta(seconds=30)


@dataclass(frozen=True)
class Freshness:
    """`drained_at`: when workers last came to the end of a drain. `waiting` changes are not in the figures yet, the
    oldest since `oldest_at`. `dead_letters` could not be worked in. `first_week` is where the stored figures start.
    """

    now: datetime
    drained_at: datetime | None
    relay_at: datetime | None
    waiting: int
    oldest_at: datetime | None
    dead_letters: int
    first_week: date | None

    @property
    def as_of(self) -> datetime | None:
        """Return the moment up to which every change is in the figures; None before the first drain."""
        return self.oldest_at or self.drained_at

    @property
    def age(self) -> timedelta:
        """Return how long the oldest change has been waiting; nothing when none waits."""
        return self.now - self.oldest_at if self.oldest_at else timedelta()

    @property
    def is_late(self) -> bool:
        """Say whether changes wait longer than they should, or nobody seems to be at work."""
        return self.age > LATE or self.drained_at is None or self.now - self.drained_at > 4 * LATE


def freshness() -> Freshness:
    """Return how fresh the figures are now; one small query."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*), min(created_at), (SELECT min(first_week) FROM changes_calendar),
                (SELECT beat_at FROM changes_heartbeat WHERE name = 'drain'),
                (SELECT beat_at FROM changes_heartbeat WHERE name = 'relay'),
                (SELECT count(*) FROM changes_deadletter)
            FROM changes_mark"""
        )
        waiting, oldest, first_week, drained, relayed, dead_letters = cursor.fetchone()
    return Freshness(
        now=timezone.now(),
        drained_at=drained,
        relay_at=relayed,
        waiting=waiting,
        oldest_at=oldest,
        dead_letters=dead_letters,
        first_week=first_week,
    )


def freshness_shown() -> dict[str, Any]:
    """Return how far the figures lag behind what people entered, in words and as a tone."""
    state = freshness()
    waiting = ngettext("%(n)d change waiting", "%(n)d changes waiting", state.waiting) % {"n": state.waiting}
    figures = _("No figures yet") if state.as_of is None else _("Figures of %(age)s ago") % {"age": age(state.as_of)}
    return {
        "sentence": f"{figures} · {waiting}",
        "tone": "red" if state.dead_letters else "yellow" if state.is_late else "green",
        "dead": state.dead_letters,
    }


def age(moment: datetime) -> str:
    """Return the time since a moment in one unit: “12 s”, “4 min”, “3 h”, “2 days”."""
    seconds = max(0, int((timezone.now() - moment).total_seconds()))
    if seconds < 90:
        return _("%(n)d s") % {"n": seconds}
    if seconds < 90 * 60:
        return _("%(n)d min") % {"n": seconds // 60}
    if seconds < 48 * 3600:
        return _("%(n)d h") % {"n": seconds // 3600}
    return _("%(n)d days") % {"n": seconds // 86_400}


BEAT = """
    INSERT INTO changes_heartbeat AS h (name, beat_at) VALUES (%(name)s, clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET beat_at = GREATEST(h.beat_at, EXCLUDED.beat_at)
"""


def beat(name: str) -> None:
    """Note that a part is alive."""
    with connection.cursor() as cursor:
        cursor.execute(BEAT, {"name": name})
