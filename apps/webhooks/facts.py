"""What an event says: SQL over the rows of one statement, one row an event.

Each gives `rank` (the order), `subject_id`, `path` (the units it concerns, with all above them) and `data`. Ids, codes,
states and days alone: a receiver that may know more asks the REST interface as somebody.
"""

from __future__ import annotations

from apps.demand.coverage import states_sql

# As positions stand in the first of the weeks that are kept: the current one. A row that was only begun has no state.
COVERAGE_STATE = f"""CASE
    WHEN cardinality(required) = 0 THEN NULL {states_sql("required[1]", "assigned[1]")} END"""

EMPLOYEES = """
    SELECT n.id AS rank, n.subject_id, u.path, jsonb_build_object(
        'employee', jsonb_build_object('id', s.id, 'code', s.employee_number),
        'unit', jsonb_build_object('id', u.id, 'code', u.code),
        'transition', n.transition, 'from', NULLIF(n.from_status, ''), 'to', NULLIF(n.to_status, '')
    ) AS data
    FROM new_rows n JOIN org_employee s ON s.id = n.subject_id JOIN org_orgunit u ON u.id = s.home_unit_id
"""
ASSIGNMENTS = """
    SELECT n.id AS rank, n.subject_id, u.path || home.path AS path, jsonb_build_object(
        'assignment', jsonb_build_object('id', s.id, 'code', n.subject_code),
        'employee', jsonb_build_object('id', e.id, 'code', e.employee_number),
        'position', jsonb_build_object('id', p.id, 'code', p.code),
        'unit', jsonb_build_object('id', u.id, 'code', u.code),
        'transition', n.transition, 'from', NULLIF(n.from_status, ''), 'to', NULLIF(n.to_status, '')
    ) AS data
    FROM new_rows n JOIN assignments_assignment s ON s.id = n.subject_id
    JOIN org_employee e ON e.id = s.employee_id JOIN org_orgunit home ON home.id = e.home_unit_id
    JOIN org_position p ON p.id = s.position_id JOIN org_orgunit u ON u.id = p.org_unit_id
"""
# Old and new rows meet in a group, never in a join (apps.common.triggers).
COVERAGE = f"""
    SELECT p.id AS rank, p.id AS subject_id, u.path, jsonb_build_object(
        'position', jsonb_build_object('id', p.id, 'code', p.code),
        'unit', jsonb_build_object('id', u.id, 'code', u.code),
        'week', m.week, 'from', m.before, 'to', m.after
    ) AS data
    FROM (
        SELECT position_id, max(state) FILTER (WHERE is_now) AS after, max(state) FILTER (WHERE NOT is_now) AS before,
               max(first_week) FILTER (WHERE is_now) AS week
        FROM (
            SELECT position_id, first_week, {COVERAGE_STATE} AS state, true AS is_now FROM new_rows
            UNION ALL SELECT position_id, first_week, {COVERAGE_STATE}, false FROM old_rows
        ) AS both_rows
        GROUP BY position_id
        HAVING max(state) FILTER (WHERE is_now) <> COALESCE(max(state) FILTER (WHERE NOT is_now), '')
    ) m
    JOIN org_position p ON p.id = m.position_id JOIN org_orgunit u ON u.id = p.org_unit_id
"""
# `moved` has id, before and after; the unit is that of the subject, of an assignment those of both its ends.
VIOLATIONS = """
    SELECT v.id AS rank, v.id AS subject_id,
        COALESCE(u.path, '{{}}') || COALESCE(pu.path, '{{}}') || COALESCE(eu.path, '{{}}') AS path, jsonb_build_object(
        'violation', v.id, 'rule', r.code, 'severity', v.severity,
        'subject', jsonb_build_object('kind', v.subject_kind, 'id', v.subject_id, 'code', v.subject_code),
        'from', m.before, 'to', m.after
    ) AS data
    FROM ({moved}) m
    JOIN business_rules_ruleviolation v ON v.id = m.id JOIN business_rules_businessrule r ON r.id = v.rule_id
    LEFT JOIN assignments_assignment a ON v.subject_kind = 'assignment' AND a.id = v.subject_id
    LEFT JOIN org_employee e
        ON e.id = CASE v.subject_kind WHEN 'employee' THEN v.subject_id WHEN 'assignment' THEN a.employee_id END
    LEFT JOIN org_position p
        ON p.id = CASE v.subject_kind WHEN 'position' THEN v.subject_id WHEN 'assignment' THEN a.position_id END
    LEFT JOIN org_orgunit u ON v.subject_kind = 'unit' AND u.id = v.subject_id
    LEFT JOIN org_orgunit pu ON pu.id = p.org_unit_id
    LEFT JOIN org_orgunit eu ON eu.id = e.home_unit_id
"""
VIOLATIONS_OPENED = VIOLATIONS.format(moved="SELECT id, NULL::text AS before, state AS after FROM new_rows")
VIOLATIONS_CHANGED = VIOLATIONS.format(
    moved="""
        SELECT id, max(state) FILTER (WHERE NOT is_now) AS before, max(state) FILTER (WHERE is_now) AS after
        FROM (SELECT id, state, true AS is_now FROM new_rows UNION ALL SELECT id, state, false FROM old_rows) AS rows
        GROUP BY id HAVING min(state) <> max(state)
    """
)
