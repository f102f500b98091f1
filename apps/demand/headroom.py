"""Headroom: what a unit keeps above its required hours for leave, sickness and training. A second target.

A unit without a percent of its own has that of the nearest unit above it that has one; none anywhere is 0. The first
target never hears of it: nothing here is part of required, deficit, coverage, states or rules.
"""

from __future__ import annotations

from decimal import Decimal

from apps.org.models import OrgUnit

# A percent has two decimals: weighed in integers, as parts of so many.
SHARES = 10_000


def percents_sql(units: str | None = None) -> str:
    """Return a query (unit, share of SHARES) of all units with a headroom, their own or from above.

    `units` is the name of a parameter with the ids of those asked about; None means all.
    """
    only = f"AND b.id = ANY (%({units})s::bigint[])" if units else ""
    return f"""SELECT DISTINCT ON (b.id) b.id AS unit, (said.headroom * 100)::bigint AS share
        FROM org_orgunit b CROSS JOIN LATERAL unnest(b.path) AS above (id)
            JOIN org_orgunit said ON said.id = above.id AND said.headroom IS NOT NULL
        WHERE TRUE {only} ORDER BY b.id, cardinality(said.path) DESC"""


def rounded(shares: str) -> str:
    """Return SQL of hour-days, half up, from SQL of a sum of hour-days × shares."""
    return f"div({shares} + {SHARES // 2}, {SHARES})"


# Who takes their headroom from these units, themselves left out: all below with nobody nearer who says one.
TAKES_FROM = """
    SELECT b.id FROM org_orgunit s JOIN org_orgunit b ON b.path @> ARRAY[s.id] AND b.id <> s.id
    WHERE s.id = ANY (%(headrooms)s::bigint[]) AND NOT EXISTS (
        SELECT FROM org_orgunit nearer
        WHERE nearer.id = ANY (b.path[array_position(b.path, s.id) + 1:]) AND nearer.headroom IS NOT NULL
    )"""


def headroom_of(unit: OrgUnit) -> Decimal | None:
    """Return the percent that holds for a unit, its own or that of the nearest unit above; None if nobody says one."""
    said = {row.pk: row.headroom for row in OrgUnit.objects.filter(pk__in=unit.path, headroom__isnull=False)}
    return next((said[pk] for pk in reversed(unit.path) if pk in said), None)
