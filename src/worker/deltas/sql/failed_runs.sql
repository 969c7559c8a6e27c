-- failed_runs - syncs of the migration whose last run that ended failed, with the server's words.
SELECT s.name AS sync, left(regexp_replace(regexp_replace(bad.status, '^Failed : ', ''), ' \(KID \d+\)$', ''), 400) AS error,
	to_char(bad.ended AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC' AS "when",
	extract(epoch FROM clock_timestamp() - bad.ended)::bigint AS ago_sec
FROM bucardo.sync s
CROSS JOIN LATERAL (SELECT r.ended, r.status FROM bucardo.syncrun r
	WHERE r.sync = s.name AND r.lastbad AND r.ended IS NOT NULL ORDER BY r.ended DESC LIMIT 1) bad
WHERE s.name ~ ('^' || current_setting('bucardo_machine.migration') || '_sync(_[2-8])?$')
AND NOT EXISTS (SELECT 1 FROM bucardo.syncrun r WHERE r.sync = s.name AND (r.lastgood OR r.lastempty) AND r.ended > bad.ended)
ORDER BY 1
