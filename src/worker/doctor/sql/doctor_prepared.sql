-- doctor_prepared - prepared transactions, which no restart ends: they keep locks, and what vacuum would remove.
SELECT quote_literal(p.gid) AS name, p.owner AS role,
	to_char(p.prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC' AS since,
	extract(epoch FROM clock_timestamp() - p.prepared)::bigint AS open_sec
FROM pg_prepared_xacts p WHERE p.database = current_database()
ORDER BY 4 DESC
