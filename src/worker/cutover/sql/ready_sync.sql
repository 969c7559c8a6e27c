-- ready_sync - whether Bucardo runs the migration's syncs well: each is active, and its last run that
-- ended was good and is young. One without rows counts: it runs every 30 s.
SELECT CASE WHEN bool_and(is_active AND is_good AND age <= 90) THEN 'ready' ELSE 'not_ready' END,
	CASE WHEN bool_or(age IS NULL) THEN 'no good run yet' ELSE round(max(age)) || ' s old' END,
	coalesce('sync ' || string_agg(name || CASE WHEN NOT is_active THEN ' is not active'
		WHEN NOT is_good THEN ': its last run failed: ' || left(bad_text, 200)
		WHEN age IS NULL THEN ' has not run yet: it does within 30 s of its start'
		ELSE ' had no good run for ' || round(age) || ' s' END, '; ')
		FILTER (WHERE NOT coalesce(is_active AND is_good AND age <= 90, false)), ''),
	CASE WHEN bool_and(is_active AND is_good AND age <= 90) THEN ''
		WHEN bool_and(is_active AND is_good AND age IS NULL) THEN 'ask again in half a minute'
		ELSE 'bucardo-machine status says what it waits for' END
FROM (SELECT s.name, s.status <> 'inactive' AS is_active, coalesce(bad.ended < good.ended, true) AS is_good,
		extract(epoch FROM clock_timestamp() - good.ended) AS age, coalesce(bad.status, '') AS bad_text
	FROM bucardo.sync s
	LEFT JOIN LATERAL (SELECT max(r.ended) AS ended FROM bucardo.syncrun r
		WHERE r.sync = s.name AND (r.lastgood OR r.lastempty)) good ON true
	LEFT JOIN LATERAL (SELECT r.ended, r.status FROM bucardo.syncrun r
		WHERE r.sync = s.name AND r.lastbad AND r.ended IS NOT NULL ORDER BY r.ended DESC LIMIT 1) bad ON true
	WHERE s.name ~ ('^' || current_setting('bucardo_machine.migration') || '_sync(_[2-8])?$')) x
HAVING count(*) > 0
