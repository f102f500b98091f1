"""What years of use leave behind, for what is measured on it: logs, history, waivers, imports. Written straight in."""

from __future__ import annotations

from typing import Any

from django.db import connection

from apps.audit_log.sources import SOURCES
from apps.business_rules.models import RuleViolation, Waiver
from apps.imports.enums import JobState
from apps.imports.models import ImportJob

WAIVERS, IMPORTS, ERRORS = 500, 200, 200
# A moment of the year before for each row, not in the order of the ids.
AT = "timestamptz '2026-12-08' - ((hashint8extended(id, 5) % 31536000 + 31536000) % 31536000) * interval '1 second'"
LOGS = (
    f"""
    INSERT INTO fsm_employeetransitionlog
        (subject_id, subject_code, from_status, to_status, transition, reason, metadata, created_at)
    SELECT id, employee_number, 'ONBOARDING', 'ACTIVE', 'activate', '', '{{}}', {AT} AS at FROM org_employee ORDER BY at
    """,
    f"""
    INSERT INTO assignments_assignmenttransitionlog
        (subject_id, subject_code, from_status, to_status, transition, reason, metadata, created_at)
    SELECT id, 'A' || id, 'PROPOSED', 'ACTIVE', 'accept', '', '{{}}', {AT} AS at FROM assignments_assignment ORDER BY at
    """,
    f"""
    INSERT INTO tags_tagchangelog (employee_id, tag_id, change, after, reason, created_at)
    SELECT employee_id, tag_id, 'ADDED', '{{}}', '', {AT} AS at FROM tags_employeetag ORDER BY at
    """,
)
KEPT = ("org_historicalemployee", "org_historicalposition", "assignments_historicalassignment")


def fill(granted_by: Any) -> None:
    """Log a transition of every employee and assignment, every tag, and one change of every record."""
    with connection.cursor() as cursor:
        for statement in LOGS:
            cursor.execute(statement)
        for source in SOURCES:
            if source.table in KEPT:
                model: Any = source.model
                own = {field.column for field in model._meta.concrete_fields}
                kept = ", ".join(
                    f'"{field.column}"' for field in model.history.model._meta.concrete_fields if field.column in own
                )
                cursor.execute(
                    f"""
                    INSERT INTO {source.table} ({kept}, history_date, history_type, origin)
                    SELECT {kept}, {AT} AS at, '+', 'import' FROM {model._meta.db_table} ORDER BY at
                    """
                )
    Waiver.objects.bulk_create(
        Waiver(
            rule_id=one.rule_id, subject_kind=one.subject_kind, subject_id=one.subject_id,
            subject_code=one.subject_code, severity=one.severity, reason="bench", granted_by=granted_by,
            expires_on="2027-03-01",
        )
        for one in RuleViolation.objects.order_by("id")[:WAIVERS]
    )  # fmt: skip
    faults = [
        {"line": line, "column": "code", "value": "x", "code": "invalid", "message": "x" * 60} for line in range(ERRORS)
    ]
    ImportJob.objects.bulk_create(
        ImportJob(kind="employees", file_name=f"{number}.csv", user=granted_by, errors=faults, state=JobState.APPLIED)
        for number in range(IMPORTS)
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
