"""Entries of the timeline made ready to be read: whose record, what changed from what to what, in words."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import connection, models
from django.utils import formats
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from apps.assignments.assignment_fsm import MACHINE as ASSIGNMENTS
from apps.changes.models import Kind
from apps.fsm.employee_fsm import MACHINE as EMPLOYEES
from apps.tags.enums import TagChange
from apps.users.permissions import sees_sensitive

from .sources import BY_NAME, Source

if TYPE_CHECKING:
    from apps.users.models import User

    from .models import AuditEntry

MASK = "•••"
MOST_IDS = 20
TOGETHER = timedelta(seconds=5)
TOLD_BY_A_MOVE = frozenset({"status", "accepted_at"})
MACHINES = {"org.employee:transition": EMPLOYEES, "assignments.assignment:transition": ASSIGNMENTS}
# The record an entry is shown under, where that is not the record itself: label and column.
SHOWN_UNDER = {
    "org.employee:transition": ("org.employee", "subject_id"),
    "assignments.assignment:transition": ("assignments.assignment", "subject_id"),
    "tags.employeetag:tag": ("org.employee", "employee_id"),
    "changes.repair:repair": ("changes.proof", "proof_id"),
    "org.leave": ("org.employee", "employee_id"),
    "org.unitscope": ("users.user", "user_id"),
    "tags.positiontag": ("org.position", "position_id"),
    "demand.demandadjustment": ("org.position", "position_id"),
    "business_rules.ruleoverride": ("business_rules.businessrule", "rule_id"),
}
ICONS = {"TAG": "sell", "CORRECTION": "history_edu", "REPAIR": "build", "EXPORT": "download"}
TAG_FACTS = {"valid_from": "valid_from", "valid_until": "valid_until", "note": "note"}
# Shown elsewhere in the entry, or nothing a person reads.
LEFT_OUT = frozenset({"id", "created_at", "updated_at", "facts", "sub", "is_superuser", "first_seen", "last_seen"})
JOINED = {"assignments.assignment": ("employee", "position"), "business_rules.ruleviolation": ("rule",)}


@dataclass
class Change:
    """One field: before is None where there was nothing to compare with."""

    label: str
    before: str | None
    after: str
    field: str = ""


@dataclass
class Shown:
    """One entry as the page shows it. `subject` is what it is about, `link` says where that is: (label, pk)."""

    entry: AuditEntry
    noun: str
    deed: str
    subject: str
    link: tuple[str, Any] | None = None
    detail: str = ""
    who: str = ""
    changes: list[Change] = field(default_factory=list)
    from_status: str = ""
    to_status: str = ""
    machine: Any = None
    facts: list[tuple[str, str]] = field(default_factory=list)

    @property
    def icon(self) -> str:
        if self.entry.kind == "TRANSITION":
            return "sync_alt"
        if self.entry.kind in ICONS:
            return ICONS[self.entry.kind]
        return {"+": "add", "~": "edit", "-": "delete"}.get(self.entry.deed, "edit")


def shown(entries: Sequence[AuditEntry], user: User) -> list[Shown]:
    """Return the entries of a page ready to be read by this user: names out of sight stay out, sensitive values masked.

    One query for the rows behind them, one for each kind of record they name; none for each entry.
    """
    rows = _rows_of(entries)
    names = _names(_references(entries, rows), user)
    people = names["users.user"]
    masked = not sees_sensitive(user)
    found = []
    for entry in entries:
        now, before = rows.get((entry.source, entry.key), ({}, None))
        item = _shown(entry, BY_NAME[entry.source], now, before, names, masked)
        item.who = people.get(str(entry.actor_id), "") if entry.actor_id else _("the system")
        found.append(item)
    return found


def folded(items: Sequence[Shown]) -> list[Shown]:
    """Return the entries with the field changes a transition made told by the transition itself.

    The door writes both in one transaction: the log at its begin, the history a moment later.
    """
    moves = [item for item in items if item.entry.kind == "TRANSITION" and item.link]
    kept = []
    for item in items:
        move = next((move for move in moves if _made(move, item)), None)
        if move is None:
            kept.append(item)
        else:
            move.changes += [change for change in item.changes if change.field not in TOLD_BY_A_MOVE]
    return kept


def _made(move: Shown, item: Shown) -> bool:
    return (
        item.entry.kind == "CHANGE"
        # A creation is a deed of its own, unless it is what the first entry of the log tells.
        and (item.entry.deed == "~" or (item.entry.deed == "+" and move.entry.deed == "propose"))
        and item.entry.source == BY_NAME[move.entry.source].label
        and item.link == move.link
        and item.entry.actor_id == move.entry.actor_id
        and abs(item.entry.at - move.entry.at) < TOGETHER
        and any(change.field == "status" for change in item.changes)
    )


def _rows_of(entries: Iterable[AuditEntry]) -> dict[tuple[str, int], tuple[dict[str, Any], dict[str, Any] | None]]:
    """Return for each entry its row, and for a change the row before it of the same record."""
    keys: dict[str, list[int]] = defaultdict(list)
    for entry in entries:
        keys[entry.source].append(entry.key)
    if not keys:
        return {}
    parts, params = [], []
    for name, wanted in keys.items():
        source = BY_NAME[name]
        if source.has_history:
            parts.append(
                f"SELECT '{name}', h.history_id::bigint, to_jsonb(h), to_jsonb(p) FROM {source.table} h "
                f"LEFT JOIN LATERAL (SELECT * FROM {source.table} p WHERE p.id = h.id "
                "AND (p.history_date, p.history_id) < (h.history_date, h.history_id) "
                "ORDER BY p.history_date DESC, p.history_id DESC LIMIT 1) p ON h.history_type = '~' "
                "WHERE h.history_id = ANY(%s)"
            )
        else:
            parts.append(f"SELECT '{name}', h.id, to_jsonb(h), NULL::jsonb FROM {source.table} h WHERE h.id = ANY(%s)")
        params.append(wanted)
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), params)
        return {(name, key): (_parsed(now) or {}, _parsed(before)) for name, key, now, before in cursor.fetchall()}


def _parsed(value: Any) -> Any:
    return json.loads(value, parse_float=Decimal) if isinstance(value, str) else value


def _foreign(source: Source, row: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield (label, column) of what a row refers to."""
    if source.has_history:
        for column in source.model._meta.concrete_fields:
            if column.is_relation and row.get(column.column) is not None:
                yield column.related_model._meta.label_lower, column.column
    elif source.kind == "TAG":
        yield "tags.tagcatalog", "tag_id"
    elif source.kind == "CORRECTION":
        yield "org.orgunit", "unit_id"
    if source.name in SHOWN_UNDER:
        yield SHOWN_UNDER[source.name]


def _references(entries: Iterable[AuditEntry], rows: Any) -> dict[str, set[str]]:
    wanted: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        source = BY_NAME[entry.source]
        if entry.actor_id:
            wanted["users.user"].add(str(entry.actor_id))
        if source.name not in SHOWN_UNDER:
            wanted[source.label].add(str(entry.record_uuid or entry.record_id))
        for row in rows.get((entry.source, entry.key), ()):
            if row:
                for label, column in _foreign(source, row):
                    if row.get(column) is not None:
                        wanted[label].add(str(row[column]))
    return wanted


def _names(wanted: dict[str, set[str]], user: User) -> dict[str, dict[str, str]]:
    """Return label → id → name, of the records that still exist and that the user may see.

    People are named to everybody in the house: whoever may read the entry may know who is answerable for it.
    """
    names: dict[str, dict[str, str]] = defaultdict(dict)
    for label, ids in wanted.items():
        model = apps.get_model(label)
        rows = model._default_manager.filter(pk__in=ids).select_related(*JOINED.get(label, ()))
        if label != "users.user" and hasattr(rows, "visible_to"):
            rows = rows.visible_to(user)
        names[label] = {str(obj.pk): str(obj) for obj in rows}
    return names


def _shown(
    entry: AuditEntry, source: Source, now: dict[str, Any], before: Any, names: dict[str, dict[str, str]], masked: bool
) -> Shown:
    label, column = SHOWN_UNDER.get(source.name, (source.label, "id"))
    pk = str(now.get(column, ""))
    known = names[label].get(pk)
    item = Shown(
        entry=entry,
        noun=capfirst(str(source.model._meta.verbose_name)),
        deed=_deed(entry, source),
        subject=known or _as_it_was(source, now, label),
        link=(label, now[column]) if known else None,
    )
    hidden = frozenset(getattr(source.model, "sensitive_fields", ())) if masked else frozenset()
    if entry.kind == "TRANSITION":
        item.machine = MACHINES[source.name]
        item.from_status, item.to_status = now.get("from_status", ""), now.get("to_status", "")
        item.facts = _facts(item.machine, now)
    elif entry.kind == "TAG":
        item.detail = names["tags.tagcatalog"].get(str(now.get("tag_id")), "")
        item.changes = _tag_changes(now)
    elif entry.kind in TOLD:
        item.facts = TOLD[entry.kind](now, names)
    else:
        item.changes = _changes(source.model, now, before, names, hidden)
        if before is not None and not item.changes and "facts" in now:
            item.detail = _("the records and numbers behind it")
            return item
        item.detail = _detail(source, now, names)
    return item


def _deed(entry: AuditEntry, source: Source) -> str:
    if entry.kind == "TRANSITION":
        move = MACHINES[source.name].told(entry.deed)
        # A proposal is entered and its hours change, neither is a move; the log tells both like a transition.
        others = {"propose": _("Propose"), "change": pgettext("history", "Changed")}
        return str(move.label) if move else others.get(entry.deed, entry.deed)
    if entry.kind == "TAG":
        return str(TagChange(entry.deed).label) if entry.deed in TagChange else entry.deed
    return {
        "correct": _("Closed week corrected"),
        "repair": _("Computed again"),
        "export": _("Taken out"),
        "+": pgettext("history", "Created"),
        "~": pgettext("history", "Changed"),
        "-": pgettext("history", "Deleted"),
    }.get(entry.deed, entry.deed)


def _as_it_was(source: Source, now: dict[str, Any], label: str) -> str:
    """Return the name of a record that is gone, from its own row; of another one out of sight only that it is."""
    if label != source.label:
        return _("a record that is gone or outside your unit")
    for name in ("name", "title", "subject_code", "email"):
        if now.get(name):
            code = now.get("code")
            return f"{now[name]} ({code})" if code else str(now[name])
    if now.get("family_name"):
        return f"{now['family_name']}, {now.get('given_name', '')} ({now.get('employee_number', '')})"
    return f"#{now.get('id', '?')}"


def _detail(source: Source, now: dict[str, Any], names: dict[str, dict[str, str]]) -> str:
    """Return what tells a row that is shown under another record from its siblings."""
    if source.label == "org.leave":
        return (
            f"{_choice(source.model, 'kind', now)} {_plain(now.get('starts_on'))} – {_plain(now.get('ends_on')) or '…'}"
        )
    if source.label == "tags.positiontag":
        return names["tags.tagcatalog"].get(str(now.get("tag_id")), "")
    if source.label == "demand.demandadjustment":
        return f"{_plain(now.get('hours'))} h, {_plain(now.get('from_day'))} – {_plain(now.get('until_day')) or '…'}"
    if source.label in ("business_rules.ruleoverride", "org.unitscope"):
        return names["org.orgunit"].get(str(now.get("org_unit_id")), "")
    return ""


def _facts(machine: Any, now: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a transition was told beside its reason."""
    move = machine.told(now.get("transition", ""))
    needs = {need.name: need for need in move.needs} if move else {}
    found = []
    for name, value in (now.get("metadata") or {}).items():
        if name in needs and name != "reason":
            choices = dict(needs[name].choices)
            found.append((capfirst(str(needs[name].label)), str(choices.get(value) or _plain(value))))
    return found


def _of_correction(now: dict[str, Any], names: dict[str, dict[str, str]]) -> list[tuple[str, str]]:
    unit = now.get("unit_id")
    place = (
        names["org.orgunit"].get(str(unit), _("a record that is gone or outside your unit"))
        if unit
        else _("Whole organisation")
    )
    return [(_("Unit"), place)]


def _of_repair(now: dict[str, Any], names: dict[str, dict[str, str]]) -> list[tuple[str, str]]:
    """Return how many of each kind were computed again, the first of them by id, and which proof found them."""
    found = [(_("Proof"), f"#{now['proof_id']}")]
    for kind, ids in now["subjects"].items():
        first = ", ".join(f"#{pk}" for pk in ids[:MOST_IDS])
        found.append((capfirst(str(Kind(kind).label)), f"{len(ids)}: {first}{' …' * (len(ids) > MOST_IDS)}"))
    return found


def _of_export(now: dict[str, Any], names: dict[str, dict[str, str]]) -> list[tuple[str, str]]:
    facts = [(_("Rows"), _plain(now["rows"])), (_("Page"), now["page"]), (_("Filters"), now["filters"])]
    return [(label, value) for label, value in facts if value]


TOLD = {"CORRECTION": _of_correction, "REPAIR": _of_repair, "EXPORT": _of_export}


def _tag_changes(now: dict[str, Any]) -> list[Change]:
    model: Any = apps.get_model("tags.employeetag")
    before, after = now.get("before"), now.get("after")
    found = []
    for name in TAG_FACTS:
        old, new = (before or {}).get(name), (after or {}).get(name)
        if before is not None and after is not None and old == new:
            continue
        if old in (None, "") and new in (None, ""):
            continue
        label = capfirst(str(model._meta.get_field(name).verbose_name))
        found.append(Change(label, None if before is None else _plain(old) or "–", _plain(new) or "–"))
    return found


def _changes(
    model: Any,
    now: dict[str, Any],
    before: dict[str, Any] | None,
    names: dict[str, dict[str, str]],
    hidden: frozenset[str],
) -> list[Change]:
    """Return the fields that differ from the row before; of a new record those that hold something."""
    found = []
    for column in model._meta.concrete_fields:
        key = column.column
        if key not in now or column.name in LEFT_OUT:
            continue
        if before is None and now[key] in (None, "", False, [], {}):
            continue
        if before is not None and before.get(key) == now[key]:
            continue
        label = capfirst(str(column.verbose_name))
        if column.name in hidden:
            found.append(Change(label, None if before is None else MASK, MASK, column.name))
            continue
        old = None if before is None else _value(column, before.get(key), names)
        found.append(Change(label, old, _value(column, now[key], names), column.name))
    return found


def _value(column: models.Field[Any, Any], value: Any, names: dict[str, dict[str, str]]) -> str:
    if value is None or value == "":
        return "–"
    if column.is_relation:
        label = column.related_model._meta.label_lower  # type: ignore[union-attr]
        return names[label].get(str(value)) or _("a record that is gone or outside your unit")
    if column.flatchoices:
        return str(dict(column.flatchoices).get(value, value))
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(column, models.DateTimeField):
        moment = parse_datetime(str(value))
        return formats.date_format(moment, "SHORT_DATETIME_FORMAT") if moment else str(value)
    return _plain(value)


def _choice(model: Any, name: str, row: dict[str, Any]) -> str:
    return str(dict(model._meta.get_field(name).flatchoices).get(row.get(name), row.get(name)))


def _plain(value: Any) -> str:
    """Return a value of JSON in the reader's language: dates and numbers as written there."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, Decimal | int):
        return str(formats.localize(value))
    if isinstance(value, str) and len(value) == 10:
        try:
            day: date | None = parse_date(value)
        except ValueError:
            day = None
        if day is not None:
            return formats.date_format(day, "SHORT_DATE_FORMAT")
    if isinstance(value, datetime | date):
        return formats.date_format(value, "SHORT_DATE_FORMAT")
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else str(value)
