"""The deeds of attention.py done to several items at once: who is refused is told why, and the others stand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils import timezone

from apps.business_rules.services import acknowledge_violations
from apps.common.acting import acting
from apps.common.errors import Reason
from apps.common.saving import save_rows

from ..enums import RULE_KINDS, AlertKind, SubjectKind
from ..items import Item, Key
from ..models import Attention
from ..reading import items_for
from ..refusals import gone, nobodys, noted_already, out_of_sight_of, refuse_day, refuse_readers

if TYPE_CHECKING:
    from apps.users.models import User


@dataclass(frozen=True)
class Outcome:
    """What became of some items: those it was done to, and why not of the others."""

    done: Sequence[Key]
    refused: dict[Key, Reason]


def acknowledge_chosen(*, keys: Collection[Key], actor: User, note: str = "") -> Outcome:
    """Take note of items; violations are acknowledged on themselves."""
    with acting(actor, note):
        items, refused = _there(keys, actor)
        broken = {item.record_id: key for key, item in items.items() if key.kind in RULE_KINDS}
        if broken:
            not_open = acknowledge_violations(violations=broken.keys(), actor=actor, reason=note)
            refused |= {broken[pk]: reason for pk, reason in not_open.items()}
        others = [key for key in items if key.kind not in RULE_KINDS]

        def noted(row: Attention, item: Item) -> Reason | None:
            if row.acknowledged_at is not None:
                return noted_already()
            row.acknowledged_by, row.acknowledged_at = actor, timezone.now()
            return None

        refused |= _keep(others, items, note, noted)
    return _outcome(keys, refused)


def snooze_chosen(*, keys: Collection[Key], until: date, actor: User, note: str = "") -> Outcome:
    """Put items to sleep until a day; each wakes before it as soon as it gets worse."""
    with acting(actor, note):
        items, refused = _there(keys, actor)
        refuse_day(until)

        def asleep(row: Attention, item: Item) -> Reason | None:
            row.snoozed_until, row.seen_rank, row.seen_value = until, item.rank, item.value
            return None

        refused |= _keep(items, items, note, asleep)
    return _outcome(keys, refused)


def assign_chosen(*, keys: Collection[Key], to: User | None, actor: User, note: str = "") -> Outcome:
    """Give items to somebody who can see what they are about; None takes them from whoever has them."""
    with acting(actor, note):
        items, refused = _there(keys, actor)
        if to is not None:
            seen = items_for(to, items.keys())
            refused |= {key: out_of_sight_of(to) for key in items if key not in seen}
            items = {key: item for key, item in items.items() if key in seen}

        def given(row: Attention, item: Item) -> Reason | None:
            if to is None and row.assigned_to_id is None:
                return nobodys()
            row.assigned_to = to
            return None

        refused |= _keep(items, items, note, given)
    return _outcome(keys, refused)


def _there(keys: Collection[Key], actor: User) -> tuple[dict[Key, Item], dict[Key, Reason]]:
    """Return the items that are there for the actor, and why not of the others. Refuse who may only read."""
    refuse_readers(actor)
    items = items_for(actor, keys)
    return items, {key: gone() for key in keys if key not in items}


def _keep(
    keys: Collection[Key], items: dict[Key, Item], note: str, decide: Callable[[Attention, Item], Reason | None]
) -> dict[Key, Reason]:
    """Write what is decided about each item in one statement; return why of those about which nothing was."""
    refused, kept = {}, []
    for key, row in _rows(keys).items():
        if (reason := decide(row, items[key])) is not None:
            refused[key] = reason
            continue
        if note:
            row.note = note
        kept.append(row)
    save_rows(Attention, kept)
    return refused


def _rows(keys: Collection[Key]) -> dict[Key, Attention]:
    """Return the rows of items, locked in the order of their ids; begun where there are none."""
    if not keys:
        return {}
    named = [
        {
            "kind": key.kind, "rule_id": key.rule_id, "cause": key.cause, "subject_kind": key.subject_kind,
            "subject_id": key.subject_id,
        }
        for key in sorted(keys, key=lambda key: key.token)
    ]  # fmt: skip
    Attention.objects.bulk_create([Attention(**one) for one in named], ignore_conflicts=True)
    them = reduce(or_, (Q(**one) for one in named))
    rows = Attention.objects.select_for_update(of=("self",), no_key=True).filter(them).order_by("pk")
    return {
        Key(AlertKind(row.kind), SubjectKind(row.subject_kind), row.subject_id, row.rule_id, row.cause): row
        for row in rows
    }


def _outcome(keys: Collection[Key], refused: dict[Key, Reason]) -> Outcome:
    return Outcome([key for key in keys if key not in refused], refused)
