-- catalog_syncs - each sync (at most $1) with its runs, ages in milliseconds, -1 for never.
-- The flags lastgood, lastbad and lastempty are kept on the newest row of each kind only, so that
-- their partial indexes give one row. Failures need a scan, once for all syncs. The title of the
-- KID's session carries its process.
SELECT s.name, 'dbgroup ' || coalesce(s.dbs, ''), s.status <> 'inactive', s.autokick,
run.started IS NOT NULL,
CASE WHEN run.started IS NULL THEN -1 ELSE greatest((extract(epoch FROM clock_timestamp() - run.started) * 1000)::bigint, 0) END,
coalesce(run.status, ''),
CASE WHEN good.ended IS NULL THEN -1 ELSE greatest((extract(epoch FROM clock_timestamp() - good.ended) * 1000)::bigint, 0) END,
CASE WHEN bad.ended IS NULL THEN -1 ELSE greatest((extract(epoch FROM clock_timestamp() - bad.ended) * 1000)::bigint, 0) END,
left(regexp_replace(regexp_replace(coalesce(bad.status, ''),
 '^Failed : ', ''), ' \(KID \d+\)$', ''), 600),
coalesce(failures.count, 0), coalesce(kid.pid, 0),
coalesce(failures.conflicts, 0), coalesce(failures.applied, 0)
FROM bucardo.sync s
LEFT JOIN LATERAL (SELECT started, status FROM bucardo.syncrun r
 WHERE r.sync = s.name AND r.ended IS NULL
 ORDER BY started DESC LIMIT 1) run ON true
LEFT JOIN LATERAL (SELECT greatest(
  (SELECT max(r.ended) FROM bucardo.syncrun r
    WHERE r.sync = s.name AND r.lastgood IS TRUE),
  (SELECT max(r.ended) FROM bucardo.syncrun r
    WHERE r.sync = s.name AND r.lastempty IS TRUE)) AS ended) good ON true
LEFT JOIN LATERAL (SELECT ended, status FROM bucardo.syncrun r
 WHERE r.sync = s.name AND r.lastbad IS TRUE AND r.ended IS NOT NULL
 ORDER BY ended DESC LIMIT 1) bad ON true
LEFT JOIN (SELECT sync, count(*) FILTER (WHERE status LIKE 'Failed%'
  AND ended > now() - interval '5 min'), sum(conflicts) AS conflicts,
  sum(coalesce(inserts, 0) + coalesce(deletes, 0)) AS applied
 FROM bucardo.syncrun GROUP BY sync) failures ON failures.sync = s.name
LEFT JOIN LATERAL (SELECT substring(application_name
  FROM '\(PID (\d{1,9})\)$')::int AS pid FROM pg_stat_activity
 WHERE datname = current_database()
 AND starts_with(application_name, 'bucardo KID (' || s.name || ') (PID ')
 ORDER BY backend_start DESC LIMIT 1) kid ON true
ORDER BY s.name LIMIT $1
