-- ready_prepared - prepared transactions keep their locks until somebody ends them.
SELECT quote_literal(p.gid), 'a prepared transaction since ' || to_char(p.prepared AT TIME ZONE 'UTC',
	'YYYY-MM-DD HH24:MI') || ' UTC keeps its locks, and what it commits later would be on no side',
	'COMMIT PREPARED ' || quote_literal(p.gid) || ' or ROLLBACK PREPARED ' || quote_literal(p.gid)
FROM pg_prepared_xacts p WHERE p.database = current_database() ORDER BY p.prepared
