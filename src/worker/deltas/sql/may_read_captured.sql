-- may_read_captured - whether the list of captured tables can be read, and is no view whose functions would
-- run with our rights (FOREIGN_SCHEMA in preflight_servers.c). Triggers do not count: anybody may call
-- his by that name.
SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 JOIN pg_roles s ON s.oid = n.nspowner JOIN pg_roles o ON o.oid = c.relowner
 JOIN pg_roles m ON m.rolname = current_user WHERE n.nspname = 'bucardo'
 AND c.relname = 'bucardo_delta_names' AND c.relkind = 'r' AND has_schema_privilege(n.oid, 'USAGE')
 AND has_table_privilege(c.oid, 'SELECT') AND (NOT m.rolsuper OR s.rolsuper AND o.rolsuper))
