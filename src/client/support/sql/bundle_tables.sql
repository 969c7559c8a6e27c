-- bundle_tables.sql: the control database's tables that a support bundle has
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE n.nspname OPERATOR(pg_catalog.=) ANY ('{bucardo,machine}'::pg_catalog.name[])
	AND c.relkind OPERATOR(pg_catalog.=) 'r'::pg_catalog."char"
	AND c.relname OPERATOR(pg_catalog.<>) 'event_log'::pg_catalog.name
ORDER BY 1, 2
