-- ready_locks - whether the locks of the freeze fit into the server's table of locks: each captured table,
-- with its delta and track table and their indexes, takes ten at most.
SELECT CASE WHEN needed < free THEN 'ready' ELSE 'not_ready' END, needed || ' needed, ' || free || ' free',
	CASE WHEN needed < free THEN '' ELSE 'the server''s table of locks has no room for all tables at once' END,
	CASE WHEN needed < free THEN '' ELSE 'raise max_locks_per_transaction (' ||
		current_setting('max_locks_per_transaction') || ') there, which needs a restart' END
FROM (SELECT 10 * cardinality(current_setting('bucardo_machine.tables')::oid[]) AS needed,
	current_setting('max_locks_per_transaction')::bigint * (current_setting('max_connections')::int
		+ current_setting('max_prepared_transactions')::int) - (SELECT count(*) FROM pg_locks WHERE NOT fastpath) AS free) x
