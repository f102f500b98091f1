"""The SQL of cliffs, in parts: found anew or read as kept, they are told by the same statements."""

from __future__ import annotations

from apps.changes.span import Span
from apps.offer.giving import giving_ctes
from apps.org.querysets import inside

OFFSET = "%(span_first)s::date"


# `suspected`, of a part of the tree: positions on which somebody's employment, presence, tags or contract changes in
# the range. Everybody else's hours go on.
SUSPECTED = f"""
    ending AS MATERIALIZED (
        SELECT id AS employee_id FROM org_employee WHERE last_day BETWEEN %(first)s::date - 1 AND %(last)s::date - 1
        UNION SELECT employee_id FROM org_leave WHERE starts_on BETWEEN %(first)s AND %(last)s
        UNION SELECT employee_id FROM tags_employeetag
              WHERE valid_until BETWEEN %(first)s::date - 1 AND %(last)s::date - 1
    ),
    suspected AS MATERIALIZED (
        SELECT DISTINCT a.position_id
        FROM assignments_assignment a
        JOIN org_position p ON p.id = a.position_id JOIN org_orgunit u ON u.id = p.org_unit_id
        WHERE a.accepted_at IS NOT NULL AND NOT a.voided AND a.starts_on <= %(last)s
          AND (a.ends_on IS NULL OR a.ends_on >= %(first)s::date - 1)
          AND (a.ends_on < %(last)s OR a.employee_id IN (SELECT employee_id FROM ending))
          AND (p.closes_on IS NULL OR p.closes_on >= %(first)s) AND {inside("u.path")}
    )"""


def in_force_ctes(span: Span) -> str:
    """Return the CTEs over `suspected` (position_id) that end in `in_force`: on which days each assignment gives hours.

    Days are offsets from the first Monday, as in the formulas.
    """
    giving = giving_ctes(span, employees="{id} IN (SELECT employee_id FROM booked)")
    return f"""
    booked AS MATERIALIZED (
        SELECT a.id AS assignment_id, a.position_id, a.employee_id, (a.effective_hours * 100)::int AS hours,
               a.accepted_at IS NOT NULL AS counted, a.starts_on, a.ends_on,
               GREATEST(a.starts_on - {OFFSET}, 0) AS lo,
               LEAST(COALESCE(a.ends_on, %(span_last)s::date), %(span_last)s::date) - {OFFSET} + 1 AS hi
        FROM assignments_assignment a JOIN suspected USING (position_id)
        WHERE NOT a.voided AND (a.accepted_at IS NOT NULL OR a.status = 'PROPOSED')
          AND a.starts_on <= %(span_last)s::date AND (a.ends_on IS NULL OR a.ends_on >= %(span_first)s::date)
    ),
    {giving},
    in_force AS MATERIALIZED (
        -- Status periods that touch are one run: changing from active to notice stops nothing.
        SELECT b.assignment_id, b.position_id, b.employee_id, b.hours, b.counted, b.starts_on, b.ends_on,
               range_agg(int4range(GREATEST(b.lo, g.lo), LEAST(b.hi, g.hi))) AS days
        FROM booked b JOIN giving g ON g.employee_id = b.employee_id AND g.lo < b.hi AND g.hi > b.lo
        GROUP BY b.assignment_id, b.position_id, b.employee_id, b.hours, b.counted, b.starts_on, b.ends_on
    )"""


# The CTEs that follow and end in `found`: the cliffs of those positions in the range.
FOUND = f"""
    runs AS (
        SELECT f.*, upper(run) AS stop, lead(lower(run)) OVER (PARTITION BY f.assignment_id ORDER BY run) AS back
        FROM in_force f CROSS JOIN LATERAL unnest(f.days) AS run
        WHERE f.counted
    ),
    stops AS (
        -- An end of the employment is said before the end of the assignment that comes with it, and both before a
        -- leave, after which hours come back.
        SELECT r.assignment_id, r.position_id, r.employee_id, r.hours, r.stop AS day, r.back,
               CASE WHEN e.last_day = {OFFSET} + r.stop - 1 THEN 'LAST_DAY'
                    WHEN r.ends_on = {OFFSET} + r.stop - 1 THEN 'ASSIGNMENT'
                    WHEN l.id IS NOT NULL THEN 'LEAVE' END AS cause,
               l.id AS leave_id
        FROM runs r JOIN org_employee e ON e.id = r.employee_id
        LEFT JOIN org_leave l ON l.employee_id = r.employee_id AND l.starts_on <= {OFFSET} + r.stop
             AND (l.ends_on IS NULL OR l.ends_on >= {OFFSET} + r.stop)
        WHERE {OFFSET} + r.stop BETWEEN %(first)s AND %(last)s
    ),
    begun AS (
        -- What the same employee's next assignment to the same position takes over from the day on is not at stake.
        SELECT f.employee_id, f.position_id, f.starts_on - {OFFSET} AS day, sum(f.hours)::int AS hours
        FROM in_force f WHERE f.counted AND f.days @> (f.starts_on - {OFFSET})
        GROUP BY f.employee_id, f.position_id, f.starts_on
    ),
    stopping AS (
        SELECT s.assignment_id, s.cause, s.day, s.back, s.leave_id,
               CASE WHEN s.cause = 'ASSIGNMENT' THEN GREATEST(0, LEAST(s.hours, (sum(s.hours) OVER (
                        PARTITION BY s.employee_id, s.position_id, s.day, s.cause ORDER BY s.assignment_id
                    ))::int - COALESCE(b.hours, 0))) ELSE s.hours END AS hours
        FROM stops s LEFT JOIN begun b USING (employee_id, position_id, day)
        WHERE s.cause IS NOT NULL
    ),
    held AS (
        SELECT f.assignment_id, 'TAG' AS cause, w.tag_id, COALESCE(range_agg(
                   int4range(t.valid_from - {OFFSET}, t.valid_until - {OFFSET} + 1)
               ) FILTER (WHERE t.id IS NOT NULL), '{{}}') AS days
        FROM in_force f JOIN tags_positiontag w ON w.position_id = f.position_id AND w.level = 'REQUIRED'
        LEFT JOIN tags_employeetag t ON t.employee_id = f.employee_id AND t.tag_id = w.tag_id
        WHERE f.counted GROUP BY f.assignment_id, w.tag_id
        UNION ALL
        SELECT f.assignment_id, 'CONTRACT', NULL,
               range_agg(int4range(t.valid_from - {OFFSET}, t.valid_until - {OFFSET} + 1))
        FROM in_force f JOIN tags_employeetag t ON t.employee_id = f.employee_id
        JOIN tags_tagcatalog c ON c.id = t.tag_id AND c.type = 'CONTRACT'
        WHERE f.counted GROUP BY f.assignment_id
    ),
    lacking AS (
        -- From the day after everything asked was held last, until all of it is held again.
        SELECT h.assignment_id, h.cause, lower(run) AS since, run
        FROM (SELECT assignment_id, cause, range_intersect_agg(days) AS days FROM held GROUP BY 1, 2) AS h
        CROSS JOIN LATERAL unnest(int4multirange(int4range(NULL, NULL)) - h.days) AS run
        WHERE {OFFSET} + lower(run) BETWEEN %(first)s AND %(last)s
    ),
    running_out AS (
        -- Whoever is away on the day is without it from the day of return.
        SELECT f.assignment_id, f.employee_id, f.position_id, n.cause, n.since, f.hours,
               lower(f.days * int4multirange(n.run)) AS day
        FROM lacking n JOIN in_force f USING (assignment_id)
        WHERE f.starts_on < {OFFSET} + n.since
    ),
    run_out AS (
        SELECT o.assignment_id, o.cause, o.day, o.since, o.hours, min(t.id) AS record_id,
               array_agg(c.id ORDER BY c.id) AS tags
        FROM running_out o
        JOIN tags_employeetag t ON t.employee_id = o.employee_id AND t.valid_until = {OFFSET} + o.since - 1
        JOIN tags_tagcatalog c ON c.id = t.tag_id
        WHERE o.day IS NOT NULL AND {OFFSET} + o.day <= %(last)s
          AND CASE o.cause WHEN 'CONTRACT' THEN c.type = 'CONTRACT' ELSE EXISTS (
                  SELECT FROM tags_positiontag w
                  WHERE w.position_id = o.position_id AND w.tag_id = t.tag_id AND w.level = 'REQUIRED'
              ) AND NOT EXISTS (
                  SELECT FROM tags_employeetag again
                  WHERE again.employee_id = t.employee_id AND again.tag_id = t.tag_id
                    AND again.valid_from = t.valid_until + 1
              ) END
        GROUP BY o.assignment_id, o.cause, o.day, o.since, o.hours
    ),
    told AS (
        SELECT assignment_id, cause, day, day AS since, hours, leave_id AS record_id, '{{}}'::bigint[] AS tags,
               CASE WHEN cause = 'LEAVE' THEN back END AS back
        FROM stopping WHERE hours > 0
        UNION ALL
        SELECT assignment_id, cause, day, since, hours, record_id, tags, NULL FROM run_out
    ),
    needed AS MATERIALIZED (
        SELECT p.id AS position_id, d.day, (p.required_weekly_hours * 100)::int + COALESCE((
                   SELECT sum((x.hours * 100)::int) FROM demand_demandadjustment x WHERE x.position_id = p.id
                   AND x.from_day <= {OFFSET} + d.day AND (x.until_day IS NULL OR x.until_day >= {OFFSET} + d.day)
               ), 0)::int AS hours
        FROM (SELECT DISTINCT b.position_id, t.day FROM told t JOIN booked b USING (assignment_id)) AS d
        JOIN org_position p ON p.id = d.position_id
        WHERE (p.opens_on IS NULL OR p.opens_on <= {OFFSET} + d.day)
          AND (p.closes_on IS NULL OR p.closes_on >= {OFFSET} + d.day)
    ),
    found AS MATERIALIZED (
        SELECT t.*, b.employee_id, b.position_id, n.hours AS needs
        FROM told t JOIN booked b USING (assignment_id)
        JOIN needed n ON n.position_id = b.position_id AND n.day = t.day
        WHERE n.hours > 0
    )"""
DETAILS = f"""
    standing_still AS (
        SELECT d.position_id, d.day, sum(f.hours)::int AS hours
        FROM (SELECT DISTINCT position_id, day FROM shown) AS d
        JOIN in_force f ON f.position_id = d.position_id AND f.counted AND f.days @> d.day
        GROUP BY d.position_id, d.day
    ),
    following AS (
        SELECT s.place, f.hours, f.counted,
               lower(f.days * int4multirange(int4range(s.day, NULL))) AS day
        FROM shown s JOIN in_force f ON f.position_id = s.position_id AND f.assignment_id <> s.assignment_id
        WHERE f.starts_on > %(span_today)s
          AND NOT (s.cause = 'ASSIGNMENT' AND f.counted AND f.employee_id = s.employee_id
                   AND f.starts_on = {OFFSET} + s.day)
    ),
    replaced AS (
        SELECT place, min(day) AS day, sum(hours)::int AS hours,
               COALESCE(sum(hours) FILTER (WHERE NOT counted), 0)::int AS proposed
        FROM (SELECT *, min(day) OVER (PARTITION BY place) AS earliest FROM following WHERE day IS NOT NULL) AS f
        WHERE day < earliest + %(together)s GROUP BY place
    )"""
_KEPT = """
    found AS {how} (
        SELECT c.position_id, c.assignment_id, c.employee_id, c.cause, c.day - {offset} AS day, c.hours, c.needs,
               c.record_id, c.back_on - {offset} AS back, c.tags
        FROM demand_positioncliff c {inside}
        WHERE c.since >= %(first)s AND c.day <= %(last)s {where}
    )"""
# `found` as it is kept: of everything, of a part of the tree.
# To read them twice costs less than to put them aside; whose place has to be looked at is looked at once.
KEPT = _KEPT.format(how="NOT MATERIALIZED", offset=OFFSET, inside="", where="")
KEPT_INSIDE = _KEPT.format(
    how="MATERIALIZED",
    offset=OFFSET,
    inside="JOIN org_position p ON p.id = c.position_id JOIN org_orgunit u ON u.id = p.org_unit_id",
    where=f"AND {inside('u.path')}",
)
SUSPECTED_SHOWN = """
    suspected AS MATERIALIZED (SELECT DISTINCT position_id FROM shown)"""
SUSPECTED_AMONG = """
    suspected AS MATERIALIZED (SELECT id AS position_id FROM org_position WHERE id = ANY (%(positions)s::bigint[]))"""
SHOWN = """
    shown AS MATERIALIZED (
        SELECT f.*, row_number() OVER (ORDER BY f.day, f.position_id, f.assignment_id, f.cause) AS place
        FROM (
            SELECT * FROM found WHERE cause = ANY (%(causes)s)
            ORDER BY day, position_id, assignment_id, cause LIMIT %(limit)s
        ) AS f
    )"""
# One page after the other of those in the order of their key, which an index has.
_KEPT_AFTER = """
    shown AS MATERIALIZED (
        SELECT f.*, row_number() OVER (ORDER BY f.day, f.position_id, f.assignment_id, f.cause) AS place
        FROM (
            SELECT c.position_id, c.assignment_id, c.employee_id, c.cause, c.day - {offset} AS day, c.hours, c.needs,
                   c.record_id, c.back_on - {offset} AS back, c.tags
            FROM demand_positioncliff c {inside}
            WHERE c.since >= %(first)s AND c.day >= %(first)s AND c.day <= %(last)s AND c.cause = ANY (%(causes)s)
              AND (c.day, c.position_id, c.assignment_id, c.cause) >
                  (%(after_day)s, %(after_position)s, %(after_assignment)s, %(after_cause)s) {where}
            ORDER BY c.day, c.position_id, c.assignment_id, c.cause LIMIT %(limit)s
        ) AS f
    )"""
KEPT_AFTER = _KEPT_AFTER.format(offset=OFFSET, inside="", where="")
KEPT_INSIDE_AFTER = _KEPT_AFTER.format(
    offset=OFFSET,
    inside="JOIN org_position p ON p.id = c.position_id JOIN org_orgunit u ON u.id = p.org_unit_id",
    where=f"AND {inside('u.path')}",
)
# The columns are in the order of Cliff, after TRUE for a total and FALSE for a cliff.
TOTALS = f"""
        SELECT TRUE AS is_total, cause, count(*)::int, sum(hours)::int, {OFFSET} + day / 7 * 7,
               NULL::bigint, NULL::bigint, NULL::text, NULL::text, NULL::bigint, NULL::text, NULL::text, NULL::bigint,
               NULL::text, NULL::text, NULL::text, NULL::bigint, NULL::text, NULL::date, NULL::date, NULL::int,
               NULL::int, NULL::int, NULL::int, NULL::date, 0::bigint AS place
        FROM found GROUP BY cause, day / 7"""
ROWS = f"""
        SELECT FALSE, s.cause, 1, s.hours, {OFFSET} + s.day, s.assignment_id, e.id, e.employee_number,
               concat(e.family_name, ', ', e.given_name), p.id, p.code, p.title, u.id, u.code, u.name,
               COALESCE(owner.name, ''),
               CASE s.cause WHEN 'ASSIGNMENT' THEN s.assignment_id WHEN 'LAST_DAY' THEN e.id ELSE s.record_id END,
               COALESCE(l.kind, (
                   SELECT string_agg(t.name, ', ' ORDER BY t.name) FROM tags_tagcatalog t WHERE t.id = ANY (s.tags)
               ), ''),
               l.ends_on, {OFFSET} + s.back, s.needs, COALESCE(c.hours, 0), COALESCE(r.hours, 0),
               COALESCE(r.proposed, 0), {OFFSET} + r.day, s.place
        FROM shown s
        JOIN org_employee e ON e.id = s.employee_id
        JOIN org_position p ON p.id = s.position_id JOIN org_orgunit u ON u.id = p.org_unit_id
        LEFT JOIN org_leave l ON s.cause = 'LEAVE' AND l.id = s.record_id
        LEFT JOIN standing_still c ON c.position_id = s.position_id AND c.day = s.day
        LEFT JOIN replaced r ON r.place = s.place
        LEFT JOIN LATERAL (
            SELECT COALESCE(NULLIF(trim(concat(m.given_name, ' ', m.family_name)), ''), m.email) AS name
            FROM unnest(u.path) WITH ORDINALITY AS above (id, depth)
            JOIN org_orgunit o ON o.id = above.id JOIN users_user m ON m.id = o.manager_id
            ORDER BY above.depth DESC LIMIT 1
        ) AS owner ON TRUE"""
ANSWER = f"SELECT * FROM ({TOTALS} UNION ALL {ROWS}) AS answer ORDER BY place"
ROWS_IN_ORDER = f"SELECT * FROM ({ROWS}) AS answer (is_total, cause, number) ORDER BY place"
