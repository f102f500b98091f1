"""What rules may be about in the organisation."""

from apps.business_rules.subjects import Kind, register_kind

register_kind(
    Kind(
        name="employee",
        label="org.Employee",
        table="org_employee",
        unit="s.home_unit_id",
        rows="""
            SELECT e.id, e.employee_number AS code, e.home_unit_id AS unit_id,
                e.family_name || ', ' || e.given_name || ' (' || e.employee_number || ')' AS name
            FROM org_employee e
        """,
    )
)
register_kind(
    Kind(
        name="position",
        label="org.Position",
        table="org_position",
        unit="s.org_unit_id",
        rows="""
            SELECT p.id, p.code, p.org_unit_id AS unit_id, p.title || ' (' || p.code || ')' AS name FROM org_position p
        """,
    )
)
register_kind(
    Kind(
        name="unit",
        label="org.OrgUnit",
        table="org_orgunit",
        unit="s.id",
        rows="SELECT u.id, u.code, u.id AS unit_id, u.name || ' (' || u.code || ')' AS name FROM org_orgunit u",
        # What a position needs or has counts in its unit and in all above it.
        reached_from={
            "position": """
                SELECT DISTINCT unnest(u.path) FROM org_position p JOIN org_orgunit u ON u.id = p.org_unit_id
                WHERE p.id = ANY (%(ids)s::bigint[])
            """,
            "unit": "SELECT DISTINCT unnest(u.path) FROM org_orgunit u WHERE u.id = ANY (%(ids)s::bigint[])",
        },
    )
)
