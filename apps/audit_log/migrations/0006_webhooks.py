"""The timeline tells who made, changed or took away a webhook."""

from django.db import migrations

VIEW = """
CREATE OR REPLACE VIEW audit_log_auditentry AS
SELECT 'org.employee:transition~'::text || id AS id, created_at AS at, id::bigint AS key, 'org.employee:transition'::text AS source, 'TRANSITION'::text AS kind, transition::text AS deed, actor_id AS actor_id, ''::text AS origin, reason::text AS reason, subject_id::bigint AS record_id, NULL::uuid AS record_uuid, (subject_id)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM fsm_employeetransitionlog
UNION ALL
SELECT 'assignments.assignment:transition~'::text || id AS id, created_at AS at, id::bigint AS key, 'assignments.assignment:transition'::text AS source, 'TRANSITION'::text AS kind, transition::text AS deed, actor_id AS actor_id, ''::text AS origin, reason::text AS reason, subject_id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (subject_id)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM assignments_assignmenttransitionlog
UNION ALL
SELECT 'tags.employeetag:tag~'::text || id AS id, created_at AS at, id::bigint AS key, 'tags.employeetag:tag'::text AS source, 'TAG'::text AS kind, change::text AS deed, actor_id AS actor_id, ''::text AS origin, reason::text AS reason, NULL::bigint::bigint AS record_id, NULL::uuid AS record_uuid, (employee_id)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM tags_tagchangelog
UNION ALL
SELECT 'changes.correction:correction~'::text || id AS id, created_at AS at, id::bigint AS key, 'changes.correction:correction'::text AS source, 'CORRECTION'::text AS kind, 'correct'::text AS deed, actor_id AS actor_id, ''::text AS origin, reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (unit_id)::bigint AS unit_id FROM changes_correction
UNION ALL
SELECT 'changes.repair:repair~'::text || id AS id, created_at AS at, id::bigint AS key, 'changes.repair:repair'::text AS source, 'REPAIR'::text AS kind, 'repair'::text AS deed, actor_id AS actor_id, origin::text AS origin, ''::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM changes_repair
UNION ALL
SELECT 'audit_log.exportrecord:export~'::text || id AS id, created_at AS at, id::bigint AS key, 'audit_log.exportrecord:export'::text AS source, 'EXPORT'::text AS kind, 'export'::text AS deed, actor_id AS actor_id, origin::text AS origin, ''::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM audit_log_exportrecord
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
SELECT 'business_rules.ruledraft~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'business_rules.ruledraft'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM business_rules_historicalruledraft
UNION ALL
SELECT 'business_rules.ruleexample~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'business_rules.ruleexample'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM business_rules_historicalruleexample
UNION ALL
SELECT 'business_rules.ruleoverride~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'business_rules.ruleoverride'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (org_unit_id)::bigint AS unit_id FROM business_rules_historicalruleoverride
UNION ALL
SELECT 'business_rules.ruleviolation~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'business_rules.ruleviolation'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (CASE WHEN subject_kind = 'employee' THEN subject_id END)::bigint AS employee_id, (CASE WHEN subject_kind = 'position' THEN subject_id END)::bigint AS position_id, (CASE WHEN subject_kind = 'assignment' THEN subject_id END)::bigint AS assignment_id, (CASE WHEN subject_kind = 'unit' THEN subject_id END)::bigint AS unit_id FROM business_rules_historicalruleviolation
UNION ALL
SELECT 'business_rules.waiver~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'business_rules.waiver'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (CASE WHEN subject_kind = 'employee' THEN subject_id END)::bigint AS employee_id, (CASE WHEN subject_kind = 'position' THEN subject_id END)::bigint AS position_id, (CASE WHEN subject_kind = 'assignment' THEN subject_id END)::bigint AS assignment_id, (COALESCE(CASE WHEN subject_kind = 'unit' THEN subject_id END, org_unit_id))::bigint AS unit_id FROM business_rules_historicalwaiver
UNION ALL
SELECT 'inbox.attention~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'inbox.attention'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (CASE WHEN subject_kind = 'employee' THEN subject_id END)::bigint AS employee_id, (CASE WHEN subject_kind = 'position' THEN subject_id END)::bigint AS position_id, (CASE WHEN subject_kind = 'assignment' THEN subject_id END)::bigint AS assignment_id, (CASE WHEN subject_kind = 'unit' THEN subject_id END)::bigint AS unit_id FROM inbox_historicalattention
UNION ALL
SELECT 'inbox.subscription~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'inbox.subscription'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM inbox_historicalsubscription
UNION ALL
SELECT 'webhooks.webhookendpoint~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'webhooks.webhookendpoint'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, id::bigint AS record_id, NULL::uuid AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM webhooks_historicalwebhookendpoint
UNION ALL
SELECT 'users.user~'::text || history_id AS id, history_date AS at, history_id::bigint AS key, 'users.user'::text AS source, 'CHANGE'::text AS kind, history_type::text AS deed, history_user_id AS actor_id, origin::text AS origin, history_change_reason::text AS reason, NULL::bigint AS record_id, id AS record_uuid, (NULL)::bigint AS employee_id, (NULL)::bigint AS position_id, (NULL)::bigint AS assignment_id, (NULL)::bigint AS unit_id FROM users_historicaluser
"""

INDEXES = [('audit_webhooks_historicalwebhookendpoint', 'CREATE INDEX audit_webhooks_historicalwebhookendpoint ON webhooks_historicalwebhookendpoint (history_date DESC, (history_id::bigint) DESC)')]


class Migration(migrations.Migration):
    dependencies = [
        ("audit_log", "0005_corrections_repairs_and_exports"),
        ("webhooks", "0001_initial"),
    ]

    operations = [
        # Backwards the view stays as it is: it reads all that it read before.
        migrations.RunSQL(VIEW, migrations.RunSQL.noop),
        *[migrations.RunSQL(sql, f"DROP INDEX {name}") for name, sql in INDEXES],
    ]
