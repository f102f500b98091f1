"""What people do with an item: take note of it, put it to sleep, give it to somebody.

The actor must see the subject and have the right to act on items (apps/users/permissions.py); the item must be there.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.business_rules.models import RuleViolation
from apps.business_rules.services import acknowledge_violation
from apps.common.acting import acting
from apps.common.clock import today
from apps.common.errors import Reason, Refusal

from ..enums import RULE_KINDS
from ..items import Item, Key
from ..models import Attention
from ..reading import item_for
from ..refusals import gone, nobodys, noted_already, out_of_sight_of, refuse_day, refuse_readers

if TYPE_CHECKING:
    from apps.users.models import User


def acknowledge(*, key: Key, actor: User, note: str = "") -> Item:
    """Take note of an item: it stays listed, marked as seen. A violation is acknowledged on itself."""
    with acting(actor, note):
        item = _item(key, actor)
        if key.kind in RULE_KINDS:
            acknowledge_violation(violation=RuleViolation(pk=item.record_id), actor=actor, reason=note)
            return item
        row = _row(key)
        if row.acknowledged_at is not None:
            raise Refusal(noted_already())
        row.acknowledged_by, row.acknowledged_at = actor, timezone.now()
        _keep(row, note)
    return item


def snooze(*, key: Key, until: date, actor: User, note: str = "") -> Attention:
    """Put an item to sleep: it comes back by itself on the day named, and before it as soon as it gets worse."""
    with acting(actor, note):
        item = _item(key, actor)
        refuse_day(until)
        row = _row(key)
        row.snoozed_until, row.seen_rank, row.seen_value = until, item.rank, item.value
        return _keep(row, note)


def wake(*, key: Key, actor: User, reason: str = "") -> Attention:
    """Bring an item back before its day."""
    with acting(actor, reason):
        _item(key, actor)
        row = _row(key)
        if row.snoozed_until is None:
            raise Refusal(Reason(_("It does not sleep."), code="wrong_state"))
        row.snoozed_until = row.seen_rank = row.seen_value = None
        return _keep(row)


def assign(*, key: Key, to: User, actor: User, note: str = "") -> Attention:
    """Give an item to somebody who can see what it is about."""
    with acting(actor, note):
        _item(key, actor)
        if item_for(to, key) is None:
            raise Refusal(out_of_sight_of(to))
        row = _row(key)
        row.assigned_to = to
        return _keep(row, note)


def unassign(*, key: Key, actor: User, reason: str = "") -> Attention:
    """Take an item from whoever has it, so that it waits for somebody again."""
    with acting(actor, reason):
        _item(key, actor)
        row = _row(key)
        if row.assigned_to_id is None:
            raise Refusal(nobodys())
        row.assigned_to = None
        return _keep(row)


def forget_gone(*, actor: User | None) -> int:
    """Drop what people decided about items that are over, so that a new one begins afresh; return how many."""
    with acting(actor), connection.cursor() as cursor:
        cursor.execute(_GONE, {"today": today()})
        return cursor.rowcount


_GONE = """
    DELETE FROM inbox_attention t WHERE CASE
        WHEN t.rule_id IS NOT NULL THEN NOT EXISTS (
            SELECT FROM business_rules_ruleviolation v WHERE v.rule_id = t.rule_id AND v.subject_kind = t.subject_kind
                AND v.subject_id = t.subject_id AND v.state <> 'RESOLVED')
        WHEN t.kind = 'CLIFF' THEN NOT EXISTS (
            SELECT FROM inbox_cliffalert c
            WHERE c.assignment_id = t.subject_id AND c.cause = t.cause AND c.day >= %(today)s)
        WHEN t.kind = 'PROPOSAL' THEN NOT EXISTS (
            SELECT FROM assignments_assignment a WHERE a.id = t.subject_id AND a.status = 'PROPOSED')
        WHEN t.subject_kind = 'letter' THEN NOT EXISTS (SELECT FROM changes_deadletter l WHERE l.id = t.subject_id)
        ELSE t.updated_at < now() - interval '7 days' END
"""


def _item(key: Key, actor: User) -> Item:
    """Return the item, if the actor may see it and may act."""
    item = item_for(actor, key)
    if item is None:
        raise Refusal(gone())
    refuse_readers(actor)
    return item


def _row(key: Key) -> Attention:
    """Return the row of an item, locked; begun where there is none."""
    named: dict[str, Any] = {
        "kind": key.kind, "rule_id": key.rule_id, "cause": key.cause, "subject_kind": key.subject_kind,
        "subject_id": key.subject_id,
    }  # fmt: skip
    Attention.objects.bulk_create([Attention(**named)], ignore_conflicts=True)
    return Attention.objects.select_for_update(of=("self",), no_key=True).get(**named)


def _keep(row: Attention, note: str = "") -> Attention:
    if note:
        row.note = note
    row.save()
    return row
