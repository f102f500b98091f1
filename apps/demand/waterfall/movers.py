"""What can differ between two weeks at all: what has a day in between on which something begins or ends.

Whatever a position needs or has follows from the dates of its own, of its adjustments and assignments, and of the
employment, leaves and required tags of whoever is assigned. Between two days without such a date in between nothing
changes, so each difference has its date here. (The status of now, which days to come count with, is that of the last
period: where it differs from that of today, a period begins after today.) More may be found than differ.
"""

from __future__ import annotations

from datetime import date, timedelta

from django.db import connection

from apps.org.querysets import inside

from .answer import Movers, Place


def _begins(column: str) -> str:
    return f"{column} > %(begin)s AND {column} <= %(end)s"


def _ends(column: str) -> str:
    return f"{column} >= %(begin)s AND {column} < %(end)s"


TOUCHES = "NOT a.voided AND a.starts_on <= %(end)s AND (a.ends_on IS NULL OR a.ends_on >= %(begin)s)"
# Tags that any position requires, of the few there are in the catalogue.
REQUIRED = """t.tag_id = ANY (ARRAY(
        SELECT c.id FROM tags_tagcatalog c
        WHERE EXISTS (SELECT FROM tags_positiontag w WHERE w.tag_id = c.id AND w.level = 'REQUIRED')
    ))"""
TAGGED = f"""tags_employeetag t JOIN assignments_assignment a ON a.employee_id = t.employee_id AND {TOUCHES}
        JOIN tags_positiontag w ON w.position_id = a.position_id AND w.tag_id = t.tag_id AND w.level = 'REQUIRED'
        WHERE {REQUIRED}"""
FOUND = f"""
    WITH people (id) AS (
        SELECT l.employee_id FROM org_leave l WHERE {_begins("l.starts_on")}
        UNION ALL SELECT l.employee_id FROM org_leave l WHERE {_ends("l.ends_on")}
        UNION ALL SELECT e.id FROM org_employee e WHERE e.last_day IS NOT NULL AND {_ends("e.last_day")}
        UNION ALL SELECT s.employee_id FROM fsm_employeestatusperiod s WHERE {_begins("s.from_day")}
        UNION ALL SELECT s.employee_id FROM fsm_employeestatusperiod s WHERE {_ends("s.until_day")}
    ),
    found (assignment_id, position_id) AS (
        SELECT a.id, a.position_id FROM people JOIN assignments_assignment a ON a.employee_id = people.id
        WHERE {TOUCHES}
        UNION ALL SELECT a.id, a.position_id FROM {TAGGED} AND {_ends("t.valid_until")}
        UNION ALL SELECT a.id, a.position_id FROM {TAGGED} AND {_begins("t.valid_from")}
        UNION ALL
        SELECT a.id, a.position_id FROM assignments_assignment a WHERE {_begins("a.starts_on")} AND NOT a.voided
        UNION ALL
        SELECT a.id, a.position_id FROM assignments_assignment a WHERE {_ends("a.ends_on")} AND a.status = 'ACTIVE'
        UNION ALL
        SELECT a.id, a.position_id FROM assignments_assignment a
        WHERE {_ends("a.ends_on")} AND a.status = 'CLOSED' AND NOT a.voided
        UNION ALL SELECT NULL, p.id FROM org_position p WHERE {_begins("p.opens_on")}
        UNION ALL SELECT NULL, p.id FROM org_position p WHERE {_ends("p.closes_on")}
        UNION ALL SELECT NULL, d.position_id FROM demand_demandadjustment d WHERE {_begins("d.from_day")}
        UNION ALL SELECT NULL, d.position_id FROM demand_demandadjustment d WHERE {_ends("d.until_day")}
    ),
    some_found AS MATERIALIZED (SELECT * FROM found LIMIT %(dates)s),
    inside AS MATERIALIZED (
        SELECT f.* FROM some_found f
        JOIN org_position p ON p.id = f.position_id JOIN org_orgunit u ON u.id = p.org_unit_id
        WHERE {inside("u.path")}
    )
    SELECT (SELECT count(*) FROM some_found),
           ARRAY(SELECT DISTINCT assignment_id FROM inside WHERE assignment_id IS NOT NULL),
           ARRAY(SELECT DISTINCT position_id FROM inside WHERE assignment_id IS NULL),
           ARRAY(SELECT DISTINCT position_id FROM inside)"""


def movers(place: Place, first: date, second: date, *, most: int) -> Movers | None:
    """Return what may differ between two open weeks (Mondays) in a part of the house.

    None if there are more than so many dates in between, in the whole house.
    """
    params = {**place.params, "begin": first, "end": second + timedelta(days=6), "dates": most + 1}
    with connection.cursor() as cursor:
        cursor.execute(FOUND, params)
        dates, *found = cursor.fetchone()
    return None if dates > most else Movers(*found)
