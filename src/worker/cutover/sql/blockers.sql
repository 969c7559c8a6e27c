-- blockers - who keeps the session with process $1 from its lock: a line of text each, and their pids.
SELECT string_agg(x.line, '; ' ORDER BY x.age DESC NULLS LAST),
  string_agg(x.pid::text, ', ' ORDER BY x.age DESC NULLS LAST) FILTER (WHERE x.pid > 0) FROM (
  SELECT b.pid, clock_timestamp() - a.xact_start AS age, CASE WHEN b.pid = 0
    THEN 'a prepared transaction (' || coalesce((SELECT string_agg(p.gid, ', ' ORDER BY p.prepared)
      FROM pg_prepared_xacts p WHERE p.database = current_database()), 'of another database') || ')'
    ELSE format('pid %s, application ''%s'', %s for %s s: %s', b.pid, a.application_name, a.state,
      round(extract(epoch FROM clock_timestamp() - a.xact_start)::numeric, 1),
      left(regexp_replace(a.query, '\s+', ' ', 'g'), 120)) END AS line
  FROM (SELECT DISTINCT unnest(pg_blocking_pids($1::int)) AS pid) b LEFT JOIN pg_stat_activity a ON a.pid = b.pid
  LIMIT 5) x
