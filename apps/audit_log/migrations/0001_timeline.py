"""The view of the timeline, and the indexes that let it be read from the newest entry on."""

from django.db import migrations, models

VIEW = """
CREATE VIEW audit_log_auditentry AS
SELECT 'org.employee:transition~'::text || id AS id, created_at AS at, id::bigint AS key, 'org.employee:transition'::text AS source, 'TRANSITION'::text AS kind, transition::text AS deed, actor_id AS actor_id, ''::text AS origin, reason::text AS reason, subject_id::bigint AS record_id, NULL::uuid AS record_uuid, (subject_id)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM fsm_employeetransitionlog
UNION ALL
SELECT 'assignments.assignment:transition~'::text || id AS id, created_at AS at, id::bigint AS key, 'assignments.assignment:transition'::text AS source, 'TRANSITION'::text AS kind, transition::text AS deed, actor_id AS actor_id, ''::text AS origin, reason::text AS reason, subject_id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (subject_id)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM assignments_assignmenttransitionlog
UNION ALL
SELECT 'tags.employeetag:tag~'::text || id AS id, created_at AS at, id::bigint AS key, 'tags.employeetag:tag'::text AS source, 'TAG'::text AS kind, change::text AS deed, actor_id AS actor_id, ''::text AS origin, reason::text AS reason, NULL::bigint::bigint AS record_id, NULL::uuid AS record_uuid, (employee_id)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM tags_tagchangelog
UNION ALL
SELECT 'org.orgunit~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'org.orgunit'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (id)::bigint AS unit_id FROM org_historicalorgunit
UNION ALL
SELECT 'org.position~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'org.position'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (id)::bigint AS position_id, (NULL)::bigint AS assignment_id, (org_unit_id)::bigint AS unit_id FROM org_historicalposition
UNION ALL
SELECT 'org.employee~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'org.employee'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (id)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM org_historicalemployee
UNION ALL
SELECT 'org.leave~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'org.leave'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (employee_id)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM org_historicalleave
UNION ALL
SELECT 'org.unitscope~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'org.unitscope'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (org_unit_id)::bigint AS unit_id FROM org_historicalunitscope
UNION ALL
SELECT 'tags.tagcatalog~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'tags.tagcatalog'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM tags_historicaltagcatalog
UNION ALL
SELECT 'tags.positiontag~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'tags.positiontag'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (position_id)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM tags_historicalpositiontag
UNION ALL
SELECT 'assignments.assignment~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'assignments.assignment'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (employee_id)::bigint AS employee_id, (position_id)::bigint AS position_id, (id)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM assignments_historicalassignment
UNION ALL
SELECT 'demand.demandadjustment~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'demand.demandadjustment'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (position_id)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM demand_historicaldemandadjustment
UNION ALL
SELECT 'business_rules.businessrule~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'business_rules.businessrule'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM business_rules_historicalbusinessrule
UNION ALL
SELECT 'business_rules.ruleoverride~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'business_rules.ruleoverride'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (org_unit_id)::bigint AS unit_id FROM business_rules_historicalruleoverride
UNION ALL
SELECT 'business_rules.ruleviolation~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'business_rules.ruleviolation'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (CASE WHEN subject_kind = 'employee' THEN subject_id END)::bigint AS employee_id, (CASE WHEN subject_kind = 'position' THEN subject_id END)::bigint AS position_id, (CASE WHEN subject_kind = 'assignment' THEN subject_id END)::bigint AS assignment_id, (CASE WHEN subject_kind = 'unit' THEN subject_id END)::bigint AS unit_id FROM business_rules_historicalruleviolation
UNION ALL
SELECT 'business_rules.waiver~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'business_rules.waiver'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (CASE WHEN subject_kind = 'employee' THEN subject_id END)::bigint AS employee_id, (CASE WHEN subject_kind = 'position' THEN subject_id END)::bigint AS position_id, (CASE WHEN subject_kind = 'assignment' THEN subject_id END)::bigint AS assignment_id, (CASE WHEN subject_kind = 'unit' THEN subject_id END)::bigint AS unit_id FROM business_rules_historicalwaiver
UNION ALL
SELECT 'users.user~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'users.user'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, NULL::bigint AS record_id, id AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM users_historicaluser
"""

INDEXES = [
    ("audit_fsm_employeetransitionlog", "CREATE INDEX audit_fsm_employeetransitionlog ON fsm_employeetransitionlog (created_at DESC, (id::bigint) DESC)"),
    ("audit_assignments_assignmenttransitionlog", "CREATE INDEX audit_assignments_assignmenttransitionlog ON assignments_assignmenttransitionlog (created_at DESC, (id::bigint) DESC)"),
    ("audit_tags_tagchangelog", "CREATE INDEX audit_tags_tagchangelog ON tags_tagchangelog (created_at DESC, (id::bigint) DESC)"),
    ("audit_org_historicalorgunit", "CREATE INDEX audit_org_historicalorgunit ON org_historicalorgunit (history_date DESC, (history_id::bigint) DESC)"),
    ("audit_org_historicalposition", "CREATE INDEX audit_org_historicalposition ON org_historicalposition (history_date DESC, (history_id::bigint) DESC)"),
    ("audit_org_historicalemployee", "CREATE INDEX audit_org_historicalemployee ON org_historicalemployee (history_date DESC, (history_id::bigint) DESC)"),
    ("audit_org_historicalleave", "CREATE INDEX audit_org_historicalleave ON org_historicalleave (history_date DESC, (history_id::bigint) DESC)"),
    ("audit_org_historicalunitscope", "CREATE INDEX audit_org_historicalunitscope ON org_historicalunitscope (history_date DESC, (history_id::bigint) DESC)"),
    ("audit_tags_historicaltagcatalog", "CREATE INDEX audit_tags_historicaltagcatalog ON tags_historicaltagcatalog (history_date DESC, (history_id::bigint) DESC)"),
    ("audit_tags_historicalpositiontag", "CREATE INDEX audit_tags_historicalpositiontag ON tags_historicalpositiontag (history_date DESC, (history_id::bigint) DESC)"),
    ("audit_assignments_historicalassignment", "CREATE INDEX audit_assignments_historicalassignment ON assignments_historicalassignment (history_date DESC, (history_id::bigint) DESC)"),
    ("audit_demand_historicaldemandadjustment", "CREATE INDEX audit_demand_historicaldemandadjustment ON demand_historicaldemandadjustment (history_date DESC, (history_id::bigint) DESC)"),
    ("audit_business_rules_historicalbusinessrule", "CREATE INDEX audit_business_rules_historicalbusinessrule ON business_rules_historicalbusinessrule (history_date DESC, (history_id::bigint) DESC)"),
    ("audit_business_rules_historicalruleoverride", "CREATE INDEX audit_business_rules_historicalruleoverride ON business_rules_historicalruleoverride (history_date DESC, (history_id::bigint) DESC)"),
    ("audit_business_rules_historicalruleviolation", "CREATE INDEX audit_business_rules_historicalruleviolation ON business_rules_historicalruleviolation (history_date DESC, (history_id::bigint) DESC)"),
    ("audit_business_rules_historicalwaiver", "CREATE INDEX audit_business_rules_historicalwaiver ON business_rules_historicalwaiver (history_date DESC, (history_id::bigint) DESC)"),
    ("audit_users_historicaluser", "CREATE INDEX audit_users_historicaluser ON users_historicaluser (history_date DESC, (history_id::bigint) DESC)"),
]


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("users", "0001_initial"),
        ("org", "0002_initial"),
        ("fsm", "0003_initial"),
        ("tags", "0002_initial"),
        ("assignments", "0002_initial"),
        ("demand", "0003_initial"),
        ("business_rules", "0002_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.CharField(max_length=120, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(verbose_name="when")),
                ("key", models.BigIntegerField()),
                ("source", models.CharField(max_length=80)),
                ("kind", models.CharField(choices=[("TRANSITION", "Transition"), ("TAG", "Tag"), ("CHANGE", "Change of data")], max_length=16, verbose_name="kind")),
                ("deed", models.CharField(max_length=32, verbose_name="what")),
                ("actor_id", models.UUIDField(null=True, verbose_name="who")),
                ("origin", models.CharField(max_length=32, verbose_name="from where")),
                ("reason", models.TextField(null=True, verbose_name="reason")),
                ("record_id", models.BigIntegerField(null=True)),
                ("record_uuid", models.UUIDField(null=True)),
                ("employee_id", models.BigIntegerField(null=True)),
                ("position_id", models.BigIntegerField(null=True)),
                ("assignment_id", models.BigIntegerField(null=True)),
                ("unit_id", models.BigIntegerField(null=True)),
            ],
            options={
                "verbose_name": "entry of the timeline",
                "verbose_name_plural": "timeline",
                "db_table": "audit_log_auditentry",
                "managed": False,
                "default_permissions": ("view", "export"),
            },
        ),
        migrations.RunSQL(VIEW, "DROP VIEW audit_log_auditentry"),
        *[migrations.RunSQL(sql, f"DROP INDEX {name}") for name, sql in INDEXES],
    ]
