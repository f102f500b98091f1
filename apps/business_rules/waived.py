"""What waivers cover right now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.db import connection

from apps.common.clock import today

from .models import Waiver
from .sql import rank
from .subjects import kinds

OF_RECORDS = """
    SELECT w.id AS waiver, v.id FROM business_rules_waiver w
        JOIN business_rules_ruleviolation v ON v.rule_id = w.rule_id AND v.subject_kind = w.subject_kind
            AND v.subject_id = w.subject_id
    WHERE w.id = ANY (%(ids)s) AND {covers}
"""
OF_UNITS = """
    SELECT w.id AS waiver, v.id FROM business_rules_waiver w
        JOIN business_rules_ruleviolation v ON v.rule_id = w.rule_id AND v.subject_kind = '{kind}'
        JOIN ({rows}) r ON r.id = v.subject_id JOIN org_orgunit u ON u.id = r.unit_id
    WHERE w.id = ANY (%(units)s) AND u.path @> ARRAY[w.org_unit_id] AND {covers}
"""
COVERS = f"v.state = 'WAIVED' AND w.expires_on >= %(today)s AND {rank('w.severity')} >= {rank('v.severity')}"


class Covered(NamedTuple):
    """How many violations a waiver covers now, and one of them."""

    number: int
    violation: int


def covered_by(waivers: Iterable[Waiver]) -> dict[int, Covered]:
    """Return what each of these waivers covers, by its key; nothing of those that cover nothing. One query."""
    rows = list(waivers)
    units = [row.pk for row in rows if row.org_unit_id is not None]
    parts = [OF_RECORDS.format(covers=COVERS)]
    if units:
        parts += [OF_UNITS.format(kind=kind.name, rows=kind.rows, covers=COVERS) for kind in kinds()]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT waiver, count(*), min(id) FROM ({' UNION ALL '.join(parts)}) covered GROUP BY waiver",
            {"ids": [row.pk for row in rows], "units": units, "today": today()},
        )
        return {waiver: Covered(count, violation) for waiver, count, violation in cursor.fetchall()}
