"""The records behind a cause, by what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db import connection

from .answer import Record
from .causes import Cause


def told(cause: Cause, rows: Sequence[Sequence[Any]], weeks: Sequence[date]) -> list[Record]:
    """Return the records with what they are called, in the same order."""
    if not rows:
        return []
    found, positions, employees = ([row[number] for row in rows] for number in range(3))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT r.record_id, r.position_id, COALESCE(p.code, ''), COALESCE(p.title, ''), COALESCE(u.name, ''),
                   r.employee_id, e.employee_number, e.family_name || ', ' || e.given_name,
                   COALESCE(a.starts_on, l.starts_on, t.valid_from, d.from_day, o.opens_on),
                   COALESCE(a.ends_on, l.ends_on, t.valid_until, d.until_day, o.closes_on, g.last_day),
                   COALESCE(l.kind, c.name, d.reason, ''), COALESCE(a.effective_hours, d.hours)
            FROM unnest(%(records)s::bigint[], %(positions)s::bigint[], %(employees)s::bigint[])
                 WITH ORDINALITY AS r (record_id, position_id, employee_id, place)
            LEFT JOIN org_position p ON p.id = r.position_id
            LEFT JOIN org_orgunit u ON u.id = p.org_unit_id
            LEFT JOIN org_employee e ON e.id = r.employee_id
            LEFT JOIN assignments_assignment a
                ON a.id = r.record_id AND %(cause)s IN ('NEW', 'ENDED', 'HOURS', 'BEGUN', 'OVER')
            LEFT JOIN org_leave l ON l.id = r.record_id AND %(cause)s IN ('LEAVE', 'RETURN')
            LEFT JOIN tags_employeetag t ON t.id = r.record_id AND %(cause)s IN ('TAG_LOST', 'TAG_HELD')
            LEFT JOIN tags_tagcatalog c ON c.id = t.tag_id
            LEFT JOIN demand_demandadjustment d ON d.id = r.record_id AND %(cause)s IN ('ADJUSTED', 'UNADJUSTED')
            LEFT JOIN org_position o ON o.id = r.record_id AND %(cause)s IN ('OPENED', 'CLOSED')
            LEFT JOIN org_employee g ON g.id = r.record_id AND %(cause)s = 'LEFT'
            ORDER BY r.place
            """,
            {"records": found, "positions": positions, "employees": employees, "cause": cause.value},
        )
        named = cursor.fetchall()
    return [
        Record(*(cause, *name, weeks[row[3]] if cause == Cause.CORRECTION else None, *row[4:]))
        for name, row in zip(named, rows, strict=True)
    ]
