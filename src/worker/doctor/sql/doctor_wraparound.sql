-- doctor_wraparound - captured tables, and Bucardo's for them, near an autovacuum to prevent wraparound or under one:
-- it yields to nobody. And how old the database is, of the two billion transactions that it can be.
SELECT 'table' AS of, c.oid::regclass::text AS "table", age(c.relfrozenxid)::bigint AS age, l.most, (100.0 * age(c.relfrozenxid) / l.most)::int AS percent,
	v.pid AS running, 0::bigint AS left_xids, 'VACUUM (FREEZE) ' || c.oid::regclass AS cure
FROM pg_class c
CROSS JOIN LATERAL (SELECT least(current_setting('autovacuum_freeze_max_age')::int,
	(SELECT option_value::int FROM pg_options_to_table(c.reloptions)
		WHERE option_name = 'autovacuum_freeze_max_age')) AS most) l
LEFT JOIN LATERAL (SELECT a.pid FROM pg_stat_progress_vacuum p JOIN pg_stat_activity a ON a.pid = p.pid
	WHERE p.relid = c.oid AND p.datname = current_database() AND a.query LIKE 'autovacuum: %(to prevent wraparound)%' LIMIT 1) v ON true
WHERE c.relkind = 'r' AND (c.oid = ANY (current_setting('bucardo_machine.tables')::oid[])
	OR c.relnamespace = to_regnamespace('bucardo'))
AND (v.pid IS NOT NULL OR age(c.relfrozenxid) > 0.85 * l.most)
UNION ALL
SELECT 'database', 'database ' || quote_ident(d.datname), age(d.datfrozenxid), 2147483647, (100.0 * age(d.datfrozenxid) / 2147483647)::int, NULL,
	2147483647 - age(d.datfrozenxid)::bigint, 'VACUUM (FREEZE)'
FROM pg_database d WHERE d.datname = current_database() AND age(d.datfrozenxid) > 1200000000
ORDER BY 5 DESC
