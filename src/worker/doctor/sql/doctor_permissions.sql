-- doctor_permissions - rights on captured tables that the machine's role has not (any more): it reads them on
-- the side that is live, and writes on the one that follows.
SELECT c.oid::regclass::text AS "table", current_user AS role, string_agg(p.name, ', ' ORDER BY p.name) AS missing,
	format('GRANT %s ON %s TO %I', string_agg(p.name, ', ' ORDER BY p.name), c.oid::regclass, current_user) AS cure
FROM pg_class c
CROSS JOIN (VALUES ('SELECT', true), ('INSERT', false), ('UPDATE', false), ('DELETE', false)) p (name, is_for_live)
WHERE c.oid = ANY (current_setting('bucardo_machine.tables')::oid[])
AND (p.is_for_live OR current_setting('bucardo_machine.part') = 'follower')
AND NOT has_table_privilege(c.oid, p.name)
GROUP BY c.oid
UNION ALL
SELECT DISTINCT 'schema ' || quote_ident(n.nspname), current_user, 'USAGE', format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, current_user)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY (current_setting('bucardo_machine.tables')::oid[]) AND NOT has_schema_privilege(n.oid, 'USAGE')
ORDER BY 1
