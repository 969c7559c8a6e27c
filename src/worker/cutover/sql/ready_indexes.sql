-- ready_indexes - indexes of captured tables that nobody can use.
SELECT i.indexrelid::regclass::text, 'it is invalid: no query uses it, and it may not keep rows unique',
	'REINDEX INDEX CONCURRENTLY ' || i.indexrelid::regclass
FROM pg_index i WHERE NOT (i.indisvalid AND i.indisready)
AND i.indrelid = ANY (current_setting('bucardo_machine.tables')::oid[]) ORDER BY 1
