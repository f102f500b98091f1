"""Looking for the cliffs ahead, and keeping those that leave somebody missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.common.acting import acting
from apps.common.clock import today
from apps.common.errors import Reason, Refusal
from apps.demand.cliffs import Cause, Cliff, cliffs

from ..models import AlertRefresh
from ..models.subscription import CLIFF_DAYS
from ..reading import may

if TYPE_CHECKING:
    from apps.users.models import User

# Tags and contracts that run out are violations already (REQUIRED_TAG_EXPIRING, CONTRACT_ENDING).
STOPS = (Cause.ASSIGNMENT, Cause.LAST_DAY, Cause.LEAVE)
STAGED = ("assignment_id", "cause", "day", "missing", "accepted", "proposed", "follows_on")


def refresh_alerts(*, actor: User | None) -> int:
    """Look for the cliffs ahead in the whole house and keep them by difference; return how many there are.

    Run twice at once, the second does nothing and returns the number of before.
    """
    with acting(actor):
        AlertRefresh.objects.bulk_create([AlertRefresh(pk=1)], ignore_conflicts=True)
        state = AlertRefresh.objects.select_for_update(skip_locked=True).filter(pk=1).first()
        if state is None:
            return AlertRefresh.objects.get(pk=1).found
        state.requested_at = None
        found = cliffs(today(), today() + timedelta(days=CLIFF_DAYS), today=today(), causes=STOPS)
        rows = list(_alerts(found.cliffs))
        _keep(rows)
        state.finished_at, state.found = timezone.now(), len(rows)
        state.save()
    return len(rows)


def request_refresh(*, actor: User) -> None:
    """Ask for a look at once; a worker takes it up within seconds."""
    if not may(actor, "change"):
        raise Refusal(Reason(_("You may read the inbox, not act on it."), code="forbidden", fixable=90))
    with transaction.atomic():
        AlertRefresh.objects.bulk_create([AlertRefresh(pk=1)], ignore_conflicts=True)
        # Whoever holds the row is looking right now; nobody waits for that.
        state = AlertRefresh.objects.select_for_update(skip_locked=True).filter(pk=1, requested_at__isnull=True).first()
        if state is not None:
            state.requested_at = timezone.now()
            state.save(update_fields=["requested_at"])


def refresh_if_asked(*, actor: User | None) -> int:
    """Look for the cliffs ahead if nobody ever did, or somebody asked since the last look; return how many looks."""
    if AlertRefresh.objects.filter(finished_at__isnull=False, requested_at__isnull=True).exists():
        return 0
    refresh_alerts(actor=actor)
    return 1


def _alerts(found: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the first day of each assignment and cause on which the position is short of hours without it."""
    seen: set[tuple[int, str]] = set()
    for cliff in found:  # in the order of their days
        missing = missing_on_the_day(cliff)
        if missing > 0 and (cliff.assignment_id, cliff.cause) not in seen:
            seen.add((cliff.assignment_id, cliff.cause))
            accepted = cliff.replacement - cliff.proposed
            yield (
                cliff.assignment_id, cliff.cause.value, cliff.day, missing, accepted, cliff.proposed,
                cliff.replacement_on,
            )  # fmt: skip


def missing_on_the_day(cliff: Cliff) -> int:
    """Return the hours that stop, as far as the position is short of what it needs on that day."""
    return min(cliff.hours, max(0, cliff.needs - cliff.left))


def _keep(rows: list[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE staged_cliffs (assignment_id bigint, cause text, day date, missing int, accepted int, "
            "proposed int, follows_on date, PRIMARY KEY (assignment_id, cause)) ON COMMIT DROP"
        )
        with cursor.copy(f"COPY staged_cliffs ({', '.join(STAGED)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute("ANALYZE staged_cliffs")
        cursor.execute(
            "DELETE FROM inbox_cliffalert c WHERE NOT EXISTS (SELECT FROM staged_cliffs s "
            "WHERE s.assignment_id = c.assignment_id AND s.cause = c.cause)"
        )
        cursor.execute(
            "INSERT INTO inbox_cliffalert AS c (assignment_id, cause, day, missing, accepted, proposed, follows_on, "
            "first_seen) SELECT s.assignment_id, s.cause, s.day, s.missing, s.accepted, s.proposed, s.follows_on, "
            "%s FROM staged_cliffs s JOIN assignments_assignment a ON a.id = s.assignment_id "
            "ON CONFLICT (assignment_id, cause) DO UPDATE SET day = EXCLUDED.day, missing = EXCLUDED.missing, "
            "accepted = EXCLUDED.accepted, proposed = EXCLUDED.proposed, follows_on = EXCLUDED.follows_on "
            "WHERE (c.day, c.missing, c.accepted, c.proposed, c.follows_on) IS DISTINCT FROM "
            "(EXCLUDED.day, EXCLUDED.missing, EXCLUDED.accepted, EXCLUDED.proposed, EXCLUDED.follows_on)",
            [timezone.now()],
        )
        # A second look in the same transaction (tests) makes its own.
        cursor.execute("DROP TABLE staged_cliffs")
