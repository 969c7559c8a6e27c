-- delta_sizes - how much room the changes take that are kept in delta tables, the largest first; and whether a
-- sync that a machine looks after takes them.
SELECT n.tablename AS "table", x.bytes AS kept_bytes, string_agg(DISTINCT regexp_replace(n.sync, ' \(paused\)$', ''), ', ') AS syncs,
	bool_or(n.sync LIKE '% (paused)') AS is_paused, CASE WHEN bool_or(m.sync IS NOT NULL) THEN 'yes' ELSE 'no' END AS drained,
	'DROP TRIGGER bucardo_delta ON ' || n.tablename AS cure
FROM bucardo.bucardo_delta_names n
CROSS JOIN LATERAL (SELECT pg_relation_size(to_regclass('bucardo.' || n.deltaname))::bigint AS bytes) x
LEFT JOIN bucardo.machine_syncs m ON m.sync = regexp_replace(n.sync, ' \(paused\)$', '')
WHERE x.bytes >= 16777216
GROUP BY n.tablename, x.bytes ORDER BY 2 DESC
