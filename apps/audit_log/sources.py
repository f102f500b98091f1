"""Where the timeline reads: one branch for each log and each history table, all in the same columns.

A branch reads one table and computes nothing that could keep the planner from walking its index from the newest row
on: the view over all of them is then one merge of indexes, and a page of it costs the same at any length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.apps import apps

# What a record hangs on: who may see the record may see what happened to it.
ANCHORS = ("employee_id", "position_id", "assignment_id", "unit_id")
COLUMNS = (
    "id",
    "at",
    "key",
    "source",
    "kind",
    "deed",
    "actor_id",
    "origin",
    "reason",
    "record_id",
    "record_uuid",
    *ANCHORS,
)


@dataclass(frozen=True)
class Source:
    """One table of the timeline: the model whose records it tells about, and its columns.

    `anchors` maps an anchor to the column that holds it. A `log` has no row before and after to compare: it says
    itself what happened.
    """

    label: str
    table: str
    anchors: dict[str, str]
    kind: str = "CHANGE"
    at: str = "history_date"
    key: str = "history_id"
    deed: str = "history_type"
    actor: str = "history_user_id"
    origin: str = "origin"
    reason: str = "history_change_reason"
    record: str = "id"
    is_public: bool = False

    @property
    def model(self) -> Any:
        return apps.get_model(self.label)

    @property
    def name(self) -> str:
        """Return what entries of this source call themselves; two sources may tell about one model."""
        return self.label if self.kind == "CHANGE" else f"{self.label}:{self.kind.lower()}"

    @property
    def has_history(self) -> bool:
        return self.key == "history_id"


def _history(label: str, is_public: bool = False, **anchors: str) -> Source:
    app, model = label.split(".")
    return Source(label, f"{app}_historical{model}", anchors, is_public=is_public)


def _log(label: str, table: str, kind: str, deed: str, record: str, **anchors: str) -> Source:
    return Source(
        label, table, anchors, kind=kind, at="created_at", key="id", deed=deed, actor="actor_id", origin="",
        reason="reason", record=record,
    )  # fmt: skip


def _subject(kind: str) -> str:
    return f"CASE WHEN subject_kind = '{kind}' THEN subject_id END"


SUBJECT = {"employee_id": "employee", "position_id": "position", "assignment_id": "assignment", "unit_id": "unit"}
OF_SUBJECTS = {anchor: _subject(kind) for anchor, kind in SUBJECT.items()}

SOURCES: tuple[Source, ...] = (
    _log("org.employee", "fsm_employeetransitionlog", "TRANSITION", "transition", "subject_id",
         employee_id="subject_id"),
    _log("assignments.assignment", "assignments_assignmenttransitionlog", "TRANSITION", "transition", "subject_id",
         assignment_id="subject_id"),
    # Tells all that the history of employees' tags tells, with whose and which tag: that table would only repeat it.
    _log("tags.employeetag", "tags_tagchangelog", "TAG", "change", "NULL::bigint", employee_id="employee_id"),
    _log("changes.correction", "changes_correction", "CORRECTION", "'correct'", "id", unit_id="unit_id"),
    Source(
        "changes.repair", "changes_repair", {}, kind="REPAIR", at="created_at", key="id", deed="'repair'",
        actor="actor_id", reason="''", record="id",
    ),
    Source(
        "audit_log.exportrecord", "audit_log_exportrecord", {}, kind="EXPORT", at="created_at", key="id",
        deed="'export'", actor="actor_id", reason="''", record="id",
    ),
    _history("org.orgunit", unit_id="id"),
    _history("org.position", position_id="id", unit_id="org_unit_id"),
    _history("org.employee", employee_id="id"),
    _history("org.leave", employee_id="employee_id"),
    _history("org.unitscope", unit_id="org_unit_id"),
    _history("tags.tagcatalog", is_public=True),
    _history("tags.positiontag", position_id="position_id"),
    _history("assignments.assignment", assignment_id="id", employee_id="employee_id", position_id="position_id"),
    _history("demand.demandadjustment", position_id="position_id"),
    _history("business_rules.businessrule", is_public=True),
    _history("business_rules.ruledraft"),
    _history("business_rules.ruleexample"),
    _history("business_rules.ruleoverride", unit_id="org_unit_id"),
    Source("business_rules.ruleviolation", "business_rules_historicalruleviolation", OF_SUBJECTS),
    Source(
        "business_rules.waiver", "business_rules_historicalwaiver",
        {**OF_SUBJECTS, "unit_id": f"COALESCE({OF_SUBJECTS['unit_id']}, org_unit_id)"},
    ),
    Source("inbox.attention", "inbox_historicalattention", OF_SUBJECTS),
    _history("inbox.subscription"),
    _history("webhooks.webhookendpoint"),
    Source("users.user", "users_historicaluser", {}, record=""),
)  # fmt: skip
BY_NAME = {source.name: source for source in SOURCES}


def view_sql() -> str:
    """Return the SELECT of the view."""
    return "\nUNION ALL\n".join(_branch(source) for source in SOURCES)


def _branch(source: Source) -> str:
    anchors = ", ".join(f"({source.anchors.get(anchor, 'NULL')})::bigint AS {anchor}" for anchor in ANCHORS)
    record = "NULL::bigint" if not source.record else f"{source.record}::bigint"
    uuid = "id" if not source.record else "NULL::uuid"
    origin = f"{source.origin}::text" if source.origin else "''::text"
    return (
        f"SELECT '{source.name}~'::text || {source.key} AS id, {source.at} AS at, {source.key}::bigint AS key, "
        f"'{source.name}'::text AS source, '{source.kind}'::text AS kind, {source.deed}::text AS deed, "
        f"{source.actor} AS actor_id, {origin} AS origin, {source.reason}::text AS reason, "
        f"{record} AS record_id, {uuid} AS record_uuid, {anchors} "
        f"FROM {source.table}"
    )


def index_sql() -> list[tuple[str, str]]:
    """Return (name, CREATE INDEX) of the indexes the merge walks: newest first, ties by key."""
    found = []
    for source in SOURCES:
        name = f"audit_{source.table}"[:63]
        found.append((name, f"CREATE INDEX {name} ON {source.table} ({source.at} DESC, ({source.key}::bigint) DESC)"))
    return found
