"""A clinic of any size, written straight into the tables: what the benchmarks measure on.

Every value follows from the row's number, so two loads of one size are the same. Triggers are off while it loads;
the figures are computed by the product's own formulas afterwards. Shares are those of a large network that keeps its
data in order: 1 to 4 % of what a rule looks at breaks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection, transaction

from apps.changes.figures import kept
from apps.changes.models import Calendar
from apps.changes.span import Span
from apps.demand.coverage import coverage_sql, unit_sql
from apps.demand.kept_cliffs import in_batches, refresh_cliffs
from apps.demand.tables import POSITIONS, UNITS, WHOLES
from apps.demand.whole import added_up_sql
from apps.offer import usage
from apps.offer.ledger import ledger_sql
from apps.offer.recompute import TABLE as LEDGER

TODAY = date(2026, 12, 9)
CERTIFICATES = 25


@dataclass(frozen=True)
class Size:
    """How many of each there are; a unit has so many below it."""

    employees: int
    positions: int
    assignments: int
    tags: int
    units: int
    branches: int


SIZES = {
    "s": Size(200, 60, 300, 600, 20, 3),
    "m": Size(100_000, 30_000, 150_000, 300_000, 5_000, 5),
    "l": Size(1_000_000, 300_000, 1_500_000, 3_000_000, 50_000, 8),
}

# A number of 0..999 that looks random and is the same every time: mix(row, salt).
MIX = """
    CREATE OR REPLACE FUNCTION pg_temp.mix(bigint, int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT ((hashint8extended($1, $2) % 1000 + 1000) % 1000)::int $$
"""
# The order in which years of edits leave rows: anything but that of the ids.
SHUFFLED = "ORDER BY hashint8extended(i, 77)"

TABLES = {
    "org_orgunit": """
        INSERT INTO org_orgunit (id, code, name, kind, parent_id, coverage_target, max_weekly_hours, is_active, path)
        WITH RECURSIVE tree AS (
            SELECT 1::bigint AS id, NULL::bigint AS parent, ARRAY[1::bigint] AS path
            UNION ALL
            SELECT c.id, t.id, t.path || c.id FROM tree t
            CROSS JOIN LATERAL generate_series((t.id - 1) * {branches} + 2, t.id * {branches} + 1) AS c (id)
            WHERE c.id <= {units}
        )
        SELECT id, 'U' || id, 'Unidad ' || id, CASE WHEN parent IS NULL THEN 'CLINIC' ELSE 'UNIT' END, parent,
            CASE WHEN id % 50 = 7 THEN 90 END, CASE WHEN id % 200 = 11 THEN 48 END, true, path
        FROM tree
    """,
    "tags_tagcatalog": f"""
        INSERT INTO tags_tagcatalog (id, code, name, type, hours_delta, expires, is_active)
        SELECT i, 'T' || i, 'Certificado ' || i, 'CERTIFICATION', 0, true, true
        FROM generate_series(1, {CERTIFICATES}) i
        UNION ALL
        SELECT {CERTIFICATES} + i, 'C' || hours, 'Contrato ' || hours, 'CONTRACT', hours, false, true
        FROM unnest(ARRAY[48, 36, 24, 12]) WITH ORDINALITY AS c (hours, i)
    """,
    "org_employee": """
        INSERT INTO org_employee (id, status, employee_number, given_name, family_name, email, national_id,
            home_unit_id, hired_on, last_day)
        SELECT i,
            CASE WHEN pg_temp.mix(i, 1) < 960 THEN 'ACTIVE' WHEN pg_temp.mix(i, 1) < 975 THEN 'ON_LEAVE'
                WHEN pg_temp.mix(i, 1) < 985 THEN 'NOTICE' WHEN pg_temp.mix(i, 1) < 995 THEN 'TERMINATED'
                ELSE 'SUSPENDED' END,
            'E' || i, 'Nombre ' || pg_temp.mix(i, 2), 'Apellido ' || pg_temp.mix(i, 3), 'e' || i || '@clinic.example',
            '',
            1 + (hashint8extended(i, 4) % {units} + {units}) % {units},
            date '2015-01-01' + pg_temp.mix(i, 5) * 4,
            CASE WHEN pg_temp.mix(i, 1) >= 995 THEN NULL WHEN pg_temp.mix(i, 1) >= 985 THEN date '2026-11-30'
                WHEN pg_temp.mix(i, 1) >= 975 THEN date '2026-12-31' END
        FROM generate_series(1, {employees}) i
    """,
    "fsm_employeestatusperiod": """
        INSERT INTO fsm_employeestatusperiod (employee_id, status, from_day, until_day)
        SELECT id, 'ACTIVE', hired_on, CASE WHEN status = 'ACTIVE' THEN NULL ELSE COALESCE(
            CASE WHEN status = 'TERMINATED' THEN last_day END, date '2026-11-15') END FROM org_employee
        UNION ALL
        SELECT id, status, CASE WHEN status = 'TERMINATED' THEN last_day + 1 ELSE date '2026-11-16' END, NULL
        FROM org_employee WHERE status <> 'ACTIVE'
    """,
    "org_leave": """
        INSERT INTO org_leave (employee_id, kind, starts_on, ends_on, reason)
        SELECT id, 'SICK', date '2026-11-16', NULL, '' FROM org_employee WHERE status = 'ON_LEAVE'
        UNION ALL
        SELECT id, 'VACATION', date '2026-12-20' + pg_temp.mix(id, 6) % 40, date '2027-02-10', '' FROM org_employee
        WHERE status = 'ACTIVE' AND pg_temp.mix(id, 7) < 60
    """,
    "org_position": """
        INSERT INTO org_position (id, code, title, org_unit_id, required_weekly_hours, opens_on, closes_on)
        SELECT i, 'P' || i, 'Puesto ' || i, 1 + (hashint8extended(i, 8) % {units} + {units}) % {units},
            (ARRAY[58, 52, 46, 40])[1 + i % 4], date '2020-01-01',
            CASE WHEN pg_temp.mix(i, 9) < 20 THEN date '2027-01-15' END
        FROM generate_series(1, {positions}) i
    """,
    "tags_positiontag": f"""
        INSERT INTO tags_positiontag (position_id, tag_id, level)
        SELECT i, 1 + i % {CERTIFICATES}, 'REQUIRED' FROM generate_series(1, {{positions}}) i WHERE i % 5 < 3
        {SHUFFLED}
    """,
    "tags_employeetag": f"""
        INSERT INTO tags_employeetag (employee_id, tag_id, valid_from, valid_until, note)
        SELECT employee, tag, day, until, '' FROM (
            SELECT i, i AS employee, {CERTIFICATES} + 1 + i % 4 AS tag, date '2015-01-01' AS day,
                CASE WHEN pg_temp.mix(i, 10) < 15 THEN date '2027-01-10'
                    WHEN pg_temp.mix(i, 10) < 25 THEN date '2026-11-01' END AS until
            FROM generate_series(1, {{employees}}) i
            UNION ALL
            SELECT i, i, 1 + i % {CERTIFICATES}, date '2018-01-01',
                CASE WHEN pg_temp.mix(i, 11) < 20 THEN date '2026-12-24'
                    WHEN pg_temp.mix(i, 11) < 40 THEN date '2026-12-01' END
            FROM generate_series(1, {{employees}}) i
            UNION ALL
            SELECT i, i, 1 + (i + 7) % {CERTIFICATES}, date '2018-01-01', date '2028-06-30'
            FROM generate_series(1, {{employees}}) i
        ) held {SHUFFLED}
    """,
    # Employee i holds certificates 1 + i % 25 and 1 + (i + 7) % 25 and works where they are asked for.
    "assignments_assignment": f"""
        INSERT INTO assignments_assignment (employee_id, position_id, effective_hours, is_reinforcement, status,
            starts_on, ends_on, accepted_at, voided)
        SELECT employee,
            1 + ({CERTIFICATES} * spot + (employee + shift) % {CERTIFICATES} - 1 + {{positions}}) % {{positions}},
            CASE WHEN pg_temp.mix(i, 12) < 15 THEN 62 WHEN pg_temp.mix(i, 12) < 40 THEN hours + 12 ELSE hours END,
            pg_temp.mix(i, 13) < 50, status, starts_on, ends_on,
            CASE WHEN status <> 'PROPOSED' THEN timestamptz '2026-01-01' END, false
        FROM (
            SELECT i, i AS employee, 0 AS shift, i / {CERTIFICATES} AS spot,
                (ARRAY[42, 30, 18, 8])[1 + i % 4]::numeric AS hours,
                CASE WHEN pg_temp.mix(i, 15) < 820 THEN 'ACTIVE' WHEN pg_temp.mix(i, 15) < 880 THEN 'PROPOSED'
                    ELSE 'CLOSED' END AS status,
                date '2026-01-01' + pg_temp.mix(i, 16) % 300 AS starts_on,
                CASE WHEN pg_temp.mix(i, 15) >= 880 THEN date '2026-11-20'
                    WHEN pg_temp.mix(i, 17) < 100 THEN date '2027-01-31' END AS ends_on
            FROM generate_series(1, {{employees}}) i
            UNION ALL
            SELECT i, i * 2, 7, (hashint8extended(i, 18) % 100000000 + 100000000), 6::numeric,
                CASE WHEN pg_temp.mix(i, 19) < 550 THEN 'ACTIVE' ELSE 'CLOSED' END,
                date '2026-01-01' + pg_temp.mix(i, 20) % 200,
                CASE WHEN pg_temp.mix(i, 19) >= 550 THEN date '2026-10-31' END
            FROM generate_series({{employees}} + 1, {{assignments}}) j, LATERAL (SELECT j - {{employees}} AS i) n
        ) a {SHUFFLED}
        ON CONFLICT DO NOTHING
    """,
}


def load(size: Size) -> None:
    """Fill an empty migrated database and compute its figures; a few minutes at l."""
    numbers = {name: getattr(size, name) for name in ("employees", "positions", "assignments", "units", "branches")}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '512MB'")
        cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
        cursor.execute(MIX)
        for table, statement in TABLES.items():
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            made_again = _without_indexes_and_keys(cursor, table)
            cursor.execute(statement.format(**numbers))
            for definition in made_again:
                cursor.execute(definition)
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [table])
            cursor.execute(f"SELECT setval(%s, (SELECT max(id) FROM {table}))", [cursor.fetchone()[0]])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    compute_figures()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def compute_figures() -> None:
    """Compute every stored figure by the product's formulas."""
    span = Span.current(TODAY)
    Calendar.objects.update_or_create(pk=1, defaults={"first_week": span.first_week, "day": TODAY})
    sources: list[tuple[Any, tuple[str, dict[str, Any]]]] = [
        (LEDGER, ledger_sql(span, engaged=True)),
        (POSITIONS, coverage_sql(span)),
        (UNITS, unit_sql(span, source=POSITIONS.name)),
        (WHOLES, added_up_sql(span, own=UNITS.name)),
        (usage.OWN, usage.usage_sql(span)),
        (usage.WHOLE, usage.whole_usage_sql(span)),
    ]
    assert len(sources) == len(list(kept())) + 2  # a unit has two rows of each
    for table, (sql, params) in sources:
        columns = ", ".join(table.figures)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL work_mem = '512MB'")
            cursor.execute(
                f"""INSERT INTO {table.name} ({table.key}, first_week, {columns}, computed_at)
                SELECT {table.key}, %(span_first)s, {columns}, now() FROM ({sql}) AS n""",
                {**span.params, **params},
            )
        with connection.cursor() as cursor:
            cursor.execute(f"VACUUM (ANALYZE) {table.name}")

    keep_cliffs(span)


def keep_cliffs(span: Span) -> None:
    """Fill in the days on which hours stop, as the product does."""
    for positions in in_batches():
        refresh_cliffs(positions, span)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) demand_positioncliff")


def _without_indexes_and_keys(cursor: Any, table: str) -> list[str]:
    """Drop a table's plain indexes and foreign keys; return what makes them again. Done at once they take a third."""
    cursor.execute(
        """
        SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'
        """,
        [table],
    )
    keys = cursor.fetchall()
    for name, _definition in keys:
        cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    cursor.execute(
        """
        SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
        WHERE i.indrelid = %s::regclass AND NOT i.indisunique AND NOT i.indisexclusion
        """,
        [table],
    )
    found = cursor.fetchall()
    for name, _definition in found:
        cursor.execute(f"DROP INDEX {name}")
    return [
        *(definition for _name, definition in found),
        *(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}' for name, definition in keys),
    ]
